//! The `[servers.security-scanner]` section.

use std::path::PathBuf;

use kernel::Secret;
use schemars::JsonSchema;
use serde::Deserialize;

/// Settings of the security scanner. Every key has a default.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct ScannerConfig {
    /// Folders this server may read; empty means every folder the operator opened.
    pub roots: Vec<PathBuf>,
    /// Rule files of your own, added to the built-in rules. A bad file stops the server with file, line and reason.
    pub rules: Vec<PathBuf>,
    /// Files and folders with vulnerability records: OSV as JSON or JSON lines, RustSec as Markdown. Without any, the
    /// folder `advisories` in this server's state folder counts.
    pub advisories: Vec<PathBuf>,
    /// Larger files are skipped and make a scan incomplete, in bytes.
    #[schemars(range(min = 1, max = 1_073_741_824))]
    pub file_bytes_max: u64,
    /// A scan stops after so many files and says so.
    #[schemars(range(min = 1))]
    pub files_max: u64,
    /// Findings kept of one scan, worst first; the rest are only counted.
    #[schemars(range(min = 1, max = 100_000))]
    pub findings_max: usize,
    /// Threads of one scan; 0 takes one per processor, at most 8.
    #[schemars(range(max = 64))]
    pub workers: usize,
    /// Key of the finding ids. Set the same one on several installations to share baselines between them;
    /// unset, each makes its own.
    pub fingerprint_key: Option<Secret<String>>,
}

impl Default for ScannerConfig {
    fn default() -> Self {
        Self {
            roots: Vec::new(),
            rules: Vec::new(),
            advisories: Vec::new(),
            file_bytes_max: 25 << 20,
            files_max: 2_000_000,
            findings_max: 10_000,
            workers: 0,
            fingerprint_key: None,
        }
    }
}
