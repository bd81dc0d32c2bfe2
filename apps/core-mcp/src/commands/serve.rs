//! `core-mcp serve`.

use std::{net::SocketAddr, path::PathBuf, time::Duration};

use clap::Args;
use serde_json::json;
use tokio::signal::unix::{Signal, SignalKind, signal};
use tokio_util::sync::CancellationToken;
use transport::{HttpConfig, HttpServer, TlsConfig};

use crate::{
    app::App,
    config::{Sources, TlsSection},
    failure::Failure,
    logging,
    output::write_out,
    platform::{Mounts, Platform, RunningLock, connections_that_fit, wire},
};

mod changes;
mod reload;

use reload::Reloader;

/// Running calls get this long when the server stops.
const DRAIN: Duration = Duration::from_secs(10);

/// Serve MCP over Streamable HTTP
///
/// The first line on stdout names the address. SIGTERM and SIGINT stop it within ten seconds; SIGHUP looks
/// at configuration and policies at once, which otherwise happens every second.
#[derive(Debug, Args)]
#[command(after_help = "Examples:\n  core-mcp serve\n  core-mcp serve --listen 127.0.0.1:0\n  \
    core-mcp serve --output json | head -1 | jq -r .listen\n\n\
    Endpoints: /mcp (all servers), /mcp/SERVER (one server, bare tool names), /contexts/ID/mcp,\n\
    /healthz, /readyz, /metrics")]
pub(crate) struct Serve {
    /// Address and port; port 0 takes a free one [default: server.listen]
    #[arg(long, value_name = "ADDR")]
    listen: Option<String>,
}

impl Serve {
    pub(crate) async fn run(self, app: &App) -> Result<(), Failure> {
        let mut sources = app.sources(&app.existing_data_root()?);
        if let Some(listen) = self.listen {
            sources.flags.push((&["server", "listen"], listen.into(), "--listen"));
        }
        let platform = Platform::open(app, &sources, Mounts::All).await?;
        let scheme = if platform.settings().server.tls.is_on() { "https" } else { "http" };
        serve(app, platform, sources, |address| {
            if app.output.is_human() {
                return write_out(&format!("listening on {scheme}://{address}"));
            }
            let url = format!("{scheme}://{address}/mcp");
            write_out(&json!({ "listen": address.to_string(), "url": url }).to_string())
        })
        .await
    }
}

/// Serves until told to stop. `announce` hears the bound address before the first request is taken.
pub(super) async fn serve(
    app: &App,
    platform: Platform,
    sources: Sources,
    announce: impl FnOnce(SocketAddr) -> Result<(), Failure>,
) -> Result<(), Failure> {
    let served = serve_until_stopped(app, &platform, sources, announce).await;
    platform.close().await.and(served)
}

async fn serve_until_stopped(
    app: &App,
    platform: &Platform,
    sources: Sources,
    announce: impl FnOnce(SocketAddr) -> Result<(), Failure>,
) -> Result<(), Failure> {
    logging::start(&platform.settings().log, app.environment.log.as_deref(), app.environment.no_color)?;
    let mut lock = RunningLock::take(&platform.data)?;
    let server = bind(platform).await?;
    let address = server.local_addr().map_err(|error| Failure::local("the address is unknown", error))?;
    lock.listens(address)?;
    let (mut stopped, mut hangup) = (Stopped::install()?, caught(SignalKind::hangup())?);
    let _policies = reload::watch_policies(platform);
    platform.workflows.own_runs().await?;
    announce(address)?;
    let stop = CancellationToken::new();
    let mut reloader = Reloader::new(platform, sources, lock, (server.allow_lists(), server.tls_reload()));
    let serving = tokio::spawn(server.serve(stop.clone()));
    let mut ticks = tokio::time::interval(Duration::from_secs(1));
    loop {
        tokio::select! {
            () = stopped.wait() => break,
            _ = hangup.recv() => reloader.reload_now(),
            _ = ticks.tick() => reloader.look(),
        }
    }
    tracing::info!("stopping");
    stop.cancel();
    serving.await.map_err(|error| Failure::local("the HTTP door crashed", error))
}

async fn bind(platform: &Platform) -> Result<HttpServer, Failure> {
    let section = &platform.settings().server;
    let address = section.address().ok_or_else(|| Failure::usage("server.listen is not an address"))?;
    let mut config = HttpConfig::new(address);
    config.allowed_hosts.clone_from(&section.allowed_hosts);
    config.allowed_origins.clone_from(&section.allowed_origins);
    config.public_url = section.public_url().map(str::to_owned);
    config.tls = tls(&section.tls);
    config.shutdown_grace = DRAIN;
    config.max_connections = connections_that_fit(config.max_connections);
    let wire = wire(platform)?;
    HttpServer::bind(wire, config).await.map_err(|error| {
        Failure::local(format!("{address} cannot be used"), error).hint(
            "another program may have the port (choose another with --listen), or a file of [server.tls] is not usable",
        )
    })
}

/// What the listener needs of the section; `None` when no TLS is spoken.
pub(super) fn tls(section: &TlsSection) -> Option<TlsConfig> {
    section.is_on().then(|| TlsConfig {
        client_ca_file: (!section.client_ca_file.is_empty()).then(|| PathBuf::from(&section.client_ca_file)),
        client_required: section.client_required,
        ..TlsConfig::new(PathBuf::from(&section.cert_file), PathBuf::from(&section.key_file))
    })
}

/// SIGTERM and SIGINT. Once installed they no longer end the process by themselves.
pub(super) struct Stopped {
    terminate: Signal,
    interrupt: Signal,
}

impl Stopped {
    pub(super) fn install() -> Result<Self, Failure> {
        Ok(Self { terminate: caught(SignalKind::terminate())?, interrupt: caught(SignalKind::interrupt())? })
    }

    /// Returns when somebody asks us to stop.
    pub(super) async fn wait(&mut self) {
        tokio::select! {
            _ = self.terminate.recv() => {}
            _ = self.interrupt.recv() => {}
        }
    }
}

fn caught(kind: SignalKind) -> Result<Signal, Failure> {
    signal(kind).map_err(|error| Failure::local("signals cannot be caught", error))
}
