//! A folder held open, read entry by entry without following links.

use std::{
    ffi::{OsStr, OsString},
    fmt,
    fs::File,
    os::{
        fd::OwnedFd,
        unix::ffi::{OsStrExt, OsStringExt},
    },
    path::{Path, PathBuf},
};

use rustix::fs::{AtFlags, Dir, FileType, Mode, OFlags};

use super::{Facts, Kind, locate, roots::Rules, wording};
use crate::Refusal;

const FIELD: &str = "path";

/// One name in a folder.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Entry {
    /// The name, as the file system spells it.
    pub name: OsString,
    /// What it is; links are not followed.
    pub kind: Kind,
}

/// A folder held open. Everything it opens is one of its own entries, never what a link points to.
pub struct Folder {
    fd: OwnedFd,
    absolute: PathBuf,
    rules: Rules,
}

impl Folder {
    pub(super) fn new(fd: OwnedFd, absolute: PathBuf, rules: Rules) -> Self {
        Self { fd, absolute, rules }
    }

    /// Where it was when it was opened.
    pub fn absolute(&self) -> &Path {
        &self.absolute
    }

    /// At most `max` entries sorted by name, and whether there were more.
    ///
    /// # Errors
    /// `OS_REFUSED` when the system denies it.
    pub fn entries(&self, max: usize) -> Result<(Vec<Entry>, bool), Refusal> {
        let os = |error| wording::os(FIELD, error);
        let mut entries = Vec::new();
        for entry in Dir::read_from(&self.fd).map_err(os)? {
            let entry = entry.map_err(os)?;
            let name = OsStr::from_bytes(entry.file_name().to_bytes());
            if name == "." || name == ".." {
                continue;
            }
            if entries.len() == max {
                return Ok((sorted(entries), true));
            }
            let kind = match entry.file_type() {
                FileType::Unknown => match self.facts(name) {
                    Ok(facts) => facts.kind,
                    Err(_) => continue,
                },
                known => Kind::of(known),
            };
            entries.push(Entry { name: name.to_owned(), kind });
        }
        Ok((sorted(entries), false))
    }

    /// What the file system says about one entry; a link is not followed.
    ///
    /// # Errors
    /// `NOT_FOUND` when it is gone.
    pub fn facts(&self, name: &OsStr) -> Result<Facts, Refusal> {
        let stat = rustix::fs::statat(&self.fd, single(name)?, AtFlags::SYMLINK_NOFOLLOW)
            .map_err(|error| wording::os(FIELD, error))?;
        Ok(Facts::of(&stat))
    }

    /// Where a link points, as it is written; nothing is opened.
    ///
    /// # Errors
    /// When the entry is no link or is gone.
    pub fn link_target(&self, name: &OsStr) -> Result<PathBuf, Refusal> {
        let target = rustix::fs::readlinkat(&self.fd, single(name)?, Vec::new())
            .map_err(|error| wording::os(FIELD, error))?;
        Ok(OsString::from_vec(target.into_bytes()).into())
    }

    /// Opens a folder in this folder.
    ///
    /// # Errors
    /// `CRITICAL_PATH` for protected paths, `NOT_A_FILE` for the kernel's own folders and anything else.
    pub fn open_folder(&self, name: &OsStr) -> Result<Self, Refusal> {
        let absolute = self.absolute.join(single(name)?);
        self.rules.refuse_protected(FIELD, &absolute)?;
        let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::NOFOLLOW | OFlags::CLOEXEC;
        let fd = rustix::fs::openat(&self.fd, name, flags, Mode::empty())
            .map_err(|error| wording::os(FIELD, error))?;
        locate::refuse_kernel_files(FIELD, &fd)?;
        Ok(Self { fd, absolute, rules: self.rules.clone() })
    }

    /// Opens a regular file in this folder for reading.
    ///
    /// # Errors
    /// `LINK_REFUSED`, `NOT_A_FILE`, `CRITICAL_PATH` for protected paths.
    pub fn open_file(&self, name: &OsStr) -> Result<(File, Facts), Refusal> {
        self.rules.refuse_protected(FIELD, &self.absolute.join(single(name)?))?;
        open_regular(FIELD, &self.fd, name)
    }
}

fn sorted(mut entries: Vec<Entry>) -> Vec<Entry> {
    entries.sort_unstable_by(|left, right| left.name.cmp(&right.name));
    entries
}

/// A name must be one component: a caller's `..` or `a/b` would walk away from the open folder.
fn single(name: &OsStr) -> Result<&OsStr, Refusal> {
    let bytes = name.as_bytes();
    if bytes.is_empty() || bytes == b"." || bytes == b".." || bytes.contains(&b'/') || bytes.contains(&0) {
        return Err(wording::name(FIELD, "an entry has a single plain name"));
    }
    Ok(name)
}

/// Opens a regular file by name in an open folder: no link, no device, no waiting.
pub(super) fn open_regular(field: &str, dir: &OwnedFd, name: &OsStr) -> Result<(File, Facts), Refusal> {
    let os = |error| wording::os(field, error);
    // Looking first keeps devices from being opened at all; the second look is the one that decides.
    let before = Facts::of(&rustix::fs::statat(dir, name, AtFlags::SYMLINK_NOFOLLOW).map_err(os)?);
    match before.kind {
        Kind::File => {}
        Kind::Link => return Err(wording::link(field)),
        Kind::Folder => return Err(wording::not_a_file(field)),
        Kind::Special => return Err(wording::special(field)),
    }
    let flags = OFlags::RDONLY | OFlags::NONBLOCK | OFlags::NOCTTY | OFlags::NOFOLLOW | OFlags::CLOEXEC;
    let fd = rustix::fs::openat(dir, name, flags, Mode::empty()).map_err(os)?;
    let facts = Facts::of(&rustix::fs::fstat(&fd).map_err(os)?);
    if facts.kind == Kind::File { Ok((fd.into(), facts)) } else { Err(wording::not_a_file(field)) }
}

impl fmt::Debug for Folder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Folder").field(&self.absolute).finish()
    }
}
