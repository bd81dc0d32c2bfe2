//! What a confined program may touch.

use std::path::PathBuf;

use serde::{Deserialize, Serialize};

/// Everything a confined program may do. What is not here is denied.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SandboxPolicy {
    /// Folders (or files) it may read, write and run programs from.
    pub writable: Vec<PathBuf>,
    /// Folders (or files) it may read and run programs from, besides the system's own.
    pub readable: Vec<PathBuf>,
    /// Paths beneath `writable` or `readable` that stay out of reach.
    ///
    /// Landlock has no exceptions, so a folder above such a path is opened child by child:
    /// new entries cannot be made directly in it.
    pub protected: Vec<PathBuf>,
    /// Whether it may open IPv4 and IPv6 sockets. Unix sockets stay closed either way.
    pub network: bool,
    /// Bounds on what it may use up.
    pub limits: ProcessLimits,
    /// Run it even where the kernel cannot confine it.
    pub allow_unconfined: bool,
}

/// Bounds of one process.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ProcessLimits {
    /// Seconds of CPU time.
    pub cpu_seconds: u64,
    /// Bytes of private memory.
    pub memory_bytes: u64,
    /// Open files.
    pub open_files: u64,
    /// Bytes of the largest file it may write.
    pub file_bytes: u64,
    /// Processes and threads it may add to those that run already. The kernel does not hold this for
    /// root, so whoever starts a program as root has to watch [`crate::group_size`].
    pub processes: u64,
}

impl Default for ProcessLimits {
    /// Enough for a build: an hour of CPU, 4 GiB of memory and of file, 4096 files, 1024 processes.
    fn default() -> Self {
        Self {
            cpu_seconds: 3600,
            memory_bytes: 4 << 30,
            open_files: 4096,
            file_bytes: 4 << 30,
            processes: 1024,
        }
    }
}

impl SandboxPolicy {
    /// Nothing but the system's own programs and libraries, no network, default limits.
    pub fn system_only() -> Self {
        Self {
            writable: Vec::new(),
            readable: Vec::new(),
            protected: Vec::new(),
            network: false,
            limits: ProcessLimits::default(),
            allow_unconfined: false,
        }
    }
}
