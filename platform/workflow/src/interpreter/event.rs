//! What goes in and what comes out.

use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::RunStatus;

/// Something that happened, with what the driver knew then.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Event {
    /// Unix milliseconds. A clock that jumps back does not turn the run back.
    pub at_ms: u64,
    /// A random number; pauses take their jitter from it.
    pub dice: u32,
    /// What happened.
    #[serde(flatten)]
    pub kind: EventKind,
}

/// What happened.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(tag = "event", rename_all = "snake_case")]
pub enum EventKind {
    /// The run begins.
    Start {
        /// Complete and checked.
        inputs: Value,
        /// What expressions read as `run`.
        run: Value,
    },
    /// An execution ended.
    Done {
        /// Which.
        ticket: u64,
        /// How.
        outcome: StepOutcome,
    },
    /// A timer fired.
    Timer {
        /// Which.
        ticket: u64,
    },
    /// An event arrived that somebody listens for.
    Signal {
        /// Who listens.
        ticket: u64,
        /// What arrived.
        body: Value,
    },
    /// Somebody decided about an approval.
    Decision {
        /// The step, as in [`super::Question`].
        step: String,
        /// Who.
        by: Decider,
        /// Yes or no.
        grant: bool,
        /// What they filled in.
        form: Value,
    },
    /// Somebody said what became of a call whose outcome is unknown.
    Resolve {
        /// The step.
        step: String,
        /// What became of it.
        resolution: Resolution,
    },
    /// Calls that waited for somebody else's yes are tried again; a stuck undo too.
    Resume,
    /// Somebody wants the run to stop.
    Cancel {
        /// Who.
        by: String,
    },
    /// A run that failed is repeated from one of its outermost steps.
    Retry {
        /// The step.
        from: String,
    },
}

/// How an execution ended.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(tag = "ended", rename_all = "snake_case")]
pub enum StepOutcome {
    /// With a result.
    Ok {
        /// The structured result.
        out: Value,
    },
    /// With an error.
    Failed {
        /// A code of [`kernel::ErrorKind`].
        code: String,
        /// One sentence.
        message: String,
        /// When the same call may succeed.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        retry_after_ms: Option<u64>,
    },
}

/// Who decided.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Decider {
    /// Their name.
    pub id: String,
    /// Their roles then.
    pub roles: Vec<String>,
}

/// What became of a call whose outcome was unknown.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(tag = "as", rename_all = "snake_case")]
pub enum Resolution {
    /// It happened; with this result.
    Done {
        /// What `steps.ID.out` becomes.
        out: Value,
    },
    /// It did not happen, and the step has failed.
    Failed,
    /// It did not happen, and is tried again.
    Retry,
}

/// What the driver has to do. A ticket is never given twice in one run.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(tag = "command", rename_all = "snake_case")]
pub enum Command {
    /// Call a tool, once; `run/step/ticket` is the idempotency key.
    Execute {
        /// Names this execution.
        ticket: u64,
        /// Where in the run, for example `each[3].scan`.
        step: String,
        /// Counted from 1.
        attempt: u32,
        /// `server.tool`.
        tool: String,
        /// Written out.
        args: Value,
        /// When to give up.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        timeout_ms: Option<u64>,
        /// Whether it takes another step back.
        #[serde(default)]
        is_undo: bool,
    },
    /// Tell a running execution to stop; it still ends with `Done`.
    Interrupt {
        /// Which.
        ticket: u64,
    },
    /// Fire at a time.
    Timer {
        /// Names it.
        ticket: u64,
        /// Unix milliseconds.
        at_ms: u64,
    },
    /// Bring events of a type.
    Listen {
        /// Who listens.
        ticket: u64,
        /// The type; `*` at the end takes every type that begins so.
        pattern: String,
    },
    /// A timer or a listener is not needed any more.
    Forget {
        /// Which.
        ticket: u64,
    },
    /// People are asked. The question itself is in the state.
    Ask {
        /// The step.
        step: String,
        /// Who: `role:NAME`, `user:NAME`.
        by: Vec<String>,
    },
    /// The run is over.
    Finish {
        /// How.
        status: RunStatus,
    },
}
