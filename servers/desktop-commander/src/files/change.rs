//! Changes: each is recorded first, so that it can be undone, and then happens whole or not at all.

use std::path::PathBuf;

use guard::path::{Existing, Kind, Place, TreeLimits};
use kernel::digest_hex;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{
    Files, diff,
    edit::{self, Edit},
    journal::{Action, Draft, Who},
};
use crate::error::FileError;

/// Entries one deleted or moved folder may hold.
const TREE_ENTRIES_MAX: u64 = 1_000_000;

// What to do with a file that is there already. Not a doc comment: see the parameter.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub(crate) enum Mode {
    Create,
    #[default]
    Overwrite,
    Append,
}

/// A file to write.
#[derive(Debug)]
pub(crate) struct WriteOrder {
    pub(crate) path: String,
    pub(crate) content: String,
    pub(crate) mode: Mode,
    pub(crate) create_dirs: bool,
    pub(crate) if_match: Option<String>,
    pub(crate) dry_run: bool,
}

/// What a change left behind.
#[derive(Debug, Default, Serialize, JsonSchema)]
#[schemars(transform = crate::tools::lean::lean)]
pub(crate) struct Changed {
    pub(crate) path: String,
    /// Nothing changed when there is none.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) change_id: Option<i64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(skip)]
    pub(crate) sha256: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(skip)]
    pub(crate) diff: Option<String>,
}

impl Files {
    /// Writes a whole file, or adds to its end.
    pub(crate) fn write(&self, who: &Who, order: WriteOrder) -> Result<Changed, FileError> {
        if order.content.len() as u64 > self.limits.write_bytes_max {
            return Err(edit::too_large(self.limits.write_bytes_max).into());
        }
        let _turn = self.lock();
        let place = self.roots.place("file_path", &order.path)?;
        if place.lacks_parents() && !order.create_dirs {
            let fix = "set `create_dirs`, or make the folder first";
            return Err(refusal("NOT_FOUND", "file_path", "the folder does not exist", fix).into());
        }
        let before = self.content(&place)?;
        if order.mode == Mode::Create && before.is_some() {
            let fix = "use mode overwrite, or another name";
            return Err(refusal("ALREADY_EXISTS", "mode", "the file exists already", fix).into());
        }
        require_match(before.as_deref(), order.if_match.as_deref())?;
        let after = match (order.mode, &before) {
            (Mode::Append, Some(before)) => [before.as_slice(), order.content.as_bytes()].concat(),
            _ => order.content.into_bytes(),
        };
        if after.len() as u64 > self.limits.read_bytes_max.max(self.limits.write_bytes_max) {
            return Err(edit::too_large(self.limits.read_bytes_max).into());
        }
        self.store(who, "write_file", place, before.as_deref(), &after, order.dry_run)
    }

    /// Replaces exact text in a file.
    pub(crate) fn edit(
        &self,
        who: &Who,
        path: &str,
        edits: &[Edit],
        dry_run: bool,
    ) -> Result<Changed, FileError> {
        let _turn = self.lock();
        let place = self.roots.place("file_path", path)?;
        place.refuse_unchangeable()?;
        let before = place.read(self.limits.read_bytes_max)?;
        let text = std::str::from_utf8(&before).map_err(|_| FileError::NotText)?;
        let after = edit::apply(text, edits, self.limits.read_bytes_max)?;
        self.store(who, "edit_file", place, Some(&before), after.as_bytes(), dry_run)
    }

    /// Records and performs one write.
    pub(super) fn store(
        &self,
        who: &Who,
        tool: &'static str,
        mut place: Place,
        before: Option<&[u8]>,
        after: &[u8],
        dry_run: bool,
    ) -> Result<Changed, FileError> {
        let path = text_of(&place)?;
        let sha256 = Some(digest_hex(after));
        if dry_run {
            let text = |bytes| String::from_utf8_lossy(bytes).into_owned();
            let diff = diff::unified(&path, &text(before.unwrap_or_default()), &text(after));
            return Ok(Changed { path, sha256, diff: Some(diff), change_id: None });
        }
        if before == Some(after) {
            return Ok(Changed { path, sha256, ..Changed::default() });
        }
        let made = texts(place.make_parents()?);
        let action = Action::Write { after: digest_hex(after), made };
        let bytes = before.map_or(0, <[u8]>::len) as u64;
        let draft = Draft { who, tool, path: &path, action: &action, before, bytes };
        let id = self.perform(&draft, |_| Ok(place.write(after, Existing::Replace)?))?;
        Ok(Changed { path, change_id: Some(id), sha256, diff: None })
    }

    /// Makes a folder and the folders above it.
    pub(crate) fn make_folder(&self, who: &Who, path: &str) -> Result<Changed, FileError> {
        let _turn = self.lock();
        if let Ok(found) = self.roots.resolve_readable("directory_path", path)
            && found.facts().kind == Kind::Folder
        {
            let path = found.absolute().to_string_lossy().into_owned();
            return Ok(Changed { path, ..Changed::default() });
        }
        let mut place = self.roots.place("directory_path", path)?;
        let path = text_of(&place)?;
        let mut made = texts(place.make_parents()?);
        place.make_folder()?;
        made.push(path.clone());
        let action = Action::MakeFolder { made };
        let draft =
            Draft { who, tool: "create_directory", path: &path, action: &action, before: None, bytes: 0 };
        let id = self.perform(&draft, |_| Ok(()))?;
        Ok(Changed { path, change_id: Some(id), ..Changed::default() })
    }

    /// Moves a file, link or folder. What is in the way goes to the trash when `overwrite` says so.
    pub(crate) fn relocate(
        &self,
        who: &Who,
        from: &str,
        to: &str,
        overwrite: bool,
    ) -> Result<Changed, FileError> {
        let _turn = self.lock();
        let source = self.roots.place("from_path", from)?;
        let mut target = self.roots.place("to_path", to)?;
        let moved = source.refuse_unmovable()?;
        if source.absolute() == target.absolute() {
            return Ok(Changed { path: text_of(&target)?, ..Changed::default() });
        }
        let mut bytes = 0;
        if let Some(facts) = target.existing() {
            // Replacing a folder with a file, or the reverse, is never what was meant.
            if !overwrite || facts.kind != moved.kind || facts.kind == Kind::Folder {
                let fix = "choose another name; `overwrite` replaces a file by a file";
                return Err(refusal("ALREADY_EXISTS", "to_path", "something is there already", fix).into());
            }
            target.refuse_unmovable()?;
            bytes = target.measure(self.tree_limits())?.bytes;
        }
        target.make_parents()?;
        let (path, replaced) = (text_of(&target)?, target.existing().is_some());
        let action = Action::Move { from: text_of(&source)?, replaced };
        let draft = Draft { who, tool: "move_path", path: &path, action: &action, before: None, bytes };
        let id = self.perform(&draft, |id| {
            if replaced {
                target.carry_to(&self.journal.kept(id)?, self.tree_limits())?;
            }
            let moved = source.carry_to(&target, self.tree_limits());
            if moved.is_err() && replaced {
                self.journal.kept(id)?.carry_to(&target, self.tree_limits())?;
            }
            Ok(moved?)
        })?;
        Ok(Changed { path, change_id: Some(id), ..Changed::default() })
    }

    /// Moves a file, link or folder to the trash.
    pub(crate) fn delete(&self, who: &Who, path: &str, recursive: bool) -> Result<Changed, FileError> {
        let _turn = self.lock();
        let place = self.roots.place("path", path)?;
        let facts = place.refuse_unmovable()?;
        let size = place.measure(self.tree_limits())?;
        if facts.kind == Kind::Folder && size.entries > 1 && !recursive {
            return Err(FileError::NotEmpty);
        }
        self.discard(who, "delete_path", &place, size.bytes)
    }

    /// Records a deletion and moves the thing to the trash.
    pub(super) fn discard(
        &self,
        who: &Who,
        tool: &'static str,
        place: &Place,
        bytes: u64,
    ) -> Result<Changed, FileError> {
        let path = text_of(place)?;
        let draft = Draft { who, tool, path: &path, action: &Action::Delete, before: None, bytes };
        let id =
            self.perform(&draft, |id| Ok(place.carry_to(&self.journal.kept(id)?, self.tree_limits())?))?;
        Ok(Changed { path, change_id: Some(id), ..Changed::default() })
    }

    /// Records a change, then lets it happen; a change that failed leaves no record.
    pub(super) fn perform(
        &self,
        draft: &Draft<'_>,
        change: impl FnOnce(i64) -> Result<(), FileError>,
    ) -> Result<i64, FileError> {
        let id = self.journal.record(draft)?;
        match change(id) {
            Ok(()) => Ok(id),
            Err(error) => {
                // The caller needs to hear why the change failed, not why its record is still there.
                if let Err(kept) = self.journal.forget(id) {
                    tracing::warn!(%kept, id, "the record of a failed change could not be removed");
                }
                Err(error)
            }
        }
    }

    /// The content of the file at a place; `None` when nothing is there.
    pub(super) fn content(&self, place: &Place) -> Result<Option<Vec<u8>>, FileError> {
        place.refuse_unchangeable()?;
        match place.existing() {
            Some(_) if !place.lacks_parents() => Ok(Some(place.read(self.limits.read_bytes_max)?)),
            _ => Ok(None),
        }
    }

    pub(super) fn tree_limits(&self) -> TreeLimits {
        TreeLimits { entries: TREE_ENTRIES_MAX, bytes: self.limits.journal_bytes_max }
    }
}

fn require_match(before: Option<&[u8]>, if_match: Option<&str>) -> Result<(), FileError> {
    let Some(wanted) = if_match else { return Ok(()) };
    let is_same = before.is_some_and(|bytes| digest_hex(bytes).eq_ignore_ascii_case(wanted));
    if is_same { Ok(()) } else { Err(FileError::Mismatch { field: "if_match" }) }
}

/// The journal and results are text; a path that is none cannot be named by a caller anyway.
pub(super) fn text_of(place: &Place) -> Result<String, FileError> {
    place.absolute().to_str().map(str::to_owned).ok_or_else(|| {
        refusal("NAME_INVALID", "path", "the path is not valid Unicode", "rename the folder first").into()
    })
}

fn texts(paths: Vec<PathBuf>) -> Vec<String> {
    paths.into_iter().filter_map(|path| path.into_os_string().into_string().ok()).collect()
}

pub(super) fn refusal(code: &'static str, field: &str, rule: &str, fix: &str) -> guard::Refusal {
    guard::Refusal::new(code, field, rule, fix)
}
