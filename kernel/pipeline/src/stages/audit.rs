use std::{
    sync::Arc,
    time::{Instant, SystemTime, UNIX_EPOCH},
};

use async_trait::async_trait;
use kernel::{ErrorKind, ToolError, canonical_json, digest_hex};
use parking_lot::Mutex;
use serde_json::Value;

use crate::{
    Call, Next, Outcome, Record, Stage,
    redact::{mask_arguments, mask_for_record},
    registry::printable,
    seams::{AuditEntry, Durable, Journal, JournalError, Phase},
};

/// Records an intent before anything happens and an outcome after, however the call ends.
///
/// Two rules, held by tests: nothing changes before its intent is durable (`execute` waits for it unless
/// the tool only reads), and no answer leaves before its outcome is. A journal that cannot be written
/// refuses the call.
pub(crate) struct Audit {
    journal: Arc<dyn Journal>,
}

impl Audit {
    pub(crate) fn new(journal: Arc<dyn Journal>) -> Self {
        Self { journal }
    }
}

#[async_trait]
impl Stage for Audit {
    fn name(&self) -> &'static str {
        "audit"
    }

    async fn handle(&self, mut call: Call, next: Next<'_>) -> Outcome {
        call.args_digest = digest_hex(&canonical_json(&call.request.args));
        let intent = AuditEntry {
            args: mask_arguments(&call.request.args),
            args_digest: Some(call.args_digest.clone()),
            ..entry(&call, Phase::Intent)
        };
        let template =
            AuditEntry { phase: Phase::Outcome, args: Value::Null, args_digest: None, ..intent.clone() };
        let intent_durable = Arc::clone(&call.intent);
        *intent_durable.lock() = Some(self.journal.append(intent).map_err(unwritable)?);
        let mut line = Line {
            journal: Arc::clone(&self.journal),
            record: Arc::clone(&call.record),
            started: call.started,
            entry: Some(template),
        };
        let outcome = next.run(call).await;
        let durable = line.write(&outcome).map_err(unwritable)?;
        // Left behind by a call that changed nothing; it still must be durable before the answer leaves.
        let intent = intent_durable.lock().take();
        if let Some(intent) = intent {
            intent.await.map_err(unwritable)?;
        }
        durable.await.map_err(unwritable)?;
        outcome
    }
}

fn entry(call: &Call, phase: Phase) -> AuditEntry {
    let record = call.record.lock();
    AuditEntry {
        phase,
        call_id: call.id.to_string(),
        at: now_micros(),
        principal: record.principal.clone(),
        token_id: record.token_id.clone(),
        door: call.request.door.as_str().to_owned(),
        server: record.server.clone(),
        tool: record.tool.clone(),
        effect: None,
        context: call.request.context_id.as_deref().map(printable),
        args: Value::Null,
        args_digest: None,
        resources: Vec::new(),
        policies: Vec::new(),
        code: None,
        message: None,
        duration_us: None,
        trace_id: record.trace_id.clone(),
        detail: Value::Null,
    }
}

fn now_micros() -> i64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    i64::try_from(since.as_micros()).unwrap_or(i64::MAX)
}

fn unwritable(error: JournalError) -> ToolError {
    tracing::error!(%error, "refusing calls: the audit journal cannot be written");
    ToolError::wrap(ErrorKind::AuditUnavailable, error).hint(
        "an unrecorded call is never run; free disk space or repair the data directory (`core-mcp doctor`)",
    )
}

/// Writes itself when dropped: a caller who hangs up drops the future, not the duty to record.
struct Line {
    journal: Arc<dyn Journal>,
    record: Arc<Mutex<Record>>,
    started: Instant,
    entry: Option<AuditEntry>,
}

impl Line {
    fn write(&mut self, outcome: &Outcome) -> Result<Durable, JournalError> {
        match outcome {
            Ok(_) => self.finish("ok", None),
            // Refusals from outside `shape` may quote what the caller sent.
            Err(error) => {
                self.finish(error.kind.code(), Some(mask_for_record(&error.message).0.into_owned()))
            }
        }
    }

    fn finish(&mut self, code: &str, message: Option<String>) -> Result<Durable, JournalError> {
        let Some(mut entry) = self.entry.take() else {
            return Err(JournalError { reason: "the outcome was written twice".into() });
        };
        entry.at = now_micros();
        {
            let mut record = self.record.lock();
            entry.server.clone_from(&record.server);
            entry.tool.clone_from(&record.tool);
            entry.effect = record.effect.map(str::to_owned);
            entry.resources = std::mem::take(&mut record.resources);
            entry.policies = std::mem::take(&mut record.policies);
        }
        entry.code = Some(code.to_owned());
        entry.message = message;
        entry.duration_us = Some(u64::try_from(self.started.elapsed().as_micros()).unwrap_or(u64::MAX));
        self.journal.append(entry)
    }
}

impl Drop for Line {
    fn drop(&mut self) {
        if self.entry.is_some()
            && let Err(error) = self.finish("abandoned", None)
        {
            tracing::error!(%error, "an abandoned call could not be recorded");
        }
    }
}
