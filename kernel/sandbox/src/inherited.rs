//! Files that whoever started us left open. Nothing in the sandbox holds what is open already.

use std::{fs, io, os::fd::RawFd};

/// Closes everything but the three standard streams. Only for a process that has opened nothing itself.
pub(crate) fn close() -> io::Result<()> {
    let names = fs::read_dir("/proc/self/fd")?.map(|entry| entry.map(|entry| entry.file_name()));
    let names = names.collect::<io::Result<Vec<_>>>()?;
    for number in names.iter().filter_map(|name| name.to_str()?.parse::<RawFd>().ok()).filter(|it| *it > 2) {
        match nix::unistd::close(number) {
            // The listing's own is closed by now.
            Ok(()) | Err(nix::errno::Errno::EBADF) => {}
            Err(error) => return Err(error.into()),
        }
    }
    Ok(())
}
