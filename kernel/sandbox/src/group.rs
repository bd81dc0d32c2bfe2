//! Process groups: each confined program leads its own and cannot leave it.

use std::{fs, io};

use rustix::process::{Pid, kill_process_group};

/// The two ways to end a program.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Signal {
    /// `SIGTERM`: clean up and go.
    Terminate,
    /// `SIGKILL`: gone now.
    Kill,
}

/// Signals every process of the group that `leader` started. A group that is gone already is no error.
pub fn kill_group(leader: u32, signal: Signal) -> io::Result<()> {
    let signal = match signal {
        Signal::Terminate => rustix::process::Signal::TERM,
        Signal::Kill => rustix::process::Signal::KILL,
    };
    let Some(pid) = i32::try_from(leader).ok().filter(|raw| *raw > 1).and_then(Pid::from_raw) else {
        return Err(io::Error::new(io::ErrorKind::InvalidInput, "not a process group of ours"));
    };
    match kill_process_group(pid, signal) {
        Ok(()) | Err(rustix::io::Errno::SRCH) => Ok(()),
        Err(error) => Err(error.into()),
    }
}

/// How many processes the group of `leader` has now, zombies not counted.
pub fn group_size(leader: u32) -> usize {
    let Ok(entries) = fs::read_dir("/proc") else { return 0 };
    entries
        .filter_map(Result::ok)
        .filter(|entry| entry.file_name().as_encoded_bytes().iter().all(u8::is_ascii_digit))
        .filter_map(|entry| fs::read_to_string(entry.path().join("stat")).ok())
        .filter(|stat| belongs(stat, leader))
        .count()
}

/// `pid (name) state ppid pgrp …`; the name may hold anything, so the last parenthesis counts.
fn belongs(stat: &str, leader: u32) -> bool {
    let Some((_, rest)) = stat.rsplit_once(") ") else { return false };
    let mut fields = rest.split(' ');
    let state = fields.next();
    let group = fields.nth(1).and_then(|field| field.parse::<u32>().ok());
    group == Some(leader) && !matches!(state, Some("Z" | "X"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_process_name_cannot_fake_its_group() {
        assert!(belongs("7 (a) S 1 42 42 0", 42));
        assert!(!belongs("7 (a) S 1 41 42 0) S 1 41", 42));
        assert!(belongs("7 (x) S 1 9 9) R 1 42 42", 42));
        assert!(!belongs("7 (a) Z 1 42 42 0", 42));
        assert!(!belongs("", 42));
    }

    #[test]
    fn groups_that_are_not_ours_are_never_signalled() {
        for leader in [0, 1, u32::MAX] {
            assert!(kill_group(leader, Signal::Kill).is_err(), "{leader}");
        }
    }
}
