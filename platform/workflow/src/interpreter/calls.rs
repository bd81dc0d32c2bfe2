//! Attempts of one call.

use serde_json::Value;

use super::{
    Command, EventKind, Failure, Resolution, StepOutcome,
    pause::pause_ms,
    state::{CallFrame, CallPhase, Frame, UndoItem, size_of},
    walk::{Stood, Walk},
};
use crate::{
    bounds::{ATTEMPTS_MAX, THROTTLED_MAX},
    model::{Retry, Step},
    program::Program,
};

/// What an event did to a call.
pub(super) enum Moved {
    Pending,
    Done(Value),
    Failed(Failure),
}

/// What an attempt needs besides its frame.
pub(super) struct Attempt<'a> {
    pub(super) step: String,
    pub(super) tool: &'a str,
    pub(super) timeout_ms: Option<u64>,
    pub(super) retry: Retry,
    pub(super) is_undo: bool,
    /// No new attempt is made any more.
    pub(super) is_ending: bool,
}

impl Walk<'_> {
    pub(super) fn begin_call(
        &mut self,
        program: &Program,
        step: &Step,
        tool: &str,
    ) -> Result<Stood, Failure> {
        let args = self.render(program, &Value::Object(step.with.clone()))?;
        self.core.charge(size_of(&args))?;
        let attempt = self.attempt_of(step, tool);
        let mut call = self.new_call(attempt.step.clone(), args);
        self.execute(&mut call, &attempt);
        Ok(Stood::Pending(Frame::Call(call)))
    }

    pub(super) fn new_call(&self, step: String, args: Value) -> CallFrame {
        CallFrame {
            step,
            ticket: 0,
            attempt: 0,
            throttled: 0,
            first_ms: self.core.now_ms,
            phase: CallPhase::Running,
            args,
            interrupted: false,
        }
    }

    fn attempt_of<'s>(&self, step: &Step, tool: &'s str) -> Attempt<'s> {
        let retry = step.retry.clone().unwrap_or_else(|| Retry { attempts: 1, ..Retry::default() });
        Attempt {
            step: self.path_of(&step.id),
            tool,
            timeout_ms: step.timeout.map(crate::span::Span::ms),
            retry,
            is_undo: false,
            is_ending: self.is_draining(),
        }
    }

    /// Begins the next attempt.
    pub(super) fn execute(&mut self, call: &mut CallFrame, attempt: &Attempt<'_>) {
        call.ticket = self.core.ticket();
        call.attempt += 1;
        call.phase = CallPhase::Running;
        self.commands.push(Command::Execute {
            ticket: call.ticket,
            step: attempt.step.clone(),
            attempt: call.attempt,
            tool: attempt.tool.to_owned(),
            args: call.args.clone(),
            timeout_ms: attempt.timeout_ms,
            is_undo: attempt.is_undo,
        });
    }

    pub(super) fn go_on_call(&mut self, step: &Step, mut call: CallFrame) -> Stood {
        let attempt = self.attempt_of(step, step.call.as_deref().unwrap_or_default());
        let moved = self.move_call(&mut call, &attempt);
        if !matches!(moved, Moved::Pending) {
            self.core.discharge(size_of(&call.args));
        }
        match moved {
            Moved::Done(out) => Stood::Done(out),
            Moved::Failed(failure) => Stood::Failed(failure),
            Moved::Pending if self.is_draining() => match call.phase {
                CallPhase::Pausing => {
                    self.commands.push(Command::Forget { ticket: call.ticket });
                    Stood::Stopped
                }
                CallPhase::Blocked { .. } => Stood::Stopped,
                CallPhase::Running => {
                    if !call.interrupted {
                        call.interrupted = true;
                        self.commands.push(Command::Interrupt { ticket: call.ticket });
                    }
                    Stood::Pending(Frame::Call(call))
                }
                // Nobody knows whether there is something to undo: somebody has to say.
                CallPhase::Unknown { .. } => Stood::Pending(Frame::Call(call)),
            },
            Moved::Pending => Stood::Pending(Frame::Call(call)),
        }
    }

    /// Lets the event in hand act on a call.
    pub(super) fn move_call(&mut self, call: &mut CallFrame, attempt: &Attempt<'_>) -> Moved {
        let event = self.event;
        match (&event.kind, &call.phase) {
            (EventKind::Done { ticket, outcome }, CallPhase::Running) if *ticket == call.ticket => {
                self.ended(call, attempt, outcome)
            }
            (EventKind::Timer { ticket }, CallPhase::Pausing) if *ticket == call.ticket => {
                self.execute(call, attempt);
                Moved::Pending
            }
            (
                EventKind::Resolve { step, resolution },
                CallPhase::Unknown { .. } | CallPhase::Blocked { .. },
            ) if *step == attempt.step => self.resolved(call, attempt, resolution),
            (EventKind::Resume, CallPhase::Blocked { .. }) if !attempt.is_ending => {
                call.attempt = call.attempt.saturating_sub(1);
                self.execute(call, attempt);
                Moved::Pending
            }
            _ => Moved::Pending,
        }
    }

    fn resolved(&mut self, call: &mut CallFrame, attempt: &Attempt<'_>, resolution: &Resolution) -> Moved {
        match resolution {
            Resolution::Done { out } => Moved::Done(out.clone()),
            Resolution::Retry if !attempt.is_ending => {
                self.execute(call, attempt);
                Moved::Pending
            }
            Resolution::Failed | Resolution::Retry => {
                Moved::Failed(Failure::new("tool_execution_failed", "somebody found that it did not happen"))
            }
        }
    }

    fn ended(&mut self, call: &mut CallFrame, attempt: &Attempt<'_>, outcome: &StepOutcome) -> Moved {
        let (code, message, retry_after_ms) = match outcome {
            StepOutcome::Ok { out } => return Moved::Done(out.clone()),
            StepOutcome::Failed { code, message, retry_after_ms } => {
                (code.as_str(), message, *retry_after_ms)
            }
        };
        match code {
            "outcome_unknown" => {
                call.phase = CallPhase::Unknown { message: message.clone() };
                return Moved::Pending;
            }
            "needs_approval" => {
                call.phase = CallPhase::Blocked { message: message.clone() };
                return Moved::Pending;
            }
            _ => {}
        }
        let failed = Failure::new(code, message.clone());
        if attempt.is_ending {
            return Moved::Failed(failed);
        }
        // The call was refused before anything happened, only because others are ahead of it.
        if matches!(code, "rate_limited" | "overloaded") && call.throttled < THROTTLED_MAX {
            call.throttled += 1;
            call.attempt -= 1;
            let spread = 1000 + u64::from(self.event.dice % 500);
            return self.pause(call, retry_after_ms.unwrap_or(0).clamp(spread, 60_000), attempt, failed);
        }
        let attempts = attempt.retry.attempts.clamp(1, ATTEMPTS_MAX);
        let is_passing = attempt.is_undo || attempt.retry.on.iter().any(|it| it == code);
        if call.attempt >= attempts || !is_passing {
            return Moved::Failed(failed);
        }
        let wait =
            pause_ms(&attempt.retry, call.attempt + 1, self.event.dice).max(retry_after_ms.unwrap_or(0));
        self.pause(call, wait, attempt, failed)
    }

    fn pause(&mut self, call: &mut CallFrame, wait_ms: u64, attempt: &Attempt<'_>, failed: Failure) -> Moved {
        let at_ms = self.core.now_ms.saturating_add(wait_ms);
        let last = attempt.retry.deadline.map(|it| call.first_ms.saturating_add(it.ms()));
        if last.is_some_and(|last| at_ms > last) {
            return Moved::Failed(failed);
        }
        call.ticket = self.core.ticket();
        call.phase = CallPhase::Pausing;
        self.commands.push(Command::Timer { ticket: call.ticket, at_ms });
        Moved::Pending
    }

    /// A call that is done and can be taken back goes on the list.
    pub(super) fn push_undo(&mut self, program: &Program, step: &Step) -> Result<(), Failure> {
        let Some(undo) = &step.undo else { return Ok(()) };
        let args = self
            .render(program, &Value::Object(undo.with.clone()))
            .map_err(|it| Failure { code: "undo".into(), ..it.about("the arguments of its undo") })?;
        self.core.charge(size_of(&args))?;
        let item = UndoItem {
            step: self.path_of(&step.id),
            tool: undo.call.clone(),
            args,
            top: self.top,
            retry: undo.retry.clone(),
        };
        self.core.undo.push(item);
        Ok(())
    }
}
