//! `core-mcp call`.

use std::sync::Arc;

use clap::Args;
use kernel::{ErrorKind, ToolError};
use pipeline::{Door, Outcome, Request, Verified};
use serde_json::Value;
use tokio_util::sync::CancellationToken;

use crate::{
    app::App,
    arguments,
    ask::TerminalAsker,
    failure::Failure,
    output::outline,
    platform::{Mounts, Platform},
    progress::ProgressView,
    remote::Remote,
};

/// Call one tool
///
/// Numbers, booleans and lists in key=value are typed by the tool's input schema. `key=@file` reads a
/// file, `key=@-` stdin, `key=@@text` is the text `@text`; a repeated key makes a list.
#[derive(Debug, Args)]
#[command(after_help = "Examples:\n  core-mcp call desktop-commander.read_file file_path=README.md\n  \
    core-mcp call security-scanner.file_security_scan file_path=. scan_type=all --output json\n  \
    core-mcp call desktop-commander.write_file --json '{\"file_path\": \"a.txt\", \"content\": \"hi\"}'\n  \
    core-mcp call desktop-commander.list_directory directory_path=. --url http://127.0.0.1:7332")]
pub(crate) struct Call {
    /// The tool, as `core-mcp tools` lists it
    #[arg(value_name = "SERVER.TOOL")]
    tool: String,
    /// Arguments, typed by the tool's schema
    #[arg(value_name = "KEY=VALUE")]
    arguments: Vec<String>,
    /// All arguments as one JSON object, `@file`, or `-` for stdin
    #[arg(long, value_name = "JSON")]
    json: Option<String>,
    /// The context the call belongs to
    #[arg(long, value_name = "ID")]
    context: Option<String>,
    /// Call a running server instead of doing it here [env: CORE_MCP_URL]
    #[arg(long, value_name = "URL")]
    url: Option<String>,
}

impl Call {
    pub(crate) async fn run(self, app: &App) -> Result<(), Failure> {
        let token = app.token()?;
        let (server, tool) = split(&self.tool)?;
        let view = ProgressView::new(&format!("{server}.{tool}"), app.common.no_progress);
        let url = self.url.as_ref().or(app.environment.url.as_ref());
        let structured = match url {
            Some(url) => {
                let remote = Remote::new(url, self.context.as_deref(), token)?;
                self.over_http(&remote, &format!("{server}__{tool}"), &view).await
            }
            None => {
                // A workflow calls other servers, and somebody has to run it.
                let is_workflow = server == workflow::NAME;
                let mounts = if is_workflow { Mounts::All } else { Mounts::Only(vec![server.to_owned()]) };
                let platform = Platform::open(app, &app.sources(&app.existing_data_root()?), mounts).await?;
                if is_workflow {
                    platform.workflows.own_runs().await?;
                }
                let done = match platform.admit(&token, Door::Cli).await {
                    Ok(caller) => self.embedded(app, &platform, caller, (server, tool), &view).await,
                    Err(failure) => Err(failure),
                };
                platform.close().await.and(done)
            }
        };
        drop(view);
        let structured = structured?;
        app.output.one(&structured, || outline(&structured))
    }

    async fn over_http(
        &self,
        remote: &Remote,
        wire_name: &str,
        view: &ProgressView,
    ) -> Result<Value, Failure> {
        // Only key=value words need the schema; the server checks everything again.
        let schema = if self.arguments.is_empty() { None } else { remote.input_schema(wire_name).await? };
        let arguments = arguments::parse(self.json.as_deref(), &self.arguments, schema.as_ref())?;
        remote.call(wire_name, arguments, &view.progress()).await
    }

    async fn embedded(
        &self,
        app: &App,
        platform: &Platform,
        caller: Verified,
        (server, tool): (&str, &str),
        view: &ProgressView,
    ) -> Result<Value, Failure> {
        let mount = platform.gate.registry().find(server).ok();
        let schema = mount.as_ref().and_then(|it| it.spec(tool)).map(|it| &it.input_schema);
        let arguments = arguments::parse(self.json.as_deref(), &self.arguments, schema)?;
        let cancel = CancellationToken::new();
        let mut request = Request::new(caller, server, tool, arguments, Door::Cli);
        request.context_id.clone_from(&self.context);
        request.progress = view.progress();
        request.cancel = cancel.clone();
        if app.output.can_ask() {
            request.asker = Some(Arc::new(TerminalAsker));
        }
        let answer = cancel_on_signal(cancel, platform.gate.call(request)).await?;
        if answer.truncated {
            let whole =
                answer.artifact_uri.map_or_else(String::new, |uri| format!("; the whole result is {uri}"));
            crate::output::say(&format!("note: the result was cut to fit{whole}"));
        }
        Ok(answer.structured)
    }
}

/// `server.tool`, or `server__tool` as the wire writes it.
fn split(qualified: &str) -> Result<(&str, &str), Failure> {
    let parts = qualified.split_once("__").or_else(|| qualified.split_once('.'));
    parts.filter(|(server, tool)| !server.is_empty() && !tool.is_empty()).ok_or_else(|| {
        Failure::usage(format!("`{qualified}` is not of the form SERVER.TOOL"))
            .hint("list the tools with `core-mcp tools`")
    })
}

/// Ctrl-C cancels the call, which ends it in order and records it. A second one stops waiting for that.
async fn cancel_on_signal(cancel: CancellationToken, work: impl Future<Output = Outcome>) -> Outcome {
    let mut work = std::pin::pin!(work);
    for _ in 0..2 {
        tokio::select! {
            done = &mut work => return done,
            signal = tokio::signal::ctrl_c() => match signal {
                Ok(()) => cancel.cancel(),
                // Without signals there is nothing left to do but to wait.
                Err(_) => return work.await,
            },
        }
    }
    Err(ToolError::new(ErrorKind::Cancelled, "the call was left before it ended")
        .hint("`core-mcp audit tail` shows how it ended"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_tool_is_named_with_its_server() {
        let check =
            |name: &str, expected: Option<(&str, &str)>| assert_eq!(split(name).ok(), expected, "{name}");
        check("docker.docker_run", Some(("docker", "docker_run")));
        check("security-scanner__npm_audit", Some(("security-scanner", "npm_audit")));
        check("read_file", None);
        check(".x", None);
        check("x.", None);
    }
}
