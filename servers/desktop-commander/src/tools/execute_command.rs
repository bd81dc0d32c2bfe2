//! Runs a command line.

use std::{sync::Arc, time::Duration};

use kernel::{Caching, CallContext, Effect, Meta, Resource, Tool, ToolError, Trust};
use schemars::JsonSchema;
use serde::Deserialize;
use tokio_util::sync::CancellationToken;

use super::command_result::{CommandResult, OUTPUT_BYTES, resources, run, whole_input};
use crate::{DesktopCommander, exec::Request};

/// Runs allowed programs in a sandbox: pipes, `&&`, `;`, globs, quotes, redirects; no variables, no substitutions.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct ExecuteCommand {
    /// For example `grep -rn TODO src | head`.
    command: String,
    /// Folder to run in; the first root by default.
    working_directory: Option<String>,
    /// Seconds.
    #[serde(default = "five_minutes")]
    #[schemars(range(min = 1, max = 3600))]
    timeout: u32,
    /// Text for standard input.
    stdin: Option<String>,
    /// Return at once, for `read_process`.
    #[serde(default)]
    background: bool,
    /// Output to return, per stream.
    #[schemars(range(min = 256, max = 4_194_304))]
    max_output_bytes: Option<usize>,
    /// False: offline.
    network: Option<bool>,
    /// Judge only.
    #[serde(default)]
    dry_run: bool,
}

fn five_minutes() -> u32 {
    300
}

impl Tool for ExecuteCommand {
    type Server = DesktopCommander;
    type Output = CommandResult;

    const META: Meta = Meta {
        name: "execute_command",
        title: "Run a command",
        effect: Effect::Destroy { idempotent: false },
        caching: Caching::Never,
        trust: Trust::Untrusted,
    };

    fn resources(&self) -> Vec<Resource> {
        let mut all = resources(&self.command);
        all.extend(self.working_directory.iter().map(|folder| Resource::new("file", folder)));
        all
    }

    fn deadline(&self) -> Option<Duration> {
        Some(Duration::from_secs(u64::from(self.timeout) + 10))
    }

    async fn call(self, server: &DesktopCommander, cx: &CallContext) -> Result<CommandResult, ToolError> {
        let commands = &server.commands;
        let plan = commands.plan(&self.command, self.working_directory.as_deref()).await?;
        let offline = self.network == Some(false);
        let shown = CommandResult::of(commands, &plan, offline);
        if self.network == Some(true) && !plan.stages().all(|stage| commands.grants_network(stage)) {
            return Err(ToolError::invalid(
                "network",
                "a program of this command gets no network from the operator's policy",
            )
            .reason("ARG_REFUSED")
            .hint("leave `network` out; programs that cannot work without it get it by themselves"));
        }
        if self.dry_run {
            return Ok(shown);
        }
        let timeout = u64::from(self.timeout).min(commands.config().timeout_seconds_max);
        let mut request = Request {
            plan,
            principal: Arc::clone(&cx.principal),
            timeout: Duration::from_secs(timeout),
            cancel: cx.cancel.clone(),
            stdin: None,
            offline,
        };
        if !self.background {
            request.stdin = whole_input(self.stdin);
            return run(commands, request, self.max_output_bytes.unwrap_or(OUTPUT_BYTES), cx).await;
        }
        request.cancel = CancellationToken::new();
        let id = commands.sessions().start(commands.shared(), &self.command, request)?;
        if let Some(text) = self.stdin {
            commands.sessions().write(&id, &cx.principal, text.into_bytes(), false).await?;
        }
        Ok(CommandResult { session_id: Some(id), ..shown })
    }
}
