//! `core-mcp context`.

use std::{sync::Arc, time::Duration};

use clap::{Args, Subcommand};
use kernel::{Principal, ToolError};
use pipeline::Door;
use serde_json::json;
use store::{ContextDetails, ContextInfo};

use crate::{
    app::App,
    failure::Failure,
    output::{Output, Table, date},
    platform::{Mounts, Platform},
};

/// Group calls and say which servers they may use
///
/// A context belongs to the principal who made it, enables some servers, and remembers its calls. Use it with
/// `call --context ID`, `stdio --context ID`, or the endpoint /contexts/ID/mcp.
#[derive(Debug, Args)]
#[command(after_help = "Examples:\n  core-mcp context create deploy-42 --server security-scanner\n  \
    core-mcp context enable deploy-42 desktop-commander\n  \
    core-mcp call security-scanner.file_security_scan file_path=. --context deploy-42\n  \
    core-mcp context show deploy-42")]
pub(crate) struct Context {
    #[command(subcommand)]
    action: ContextAction,
}

#[derive(Debug, Subcommand)]
enum ContextAction {
    /// Make a context
    Create {
        /// Its name
        id: String,
        /// A server it may use; repeat for more
        #[arg(long = "server", value_name = "NAME")]
        servers: Vec<String>,
        /// Delete it after this many hours [default: never]
        #[arg(long, value_name = "HOURS", value_parser = clap::value_parser!(u64).range(1..=8760))]
        hours: Option<u64>,
    },
    /// Let a context use one more server
    Enable {
        /// Which context
        id: String,
        /// Name or alias
        server: String,
    },
    /// Take a server away from a context
    Disable {
        /// Which context
        id: String,
        /// Name or alias
        server: String,
    },
    /// List your contexts; an admin sees everybody's
    List,
    /// Show a context and its calls, newest first
    Show {
        /// Which context
        id: String,
    },
    /// Delete a context with its history
    Delete {
        /// Which context
        id: String,
    },
}

impl Context {
    pub(crate) async fn run(self, app: &App) -> Result<(), Failure> {
        let token = app.token()?;
        let platform = Platform::open(app, &app.sources(&app.existing_data_root()?), Mounts::Nothing).await?;
        let done = match platform.admit(&token, Door::Cli).await {
            Ok(caller) => self.action.run(app.output, &platform, caller.principal()),
            Err(failure) => Err(failure),
        };
        platform.close().await.and(done)
    }
}

impl ContextAction {
    fn run(self, output: Output, platform: &Platform, who: &Arc<Principal>) -> Result<(), Failure> {
        let store = &platform.state.contexts;
        let changed = |name: &str, info: &ContextInfo| {
            platform.event_by(who, name, json!({ "context": info.id, "servers": info.servers }))?;
            show_one(output, info)
        };
        match self {
            Self::Create { id, servers, hours } => {
                let servers =
                    servers.iter().map(|it| catalogue_name(platform, it)).collect::<Result<Vec<_>, _>>()?;
                let ttl = hours.map(|it| Duration::from_secs(it * 3600));
                changed("context.created", &store.create(&id, who, &servers, ttl)?)
            }
            Self::Enable { id, server } => {
                changed("context.enabled", &store.enable(&id, who, &catalogue_name(platform, &server)?)?)
            }
            Self::Disable { id, server } => {
                changed("context.disabled", &store.disable(&id, who, &catalogue_name(platform, &server)?)?)
            }
            Self::List => list(output, &store.list(who)?),
            Self::Show { id } => show_all(output, &store.show(&id, who)?),
            Self::Delete { id } => {
                store.delete(&id, who)?;
                platform.event_by(who, "context.deleted", json!({ "context": id }))?;
                output.one(&json!({ "deleted": id }), || format!("deleted {id}"))
            }
        }
    }
}

/// Contexts hold catalogue names; people may use aliases.
fn catalogue_name(platform: &Platform, name: &str) -> Result<String, ToolError> {
    platform.gate.registry().find(name).map(|it| it.facts.name.clone())
}

fn until(info: &ContextInfo) -> String {
    info.expires_at.map_or_else(|| "never".to_owned(), date)
}

fn show_one(output: Output, info: &ContextInfo) -> Result<(), Failure> {
    output.one(info, || {
        let servers =
            if info.servers.is_empty() { "no server yet".to_owned() } else { info.servers.join(", ") };
        format!("{} of {}: {servers} (expires: {})", info.id, info.owner, until(info))
    })
}

fn list(output: Output, all: &[ContextInfo]) -> Result<(), Failure> {
    output.list(all, || {
        let mut table = Table::new(&["context", "owner", "servers", "expires"]);
        for it in all {
            table.row([&it.id, &it.owner, &it.servers.join(", "), &until(it)]);
        }
        table.render("no contexts yet: `core-mcp context create ID --server NAME`")
    })
}

fn show_all(output: Output, details: &ContextDetails) -> Result<(), Failure> {
    output.one(details, || {
        let info = &details.info;
        let mut table = Table::new(&["time", "tool", "code", "ms"]);
        for it in &details.history {
            table.row([&date(it.at / 1_000_000), &it.tool, &it.code, &(it.duration_us / 1000).to_string()]);
        }
        let servers = info.servers.join(", ");
        format!(
            "{} of {}: {servers} (expires: {})\n\n{}",
            info.id,
            info.owner,
            until(info),
            table.render("no calls yet")
        )
    })
}
