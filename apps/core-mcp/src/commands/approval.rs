//! `core-mcp approval`.

use clap::{Args, Subcommand};
use kernel::{Principal, ToolError};
use pipeline::seams::{Approvals, Identity};
use serde_json::json;
use store::{ApprovalInfo, ApprovalOptions, ApprovalStore};

use crate::{
    app::App,
    failure::Failure,
    output::{Output, Table, date, plain},
    platform::Local,
};

/// Decide about calls that wait for a human
///
/// A policy can oblige a call to wait for a yes. The yes is for exactly that call, works once, and expires.
/// With CORE_MCP_TOKEN you decide as that person, who must be allowed to and may not approve their own
/// call; without it as the owner of the data directory.
#[derive(Debug, Args)]
#[command(after_help = "Examples:\n  core-mcp approval list\n  core-mcp approval approve TICKET\n  \
    core-mcp approval deny TICKET")]
pub(crate) struct Approval {
    #[command(subcommand)]
    action: ApprovalAction,
}

#[derive(Debug, Subcommand)]
enum ApprovalAction {
    /// List what waits
    List {
        /// Also what was decided, used or expired during the last day
        #[arg(long)]
        all: bool,
    },
    /// Say yes to one call
    Approve {
        /// The ticket
        id: String,
    },
    /// Say no to one call
    Deny {
        /// The ticket
        id: String,
    },
}

impl Approval {
    pub(crate) async fn run(self, app: &App) -> Result<(), Failure> {
        let local = Local::open(app)?;
        let store = ApprovalStore::open(&local.data.state_db(), ApprovalOptions::default())
            .map_err(ToolError::from)?;
        let who = decider(app, &local)?;
        match self.action {
            ApprovalAction::List { all } => list(app.output, store.list(&who)?, all),
            ApprovalAction::Approve { id } => decide(app.output, &local, &store, &who, &id, true).await,
            ApprovalAction::Deny { id } => decide(app.output, &local, &store, &who, &id, false).await,
        }
    }
}

/// The holder of the token, or the owner of the data directory.
fn decider(app: &App, local: &Local) -> Result<Principal, Failure> {
    if app.common.token_file.is_none() && app.environment.token.is_none() {
        return Ok(Local::operator());
    }
    let principal = local.identity.authenticate(&app.token()?)?;
    Ok(principal.as_ref().clone())
}

async fn decide(
    output: Output,
    local: &Local,
    store: &ApprovalStore,
    who: &Principal,
    id: &str,
    grant: bool,
) -> Result<(), Failure> {
    let detail = json!({ "id": id, "granted": grant, "via": "cli", "by": who.id });
    local.recorded("approval.decided", detail, async { store.decide(id, grant, who, "cli") }).await?;
    output.one(&json!({ "id": id, "granted": grant }), || {
        let said = if grant { "approved; the caller can repeat the call now" } else { "denied" };
        format!("{} {said}", plain(id))
    })
}

fn list(output: Output, mut found: Vec<ApprovalInfo>, all: bool) -> Result<(), Failure> {
    found.retain(|it| all || it.state == "open");
    output.list(&found, || {
        let entries = found.iter().map(entry);
        let text = entries.collect::<Vec<_>>().join("\n\n");
        if text.is_empty() { "nothing waits".into() } else { text }
    })
}

/// One ticket with its whole question: nobody should approve a cut one.
fn entry(it: &ApprovalInfo) -> String {
    let mut table = Table::new(&["ticket", "who", "tool", "state", "expires"]);
    table.row([&it.id, &it.principal, &it.tool, &it.state, &date(it.expires_at)]);
    let question = it.question.lines().map(|line| format!("  {}\n", plain(line)));
    format!("{}\n{}  why: {}", table.render(""), question.collect::<String>(), plain(&it.reason))
}
