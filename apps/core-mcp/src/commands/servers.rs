//! `core-mcp servers`.

use clap::Args;
use pipeline::{Door, Scope};
use serde::Serialize;

use crate::{
    app::App,
    failure::Failure,
    output::Table,
    platform::{Mounts, Platform},
};

/// List the servers and whether they can be used
#[derive(Debug, Args)]
#[command(after_help = "Examples:\n  core-mcp servers\n  core-mcp servers --context deploy-42\n  \
    core-mcp servers --output json")]
pub(crate) struct Servers {
    /// Only what this context enables
    #[arg(long, value_name = "ID")]
    context: Option<String>,
}

/// One line of the list.
#[derive(Serialize)]
struct Row {
    name: String,
    version: String,
    category: String,
    aliases: Vec<String>,
    status: &'static str,
    reason: Option<String>,
}

impl Servers {
    pub(crate) async fn run(self, app: &App) -> Result<(), Failure> {
        let token = app.token()?;
        let platform = Platform::open(app, &app.sources(&app.existing_data_root()?), Mounts::All).await?;
        let rows = self.rows(&platform, &token).await;
        platform.close().await?;
        let rows = rows?;
        app.output.list(&rows, || {
            let mut table = Table::new(&["server", "version", "category", "status", "also called", "why"]);
            for row in &rows {
                let why = row.reason.as_deref().unwrap_or_default();
                table.row([&row.name, &row.version, &row.category, row.status, &row.aliases.join(", "), why]);
            }
            table.render("no server is visible to you")
        })
    }

    async fn rows(&self, platform: &Platform, token: &kernel::Secret<String>) -> Result<Vec<Row>, Failure> {
        let caller = platform.admit(token, Door::Cli).await?;
        let scope = Scope { server: None, context: self.context.clone() };
        let mut rows = Vec::new();
        for view in platform.gate.servers(&caller, &scope, Door::Cli)? {
            let (status, reason) = match platform.gate.health(&view.facts.name).await? {
                kernel::Health::Ready => (view.status, view.reason),
                kernel::Health::Unavailable(reason) => ("unavailable", Some(reason)),
            };
            let kernel::Facts { name, version, category, aliases, .. } = kernel::Facts::clone(&view.facts);
            rows.push(Row { name, version, category, aliases, status, reason });
        }
        Ok(rows)
    }
}
