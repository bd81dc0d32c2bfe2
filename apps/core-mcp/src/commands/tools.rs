//! `core-mcp tools`.

use clap::Args;
use kernel::{Effect, ToolSpec};
use pipeline::{Door, Scope, ToolView};
use serde::Serialize;
use serde_json::{Value, json};

use crate::{
    app::App,
    failure::Failure,
    output::Table,
    platform::{Mounts, Platform},
};

/// List the tools you may use
#[derive(Debug, Args)]
#[command(after_help = "Examples:\n  core-mcp tools\n  core-mcp tools security-scanner\n  \
    core-mcp tools --output json | jq -r '.[].qualified_name'")]
pub(crate) struct Tools {
    /// Only this server; aliases count
    server: Option<String>,
    /// Only what this context enables
    #[arg(long, value_name = "ID")]
    context: Option<String>,
}

/// One element of the list.
#[derive(Serialize)]
struct Row<'a> {
    server: &'a str,
    name: &'a str,
    qualified_name: String,
    description: &'a str,
    input_schema: &'a Value,
    output_schema: &'a Value,
    annotations: Value,
    permission: &'a str,
}

impl Tools {
    pub(crate) async fn run(self, app: &App) -> Result<(), Failure> {
        let token = app.token()?;
        let platform = Platform::open(app, &app.sources(&app.existing_data_root()?), Mounts::All).await?;
        let scope = Scope { server: self.server, context: self.context };
        let views = platform
            .gate
            .authenticate(&token, Door::Cli)
            .and_then(|caller| platform.gate.tools(&caller, &scope, Door::Cli));
        platform.close().await?;
        let views = views?;
        let rows: Vec<Row<'_>> = views.iter().map(row).collect();
        app.output.list(&rows, || {
            let mut table = Table::new(&["tool", "effect", "what it does"]);
            for view in &views {
                let first = view.spec.description.split(". ").next().unwrap_or_default();
                table.row([&view.spec.qualified_name(), view.spec.effect.as_str(), first]);
            }
            table.render("no tool is visible to you")
        })
    }
}

fn row(view: &ToolView) -> Row<'_> {
    let spec = &view.spec;
    Row {
        server: &spec.server,
        name: &spec.name,
        qualified_name: spec.qualified_name(),
        description: &spec.description,
        input_schema: &spec.input_schema,
        output_schema: &spec.output_schema,
        annotations: annotations(spec),
        permission: &spec.permission,
    }
}

/// The MCP hints, derived from the effect so that they cannot disagree with it.
fn annotations(spec: &ToolSpec) -> Value {
    json!({
        "title": spec.title,
        "readOnlyHint": spec.effect.is_read(),
        "destructiveHint": matches!(spec.effect, Effect::Destroy { .. }),
        "idempotentHint": spec.effect.is_idempotent(),
        "openWorldHint": spec.open_world,
    })
}
