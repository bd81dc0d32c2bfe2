//! The dispatcher behind the MCP doors.

use std::sync::Arc;

use ring::rand::{SecureRandom, SystemRandom};
use transport::{Wire, WireConfig};

use super::Platform;
use crate::failure::Failure;

/// Signs cursors and approval states, so that every process of a data directory takes them.
const KEY_FILE: &str = "seal.key";

/// One dispatcher over the gate.
pub(crate) fn wire(platform: &Platform) -> Result<Arc<Wire>, Failure> {
    let mut fresh = [0; 32];
    SystemRandom::new()
        .fill(&mut fresh)
        .map_err(|error| Failure::local("the system has no randomness", error))?;
    let kept = store::private_file::create_once(&platform.data.keys().join(KEY_FILE), &fresh)
        .map_err(|error| Failure::local("the sealing key cannot be used", error))?;
    let key = kept.try_into().map_err(|_| {
        Failure::local("keys/seal.key is damaged", "it must hold 32 bytes").hint("delete it and start again")
    })?;
    Ok(Wire::new(Arc::clone(&platform.gate), WireConfig::new(key, env!("CARGO_PKG_VERSION"))))
}
