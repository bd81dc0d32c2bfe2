use std::{sync::Arc, time::SystemTime};

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
        let (call_id, tool) = (call.id.to_string(), call.spec()?.qualified_name());
        let outcome = next.run(call).await;
        let since = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default();
        self.contexts.remember(
            &id,
            HistoryEntry {
                call_id,
                tool,
                code: outcome.as_ref().map_or_else(|error| error.kind.code(), |_| "ok").to_owned(),
                at: i64::try_from(since.as_micros()).unwrap_or(i64::MAX),
                duration_us: u64::try_from(started.elapsed().as_micros()).unwrap_or(u64::MAX),
            },
        );
        outcome
    }
}
