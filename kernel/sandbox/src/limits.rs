//! Resource limits.

use std::{fs, io};

use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};

use crate::ProcessLimits;

/// Lowers every limit, hard and soft. Never raises one.
pub(crate) fn apply(limits: ProcessLimits) -> io::Result<()> {
    lower(Resource::Core, 0)?;
    lower(Resource::Cpu, limits.cpu_seconds)?;
    lower(Resource::Data, limits.memory_bytes)?;
    lower(Resource::Nofile, limits.open_files)?;
    lower(Resource::Fsize, limits.file_bytes)?;
    // The kernel counts all processes of the user, so the allowance goes on top of what runs now.
    lower(Resource::Nproc, running_threads().saturating_add(limits.processes))
}

fn lower(resource: Resource, wanted: u64) -> io::Result<()> {
    let ceiling = getrlimit(resource).maximum.map_or(wanted, |maximum| maximum.min(wanted));
    Ok(setrlimit(resource, Rlimit { current: Some(ceiling), maximum: Some(ceiling) })?)
}

/// Threads on the whole machine, the second figure of `/proc/loadavg`'s `running/all` field.
fn running_threads() -> u64 {
    fs::read_to_string("/proc/loadavg")
        .ok()
        .and_then(|text| text.split_whitespace().nth(3)?.split_once('/')?.1.parse().ok())
        .unwrap_or(4096)
}
