//! What this kernel can hold.

use serde::{Deserialize, Serialize};

/// What is enforced, as measured by a confined process and not guessed from a version.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Enforcement {
    /// Files outside the policy cannot be opened, changed, cut or renamed. Landlock does not hold modes and
    /// times: those of files that the same user owns can still be set.
    pub filesystem: bool,
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
