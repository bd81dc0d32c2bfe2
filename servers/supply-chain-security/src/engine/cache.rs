//! Scans that need not be done again, because every file they read is still the same.

use std::{
    collections::{BTreeMap, BTreeSet, VecDeque},
    sync::{Arc, Mutex, PoisonError},
    time::{Duration, Instant},
};

use super::collect::Inventory;

/// What a scan read, to tell whether it would read the same again.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Inputs {
    /// Files whose names say something about components.
    pub(crate) found: BTreeSet<String>,
    /// Content digests of everything read, `None` for what was looked for and is not there.
    pub(crate) read: BTreeMap<String, Option<String>>,
}

/// One kept scan.
#[derive(Clone)]
struct Entry {
    target: String,
    inputs: Inputs,
    inventory: Arc<Inventory>,
    made: Instant,
    hits: u64,
}

/// A kept scan, as it is listed.
#[derive(Clone, Debug)]
pub(crate) struct Listed {
    pub(crate) target: String,
    pub(crate) digest: String,
    pub(crate) components: usize,
    pub(crate) age: Duration,
    pub(crate) hits: u64,
}

/// Kept in memory only: nobody can put anything into it but a scan.
pub(crate) struct Cache {
    entries: Mutex<VecDeque<Entry>>,
    entries_max: usize,
    lifetime: Duration,
}

impl Cache {
    pub(crate) fn new(entries_max: usize, lifetime: Duration) -> Self {
        Self { entries: Mutex::default(), entries_max, lifetime }
    }

    fn entries(&self) -> std::sync::MutexGuard<'_, VecDeque<Entry>> {
        // A scan that panicked while it held the lock left a whole list behind: entries are put in one step.
        self.entries.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// What was read of this target, if a scan of it is kept and young enough.
    pub(crate) fn inputs(&self, target: &str, now: Instant) -> Option<Inputs> {
        let entries = self.entries();
        let entry = entries.iter().find(|it| it.target == target)?;
        (now.saturating_duration_since(entry.made) < self.lifetime).then(|| entry.inputs.clone())
    }

    /// The kept scan and its age, if its inputs are these.
    pub(crate) fn get(
        &self,
        target: &str,
        inputs: &Inputs,
        now: Instant,
    ) -> Option<(Arc<Inventory>, Duration)> {
        let mut entries = self.entries();
        let entry = entries.iter_mut().find(|it| it.target == target && it.inputs == *inputs)?;
        entry.hits += 1;
        Some((Arc::clone(&entry.inventory), now.saturating_duration_since(entry.made)))
    }

    /// Keeps a scan; the oldest one goes when there are too many.
    pub(crate) fn put(&self, target: &str, inputs: Inputs, inventory: Arc<Inventory>, now: Instant) {
        if self.entries_max == 0 || self.lifetime.is_zero() {
            return;
        }
        let mut entries = self.entries();
        entries.retain(|it| it.target != target);
        while entries.len() >= self.entries_max {
            entries.pop_front();
        }
        entries.push_back(Entry { target: target.to_owned(), inputs, inventory, made: now, hits: 0 });
    }

    /// Everything that is kept and young enough.
    pub(crate) fn list(&self, now: Instant) -> Vec<Listed> {
        let listed = |it: &Entry| Listed {
            target: it.target.clone(),
            digest: it.inventory.digest.clone(),
            components: it.inventory.graph.components.len(),
            age: now.saturating_duration_since(it.made),
            hits: it.hits,
        };
        self.entries().iter().map(listed).filter(|it| it.age < self.lifetime).collect()
    }

    /// Forgets everything; how many there were.
    pub(crate) fn clear(&self) -> usize {
        std::mem::take(&mut *self.entries()).len()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_same_inputs_within_the_lifetime_are_answered() {
        let cache = Cache::new(2, Duration::from_secs(60));
        let start = Instant::now();
        let inputs = |name: &str| Inputs { found: BTreeSet::from([name.to_owned()]), ..Inputs::default() };
        cache.put("a", inputs("x"), Arc::default(), start);
        assert!(cache.get("a", &inputs("x"), start).is_some());
        assert!(cache.get("a", &inputs("y"), start).is_none());
        assert!(cache.get("b", &inputs("x"), start).is_none());
        assert!(cache.inputs("a", start + Duration::from_secs(59)).is_some());
        assert!(cache.inputs("a", start + Duration::from_secs(60)).is_none());
        cache.put("b", inputs("x"), Arc::default(), start);
        cache.put("c", inputs("x"), Arc::default(), start);
        assert_eq!(cache.list(start).iter().map(|it| it.target.as_str()).collect::<Vec<_>>(), ["b", "c"]);
        assert_eq!((cache.clear(), cache.list(start).len()), (2, 0));
    }
}
