//! Reads what a background session printed.

use std::time::Duration;

use kernel::{Caching, CallContext, Effect, Meta, Resource, Tool, ToolError, Trust};
use schemars::JsonSchema;
use serde::Deserialize;

use crate::{DesktopCommander, exec::Chunk};

/// Reads a background session's output, also after its end; pass `next_seq` as `since_seq`.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct ReadProcess {
    /// From `execute_command`.
    session_id: String,
    /// Where to go on.
    #[serde(default)]
    since_seq: u64,
    /// Wait for news.
    #[serde(default)]
    #[schemars(range(max = 60_000))]
    wait_ms: u64,
    /// Output to return.
    #[serde(default = "default_bytes")]
    #[schemars(range(min = 1, max = 1_048_576))]
    max_bytes: usize,
}

fn default_bytes() -> usize {
    64 * 1024
}

impl Tool for ReadProcess {
    type Server = DesktopCommander;
    type Output = Chunk;

    const META: Meta = Meta {
        name: "read_process",
        title: "Read a session's output",
        effect: Effect::Read,
        caching: Caching::Never,
        trust: Trust::Untrusted,
    };

    fn resources(&self) -> Vec<Resource> {
        vec![Resource::new("session", &self.session_id)]
    }

    fn deadline(&self) -> Option<Duration> {
        Some(Duration::from_millis(self.wait_ms) + Duration::from_secs(10))
    }

    async fn call(self, server: &DesktopCommander, cx: &CallContext) -> Result<Chunk, ToolError> {
        let wait = Duration::from_millis(self.wait_ms);
        let sessions = server.commands.sessions();
        sessions.read(&self.session_id, &cx.principal, self.since_seq, wait, self.max_bytes).await
    }
}
