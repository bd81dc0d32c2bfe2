//! Asks the kernel where a path leads, without ever leaving the root.

use std::{
    ffi::OsString,
    io,
    os::fd::{AsFd, AsRawFd, OwnedFd},
    path::{Component, Path, PathBuf},
    sync::Arc,
};

use rustix::{
    fs::{AtFlags, Mode, OFlags, ResolveFlags},
    io::Errno,
};

use super::{Access, Facts, Kind, PathBeneath, Place, critical, lexical, roots::Root, roots::Rules, wording};
use crate::Refusal;

/// The kernel answers "try again" when a rename anywhere races with `..`; this often, then we refuse.
const ATTEMPTS: usize = 64;

/// Deepest path beneath a root.
const COMPONENTS_MAX: usize = 255;

/// File systems whose files are windows into the kernel or other processes.
const KERNEL_FILE_SYSTEMS: &[i64] = &[
    0x9fa0,      // proc
    0x6265_6572, // sysfs
    0x6462_6720, // debugfs
    0x7472_6163, // tracefs
    0x7363_6673, // securityfs
    0x6367_7270, // cgroup2
    0x0027_e0eb, // cgroup
    0xcafe_4a11, // bpf
    0x6165_676c, // pstore
    0xde5e_81e4, // efivarfs
    0x6265_6570, // configfs
];

/// Opens `relative` as a bare handle (`O_PATH`): nothing is read, no device is touched, nothing blocks.
fn handle(root: &Root, relative: &Path, extra: OFlags) -> Result<OwnedFd, Errno> {
    let relative = if relative.as_os_str().is_empty() { Path::new(".") } else { relative };
    let resolve = ResolveFlags::BENEATH | ResolveFlags::NO_MAGICLINKS;
    let flags = OFlags::PATH | OFlags::CLOEXEC | extra;
    for _ in 0..ATTEMPTS {
        match rustix::fs::openat2(root.fd(), relative, flags, Mode::empty(), resolve) {
            Err(Errno::AGAIN | Errno::INTR) => {}
            other => return other,
        }
    }
    Err(Errno::BUSY)
}

/// The path of an open handle as the kernel knows it: absolute, without links.
pub(super) fn real_path(fd: &OwnedFd) -> io::Result<PathBuf> {
    std::fs::read_link(format!("/proc/self/fd/{}", fd.as_raw_fd()))
}

/// Where an open handle really is; refused when that is not beneath its root (any more).
fn placed(field: &str, root: &Root, fd: &OwnedFd) -> Result<PathBuf, Refusal> {
    let real = real_path(fd).map_err(|_| wording::not_found(field))?;
    if real.starts_with(root.path()) { Ok(real) } else { Err(wording::outside(field)) }
}

/// Opens an existing file or folder.
pub(super) fn existing(
    field: &str,
    root: &Arc<Root>,
    relative: &Path,
    rules: &Rules,
) -> Result<PathBeneath, Refusal> {
    let fd =
        handle(root, relative, OFlags::empty()).map_err(|error| explain(field, root, relative, error))?;
    let facts = Facts::of(&rustix::fs::fstat(&fd).map_err(|error| wording::os(field, error))?);
    if facts.names == 0 {
        return Err(wording::not_found(field));
    }
    if !matches!(facts.kind, Kind::File | Kind::Folder) {
        return Err(wording::special(field));
    }
    refuse_kernel_files(field, &fd)?;
    let absolute = placed(field, root, &fd)?;
    rules.refuse_protected(field, &absolute)?;
    Ok(PathBeneath::new(field, fd, absolute, Arc::clone(root), rules.clone(), facts))
}

/// Finds the folder a name is in, and the folders that are missing on the way.
pub(super) fn place(
    field: &str,
    root: &Arc<Root>,
    relative: &Path,
    access: Access,
    rules: &Rules,
) -> Result<Place, Refusal> {
    if relative.components().count() > COMPONENTS_MAX {
        return Err(wording::name(field, "the path is too deep"));
    }
    let Some((mut folder, name)) = lexical::split_last(relative) else {
        let is_root = !relative.components().any(|it| it == Component::ParentDir);
        return Err(if is_root { wording::root_itself(field) } else { wording::outside(field) });
    };
    let mut missing: Vec<OsString> = Vec::new();
    let dir = loop {
        match handle(root, folder, OFlags::DIRECTORY) {
            Ok(dir) => break dir,
            Err(Errno::NOENT) => {
                let (outer, name) = lexical::split_last(folder).ok_or_else(|| wording::not_found(field))?;
                missing.push(name.to_owned());
                folder = outer;
            }
            Err(error) => return Err(wording::os(field, error)),
        }
    };
    missing.reverse();
    refuse_kernel_files(field, &dir)?;
    let mut absolute = placed(field, root, &dir)?;
    let first_new = missing.first().map_or(name, OsString::as_os_str);
    let existing = match rustix::fs::statat(dir.as_fd(), first_new, AtFlags::SYMLINK_NOFOLLOW) {
        Ok(stat) => Some(Facts::of(&stat)),
        Err(Errno::NOENT) => None,
        Err(error) => return Err(wording::os(field, error)),
    };
    // A folder on the way that is there and yet was not found is a link to nowhere.
    if !missing.is_empty() && existing.is_some() {
        return Err(wording::link(field));
    }
    absolute.extend(&missing);
    absolute.push(name);
    rules.refuse_protected(field, &absolute)?;
    if access == Access::Write {
        refuse_critical(field, &absolute)?;
    }
    Ok(Place::new(field, dir, missing, name.to_owned(), absolute, existing, rules.clone()))
}

/// Refuses to change what decides what runs or who gets in.
pub(super) fn refuse_critical(field: &str, absolute: &Path) -> Result<(), Refusal> {
    critical::reason(absolute).map_or(Ok(()), |what| Err(wording::critical(field, what)))
}

/// Refuses proc, sysfs and their kin.
pub(super) fn refuse_kernel_files(field: &str, fd: &OwnedFd) -> Result<(), Refusal> {
    let kind = rustix::fs::fstatfs(fd).map_err(|error| wording::os(field, error))?.f_type;
    if KERNEL_FILE_SYSTEMS.contains(&kind) { Err(wording::special(field)) } else { Ok(()) }
}

/// A link to nowhere also reads as "not found"; the caller should hear which it is.
fn explain(field: &str, root: &Root, relative: &Path, error: Errno) -> Refusal {
    if error == Errno::NOENT && handle(root, relative, OFlags::NOFOLLOW).is_ok() {
        return wording::link(field);
    }
    wording::os(field, error)
}
