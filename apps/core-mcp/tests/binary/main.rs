//! The built binary, end to end: every test has its own data directory and starts real processes.
#![expect(clippy::unwrap_used, reason = "a test that cannot go on should say where")]

mod approvals;
mod calls;
mod configuration;
mod damage;
mod governance;
mod installation;
mod quickstart;
mod secrets;
mod serving;
mod workflows;
