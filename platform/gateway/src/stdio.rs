//! Upstreams that are child processes.
//!
//! Reading order: `launch` (what is started, with which rights), `process` (one running child), `link` (which
//! child a request goes to, and when a dead one is started again).

mod launch;
mod link;
mod process;

pub(crate) use launch::{LaunchPlan, Surroundings};
pub(crate) use link::StdioLink;
