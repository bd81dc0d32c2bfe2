//! The log as its users see it: on a real disk, with real processes.
#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

mod append;
mod chains;
mod crash;
mod reading;
mod retention;
mod room;
mod tamper;
