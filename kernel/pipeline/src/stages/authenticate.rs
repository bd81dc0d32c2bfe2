use std::sync::Arc;

use async_trait::async_trait;
use kernel::{ErrorKind, ToolError};

use crate::{Call, Next, Outcome, Stage, seams::Identity};

/// Makes sure that the caller proven at the door is still good: a session may outlive its token.
///
/// The door cannot hand in an unproven caller, because only the gate makes a `Verified`.
pub(crate) struct Authenticate {
    identity: Arc<dyn Identity>,
}

impl Authenticate {
    pub(crate) fn new(identity: Arc<dyn Identity>) -> Self {
        Self { identity }
    }
}

/// The caller was good once.
pub(crate) fn outlived() -> ToolError {
    ToolError::new(ErrorKind::AuthenticationFailed, "the token is no longer valid")
        .hint("make a new one with `core-mcp token create`")
}

#[async_trait]
impl Stage for Authenticate {
    fn name(&self) -> &'static str {
        "authenticate"
    }

    async fn handle(&self, call: Call, next: Next<'_>) -> Outcome {
        if !self.identity.still_valid(&call.request.caller.0) {
            return Err(outlived());
        }
        next.run(call).await
    }
}
