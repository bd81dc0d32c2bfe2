//! The pure interpreter: one state and one event in, the next state and commands out.
//!
//! No I/O, no clock, no randomness: what an event brings (`at_ms`, `dice`) was recorded with it, so feeding the
//! same events to the same program gives the same states and commands, on any driver. Unknown, late and repeated
//! events change nothing, so delivering at least once is enough.
//!
//! Reading order: [`Event`] and [`Command`], [`State`], `feed`, then `walk` (which step is next), `calls`
//! (attempts), `waiting` (approvals and waits), `undo`.

mod calls;
mod event;
mod names;
mod pause;
mod state;
mod undo;
mod waiting;
mod walk;

pub use event::{Command, Decider, Event, EventKind, Resolution, StepOutcome};
pub(crate) use state::size_of;
pub use state::{Failure, Question, RunStatus, State, Stuck};
pub(crate) use waiting::may_decide;

use serde_json::{Value, json};
use state::{Block, Phase, Scope};
use walk::{Ended, Walk};

use crate::program::Program;

/// Feeds one event.
pub fn feed(program: &Program, mut state: State, event: &Event) -> (State, Vec<Command>) {
    state.core.now_ms = state.core.now_ms.max(event.at_ms);
    let mut commands = Vec::new();
    if !accept(program, &mut state, event, &mut commands) {
        return (state, commands);
    }
    let mut walk = Walk::new(program, &mut state, event, &mut commands);
    if matches!(walk.core.phase, Phase::Forward | Phase::Draining) {
        let mut block = std::mem::take(walk.block);
        let ended = walk.block(program, &program.definition.steps, &mut block, true);
        *walk.block = block;
        match (ended, walk.is_draining()) {
            (Ended::Pending, _) => {}
            (Ended::Done, false) => walk.finish(),
            (Ended::Failed(failure), _) => {
                walk.core.failure.get_or_insert(failure);
                walk.core.phase = Phase::Undoing;
            }
            (Ended::Done | Ended::Stopped, _) => walk.core.phase = Phase::Undoing,
        }
    }
    if walk.core.phase == Phase::Undoing {
        walk.undo();
    }
    walk.put_back();
    (state, commands)
}

/// What an event means for the run as a whole. `false`: nothing to do.
fn accept(program: &Program, state: &mut State, event: &Event, commands: &mut Vec<Command>) -> bool {
    let core = &mut state.core;
    match (&event.kind, core.phase) {
        (EventKind::Start { inputs, run }, Phase::New) => {
            core.phase = Phase::Forward;
            core.started_ms = core.now_ms;
            state.root = Scope { inputs: Some(inputs.clone()), ..Scope::default() };
            core.run = run.clone();
            if let Some(deadline) = program.definition.deadline {
                let ticket = core.ticket();
                core.deadline = Some(ticket);
                commands.push(Command::Timer { ticket, at_ms: core.now_ms + deadline.ms() });
            }
            true
        }
        (EventKind::Cancel { by }, Phase::Forward) => {
            core.failure = Some(Failure::new("cancelled", format!("cancelled by {by}")));
            core.phase = Phase::Draining;
            true
        }
        (EventKind::Timer { ticket }, Phase::Forward) if core.deadline == Some(*ticket) => {
            core.deadline = None;
            core.failure = Some(Failure::new("timeout", "the run took longer than its deadline"));
            core.phase = Phase::Draining;
            true
        }
        (EventKind::Retry { from }, Phase::Ended) => retry(program, state, from, commands),
        (EventKind::Resume, Phase::Ended) if core.status == RunStatus::NeedsAttention => {
            core.phase = Phase::Undoing;
            core.ended_ms = None;
            true
        }
        (EventKind::Start { .. } | EventKind::Retry { .. }, _) => false,
        (_, Phase::New | Phase::Ended) => false,
        _ => true,
    }
}

/// Why a run cannot be repeated from a step; `None`: it can.
pub fn retry_refusal(program: &Program, state: &State, from: &str) -> Option<String> {
    let steps = &program.definition.steps;
    let Some(index) = steps.iter().position(|it| it.id == from) else {
        let names: Vec<&str> = steps.iter().map(|it| it.id.as_str()).collect();
        return Some(format!("no outermost step is called `{from}`; there are {}", names.join(", ")));
    };
    if state.core.phase != Phase::Ended
        || !matches!(state.core.status, RunStatus::Failed | RunStatus::Cancelled)
    {
        return Some("only a run that failed or was cancelled can be repeated from a step".into());
    }
    if index > state.block.at {
        return Some(format!("the run did not get as far as `{from}`"));
    }
    let first = state.core.undone.iter().copied().find(|it| *it < index)?;
    Some(format!("step `{}` was undone; repeat from there or earlier", steps[first].id))
}

fn retry(program: &Program, state: &mut State, from: &str, commands: &mut Vec<Command>) -> bool {
    if retry_refusal(program, state, from).is_some() {
        return false;
    }
    let steps = &program.definition.steps;
    let index = steps.iter().position(|it| it.id == from).unwrap_or_default();
    let mut gone = Vec::new();
    crate::program::walk(&steps[index..], &mut |step| gone.push(step.id.as_str()));
    state.root.results.retain(|id, _| !gone.contains(&id.as_str()));
    state.block = Block { at: index, frame: None };
    let core = &mut state.core;
    core.bytes = state.root.results.values().map(state::size_of).sum();
    core.undone.retain(|it| *it < index);
    core.undo.clear();
    (core.phase, core.status) = (Phase::Forward, RunStatus::Running);
    (core.failure, core.ended_ms, core.outputs) = (None, None, Value::Null);
    if let Some(deadline) = program.definition.deadline {
        let ticket = core.ticket();
        core.deadline = Some(ticket);
        commands.push(Command::Timer { ticket, at_ms: core.now_ms + deadline.ms() });
    }
    true
}

impl Walk<'_> {
    /// Every step is done: what comes out?
    fn finish(&mut self) {
        match self.outputs(self.program) {
            Ok(outputs) => {
                self.core.outputs = outputs;
                self.end(RunStatus::Succeeded);
            }
            Err(failure) => {
                self.core.failure = Some(failure);
                self.core.phase = Phase::Undoing;
            }
        }
    }

    /// The outputs of the innermost workflow.
    pub(super) fn outputs(&mut self, program: &Program) -> Result<Value, Failure> {
        let mut outputs = serde_json::Map::new();
        for (name, output) in &program.definition.outputs {
            let value =
                self.render(program, &output.value).map_err(|it| it.about(&format!("output `{name}`")))?;
            if let Some(kind) = output.kind {
                let rule = json!({ "type": kind.as_str() });
                if !jsonschema::is_valid(&rule, &value) {
                    let message = format!(
                        "output `{name}` is {} and not of type {}",
                        crate::expression::kind(&value),
                        kind.as_str()
                    );
                    return Err(Failure::new("output", message));
                }
            }
            outputs.insert(name.clone(), value);
        }
        let outputs = Value::Object(outputs);
        if state::size_of(&outputs) > crate::bounds::OUTPUT_BYTES_MAX {
            return Err(Failure::new("too_large", "the outputs are too large together"));
        }
        Ok(outputs)
    }

    /// The run is over.
    pub(super) fn end(&mut self, status: RunStatus) {
        if let Some(ticket) = self.core.deadline.take() {
            self.commands.push(Command::Forget { ticket });
        }
        self.core.phase = Phase::Ended;
        self.core.status = status;
        self.core.ended_ms = Some(self.core.now_ms);
        self.commands.push(Command::Finish { status });
    }
}
