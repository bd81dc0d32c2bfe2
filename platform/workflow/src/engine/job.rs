//! One call of a run, and who makes it.

use kernel::BoxFuture;
use serde_json::Value;
use tokio_util::sync::CancellationToken;

use crate::interpreter::{RunStatus, StepOutcome};

/// One call to make.
#[derive(Clone, Debug)]
pub struct Job {
    /// The run, which is also the trace id.
    pub run: String,
    /// Names the execution within the run.
    pub ticket: u64,
    /// Where in the run.
    pub step: String,
    /// `server.tool`.
    pub tool: String,
    /// Written out.
    pub args: Value,
    /// When to give up.
    pub timeout_ms: Option<u64>,
    /// Whom the run acts for.
    pub principal: String,
    /// The context of the run.
    pub context: Option<String>,
    /// The id the call gets in the audit journal.
    pub call_id: String,
    /// Fires when the run is cancelled.
    pub cancel: CancellationToken,
}

impl Job {
    /// Same key, same call: run, step and execution.
    pub fn idempotency_key(&self) -> String {
        format!("{}/{}/{}", self.run, self.step, self.ticket)
    }
}

/// Something about a run that others may want to know.
#[derive(Clone, Debug)]
pub enum Note {
    /// It began.
    Started {
        /// The run.
        run: String,
        /// The workflow.
        workflow: String,
        /// The version.
        hash: String,
        /// Whom it acts for.
        principal: String,
    },
    /// It is over.
    Ended {
        /// The run.
        run: String,
        /// The workflow.
        workflow: String,
        /// Whom it acted for.
        principal: String,
        /// How.
        status: RunStatus,
    },
    /// People are asked.
    Asked {
        /// The run.
        run: String,
        /// The step.
        step: String,
        /// Who: `role:NAME`, `user:NAME`.
        by: Vec<String>,
    },
}

/// Makes calls. The gate, outside of tests.
pub trait Caller: Send + Sync + 'static {
    /// Makes one call.
    fn call(&self, job: Job) -> BoxFuture<'static, StepOutcome>;
    /// Whether making it twice equals making it once.
    fn is_idempotent(&self, tool: &str) -> bool;
    /// Hears about runs. Must not block.
    fn note(&self, note: Note);
}
