//! Every native server, one manifest line each.
//!
//! A new server is a folder under `servers/` with a `pub fn entry() -> kernel::ServerEntry`, and one
//! `server-<name>` line in this crate's `Cargo.toml`. `build.rs` turns the lines into the list below.

use kernel::ServerEntry;

/// All native servers, in the order of the manifest. Listing them connects to nothing.
pub fn native_servers() -> Vec<ServerEntry> {
    include!(concat!(env!("OUT_DIR"), "/native_servers.rs"))
}
