//! What this kernel can hold.

use serde::{Deserialize, Serialize};

/// What is enforced, as measured by a confined process and not guessed from a version.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Enforcement {
    /// Files outside the policy cannot be opened, changed, cut or renamed.
    pub filesystem: bool,
    /// Modes, owners, times and attributes of files outside cannot be set. Landlock does not hold these;
    /// read-only mounts do, which only root can make. Not counted by [`Enforcement::is_confined`].
    pub modes: bool,
    /// Sockets the policy does not allow cannot be made.
    pub network: bool,
    /// Dangerous system calls fail: ptrace, mount, bpf, io_uring, namespaces, keys.
    pub syscalls: bool,
    /// Processes outside cannot be signalled.
    pub signals: bool,
    /// Version of the kernel's Landlock interface; 0 when there is none.
    pub landlock_abi: i32,
    /// What is not enforced and why, one sentence each.
    pub reasons: Vec<String>,
}

impl Enforcement {
    /// Nothing is enforced, for one reason.
    pub fn none(reason: impl Into<String>) -> Self {
        Self { reasons: vec![reason.into()], ..Self::default() }
    }

    /// Whether files, sockets and system calls are all held.
    pub fn is_confined(&self) -> bool {
        self.filesystem && self.network && self.syscalls
    }
}
