//! Ends a background session.

use kernel::{Caching, CallContext, Effect, Meta, Resource, Tool, ToolError, Trust};
use schemars::JsonSchema;
use serde::Deserialize;

use crate::{DesktopCommander, exec::Chunk};

/// Ends a background session with all its processes. Its output stays readable.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct StopProcess {
    /// From `execute_command`.
    session_id: String,
}

impl Tool for StopProcess {
    type Server = DesktopCommander;
    type Output = Chunk;

    const META: Meta = Meta {
        name: "stop_process",
        title: "End a session",
        effect: Effect::Destroy { idempotent: true },
        caching: Caching::Never,
        trust: Trust::Own,
    };

    fn resources(&self) -> Vec<Resource> {
        vec![Resource::new("session", &self.session_id)]
    }

    async fn call(self, server: &DesktopCommander, cx: &CallContext) -> Result<Chunk, ToolError> {
        server.commands.sessions().stop(&self.session_id, &cx.principal).await
    }
}
