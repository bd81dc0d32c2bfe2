use std::{panic::AssertUnwindSafe, sync::Arc};

use async_trait::async_trait;
use futures_util::FutureExt;
use kernel::{CallContext, ErrorKind, Output, ToolError};

use crate::{Answer, Call, Next, Outcome, Stage, call::misbuilt, relayed};

/// Runs the tool. Without a permit nothing runs; without a durable intent nothing changes.
pub(crate) struct Execute;

impl Execute {
    pub(crate) fn new() -> Self {
        Self
    }
}

#[async_trait]
impl Stage for Execute {
    fn name(&self) -> &'static str {
        "execute"
    }

    async fn handle(&self, mut call: Call, _end: Next<'_>) -> Outcome {
        let _permit = call.permit.ok_or_else(|| misbuilt("authorized"))?;
        let effect = call.spec()?.effect;
        if !effect.is_read() {
            let intent = call.intent.lock().take();
            if let Some(intent) = intent {
                intent.await.map_err(|error| ToolError::wrap(ErrorKind::AuditUnavailable, error))?;
            }
        }
        let prepared = call.prepared.take().ok_or_else(|| misbuilt("decoded"))?;
        let cx = CallContext {
            principal: Arc::clone(&call.request.caller.0),
            call_id: call.id,
            context_id: call.request.context_id.clone(),
            deadline: call.deadline,
            cancel: call.request.cancel.clone(),
            progress: call.request.progress.clone(),
            idempotency_key: call.request.idempotency_key.clone(),
            client: call.request.client.clone(),
            params: call.request.params.clone(),
        };
        // A panicking server is contained: this call fails, the process goes on.
        match AssertUnwindSafe(prepared.run(cx)).catch_unwind().await {
            Ok(result) => match result? {
                Output::Typed(structured) => Ok(Answer::new(structured)),
                Output::Raw(raw) if relayed::has_failed(&raw) => Err(relayed::failure(raw)),
                Output::Raw(raw) => Ok(Answer::relayed(raw)),
            },
            Err(_) => {
                Err(ToolError::new(ErrorKind::Internal, "the tool panicked; this is a bug in core-mcp")
                    .hint("the log has the details under this call id"))
            }
        }
    }
}
