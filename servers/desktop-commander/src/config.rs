//! What an operator may set under `[servers.desktop-commander]`.

mod exec;

use std::path::PathBuf;

use schemars::JsonSchema;
use serde::Deserialize;

pub use exec::{ExecConfig, Network};

/// The section of this server. Empty is a working default: every root of the operator, the limits below.
#[derive(Clone, Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct DesktopConfig {
    /// Narrows the operator's roots to these folders beneath them. Empty takes them all.
    pub roots: Vec<PathBuf>,
    /// Bounds of the file tools.
    pub files: FileLimits,
    /// What commands may run, and how.
    pub exec: ExecConfig,
}

/// Bounds of the file tools.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct FileLimits {
    /// Largest file that is read or edited, in bytes.
    #[schemars(range(min = 1024, max = 1_073_741_824))]
    pub read_bytes_max: u64,
    /// Largest content that is written, in bytes.
    #[schemars(range(min = 1024, max = 1_073_741_824))]
    pub write_bytes_max: u64,
    /// How long one search may look, in seconds.
    #[schemars(range(min = 1, max = 600))]
    pub search_seconds_max: u64,
    /// Entries one listing or search may visit.
    #[schemars(range(min = 100, max = 10_000_000))]
    pub visit_entries_max: usize,
    /// Changes the journal keeps; the oldest go first.
    #[schemars(range(min = 1, max = 100_000))]
    pub journal_changes_max: u32,
    /// Bytes of earlier versions and deleted things the journal keeps; the oldest go first.
    #[schemars(range(min = 1_048_576))]
    pub journal_bytes_max: u64,
    /// Accept changes to files that have several names (hard links).
    pub change_hard_links: bool,
}

impl Default for FileLimits {
    fn default() -> Self {
        Self {
            read_bytes_max: 10 << 20,
            write_bytes_max: 10 << 20,
            search_seconds_max: 20,
            visit_entries_max: 1_000_000,
            journal_changes_max: 1000,
            journal_bytes_max: 1 << 30,
            change_hard_links: false,
        }
    }
}
