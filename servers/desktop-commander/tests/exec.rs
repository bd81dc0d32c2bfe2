//! Commands, sessions, git and sqlite, for real: real programs, the real sandbox, real repositories.
#![expect(clippy::unwrap_used, reason = "a test that cannot be set up has failed")]

#[path = "exec/attacks.rs"]
mod attacks;
#[path = "exec/commands.rs"]
mod commands;
#[path = "exec/desk.rs"]
mod desk;
#[path = "exec/documents.rs"]
mod documents;
#[path = "exec/git.rs"]
mod git;
#[path = "exec/sessions.rs"]
mod sessions;
#[path = "exec/sqlite.rs"]
mod sqlite;
