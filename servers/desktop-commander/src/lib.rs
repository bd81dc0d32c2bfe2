//! Files, commands, git and sqlite on this machine, confined to the operator's roots.
//!
//! Reading order: `config` (what the operator may set), `server` (what connects at start), `files` (paths
//! to bytes and back, with a journal that can undo), `exec` (judged commands as confined processes), `git` and
//! `sqlite`, `tools` (what a model can call).

mod config;
mod error;
mod exec;
mod files;
mod git;
mod server;
mod sqlite;
mod tools;

pub use config::{DesktopConfig, ExecConfig, FileLimits, Network};
pub use server::{DesktopCommander, entry};
