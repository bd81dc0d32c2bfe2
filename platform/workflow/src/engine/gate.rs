//! Steps go through the gate, as the principal the run acts for.

use std::{
    sync::{Arc, Weak},
    time::Duration,
};

use kernel::{BoxFuture, ErrorKind, ToolError};
use parking_lot::RwLock;
use pipeline::{Door, Gate, Request, seams::AuditEntry};
use serde_json::json;

use super::{Caller, Job, Note};
use crate::interpreter::StepOutcome;

/// Calls through a gate.
#[derive(Default)]
pub struct GateCaller(RwLock<Weak<Gate>>);

impl GateCaller {
    /// A caller without a gate yet: the gate knows the workflows as a server, so it is made later.
    pub fn new() -> Arc<Self> {
        Arc::new(Self::default())
    }

    /// From now on calls go through `gate`.
    pub fn through(&self, gate: &Arc<Gate>) {
        *self.0.write() = Arc::downgrade(gate);
    }

    /// The gate, while it is open.
    pub(crate) fn gate(&self) -> Option<Arc<Gate>> {
        self.0.read().upgrade()
    }
}

impl Caller for GateCaller {
    fn call(&self, job: Job) -> BoxFuture<'static, StepOutcome> {
        let gate = self.gate();
        Box::pin(async move {
            let Some(gate) = gate else {
                return failed(&ToolError::new(ErrorKind::Unavailable, "the gate has closed"));
            };
            match call(&gate, job).await {
                Ok(outcome) => outcome,
                Err(error) => failed(&error),
            }
        })
    }

    fn is_idempotent(&self, tool: &str) -> bool {
        let Some(gate) = self.gate() else { return false };
        let found = gate.registry().split(tool).ok().and_then(|(mount, name)| {
            mount.specs.iter().find(|spec| spec.name == name).map(|spec| spec.effect.is_idempotent())
        });
        // A call of something that is not there does nothing, however often.
        found.unwrap_or(true)
    }

    fn note(&self, note: Note) {
        let Some(gate) = self.gate() else { return };
        let (event, principal, detail) = match note {
            Note::Started { run, workflow, hash, principal } => {
                ("workflow.started", principal, json!({ "run": run, "workflow": workflow, "hash": hash }))
            }
            Note::Ended { run, workflow, principal, status } => {
                ("workflow.ended", principal, json!({ "run": run, "workflow": workflow, "status": status }))
            }
            Note::Asked { run, step, by } => {
                ("workflow.asked", String::new(), json!({ "run": run, "step": step, "by": by }))
            }
        };
        let entry = AuditEntry {
            principal,
            door: Door::Workflow.as_str().into(),
            ..AuditEntry::event(event, detail)
        };
        if let Err(error) = gate.record(entry) {
            tracing::error!(%error, event, "an event of a workflow could not be recorded");
        }
    }
}

async fn call(gate: &Arc<Gate>, job: Job) -> Result<StepOutcome, ToolError> {
    let caller = gate.on_behalf_of(&job.principal)?;
    let (server, tool) = job.tool.split_once('.').unwrap_or((job.tool.as_str(), ""));
    let mut request = Request::new(caller, server, tool, job.args.clone(), Door::Workflow);
    request.context_id.clone_from(&job.context);
    request.idempotency_key = Some(job.idempotency_key());
    request.trace_parent = Some(format!("00-{}-{:016x}-01", job.run, job.ticket));
    request.call_id = serde_json::from_value(job.call_id.clone().into()).ok();
    request.cancel = job.cancel.clone();
    let mut work = std::pin::pin!(gate.call(request));
    let outcome = match job.timeout_ms {
        None => work.await,
        Some(limit) => tokio::select! {
            outcome = &mut work => outcome,
            () = tokio::time::sleep(Duration::from_millis(limit)) => {
                // The road ends it in order and says what became of it.
                job.cancel.cancel();
                work.await.map_err(|error| match error.kind {
                    ErrorKind::Cancelled => ToolError::new(ErrorKind::Timeout, "the step took longer than its timeout"),
                    _ => error,
                })
            }
        },
    };
    Ok(match outcome {
        Ok(answer) => StepOutcome::Ok { out: answer.structured },
        Err(error) => failed(&error),
    })
}

fn failed(error: &ToolError) -> StepOutcome {
    let mut message = error.message.clone();
    if let Some(ticket) = &error.approval {
        message = format!(
            "{message} (approve it with `core-mcp approval approve {}`, then resume the run)",
            ticket.id
        );
    }
    StepOutcome::Failed {
        code: error.kind.code().into(),
        message,
        retry_after_ms: error.retry_after.map(|it| u64::try_from(it.as_millis()).unwrap_or(u64::MAX)),
    }
}
