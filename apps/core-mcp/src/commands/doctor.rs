//! `core-mcp doctor`.

use clap::Args;
use serde::Serialize;
use serde_json::json;

use crate::{app::App, failure::Failure, output::Table};

mod access;
mod checks;

/// Check the installation and say how to mend it
///
/// Looks at the data directory, configuration, databases, audit chain, policies, sandbox, port, clock,
/// certificates, authorization servers, secrets and the servers. Changes nothing.
#[derive(Debug, Args)]
#[command(
    after_help = "Examples:\n  core-mcp doctor\n  core-mcp doctor --output json | jq '.checks[] | select(.state != \"ok\")'"
)]
pub(crate) struct Doctor {}

/// How one check went.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "snake_case")]
enum State {
    Ok,
    Warning,
    Failed,
}

/// One check and what to do about it.
#[derive(Clone, Debug, Serialize)]
struct Check {
    name: &'static str,
    state: State,
    detail: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    fix: Option<String>,
}

impl Check {
    fn ok(name: &'static str, detail: impl Into<String>) -> Self {
        Self { name, state: State::Ok, detail: detail.into(), fix: None }
    }

    fn warning(name: &'static str, detail: impl Into<String>, fix: impl Into<String>) -> Self {
        Self { name, state: State::Warning, detail: detail.into(), fix: Some(fix.into()) }
    }

    fn failed(name: &'static str, detail: impl Into<String>, fix: impl Into<String>) -> Self {
        Self { name, state: State::Failed, detail: detail.into(), fix: Some(fix.into()) }
    }
}

impl Doctor {
    pub(crate) async fn run(self, app: &App) -> Result<(), Failure> {
        let checks = checks::all(app).await?;
        let worst = checks.iter().map(|it| it.state).max().unwrap_or(State::Ok);
        app.output.one(&json!({ "ok": worst < State::Failed, "checks": checks }), || {
            let mut table = Table::new(&["check", "state", "detail"]);
            for check in &checks {
                let state = match check.state {
                    State::Ok => "ok",
                    State::Warning => "warning",
                    State::Failed => "FAILED",
                };
                table.row([check.name, state, &check.detail]);
                if let Some(fix) = &check.fix {
                    table.row(["", "", &format!("→ {fix}")]);
                }
            }
            table.render("nothing to check")
        })?;
        if worst < State::Failed {
            return Ok(());
        }
        let failed = checks.iter().filter(|it| it.state == State::Failed).count();
        Err(Failure::local("the installation needs attention", format!("checks that failed: {failed}")))
    }
}
