//! Process groups that end with their owner.

use sandbox::{Signal, kill_group};

/// The groups of one pipeline. Dropping it kills what still runs, so a cancelled call leaves nothing behind.
#[derive(Default)]
pub(super) struct Groups {
    leaders: Vec<u32>,
}

impl Groups {
    pub(super) fn add(&mut self, leader: u32) {
        self.leaders.push(leader);
    }

    pub(super) fn signal(&self, signal: Signal) {
        for leader in &self.leaders {
            signal_one(*leader, signal);
        }
    }

    /// Its leader was waited for: kills what it left behind and forgets it.
    pub(super) fn ended(&mut self, leader: u32) {
        self.leaders.retain(|other| *other != leader);
        signal_one(leader, Signal::Kill);
    }

    /// Processes in all groups.
    pub(super) fn size(&self) -> usize {
        self.leaders.iter().map(|leader| sandbox::group_size(*leader)).sum()
    }
}

impl Drop for Groups {
    fn drop(&mut self) {
        self.signal(Signal::Kill);
    }
}

fn signal_one(leader: u32, signal: Signal) {
    if let Err(error) = kill_group(leader, signal) {
        tracing::warn!(leader, ?signal, %error, "a process group could not be signalled");
    }
}
