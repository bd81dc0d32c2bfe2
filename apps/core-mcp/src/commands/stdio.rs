//! `core-mcp stdio`.

use clap::Args;
use kernel::Secret;
use pipeline::{Door, Scope};
use transport::{StdioConfig, StdioServer};

use super::serve::Stopped;
use crate::{
    app::App,
    failure::Failure,
    logging,
    platform::{Mounts, Platform, wire},
};

/// Speak MCP over stdin and stdout
///
/// For clients that start their servers themselves. The token comes from CORE_MCP_TOKEN.
#[derive(Debug, Args)]
#[command(after_help = "Examples:\n  core-mcp stdio\n  core-mcp stdio --server desktop-commander\n  \
    core-mcp stdio --server security-scanner --context deploy-42")]
pub(crate) struct Stdio {
    /// Offer only this server, with bare tool names when it is the only one; repeat for more
    #[arg(long = "server", value_name = "NAME")]
    servers: Vec<String>,
    /// Offer only what this context enables
    #[arg(long, value_name = "ID")]
    context: Option<String>,
}

impl Stdio {
    pub(crate) async fn run(self, app: &App) -> Result<(), Failure> {
        let token = app.token()?;
        let sources = app.sources(&app.existing_data_root()?);
        let wanted = if self.servers.is_empty() { Mounts::All } else { Mounts::Only(self.servers.clone()) };
        let platform = Platform::open(app, &sources, wanted).await?;
        let served = self.serve(app, &platform, &token).await;
        platform.close().await.and(served)
    }

    async fn serve(&self, app: &App, platform: &Platform, token: &Secret<String>) -> Result<(), Failure> {
        // Stdout belongs to the protocol; the log goes to stderr, which clients keep.
        logging::start(&platform.settings().log, app.environment.log.as_deref(), true)?;
        let caller = platform.admit(token, Door::Stdio).await?;
        for name in &self.servers {
            platform.gate.registry().find(name)?;
        }
        if self.servers.is_empty() {
            // With a part of the servers the runs of others could not go on here.
            platform.workflows.own_runs().await?;
        }
        let scope = Scope { server: self.only_server(), context: self.context.clone() };
        let (stdin, stdout) = (tokio::io::stdin(), tokio::io::stdout());
        let mut stopped = Stopped::install()?;
        let serving = StdioServer::run(wire(platform)?, caller, scope, StdioConfig::default(), stdin, stdout);
        tokio::select! {
            served = serving => served.map_err(|error| Failure::local("the client's pipe broke", error)),
            // The client gave us up: what still runs is recorded as abandoned when the platform closes.
            () = stopped.wait() => Ok(()),
        }
    }

    /// With one server its tools keep their bare names; with several they carry the server's.
    fn only_server(&self) -> Option<String> {
        match self.servers.as_slice() {
            [only] => Some(only.clone()),
            _ => None,
        }
    }
}
