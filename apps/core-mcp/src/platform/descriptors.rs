//! How many files and connections the process may have open at once.

use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};

/// Enough for every connection of the HTTP door and what serves it.
const WANTED: u64 = 16_384;
/// What connections leave to the journal, the stores, the tools and their children.
const RESERVED: u64 = 256;

/// Raises the limit as far as it is useful and allowed, and says how many of `wanted` connections fit below it.
///
/// Many systems start programs with 1024, fewer than the HTTP door takes: strangers could otherwise use up what
/// calls need.
pub(crate) fn connections_that_fit(wanted: usize) -> usize {
    let before = getrlimit(Resource::Nofile);
    let current = match before.current {
        // The system sets no limit.
        None => return wanted,
        Some(current) if current >= WANTED => current,
        Some(current) => {
            let raised = before.maximum.map_or(WANTED, |maximum| maximum.min(WANTED)).max(current);
            let limit = Rlimit { current: Some(raised), maximum: before.maximum };
            if setrlimit(Resource::Nofile, limit).is_ok() { raised } else { current }
        }
    };
    let left = current.saturating_sub(RESERVED).max(current / 4);
    usize::try_from(left).unwrap_or(wanted).min(wanted)
}
