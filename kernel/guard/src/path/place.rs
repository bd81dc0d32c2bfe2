//! A name in an open folder, for changing what it names.

use std::{
    ffi::{OsStr, OsString},
    fmt,
    os::{fd::OwnedFd, unix::ffi::OsStringExt},
    path::{Path, PathBuf},
};

use rustix::{
    fs::{AtFlags, Mode, OFlags, RenameFlags},
    io::Errno,
};

use super::{Facts, Kind, TreeLimits, beneath::read_bounded, critical, folder, roots::Rules, tree, wording};
use crate::Refusal;

/// A name in a folder that is held open beneath a root. The name may be taken, free, or lie in folders
/// that are still missing.
pub struct Place {
    pub(super) field: String,
    pub(super) dir: OwnedFd,
    pub(super) name: OsString,
    pub(super) existing: Option<Facts>,
    missing: Vec<OsString>,
    absolute: PathBuf,
    rules: Rules,
}

impl Place {
    pub(super) fn new(
        field: &str,
        dir: OwnedFd,
        missing: Vec<OsString>,
        name: OsString,
        absolute: PathBuf,
        existing: Option<Facts>,
        rules: Rules,
    ) -> Self {
        Self { field: field.to_owned(), dir, name, existing, missing, absolute, rules }
    }

    /// The absolute path, links in its folders resolved.
    pub fn absolute(&self) -> &Path {
        &self.absolute
    }

    /// What was there when the place was found; a link is reported as a link.
    pub fn existing(&self) -> Option<&Facts> {
        self.existing.as_ref()
    }

    /// Whether folders on the way do not exist yet.
    pub fn lacks_parents(&self) -> bool {
        !self.missing.is_empty()
    }

    /// Makes the folders that are missing and returns their paths, outermost first.
    ///
    /// # Errors
    /// `LINK_REFUSED` when a link took the place of a missing folder, `OS_REFUSED`.
    pub fn make_parents(&mut self) -> Result<Vec<PathBuf>, Refusal> {
        let mut path = self.absolute.clone();
        for _ in 0..=self.missing.len() {
            path.pop();
        }
        let mut made = Vec::new();
        for name in std::mem::take(&mut self.missing) {
            path.push(&name);
            match rustix::fs::mkdirat(&self.dir, &name, Mode::from_raw_mode(0o777)) {
                Ok(()) => made.push(path.clone()),
                Err(Errno::EXIST) => {}
                Err(error) => return Err(wording::os(&self.field, error)),
            }
            let flags = OFlags::PATH | OFlags::DIRECTORY | OFlags::NOFOLLOW | OFlags::CLOEXEC;
            self.dir = rustix::fs::openat(&self.dir, &name, flags, Mode::empty()).map_err(|error| {
                // With `O_DIRECTORY`, a link reads as "not a folder".
                if error == Errno::NOTDIR {
                    wording::link(&self.field)
                } else {
                    wording::os(&self.field, error)
                }
            })?;
        }
        self.existing = self.now()?;
        Ok(made)
    }

    /// The whole file, if it has at most `limit` bytes. A link is not followed.
    ///
    /// # Errors
    /// `NOT_FOUND`, `LINK_REFUSED`, `NOT_A_FILE`, `TOO_LARGE`.
    pub fn read(&self, limit: u64) -> Result<Vec<u8>, Refusal> {
        self.require_parents()?;
        let (file, facts) = folder::open_regular(&self.field, &self.dir, &self.name)?;
        read_bounded(&self.field, file, facts.size, limit)
    }

    /// Makes an empty folder here.
    ///
    /// # Errors
    /// `ALREADY_EXISTS`, `OS_REFUSED`.
    pub fn make_folder(&self) -> Result<(), Refusal> {
        self.require_parents()?;
        rustix::fs::mkdirat(&self.dir, &self.name, Mode::from_raw_mode(0o777)).map_err(|error| self.os(error))
    }

    /// Removes an empty folder. `Ok(false)` when it is not empty or gone.
    ///
    /// # Errors
    /// `OS_REFUSED`.
    pub fn remove_empty_folder(&self) -> Result<bool, Refusal> {
        match rustix::fs::unlinkat(&self.dir, &self.name, AtFlags::REMOVEDIR) {
            Ok(()) => Ok(true),
            Err(Errno::NOTEMPTY | Errno::EXIST | Errno::NOENT | Errno::NOTDIR) => Ok(false),
            Err(error) => Err(self.os(error)),
        }
    }

    /// Bytes and entries of what is here, folders counted with all they hold.
    ///
    /// # Errors
    /// `NOT_FOUND`, `TOO_LARGE` over the limits, `NOT_A_FILE` when it holds devices, pipes or sockets.
    pub fn measure(&self, limits: TreeLimits) -> Result<TreeLimits, Refusal> {
        self.require_parents()?;
        tree::measure(&self.field, &self.dir, &self.name, limits)
    }

    /// Removes what is here for good, folders with all they hold. Links are removed, never their targets.
    ///
    /// # Errors
    /// As [`Place::refuse_unmovable`] and `OS_REFUSED`.
    pub fn remove(&self) -> Result<(), Refusal> {
        self.refuse_unmovable()?;
        tree::remove(&self.field, &self.dir, &self.name, 0)
    }

    /// Moves what is here to a free place, across file systems by copying within `limits`.
    ///
    /// # Errors
    /// `ALREADY_EXISTS` when the target is taken, `CRITICAL_PATH` when either side is critical,
    /// `NAME_INVALID` when a folder would move into itself.
    pub fn carry_to(&self, target: &Self, limits: TreeLimits) -> Result<(), Refusal> {
        let moved = self.refuse_unmovable()?;
        target.require_parents()?;
        if moved.kind == Kind::Folder {
            target.refuse_as_folder()?;
            if target.absolute.starts_with(&self.absolute) {
                return Err(wording::name(&target.field, "a folder cannot be moved into itself"));
            }
        }
        let rename =
            |flags| rustix::fs::renameat_with(&self.dir, &self.name, &target.dir, &target.name, flags);
        match rename(RenameFlags::NOREPLACE) {
            Ok(()) => Ok(()),
            Err(Errno::XDEV) => self.copy_and_remove(target, limits),
            // Some network file systems cannot refuse to replace; then looking first is the best there is.
            Err(Errno::INVAL | Errno::NOSYS) if target.now()?.is_none() => {
                rename(RenameFlags::empty()).map_err(|error| self.os(error))
            }
            Err(error) => Err(wording::os(&target.field, error)),
        }
    }

    fn copy_and_remove(&self, target: &Self, limits: TreeLimits) -> Result<(), Refusal> {
        if target.now()?.is_some() {
            return Err(wording::exists(&target.field));
        }
        self.measure(limits)?;
        let copied = tree::copy((&self.dir, &self.name), (&target.dir, &target.name), &target.field, 0);
        if let Err(refusal) = copied {
            // Half a copy is worse than none; the original is untouched.
            tree::remove(&target.field, &target.dir, &target.name, 0)?;
            return Err(refusal);
        }
        tree::remove(&self.field, &self.dir, &self.name, 0)
    }

    /// Refuses to change the content of what is here: links, hard links, devices, pipes, sockets.
    ///
    /// # Errors
    /// `LINK_REFUSED`, `NOT_A_FILE`.
    pub fn refuse_unchangeable(&self) -> Result<(), Refusal> {
        let Some(facts) = self.existing else { return Ok(()) };
        match facts.kind {
            Kind::Link => Err(wording::link(&self.field)),
            Kind::Special => Err(wording::special(&self.field)),
            Kind::File if facts.names > 1 && !self.rules.change_hard_links => {
                Err(wording::hard_link(&self.field))
            }
            Kind::File | Kind::Folder => Ok(()),
        }
    }

    /// Refuses to move or remove what is here: nothing, devices, roots and folders that hold one,
    /// folders of critical files.
    ///
    /// # Errors
    /// `NOT_FOUND`, `NOT_A_FILE`, `CRITICAL_PATH`.
    pub fn refuse_unmovable(&self) -> Result<Facts, Refusal> {
        self.require_parents()?;
        let facts = self.now()?.ok_or_else(|| wording::not_found(&self.field))?;
        match facts.kind {
            Kind::Special => return Err(wording::special(&self.field)),
            Kind::Folder => {
                self.refuse_as_folder()?;
                self.rules.refuse_holder(&self.field, &self.absolute)?;
            }
            Kind::File | Kind::Link => {}
        }
        Ok(facts)
    }

    fn refuse_as_folder(&self) -> Result<(), Refusal> {
        critical::reason_for_folder(&self.absolute)
            .map_or(Ok(()), |what| Err(wording::critical(&self.field, what)))
    }

    /// What is here at this moment.
    pub(super) fn now(&self) -> Result<Option<Facts>, Refusal> {
        match rustix::fs::statat(&self.dir, &self.name, AtFlags::SYMLINK_NOFOLLOW) {
            Ok(stat) => Ok(Some(Facts::of(&stat))),
            Err(Errno::NOENT) => Ok(None),
            Err(error) => Err(self.os(error)),
        }
    }

    pub(super) fn link_target(&self) -> Result<PathBuf, Refusal> {
        let target = rustix::fs::readlinkat(&self.dir, &self.name, Vec::new()).map_err(|it| self.os(it))?;
        Ok(OsString::from_vec(target.into_bytes()).into())
    }

    pub(super) fn require_parents(&self) -> Result<(), Refusal> {
        if self.missing.is_empty() { Ok(()) } else { Err(wording::not_found(&self.field)) }
    }

    pub(super) fn os(&self, error: Errno) -> Refusal {
        wording::os(&self.field, error)
    }

    /// The last name of the path.
    pub fn name(&self) -> &OsStr {
        &self.name
    }
}

impl fmt::Debug for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Place").field(&self.absolute).finish()
    }
}
