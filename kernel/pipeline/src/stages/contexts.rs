use std::{
    sync::Arc,
    time::{Instant, SystemTime},
};

use async_trait::async_trait;

use crate::{
    Call, Next, Outcome, Stage,
    seams::{self, HistoryEntry},
};

/// Keeps a call inside its context and adds it to the context's bounded history.
pub(crate) struct Contexts {
    contexts: Arc<dyn seams::Contexts>,
}

impl Contexts {
    pub(crate) fn new(contexts: Arc<dyn seams::Contexts>) -> Self {
        Self { contexts }
    }
}

#[async_trait]
impl Stage for Contexts {
    fn name(&self) -> &'static str {
        "context"
    }

    async fn handle(&self, call: Call, next: Next<'_>) -> Outcome {
        let Some(id) = call.request.context_id.clone() else { return next.run(call).await };
        let started = call.started;
        self.contexts.admit(&id, &call.request.caller.0, &call.facts()?.name)?;
        let tool = call.spec()?.qualified_name();
        let mut line = Line {
            contexts: &self.contexts,
            id,
            call_id: call.id.to_string(),
            tool,
            started,
            code: "abandoned",
        };
        let outcome = next.run(call).await;
        line.code = outcome.as_ref().map_or_else(|error| error.kind.code(), |_| "ok");
        outcome
    }
}

/// One line of the history, written when dropped: a call that was left belongs into it too.
struct Line<'a> {
    contexts: &'a Arc<dyn seams::Contexts>,
    id: String,
    call_id: String,
    tool: String,
    started: Instant,
    code: &'static str,
}

impl Drop for Line<'_> {
    fn drop(&mut self) {
        let since = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default();
        let entry = HistoryEntry {
            call_id: std::mem::take(&mut self.call_id),
            tool: std::mem::take(&mut self.tool),
            code: self.code.to_owned(),
            at: i64::try_from(since.as_micros()).unwrap_or(i64::MAX),
            duration_us: u64::try_from(self.started.elapsed().as_micros()).unwrap_or(u64::MAX),
        };
        self.contexts.remember(&self.id, entry);
    }
}
