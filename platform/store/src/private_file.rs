//! Files and directories that only this user may touch.

use std::{
    fs::{self, DirBuilder, File, OpenOptions},
    io::{ErrorKind, Read, Write},
    os::unix::fs::{DirBuilderExt, MetadataExt, OpenOptionsExt, PermissionsExt},
    path::Path,
};

use crate::StoreError;

/// Makes `path` (and what is missing above it) with mode 0700, or accepts the directory that is there.
///
/// Refuses a directory of another user, one that others may write to, and a file or dangling link.
pub fn private_dir(path: &Path) -> Result<(), StoreError> {
    let created = DirBuilder::new().recursive(true).mode(0o700).create(path);
    created.map_err(StoreError::io(path))?;
    let facts = fs::metadata(path).map_err(StoreError::io(path))?;
    check_owner(path, facts.uid())?;
    if facts.mode() & 0o022 != 0 {
        return Err(refusal(
            path,
            "other users may write to it",
            format!("run `chmod 700 {}`", path.display()),
        ));
    }
    let is_empty = fs::read_dir(path).map_err(StoreError::io(path))?.next().is_none();
    if is_empty && facts.mode() & 0o077 != 0 {
        // Nothing is in it yet, so nobody can rely on reading it.
        fs::set_permissions(path, fs::Permissions::from_mode(0o700)).map_err(StoreError::io(path))?;
    }
    Ok(())
}

/// Creates `path` with `content` and mode 0600 unless it exists; either way returns what it holds.
///
/// Safe against a second process doing the same: one of the two contents wins, whole.
pub fn create_once(path: &Path, content: &[u8]) -> Result<Vec<u8>, StoreError> {
    let folder = parent(path)?;
    if !path.exists() {
        let staging = folder.join(format!(".new-{}", crate::random::hex_id(16)));
        write_durably(&staging, content)?;
        let linked = fs::hard_link(&staging, path);
        fs::remove_file(&staging).map_err(StoreError::io(&staging))?;
        match linked {
            Err(error) if error.kind() != ErrorKind::AlreadyExists => {
                return Err(StoreError::io(path)(error));
            }
            _ => sync_dir(folder)?,
        }
    }
    read(path, 64 * 1024)
}

/// Gives `path` new content, mode 0600: whoever reads it meanwhile gets the old or the new, whole.
pub fn replace(path: &Path, content: &[u8]) -> Result<(), StoreError> {
    let folder = parent(path)?;
    let staging = folder.join(format!(".new-{}", crate::random::hex_id(16)));
    write_durably(&staging, content)?;
    fs::rename(&staging, path).map_err(StoreError::io(path))?;
    sync_dir(folder)
}

/// Reads a file that must be ours and closed to others, at most `limit` bytes long.
pub fn read(path: &Path, limit: u64) -> Result<Vec<u8>, StoreError> {
    let file = File::open(path).map_err(StoreError::io(path))?;
    let facts = file.metadata().map_err(StoreError::io(path))?;
    check_owner(path, facts.uid())?;
    if facts.mode() & 0o077 != 0 {
        return Err(refusal(
            path,
            "other users may read or write it",
            format!("run `chmod 600 {}`", path.display()),
        ));
    }
    let mut content = Vec::new();
    file.take(limit).read_to_end(&mut content).map_err(StoreError::io(path))?;
    Ok(content)
}

/// Writes a new file with mode 0600 and waits until it is on the disk.
pub(crate) fn write_durably(path: &Path, content: &[u8]) -> Result<(), StoreError> {
    let opened = OpenOptions::new().write(true).create_new(true).mode(0o600).open(path);
    let mut file = opened.map_err(StoreError::io(path))?;
    file.write_all(content).and_then(|()| file.sync_all()).map_err(StoreError::io(path))
}

/// Waits until names created in `folder` are on the disk.
pub(crate) fn sync_dir(folder: &Path) -> Result<(), StoreError> {
    File::open(folder).and_then(|it| it.sync_all()).map_err(StoreError::io(folder))
}

/// The directory `path` stands in.
pub(crate) fn parent(path: &Path) -> Result<&Path, StoreError> {
    path.parent().ok_or_else(|| refusal(path, "it has no parent directory", "choose another path"))
}

pub(crate) fn check_owner(path: &Path, owner: u32) -> Result<(), StoreError> {
    let us = rustix::process::geteuid().as_raw();
    if owner == us {
        return Ok(());
    }
    let reason = format!("it belongs to user id {owner} and this program runs as {us}");
    Err(refusal(path, reason, "run core-mcp as its owner or choose another data directory"))
}

pub(crate) fn refusal(path: &Path, reason: impl Into<String>, fix: impl Into<String>) -> StoreError {
    StoreError::Unsafe { path: path.to_owned(), reason: reason.into(), fix: fix.into() }
}
