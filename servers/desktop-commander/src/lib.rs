//! Files, commands, git and sqlite on this machine, confined to the operator's roots.
//!
//! Reading order: `config` (what the operator may set), `server` (what connects at start), `files` (paths
//! to bytes and back, with a journal that can undo), `tools` (what a model can call).

mod config;
mod error;
mod files;
mod server;
mod tools;

pub use config::{DesktopConfig, ExecConfig, FileLimits};
pub use server::{DesktopCommander, entry};
