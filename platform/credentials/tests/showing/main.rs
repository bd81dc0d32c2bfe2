//! What upstreams are shown, against servers in a few lines.
#![expect(clippy::unwrap_used, reason = "a test that cannot go on should say where")]

mod logins;
mod server;
mod upstream;
