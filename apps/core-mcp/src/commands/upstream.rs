//! `core-mcp upstream`: other MCP servers behind the same road.

use std::path::PathBuf;

use clap::{Args, Subcommand};
use gateway::{CheckReport, HeldTool, Pins, Setting, UpstreamConfig, check};
use kernel::ErrorKind;
use serde::Serialize;
use serde_json::json;

use crate::{
    app::App,
    config::{Loaded, nearest},
    failure::Failure,
    output::{Output, Table, plain},
    platform::{Local, setting},
};

mod add;
mod edit;
mod import;

/// Mount other MCP servers
///
/// Their tools stand next to the native ones, behind the same identity, policies, limits, approvals and audit
/// log. What a tool says is pinned when it is first seen: a changed, new or suspicious definition is not served
/// before somebody has looked at it (`check`) and let it in (`approve`).
#[derive(Debug, Args)]
#[command(
    after_help = "Examples:\n  core-mcp upstream add github --command npx --arg=-y --arg @modelcontextprotocol/server-github \\\n      \
    --env 'GITHUB_TOKEN=${env:GITHUB_TOKEN}'\n  \
    core-mcp upstream add wiki --url https://wiki.example.com/mcp --header 'Authorization=Bearer ${env:WIKI_TOKEN}'\n  \
    core-mcp upstream import ~/.cursor/mcp.json\n  core-mcp upstream check github\n  \
    core-mcp upstream approve github create_issue\n\n\
    A running `core-mcp serve` takes changes up by itself."
)]
pub(crate) struct Upstream {
    #[command(subcommand)]
    action: UpstreamAction,
}

#[derive(Debug, Subcommand)]
enum UpstreamAction {
    /// Write a section into core.toml, after a look at the server
    Add(add::Add),
    /// List the upstreams and what waits to be approved
    List,
    /// Connect, and show what is served, what waits, and why
    Check {
        /// Only this one
        name: Option<String>,
    },
    /// Let waiting definitions in, as `check` showed them
    Approve {
        /// Which upstream
        name: String,
        /// Which tools [default: all that wait]
        tools: Vec<String>,
    },
    /// Take an upstream out of core.toml and forget its pins
    Remove {
        /// Which upstream
        name: String,
    },
    /// Take over the servers of a client's configuration
    Import(import::Import),
}

impl Upstream {
    pub(crate) async fn run(self, app: &App) -> Result<(), Failure> {
        let at = Place::open(app)?;
        match self.action {
            UpstreamAction::Add(it) => it.run(app, &at).await,
            UpstreamAction::List => list(app.output, &at),
            UpstreamAction::Check { name } => check_all(app.output, &at, name.as_deref()).await,
            UpstreamAction::Approve { name, tools } => approve(app.output, &at, &name, &tools).await,
            UpstreamAction::Remove { name } => remove(app.output, &at, &name).await,
            UpstreamAction::Import(it) => it.run(app, &at).await,
        }
    }
}

/// The data directory and the configuration in force.
struct Place {
    local: Local,
    loaded: Loaded,
    setting: Setting,
    /// The file that is edited.
    file: PathBuf,
}

impl Place {
    fn open(app: &App) -> Result<Self, Failure> {
        let local = Local::open(app)?;
        let sources = app.sources(local.data.root());
        let loaded = app.load_config(&sources)?;
        let files: Vec<PathBuf> = sources.files().map(Into::into).collect();
        let setting = setting(&local.data, &files);
        let file = app.common.config.clone().unwrap_or_else(|| local.data.config());
        Ok(Self { local, loaded, setting, file })
    }

    fn configs(&self) -> std::collections::BTreeMap<String, UpstreamConfig> {
        self.loaded.settings.upstream_configs()
    }

    fn config(&self, name: &str) -> Result<UpstreamConfig, Failure> {
        let configs = self.configs();
        configs.get(name).cloned().ok_or_else(|| {
            let failure = Failure::new(ErrorKind::NotFound, format!("no upstream is called `{name}`"));
            match nearest(name, configs.keys().map(String::as_str)) {
                Some(near) => failure.hint(format!("did you mean `{near}`?")),
                None => failure.hint("`core-mcp upstream list` shows them"),
            }
        })
    }

    fn pins(&self, name: &str) -> Result<Pins, Failure> {
        Pins::open(&self.setting.pins, name)
            .map_err(|error| Failure::local(format!("the pins of `{name}` cannot be read"), error))
    }
}

/// How to reach it, without anything secret.
fn target(config: &UpstreamConfig) -> String {
    match (&config.url, &config.command) {
        (Some(url), _) => url.split('?').next().unwrap_or_default().to_owned(),
        (None, Some(command)) => format!("{command} ({} arguments)", config.args.len()),
        (None, None) => String::new(),
    }
}

#[derive(Serialize)]
struct Row {
    name: String,
    enabled: bool,
    target: String,
    trust: gateway::TrustLevel,
    waiting: Vec<HeldTool>,
}

fn list(output: Output, at: &Place) -> Result<(), Failure> {
    let rows = at.configs().into_iter().map(|(name, config)| {
        let waiting = at.pins(&name)?.waiting();
        Ok(Row { target: target(&config), enabled: config.enabled, trust: config.trust, waiting, name })
    });
    let rows = rows.collect::<Result<Vec<Row>, Failure>>()?;
    output.list(&rows, || {
        let mut table = Table::new(&["upstream", "enabled", "reached by", "trust", "waiting"]);
        for row in &rows {
            let enabled = if row.enabled { "yes" } else { "no" };
            let trust = format!("{:?}", row.trust).to_lowercase();
            let waiting: Vec<&str> = row.waiting.iter().map(|it| it.tool.as_str()).collect();
            table.row([&row.name, enabled, &row.target, &trust, &waiting.join(", ")]);
        }
        table.render("no upstreams yet: `core-mcp upstream add NAME --url …` or `--command …`")
    })
}

/// One line of `check --output json`.
#[derive(Serialize)]
struct Checked {
    name: String,
    ok: bool,
    #[serde(flatten)]
    report: Option<CheckReport>,
    #[serde(skip_serializing_if = "Option::is_none")]
    reason: Option<String>,
}

async fn check_all(output: Output, at: &Place, only: Option<&str>) -> Result<(), Failure> {
    let mut configs = at.configs();
    if let Some(name) = only {
        let config = at.config(name)?;
        configs = std::iter::once((name.to_owned(), config)).collect();
    }
    let mut all = Vec::new();
    for (name, config) in configs {
        let found = check(&name, &config, &at.setting).await;
        let (report, reason) = match found {
            Ok(report) => (Some(report), None),
            Err(reason) => (None, Some(reason)),
        };
        all.push(Checked { ok: report.is_some(), name, report, reason });
    }
    output.list(&all, || all.iter().map(told).collect::<Vec<_>>().join("\n"))?;
    let failed = all.iter().filter(|it| !it.ok).count();
    if failed > 0 {
        return Err(Failure::new(ErrorKind::Unavailable, format!("upstreams that do not answer: {failed}")));
    }
    Ok(())
}

/// What a look found, for people.
fn told(checked: &Checked) -> String {
    let Some(report) = &checked.report else {
        let reason = checked.reason.as_deref().unwrap_or_default();
        return format!("{}: {}", checked.name, plain(reason));
    };
    let mut text = format!(
        "{}: {} ({}), {} tools served, {} ms",
        report.name,
        plain(&report.server),
        report.era,
        report.served.len(),
        report.millis
    );
    for refused in &report.refused {
        text.push_str(&format!("\n  left out: {}", plain(refused)));
    }
    for held in &report.held {
        text.push_str(&format!("\n  waits: {} ({})", plain(&held.tool), held.why.words()));
        for finding in &held.findings {
            text.push_str(&format!("\n    {} at {}", finding.code, plain(&finding.place)));
        }
        for line in held.diff.lines() {
            text.push_str(&format!("\n    {}", plain(line)));
        }
    }
    if !report.held.is_empty() {
        text.push_str(&format!("\n  let them in with `core-mcp upstream approve {}`", report.name));
    }
    text
}

async fn approve(output: Output, at: &Place, name: &str, tools: &[String]) -> Result<(), Failure> {
    at.config(name)?;
    let mut pins = at.pins(name)?;
    let waiting: Vec<String> = pins.waiting().into_iter().map(|it| it.tool).collect();
    if let Some(unknown) = tools.iter().find(|it| !waiting.contains(it)) {
        return Err(Failure::new(ErrorKind::NotFound, format!("no tool `{unknown}` of `{name}` waits"))
            .hint(format!("these wait: {}", waiting.join(", ")))
            .hint("`core-mcp upstream check` looks at the server again"));
    }
    let detail = json!({ "upstream": name, "tools": if tools.is_empty() { &waiting } else { tools } });
    let by = Local::operator_name();
    let approving = async { pins.approve(tools, &by).map_err(not_kept) };
    let approved = at.local.recorded("upstream.approved", detail, approving).await?;
    output.one(&json!({ "upstream": name, "approved": approved }), || {
        if approved.is_empty() { "nothing waits".into() } else { format!("approved {}", approved.join(", ")) }
    })
}

fn not_kept(error: std::io::Error) -> kernel::ToolError {
    kernel::ToolError::new(ErrorKind::ToolExecutionFailed, format!("the pins cannot be written: {error}"))
}

async fn remove(output: Output, at: &Place, name: &str) -> Result<(), Failure> {
    at.config(name)?;
    let changed = edit::without(&at.file, name)?;
    let removing = async {
        edit::write(&at.file, &changed)?;
        Pins::forget(&at.setting.pins, name).map_err(not_kept)
    };
    at.local.recorded("upstream.removed", json!({ "upstream": name }), removing).await?;
    output.one(&json!({ "removed": name }), || format!("removed {name}"))
}
