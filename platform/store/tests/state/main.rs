//! The state as its users see it: on a real disk, opened more than once.
#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

mod approvals;
mod artifacts;
mod contexts;
mod directory;
mod room;
mod sqlite;
