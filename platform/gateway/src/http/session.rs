//! Sessions of the old era: one per set of things a caller can do, so that an upstream hears of no more.

use std::{collections::HashMap, sync::Arc, time::Instant};

use kernel::Raw;
use parking_lot::Mutex;
use tokio::sync::OnceCell;

use crate::agree::Agreed;

/// Sets of capabilities that have a session at the same time; the one unused longest goes.
const SESSIONS_MAX: usize = 16;

/// A session that is open, or being opened by whoever came first.
pub(crate) type Slot = Arc<OnceCell<Arc<Agreed>>>;

/// The sessions with one endpoint.
#[derive(Default)]
pub(crate) struct Sessions {
    slots: Mutex<HashMap<Box<str>, (Slot, Instant)>>,
}

impl Sessions {
    /// The slot for callers with these capabilities, and what was pushed out for it. `owner`: the only one who may
    /// use it; empty for everybody.
    pub(crate) fn slot(&self, capabilities: &Raw, owner: &str) -> (Slot, Option<Slot>) {
        let key = format!("{owner}\0{}", capabilities.get());
        let mut slots = self.slots.lock();
        if let Some((slot, used)) = slots.get_mut(key.as_str()) {
            *used = Instant::now();
            return (Arc::clone(slot), None);
        }
        let mut pushed_out = None;
        if slots.len() >= SESSIONS_MAX
            && let Some(oldest) = slots.iter().min_by_key(|(_, (_, used))| *used).map(|(key, _)| key.clone())
        {
            pushed_out = slots.remove(&oldest).map(|(slot, _)| slot);
        }
        let slot = Slot::default();
        slots.insert(key.into(), (Arc::clone(&slot), Instant::now()));
        (slot, pushed_out)
    }

    /// Forgets a session that the upstream forgot, unless it has been replaced already.
    pub(crate) fn forget(&self, gone: &Slot) {
        self.slots.lock().retain(|_, (slot, _)| !Arc::ptr_eq(slot, gone));
    }

    /// Takes all of them, to end them.
    pub(crate) fn drain(&self) -> Vec<Slot> {
        self.slots.lock().drain().map(|(_, (slot, _))| slot).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn callers_with_the_same_abilities_share_a_session_and_the_number_is_bounded() {
        let sessions = Sessions::default();
        let capabilities = |index: usize| Raw::parse(format!(r#"{{"x":{index}}}"#)).unwrap();
        let (first, _) = sessions.slot(&capabilities(0), "");
        assert!(Arc::ptr_eq(&first, &sessions.slot(&capabilities(0), "").0));
        for index in 1..SESSIONS_MAX {
            assert!(sessions.slot(&capabilities(index), "").1.is_none());
        }
        let (_, pushed_out) = sessions.slot(&capabilities(0), "ann");
        assert!(Arc::ptr_eq(&first, &pushed_out.unwrap()));
        sessions.forget(&sessions.slot(&capabilities(3), "").0);
        assert_eq!(sessions.drain().len(), SESSIONS_MAX - 1);
    }
}
