//! Types into a background session.

use kernel::{Caching, CallContext, Effect, Meta, Resource, Tool, ToolError, Trust};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::DesktopCommander;

/// Writes to a background session's standard input.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct WriteProcessStdin {
    /// From `execute_command`.
    session_id: String,
    /// End it with a line break where the program reads lines.
    #[schemars(length(max = 1_048_576))]
    data: String,
    /// Close the input afterwards.
    #[serde(default)]
    eof: bool,
}

#[derive(Debug, Serialize, JsonSchema)]
pub(crate) struct Accepted {
    accepted_bytes: usize,
}

impl Tool for WriteProcessStdin {
    type Server = DesktopCommander;
    type Output = Accepted;

    const META: Meta = Meta {
        name: "write_process_stdin",
        title: "Write to a session's input",
        effect: Effect::Destroy { idempotent: false },
        caching: Caching::Never,
        trust: Trust::Own,
    };

    fn resources(&self) -> Vec<Resource> {
        vec![Resource::new("session", &self.session_id)]
    }

    async fn call(self, server: &DesktopCommander, cx: &CallContext) -> Result<Accepted, ToolError> {
        let accepted_bytes = self.data.len();
        let sessions = server.commands.sessions();
        sessions.write(&self.session_id, &cx.principal, self.data.into_bytes(), self.eof).await?;
        Ok(Accepted { accepted_bytes })
    }
}
