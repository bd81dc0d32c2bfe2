//! Takes a process's rights away, in the one order that works.

use std::io;

use rustix::{process::setsid, thread::set_no_new_privs};

use crate::{Enforcement, SandboxPolicy, capabilities, filesystem, limits, mounts, syscalls};

/// Why a program was not started.
#[derive(Debug, thiserror::Error)]
pub(crate) enum ConfineError {
    /// A system call failed.
    #[error("{step} failed: {source}")]
    System { step: &'static str, source: io::Error },
    /// The kernel holds too little and the policy does not accept that.
    #[error("this kernel cannot confine programs: {0}")]
    TooLittle(String),
}

/// Confines the calling process and says what holds.
pub(crate) fn confine(policy: &SandboxPolicy) -> Result<Enforcement, ConfineError> {
    let step = |step| move |source| ConfineError::System { step, source };
    // Its own session: no controlling terminal to write to, and one group to end it by.
    setsid().map_err(io::Error::from).map_err(step("setsid"))?;
    limits::apply(policy.limits).map_err(step("setrlimit"))?;
    // Before the rest: neither Landlock nor seccomp may be entered without it.
    set_no_new_privs(true).map_err(io::Error::from).map_err(step("no_new_privs"))?;
    let mut held = Enforcement::default();
    // Before Landlock, which forbids every change of mounts.
    held.modes = seal(policy, &mut held.reasons);
    match filesystem::apply(policy) {
        Ok(landlock) => {
            held.landlock_abi = landlock.abi;
            held.filesystem = landlock.filesystem();
            held.signals = landlock.signals();
            if !held.filesystem {
                held.reasons.push(format!("landlock version 3 is needed, the kernel has {}", landlock.abi));
            } else if !held.signals {
                held.reasons.push("signals to other processes of the same user are not held".into());
            }
        }
        Err(error) => held.reasons.push(format!("landlock: {error}")),
    }
    // After Landlock, which may have to read folders that only root's powers open.
    capabilities::drop_capabilities().map_err(step("capset"))?;
    // Last: the filter also closes calls that the steps above make.
    match syscalls::apply(policy.network) {
        Ok(()) => (held.network, held.syscalls) = (true, true),
        Err(error) => held.reasons.push(format!("seccomp: {error}")),
    }
    if held.is_confined() || policy.allow_unconfined {
        Ok(held)
    } else {
        Err(ConfineError::TooLittle(held.reasons.join("; ")))
    }
}

/// Makes everything outside the policy read-only where this user may mount; says plainly where not.
fn seal(policy: &SandboxPolicy, reasons: &mut Vec<String>) -> bool {
    let why = if rustix::process::geteuid().is_root() {
        match mounts::seal(policy) {
            Ok(()) => return true,
            Err(error) => format!("mounts: {error}; run core-mcp as another user"),
        }
    } else {
        "only root can mount".to_owned()
    };
    reasons.push(format!("commands can set modes and times of files outside that this user owns ({why})"));
    false
}
