//! Takes away the powers of root that a command has no use for.

use std::io;

use rustix::thread::{CapabilitySet, capabilities, clear_ambient_capability_set, set_capabilities};

/// Root keeps only the right to open files, which the policy bounds; everyone else loses what they have.
///
/// `no_new_privs` is set before this, so no later `execve` can bring a capability back.
pub(crate) fn drop_capabilities() -> io::Result<()> {
    // Not FOWNER or CHOWN: where mounts cannot be made, nothing else holds modes and owners outside.
    let kept = CapabilitySet::DAC_OVERRIDE;
    let mut sets = capabilities(None)?;
    sets.permitted &= kept;
    sets.effective &= kept;
    sets.inheritable = CapabilitySet::empty();
    set_capabilities(None, sets)?;
    match clear_ambient_capability_set() {
        // Kernels before 4.3 have no ambient set to clear.
        Err(rustix::io::Errno::INVAL) | Ok(()) => Ok(()),
        Err(error) => Err(error.into()),
    }
}
