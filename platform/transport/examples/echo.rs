//! The server our benchmark measures: the HTTP door with the whole road behind it, and an echo tool.
//!
//! `echo [ADDRESS]` prints its address and serves `/mcp`; the token is `ann`. Identity, policy and journal
//! are the small fakes of the tests, so what is measured is the door and the road.

#![expect(clippy::unwrap_used, reason = "a benchmark that cannot go on panics")]
#![expect(dead_code, reason = "the tests use more of these modules")]

#[path = "../tests/doors/fakes.rs"]
mod fakes;
#[path = "../tests/doors/server.rs"]
mod server;

use tokio_util::sync::CancellationToken;
use transport::{HttpConfig, HttpServer, Wire, WireConfig};

#[tokio::main]
async fn main() {
    let address = std::env::args().nth(1).unwrap_or_else(|| "127.0.0.1:0".into());
    let (gate, _fakes) = fakes::gate().await;
    let wire = Wire::new(gate, WireConfig::new([7; 32], "0.0.0"));
    let server = HttpServer::bind(wire, HttpConfig::new(address.parse().unwrap())).await.unwrap();
    println!("{}", server.local_addr().unwrap());
    server.serve(CancellationToken::new()).await;
}
