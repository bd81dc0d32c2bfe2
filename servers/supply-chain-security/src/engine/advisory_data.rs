//! Reads folders of vulnerability data, and keeps what was read for a while.

use std::{
    sync::{Arc, Mutex, PoisonError},
    time::{Duration, Instant},
};

use guard::path::Folder;

use super::{
    advisory::{self, Advisories},
    coverage::Coverage,
    tree::{Bounds, Tree, file_name},
};

/// One record.
const RECORD_BYTES_MAX: u64 = 4 << 20;
/// Records in memory.
const RECORDS_MAX: usize = 1_000_000;

/// What was read of the folders, with the ledger of reading.
#[derive(Debug, Default)]
pub(crate) struct Loaded {
    pub(crate) advisories: Advisories,
    pub(crate) coverage: Coverage,
}

/// The folders, and what was read of them last.
pub(crate) struct AdvisoryData {
    folders: Vec<Tree>,
    lifetime: Duration,
    last: Mutex<Option<(Instant, Arc<Loaded>)>>,
}

impl AdvisoryData {
    pub(crate) fn new(folders: Vec<Folder>, lifetime: Duration) -> Self {
        Self { folders: folders.into_iter().map(Tree::Folder).collect(), lifetime, last: Mutex::default() }
    }

    /// Everything there is; read again when the last reading is too old.
    pub(crate) fn get(&self, is_stopped: &dyn Fn() -> bool) -> Arc<Loaded> {
        // Held while reading: several callers at once wait for one reading.
        let mut last = self.last.lock().unwrap_or_else(PoisonError::into_inner);
        let now = Instant::now();
        if let Some((made, loaded)) = &*last
            && now.saturating_duration_since(*made) < self.lifetime
        {
            return Arc::clone(loaded);
        }
        let loaded = Arc::new(self.load(is_stopped));
        if !is_stopped() {
            *last = Some((now, Arc::clone(&loaded)));
        }
        loaded
    }

    fn load(&self, is_stopped: &dyn Fn() -> bool) -> Loaded {
        let mut loaded = Loaded::default();
        let bounds = Bounds { file_bytes_max: RECORD_BYTES_MAX, files_max: 4_000_000, components_max: 0 };
        for folder in &self.folders {
            let found = folder.list(&bounds, &mut loaded.coverage, is_stopped, &is_record);
            for path in found {
                if is_stopped() || loaded.advisories.len() >= RECORDS_MAX {
                    loaded.coverage.truncated = true;
                    break;
                }
                record(folder, &path, &mut loaded);
            }
        }
        loaded
    }
}

fn is_record(path: &str) -> bool {
    let name = file_name(path);
    // Databases of RustSec hold a few texts for people between the records.
    let is_rustsec = name.starts_with("RUSTSEC-") && (name.ends_with(".md") || name.ends_with(".toml"));
    name.ends_with(".json") || is_rustsec
}

fn record(folder: &Tree, path: &str, loaded: &mut Loaded) {
    let bytes = match folder.read(path, RECORD_BYTES_MAX) {
        Ok(bytes) => bytes,
        Err(reason) => return loaded.coverage.skip(path, reason),
    };
    loaded.coverage.parsed(bytes.len() as u64);
    let source = String::from_utf8_lossy(&bytes);
    let read =
        if path.ends_with(".json") { advisory::read_osv(&source) } else { advisory::read_rustsec(&source) };
    match read {
        Ok(Some(it)) => loaded.advisories.add(it),
        Ok(None) => {}
        Err(what) => loaded.coverage.problem(path, what),
    }
}
