//! Brings back what was there before a change. Undoing is a change like any other, and can be undone.

use guard::path::Place;
use kernel::digest_hex;

use super::{
    Files,
    change::{Changed, refusal, text_of},
    journal::{Action, Change, ChangeRecord, Draft, Who},
};
use crate::error::FileError;

const TOOL: &str = "undo_change";

/// What to do when the file was changed again since.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Later {
    /// Refuse.
    Respect,
    /// Undo anyway; the later content goes to the journal.
    Override,
}

impl Files {
    /// The newest changes that the caller may undo.
    pub(crate) fn changes(&self, who: &Who, limit: u32) -> Result<Vec<ChangeRecord>, FileError> {
        self.journal.list(who, limit)
    }

    /// Undoes one change.
    pub(crate) fn undo(&self, who: &Who, id: i64, later: Later) -> Result<Changed, FileError> {
        let _turn = self.lock();
        let change = self.journal.find(id, who)?;
        if change.undone {
            return Err(FileError::AlreadyUndone);
        }
        // The roots and their rules may have changed since: what is refused now is refused here as well.
        let place = self.roots.place("change_id", &change.path)?;
        let undone = match &change.action {
            Action::Write { after, made } => self.undo_write(who, &change, place, after, made, later)?,
            Action::MakeFolder { made } => self.undo_folders(who, &change.path, made)?,
            Action::Move { from, replaced } => self.undo_move(who, id, &place, from, *replaced)?,
            Action::Delete => self.undo_delete(who, id, place)?,
            Action::Restore => {
                let size = place.measure(self.tree_limits())?;
                self.discard(who, TOOL, &place, size.bytes)?
            }
        };
        self.journal.mark_undone(id, undone.change_id.unwrap_or(id))?;
        Ok(undone)
    }

    fn undo_write(
        &self,
        who: &Who,
        change: &Change,
        place: Place,
        after: &str,
        made: &[String],
        later: Later,
    ) -> Result<Changed, FileError> {
        let current = self.content(&place)?;
        let is_ours = current.as_deref().is_some_and(|bytes| digest_hex(bytes) == *after);
        if !is_ours && later == Later::Respect {
            return Err(FileError::ChangedSince);
        }
        match (&change.before, current) {
            (Some(before), current) => self.store(who, TOOL, place, current.as_deref(), before, false),
            (None, Some(current)) => {
                let undone = self.discard(who, TOOL, &place, current.len() as u64)?;
                self.remove_empty(made)?;
                Ok(undone)
            }
            (None, None) => Ok(Changed { path: text_of(&place)?, ..Changed::default() }),
        }
    }

    fn undo_folders(&self, who: &Who, path: &str, made: &[String]) -> Result<Changed, FileError> {
        let removed = self.remove_empty(made)?;
        if removed == 0 {
            return Err(FileError::ChangedSince);
        }
        let draft = Draft { who, tool: TOOL, path, action: &Action::Delete, before: None, bytes: 0 };
        let id = self.perform(&draft, |id| {
            let kept = self.journal.kept(id)?;
            Ok(kept.make_folder()?)
        })?;
        Ok(Changed { path: path.to_owned(), change_id: Some(id), ..Changed::default() })
    }

    fn undo_move(
        &self,
        who: &Who,
        id: i64,
        place: &Place,
        from: &str,
        replaced: bool,
    ) -> Result<Changed, FileError> {
        let mut origin = self.roots.place("change_id", from)?;
        if origin.existing().is_some() || place.existing().is_none() {
            return Err(FileError::ChangedSince);
        }
        origin.make_parents()?;
        let action = Action::Move { from: text_of(place)?, replaced: false };
        let draft = Draft { who, tool: TOOL, path: from, action: &action, before: None, bytes: 0 };
        let undone = self.perform(&draft, |_| Ok(place.carry_to(&origin, self.tree_limits())?))?;
        if replaced {
            self.journal.kept(id)?.carry_to(place, self.tree_limits())?;
        }
        Ok(Changed { path: from.to_owned(), change_id: Some(undone), ..Changed::default() })
    }

    fn undo_delete(&self, who: &Who, id: i64, mut place: Place) -> Result<Changed, FileError> {
        if place.existing().is_some() {
            let fix = "move what is there away, then undo again";
            let rule = "something is at the old path again";
            return Err(refusal("ALREADY_EXISTS", "change_id", rule, fix).into());
        }
        place.make_parents()?;
        let path = text_of(&place)?;
        let draft = Draft { who, tool: TOOL, path: &path, action: &Action::Restore, before: None, bytes: 0 };
        let undone =
            self.perform(&draft, |_| Ok(self.journal.kept(id)?.carry_to(&place, self.tree_limits())?))?;
        Ok(Changed { path, change_id: Some(undone), ..Changed::default() })
    }

    /// Removes the folders that a change made, as far as they are still empty; the innermost first.
    fn remove_empty(&self, made: &[String]) -> Result<usize, FileError> {
        let mut removed = 0;
        for path in made.iter().rev() {
            if !self.roots.place("change_id", path)?.remove_empty_folder()? {
                break;
            }
            removed += 1;
        }
        Ok(removed)
    }
}
