//! The record, in memory.

use std::sync::Arc;

use parking_lot::Mutex;
use pipeline::seams::{AuditEntry, Durable, Journal, JournalError};
use tokio::sync::oneshot;

/// Remembers every record. Clones share what they remember.
#[derive(Clone, Default)]
pub struct FakeJournal {
    state: Arc<Mutex<State>>,
}

#[derive(Default)]
struct State {
    entries: Vec<AuditEntry>,
    broken: bool,
}

impl FakeJournal {
    /// Every record so far, oldest first.
    pub fn entries(&self) -> Vec<AuditEntry> {
        self.state.lock().entries.clone()
    }

    /// `phase tool code` of every record so far: what most assertions need.
    pub fn lines(&self) -> Vec<String> {
        let entries = self.entries();
        let line = |it: &AuditEntry| {
            let phase = format!("{:?}", it.phase).to_lowercase();
            format!("{phase} {} {}", it.tool, it.code.as_deref().unwrap_or("-"))
        };
        entries.iter().map(line).collect()
    }

    /// From now on every record is refused, as on a full disk.
    pub fn break_down(&self) {
        self.state.lock().broken = true;
    }

    /// Records are kept again.
    pub fn mend(&self) {
        self.state.lock().broken = false;
    }
}

impl Journal for FakeJournal {
    fn append(&self, entry: AuditEntry) -> Result<Durable, JournalError> {
        let mut state = self.state.lock();
        if state.broken {
            return Err(JournalError { reason: "no space left on device".into() });
        }
        state.entries.push(entry);
        let (sender, receiver) = oneshot::channel();
        sender.send(Ok(())).expect("the receiver is in hand");
        Ok(Durable::pending(receiver))
    }

    fn is_healthy(&self) -> bool {
        !self.state.lock().broken
    }
}
