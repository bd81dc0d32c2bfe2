//! `[servers.supply-chain-security]`

use std::path::PathBuf;

use schemars::JsonSchema;
use serde::Deserialize;

/// Settings of the supply chain server. Every key has a default.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct SupplyChainSecurityConfig {
    /// Folders this server may read; empty means every folder the operator opened.
    pub roots: Vec<PathBuf>,
    /// Larger lock files, manifests and documents are skipped and make a scan incomplete, in bytes.
    #[schemars(range(min = 1, max = 1_073_741_824))]
    pub file_bytes_max: u64,
    /// A scan stops after so many files and says so.
    #[schemars(range(min = 1))]
    pub files_max: u64,
    /// A scan stops after so many components and says so.
    #[schemars(range(min = 1, max = 10_000_000))]
    pub components_max: usize,
    /// How long a scan may be answered from memory while its files stay the same, in seconds; 0 never.
    #[schemars(range(max = 86_400))]
    pub cache_ttl_seconds: u64,
    /// Scans kept in memory.
    #[schemars(range(max = 256))]
    pub cache_entries_max: usize,
    /// Folders where package managers keep what they fetched (cargo's `registry/src`, `site-packages`, `~/.m2/repository`,
    /// Go's `pkg/mod`, a gem folder): licences are read there. Read by this server only, whatever the roots.
    pub package_caches: Vec<PathBuf>,
    /// Folders with vulnerability data: OSV records (`.json`) and RustSec advisories (`.md`, `.toml`).
    pub advisories: Vec<PathBuf>,
    /// Names of your own packages, `*` for any text: `@acme/*`, `com.acme.*`. They never leave this machine.
    pub private_packages: Vec<String>,
}

impl Default for SupplyChainSecurityConfig {
    fn default() -> Self {
        Self {
            roots: Vec::new(),
            file_bytes_max: 32 << 20,
            files_max: 2_000_000,
            components_max: 200_000,
            cache_ttl_seconds: 600,
            cache_entries_max: 16,
            package_caches: Vec::new(),
            advisories: Vec::new(),
            private_packages: Vec::new(),
        }
    }
}
