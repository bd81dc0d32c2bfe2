//! Files beneath the roots: read, changed, listed, searched, and brought back.
//!
//! Reading order: `text` (bytes to pages of text), `change` (every change goes through here and into the
//! `journal`), `undo`, then `walk` with `list` and `search` on top of it.

mod change;
mod diff;
mod edit;
mod journal;
mod list;
mod read;
mod search;
mod suggest;
mod text;
mod undo;
mod walk;

use std::{
    path::Path,
    sync::{Mutex, MutexGuard, PoisonError},
};

use guard::path::Roots;
use kernel::StartError;

use crate::FileLimits;

pub(crate) use change::{Changed, Mode, WriteOrder};
pub(crate) use edit::Edit;
pub(crate) use journal::{ChangeRecord, Who};
pub(crate) use list::{ListOrder, Listing, Sort};
pub(crate) use read::{FileOutcome, FilePage, Form, PageOrder};
pub(crate) use search::{SearchKind, SearchOrder, SearchResult};
pub(crate) use undo::Later;

use journal::Journal;

/// Everything the file tools work with.
pub(crate) struct Files {
    roots: Roots,
    journal: Journal,
    limits: FileLimits,
    /// One change at a time, so that journal and disk stay in step.
    writer: Mutex<()>,
}

impl Files {
    /// Opens the journal in `state_dir`.
    pub(crate) fn open(roots: Roots, limits: FileLimits, state_dir: &Path) -> Result<Self, StartError> {
        let journal = Journal::open(state_dir, &limits).map_err(|error| {
            StartError::new("desktop-commander", format!("its journal of changes cannot be opened: {error}"))
        })?;
        let roots = roots.change_hard_links(limits.change_hard_links);
        Ok(Self { roots, journal, limits, writer: Mutex::new(()) })
    }

    pub(crate) fn roots(&self) -> &Roots {
        &self.roots
    }

    fn lock(&self) -> MutexGuard<'_, ()> {
        // The lock guards no data: a writer that panicked left nothing half-made behind it.
        self.writer.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
