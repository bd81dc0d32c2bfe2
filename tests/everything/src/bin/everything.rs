//! Serves the fixture behind a real gate and a real HTTP door until its standard input ends.
//!
//! Prints one line when it listens: `http://ADDRESS/mcp/everything`. The token is `token-of-admin`.

use std::sync::Arc;

use everything::Everything;
use pipeline::{LimitOverrides, Mount, Tuning};
use testkit::Rig;
use tokio::io::AsyncReadExt;
use tokio_util::sync::CancellationToken;
use transport::{HttpConfig, HttpServer, Wire, WireConfig};

#[tokio::main]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    // The suite calls more often than a person would.
    let generous = LimitOverrides {
        semaphore: Some(256),
        queue: Some(1000),
        rate_per_minute: Some(1_000_000),
        deadline_seconds: Some(600),
        ..LimitOverrides::default()
    };
    let tuning = Tuning { defaults: generous, beyond_documented: true, ..Tuning::default() };
    let rig = Rig::new(&[], tuning).await;
    let registry = rig.gate.registry().clone();
    let server = Everything::new(registry.clone());
    registry.mount(Mount::ready(server.mounted()))?;
    let wire = Wire::new(Arc::clone(&rig.gate), WireConfig::new([7; 32], env!("CARGO_PKG_VERSION")));
    let mut config = HttpConfig::new(([127, 0, 0, 1], 0).into());
    config.refusals_burst = 100_000;
    let http = HttpServer::bind(wire, config).await?;
    println!("http://{}/mcp/{}", http.local_addr()?, everything::NAME);
    let stop = CancellationToken::new();
    let serving = tokio::spawn(http.serve(stop.clone()));
    let mut nothing = Vec::new();
    tokio::io::stdin().read_to_end(&mut nothing).await?;
    stop.cancel();
    serving.await?;
    Ok(())
}
