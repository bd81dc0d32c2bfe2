//! What goes wrong with upstreams, and what everybody else notices of it: nothing.
#![expect(clippy::unwrap_used, reason = "a test that cannot be set up has failed")]

mod bridging;
mod credentials;
mod defences;
mod fake;
mod http;
mod matrix;
mod rig;
mod stdio;
