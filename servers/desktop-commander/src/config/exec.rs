//! What commands may run, and how.

use std::{collections::BTreeMap, path::PathBuf};

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// Which programs may run and within which bounds.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct ExecConfig {
    /// Programs allowed besides the built-in list. They have no rule of their own: path-like arguments are
    /// checked, the sandbox does the rest. Shells and wrappers cannot be added.
    pub programs: Vec<String>,
    /// Programs taken off the built-in list.
    pub denied_programs: Vec<String>,
    /// Folders to look for programs in, after the system's own. Must not lie beneath a root.
    pub search_path: Vec<PathBuf>,
    /// Folders that commands may read besides the roots, for example a toolchain.
    pub read_dirs: Vec<PathBuf>,
    /// Folders that commands may change besides the roots, for example a package cache.
    pub write_dirs: Vec<PathBuf>,
    /// Variables that every command gets.
    pub env: BTreeMap<String, String>,
    /// Who may open sockets.
    pub network: Network,
    /// Run commands even where the kernel cannot confine them.
    pub allow_unconfined: bool,
    /// Longest time a command may take, in seconds.
    #[schemars(range(min = 1, max = 3600))]
    pub timeout_seconds_max: u64,
    /// Memory of one program, in MiB.
    #[schemars(range(min = 64))]
    pub memory_mib_max: u64,
    /// Processes of one command.
    #[schemars(range(min = 8, max = 100_000))]
    pub processes_max: u64,
    /// Largest file a command may write, in MiB.
    #[schemars(range(min = 1))]
    pub file_mib_max: u64,
    /// Background sessions of one principal, finished ones included.
    #[schemars(range(min = 1, max = 256))]
    pub sessions_max: usize,
    /// Bytes of output one background session keeps; the oldest go first.
    #[schemars(range(min = 4096, max = 67_108_864))]
    pub session_bytes_max: usize,
    /// Name for git commits where the repository sets none; else the principal's id.
    pub git_name: Option<String>,
    /// Address for git commits where the repository sets none.
    pub git_email: Option<String>,
}

/// Who may open sockets.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Network {
    /// Only programs that cannot work without it: `git push`, `npm install` and their kind.
    #[default]
    Declared,
    /// Nobody.
    Never,
    /// Every program.
    Always,
}

impl Default for ExecConfig {
    fn default() -> Self {
        Self {
            programs: Vec::new(),
            denied_programs: Vec::new(),
            search_path: Vec::new(),
            read_dirs: Vec::new(),
            write_dirs: Vec::new(),
            env: BTreeMap::new(),
            network: Network::Declared,
            allow_unconfined: false,
            timeout_seconds_max: 3600,
            memory_mib_max: 4096,
            processes_max: 512,
            file_mib_max: 4096,
            sessions_max: 16,
            session_bytes_max: 1 << 20,
            git_name: None,
            git_email: None,
        }
    }
}
