//! Everything a server may offer, over a real door: both eras, and clients that do not play by the rules.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on panics")]

mod bridge;
mod client;
mod hostile;
mod routes;
