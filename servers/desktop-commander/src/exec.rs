//! Judged plans as running processes, without a shell and inside the sandbox.
//!
//! Reading order: `engine` (what may run here), `environment` (what a program finds), `run` (one plan from start
//! to end), `pipeline` (its processes), `capture` (its output, bounded), `sessions` (runs in the background).

mod capture;
mod commands;
mod engine;
mod environment;
mod pipeline;
mod run;
mod sessions;
mod signalled;

pub(crate) use capture::{Captured, Stream};
pub(crate) use commands::Commands;
pub(crate) use engine::Engine;
pub(crate) use run::{Ended, Request};
pub(crate) use sessions::{Chunk, SessionInfo};
