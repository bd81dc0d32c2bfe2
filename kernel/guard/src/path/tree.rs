//! Whole folders, entry by entry through open folders: measured, copied, removed. Links are never followed.

use std::{
    ffi::{OsStr, OsString},
    fs::File,
    io,
    os::{fd::OwnedFd, unix::ffi::OsStrExt},
};

use rustix::fs::{AtFlags, Dir, Mode, OFlags, Timespec, Timestamps};

use super::{Facts, Kind, folder, replace::errno, wording};
use crate::Refusal;

/// Deepest folder that is worked on.
const DEPTH_MAX: usize = 128;

/// How much a folder may hold, or does hold.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct TreeLimits {
    /// Files, folders and links, the outermost included.
    pub entries: u64,
    /// Bytes in files.
    pub bytes: u64,
}

/// Counts what a name holds and refuses as soon as a limit is passed.
pub(super) fn measure(
    field: &str,
    dir: &OwnedFd,
    name: &OsStr,
    limits: TreeLimits,
) -> Result<TreeLimits, Refusal> {
    let mut seen = TreeLimits::default();
    let device = facts(field, dir, name)?.identity.0;
    count(field, (dir, name), device, limits, &mut seen, 0)?;
    Ok(seen)
}

fn count(
    field: &str,
    (dir, name): (&OwnedFd, &OsStr),
    device: u64,
    limits: TreeLimits,
    seen: &mut TreeLimits,
    depth: usize,
) -> Result<(), Refusal> {
    let facts = facts(field, dir, name)?;
    seen.entries += 1;
    if seen.entries > limits.entries {
        return Err(wording::too_large(field, "the number of entries in the folder", limits.entries));
    }
    match facts.kind {
        Kind::Special => return Err(wording::special(field)),
        Kind::Link => {}
        Kind::File => seen.bytes = seen.bytes.saturating_add(facts.size),
        Kind::Folder => {
            // What is mounted in a folder is not part of it.
            if facts.identity.0 != device {
                return Err(wording::special(field));
            }
            let inner = open(field, dir, name, depth)?;
            for name in names(field, &inner)? {
                count(field, (&inner, &name), device, limits, seen, depth + 1)?;
            }
        }
    }
    if seen.bytes > limits.bytes {
        return Err(wording::too_large(field, "the size of the files in bytes", limits.bytes));
    }
    Ok(())
}

/// Copies a file, link or folder to a free name, with modes and times.
pub(super) fn copy(
    (dir, name): (&OwnedFd, &OsStr),
    (target, new_name): (&OwnedFd, &OsStr),
    field: &str,
    depth: usize,
) -> Result<(), Refusal> {
    let os = |error| wording::os(field, error);
    let facts = facts(field, dir, name)?;
    match facts.kind {
        Kind::Special => Err(wording::special(field)),
        Kind::Link => {
            let points_to = rustix::fs::readlinkat(dir, name, Vec::new()).map_err(os)?;
            rustix::fs::symlinkat(points_to, target, new_name).map_err(os)
        }
        Kind::File => {
            let (mut from, _) = folder::open_regular(field, dir, name)?;
            let flags = OFlags::WRONLY | OFlags::CREATE | OFlags::EXCL | OFlags::NOFOLLOW | OFlags::CLOEXEC;
            let fd = rustix::fs::openat(target, new_name, flags, Mode::from_raw_mode(0o600)).map_err(os)?;
            let mut to = File::from(fd);
            io::copy(&mut from, &mut to).map_err(|error| os(errno(&error)))?;
            finish(&to.into(), &facts).map_err(os)
        }
        Kind::Folder => {
            let inner = open(field, dir, name, depth)?;
            rustix::fs::mkdirat(target, new_name, Mode::from_raw_mode(0o700)).map_err(os)?;
            let made = open(field, target, new_name, depth)?;
            for name in names(field, &inner)? {
                copy((&inner, &name), (&made, &name), field, depth + 1)?;
            }
            finish(&made, &facts).map_err(os)
        }
    }
}

fn finish(fd: &OwnedFd, facts: &Facts) -> rustix::io::Result<()> {
    rustix::fs::fchmod(fd, Mode::from_raw_mode(facts.mode & 0o777))?;
    let time = Timespec { tv_sec: facts.modified, tv_nsec: 0 };
    rustix::fs::futimens(fd, &Timestamps { last_access: time, last_modification: time })?;
    rustix::fs::fsync(fd)
}

/// Removes a file, link or folder. A link is removed, never what it points to.
pub(super) fn remove(field: &str, dir: &OwnedFd, name: &OsStr, depth: usize) -> Result<(), Refusal> {
    let os = |error| wording::os(field, error);
    let facts = match facts(field, dir, name) {
        Ok(facts) => facts,
        Err(refusal) if refusal.code == "NOT_FOUND" => return Ok(()),
        Err(refusal) => return Err(refusal),
    };
    if facts.kind != Kind::Folder {
        return rustix::fs::unlinkat(dir, name, AtFlags::empty()).map_err(os);
    }
    let inner = open(field, dir, name, depth)?;
    for name in names(field, &inner)? {
        remove(field, &inner, &name, depth + 1)?;
    }
    rustix::fs::unlinkat(dir, name, AtFlags::REMOVEDIR).map_err(os)
}

fn facts(field: &str, dir: &OwnedFd, name: &OsStr) -> Result<Facts, Refusal> {
    let stat = rustix::fs::statat(dir, name, AtFlags::SYMLINK_NOFOLLOW)
        .map_err(|error| wording::os(field, error))?;
    Ok(Facts::of(&stat))
}

fn open(field: &str, dir: &OwnedFd, name: &OsStr, depth: usize) -> Result<OwnedFd, Refusal> {
    if depth >= DEPTH_MAX {
        return Err(wording::too_large(field, "the depth of the folder", DEPTH_MAX as u64));
    }
    let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::NOFOLLOW | OFlags::CLOEXEC;
    rustix::fs::openat(dir, name, flags, Mode::empty()).map_err(|error| wording::os(field, error))
}

fn names(field: &str, dir: &OwnedFd) -> Result<Vec<OsString>, Refusal> {
    let os = |error| wording::os(field, error);
    let mut names = Vec::new();
    for entry in Dir::read_from(dir).map_err(os)? {
        let entry = entry.map_err(os)?;
        let name = OsStr::from_bytes(entry.file_name().to_bytes());
        if name != "." && name != ".." {
            names.push(name.to_owned());
        }
    }
    Ok(names)
}
