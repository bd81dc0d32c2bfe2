//! Approvals by people, and waits for times and events.

use serde_json::{Value, json};

use super::{
    Command, Decider, EventKind, Failure,
    names::{WithEvent, holds},
    state::{ApprovalFrame, Frame, WaitFrame},
    walk::{Stood, Walk},
};
use crate::{
    bounds::{QUESTION_CHARS_MAX, SPAN_MS_MAX},
    model::{Approval, OnError, Silence, Step, Wait},
    program::Program,
};

impl Walk<'_> {
    pub(super) fn begin_approval(
        &mut self,
        program: &Program,
        step: &Step,
        approval: &Approval,
    ) -> Result<Stood, Failure> {
        let question = self.render(program, &Value::from(approval.question.as_str()))?;
        let question = question.as_str().map_or_else(|| question.to_string(), str::to_owned);
        let question: String = question.chars().take(QUESTION_CHARS_MAX).collect();
        let ends_ms = self.core.now_ms.saturating_add(approval.within.ms());
        let timeout = self.timer(ends_ms);
        let now = self.core.now_ms;
        let escalations = approval.escalate.iter().enumerate();
        let escalations =
            escalations.map(|(at, it)| (self.timer(now.saturating_add(it.after.ms())), at)).collect();
        let path = self.path_of(&step.id);
        self.commands.push(Command::Ask { step: path.clone(), by: approval.by.clone() });
        Ok(Stood::Pending(Frame::Approval(ApprovalFrame {
            step: path,
            question,
            by: approval.by.clone(),
            votes: Vec::new(),
            form: Value::Null,
            timeout,
            ends_ms,
            escalations,
        })))
    }

    fn timer(&mut self, at_ms: u64) -> u64 {
        let ticket = self.core.ticket();
        self.commands.push(Command::Timer { ticket, at_ms });
        ticket
    }

    pub(super) fn go_on_approval(&mut self, step: &Step, mut frame: ApprovalFrame) -> Stood {
        let Some(approval) = &step.approval else {
            return Stood::Failed(Failure::new("internal", "a question without its definition"));
        };
        if self.is_draining() {
            self.forget_approval(&frame);
            return Stood::Stopped;
        }
        let event = self.event;
        match &event.kind {
            EventKind::Timer { ticket } if *ticket == frame.timeout => {
                self.forget_approval(&frame);
                match approval.on_timeout {
                    Silence::Fail => Stood::Failed(Failure::new("timeout", "nobody decided in time")),
                    Silence::Deny => denied(&frame, "silence"),
                    Silence::Approve => Stood::Done(granted(&frame)),
                }
            }
            EventKind::Timer { ticket } => {
                if let Some(at) = frame.escalations.iter().position(|(it, _)| it == ticket) {
                    let (_, index) = frame.escalations.remove(at);
                    let to = approval.escalate.get(index).map(|it| it.to.clone()).unwrap_or_default();
                    frame.by.extend(to.iter().cloned());
                    self.commands.push(Command::Ask { step: frame.step.clone(), by: to });
                }
                Stood::Pending(Frame::Approval(frame))
            }
            EventKind::Decision { step, by, grant, form }
                if *step == frame.step && may_decide(&frame.by, by) =>
            {
                if !*grant {
                    self.forget_approval(&frame);
                    return denied(&frame, &by.id);
                }
                if !frame.votes.contains(&by.id) {
                    frame.votes.push(by.id.clone());
                }
                if !form.is_null() {
                    frame.form = form.clone();
                }
                if frame.votes.len() < usize::try_from(approval.quorum).unwrap_or(usize::MAX) {
                    return Stood::Pending(Frame::Approval(frame));
                }
                self.forget_approval(&frame);
                Stood::Done(granted(&frame))
            }
            _ => Stood::Pending(Frame::Approval(frame)),
        }
    }

    fn forget_approval(&mut self, frame: &ApprovalFrame) {
        let fired = match self.event.kind {
            EventKind::Timer { ticket } => ticket,
            _ => 0,
        };
        let tickets = frame.escalations.iter().map(|(it, _)| *it).chain([frame.timeout]);
        self.commands.extend(tickets.filter(|it| *it != fired).map(|ticket| Command::Forget { ticket }));
    }

    pub(super) fn begin_wait(&mut self, program: &Program, wait: &Wait) -> Result<Stood, Failure> {
        let now = self.core.now_ms;
        let mut frame = WaitFrame { listener: 0, timer: 0 };
        if let Some(span) = wait.span {
            frame.timer = self.timer(now.saturating_add(span.ms()));
        }
        if let Some(until) = &wait.until {
            let until = self.render(program, until)?;
            let seconds = until.as_f64().or_else(|| until.as_str().and_then(|it| it.trim().parse().ok()));
            let seconds = seconds
                .filter(|it| it.is_finite() && *it >= 0.0 && *it < 4.0e9)
                .ok_or_else(|| Failure::new("expression", "`until` is no time in Unix seconds"))?;
            let at_ms = (seconds * 1000.0) as u64;
            if at_ms > now.saturating_add(SPAN_MS_MAX) {
                return Err(Failure::new("expression", "`until` is more than a year away"));
            }
            frame.timer = self.timer(at_ms.max(now));
        }
        if let Some(pattern) = &wait.event {
            frame.listener = self.core.ticket();
            self.commands.push(Command::Listen { ticket: frame.listener, pattern: pattern.clone() });
            if let Some(within) = wait.within {
                frame.timer = self.timer(now.saturating_add(within.ms()));
            }
        }
        Ok(Stood::Pending(Frame::Wait(frame)))
    }

    pub(super) fn go_on_wait(&mut self, program: &Program, step: &Step, frame: WaitFrame) -> Stood {
        let Some(wait) = &step.wait else {
            return Stood::Failed(Failure::new("internal", "a wait without its definition"));
        };
        if self.is_draining() {
            self.forget_wait(&frame);
            return Stood::Stopped;
        }
        let event = self.event;
        match &event.kind {
            EventKind::Timer { ticket } if *ticket == frame.timer => {
                self.forget_wait(&frame);
                if wait.event.is_some() && wait.on_timeout == OnError::Fail {
                    return Stood::Failed(Failure::new("timeout", "no such event came in time"));
                }
                Stood::Done(Value::Null)
            }
            EventKind::Signal { ticket, body } if *ticket == frame.listener => {
                let names = WithEvent { names: self, event: body };
                match holds(program, wait.condition.as_deref(), &names) {
                    Ok(false) => Stood::Pending(Frame::Wait(frame)),
                    Ok(true) => {
                        self.forget_wait(&frame);
                        Stood::Done(body.clone())
                    }
                    Err(failure) => {
                        self.forget_wait(&frame);
                        Stood::Failed(failure)
                    }
                }
            }
            _ => Stood::Pending(Frame::Wait(frame)),
        }
    }

    fn forget_wait(&mut self, frame: &WaitFrame) {
        let fired = match self.event.kind {
            EventKind::Timer { ticket } => ticket,
            _ => 0,
        };
        let tickets = [frame.listener, frame.timer].into_iter().filter(|it| *it != 0 && *it != fired);
        self.commands.extend(tickets.map(|ticket| Command::Forget { ticket }));
    }
}

/// Whether one of `role:NAME`, `user:NAME` means this person; admins decide about everything.
pub(crate) fn may_decide(by: &[String], who: &Decider) -> bool {
    who.roles.iter().any(|it| it == "admin")
        || by.iter().any(|it| match it.split_once(':') {
            Some(("role", role)) => who.roles.iter().any(|it| it == role),
            Some(("user", user)) => who.id == user,
            _ => false,
        })
}

fn granted(frame: &ApprovalFrame) -> Value {
    json!({ "granted": true, "by": frame.votes, "form": frame.form })
}

fn denied(frame: &ApprovalFrame, by: &str) -> Stood {
    let out = json!({ "granted": false, "by": [by], "form": frame.form });
    Stood::Failed(Failure { out, ..Failure::new("approval_denied", format!("{by} said no")) })
}
