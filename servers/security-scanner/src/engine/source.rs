//! Opens and reads one file without ever following a link or waiting on a device.

use std::{
    fs::File,
    io::{self, Read},
    os::fd::{AsFd, OwnedFd},
    path::Path,
};

use rustix::fs::{Mode, OFlags, ResolveFlags};
use schemars::JsonSchema;
use serde::Serialize;

/// Bytes looked at to tell text from binary.
const SNIFF: usize = 8 * 1_024;

/// Why a file was not scanned.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum SkipReason {
    /// It holds no text.
    Binary,
    /// A link, a device, a socket or a pipe.
    NotRegular,
    /// Larger than the limit.
    TooLarge,
    /// Permission or input/output error.
    Unreadable,
    /// It was there when the folder was listed and is gone.
    Vanished,
}

impl SkipReason {
    /// Whether a scan that skipped for this reason has seen less than it was asked to.
    pub(crate) fn is_gap(self) -> bool {
        matches!(self, Self::TooLarge | Self::Unreadable | Self::Vanished)
    }
}

/// A folder whose files are opened beneath it and nowhere else.
#[derive(Debug)]
pub(crate) struct Root(OwnedFd);

impl Root {
    /// Opens `folder` if it still is the one that was named by device and inode.
    pub(crate) fn open(folder: &Path, identity: (u64, u64)) -> io::Result<Self> {
        let flags = OFlags::DIRECTORY | OFlags::CLOEXEC | OFlags::RDONLY | OFlags::NOFOLLOW;
        let fd = rustix::fs::open(folder, flags, Mode::empty())?;
        let now = rustix::fs::fstat(&fd)?;
        if (now.st_dev, now.st_ino) != identity {
            return Err(io::Error::new(io::ErrorKind::NotFound, "the folder was replaced meanwhile"));
        }
        Ok(Self(fd))
    }

    /// Reads the file at `relative` into `buffer`. On success the buffer holds text.
    pub(crate) fn read(
        &self,
        relative: &Path,
        max_bytes: u64,
        buffer: &mut Vec<u8>,
    ) -> Result<(), SkipReason> {
        buffer.clear();
        read_text(self.file(relative).map_err(|error| reason(&error))?, max_bytes, buffer)
    }

    fn file(&self, relative: &Path) -> io::Result<File> {
        // Non-blocking, so that a pipe put in a file's place cannot hold the worker.
        let flags = OFlags::RDONLY | OFlags::CLOEXEC | OFlags::NOFOLLOW | OFlags::NONBLOCK | OFlags::NOCTTY;
        let beneath = ResolveFlags::BENEATH | ResolveFlags::NO_SYMLINKS | ResolveFlags::NO_MAGICLINKS;
        match rustix::fs::openat2(self.0.as_fd(), relative, flags, Mode::empty(), beneath) {
            // Kernels before 5.6 and some sandboxes lack the call; the walk saw no link on the way.
            Err(rustix::io::Errno::NOSYS | rustix::io::Errno::PERM) => {
                Ok(rustix::fs::openat(self.0.as_fd(), relative, flags, Mode::empty())?.into())
            }
            other => Ok(other?.into()),
        }
    }
}

/// Reads an open file into `buffer`. On success the buffer holds text.
pub(crate) fn read_text(file: File, max_bytes: u64, buffer: &mut Vec<u8>) -> Result<(), SkipReason> {
    let facts = file.metadata().map_err(|error| reason(&error))?;
    if !facts.is_file() {
        return Err(SkipReason::NotRegular);
    }
    if facts.len() > max_bytes {
        return Err(SkipReason::TooLarge);
    }
    fill(file, facts.len(), max_bytes, buffer)
}

fn reason(error: &io::Error) -> SkipReason {
    if error.kind() == io::ErrorKind::NotFound || error.kind() == io::ErrorKind::NotADirectory {
        return SkipReason::Vanished;
    }
    match error.raw_os_error() {
        Some(code)
            if code == rustix::io::Errno::LOOP.raw_os_error()
                || code == rustix::io::Errno::XDEV.raw_os_error()
                || code == rustix::io::Errno::NXIO.raw_os_error() =>
        {
            SkipReason::NotRegular
        }
        _ => SkipReason::Unreadable,
    }
}

fn fill(mut file: File, length: u64, max_bytes: u64, buffer: &mut Vec<u8>) -> Result<(), SkipReason> {
    let read = |file: &mut File, upto: u64, buffer: &mut Vec<u8>| {
        file.take(upto).read_to_end(buffer).map_err(|error| reason(&error))
    };
    // A file of zeros or a picture is told by its head; the rest of it is never read.
    read(&mut file, SNIFF as u64, buffer)?;
    if is_binary(buffer) {
        return Err(SkipReason::Binary);
    }
    if length > SNIFF as u64 {
        buffer.reserve_exact(usize::try_from(length).unwrap_or(SNIFF).saturating_sub(buffer.len()) + 1);
    }
    if buffer.len() == SNIFF {
        // A file that grows while it is read stays within the limit.
        read(&mut file, max_bytes + 1 - SNIFF as u64, buffer)?;
    }
    if buffer.len() as u64 > max_bytes {
        return Err(SkipReason::TooLarge);
    }
    decode_utf16(buffer);
    Ok(())
}

fn is_binary(head: &[u8]) -> bool {
    utf16(head).is_none() && memchr::memchr(0, head).is_some()
}

fn utf16(head: &[u8]) -> Option<fn([u8; 2]) -> u16> {
    match head {
        [0xff, 0xfe, ..] => Some(u16::from_le_bytes),
        [0xfe, 0xff, ..] => Some(u16::from_be_bytes),
        _ => None,
    }
}

/// Windows tools write settings in UTF-16; the engine reads bytes of ASCII.
fn decode_utf16(buffer: &mut Vec<u8>) {
    let Some(unit) = utf16(buffer) else { return };
    let units = buffer[2..].chunks_exact(2).map(|pair| unit([pair[0], pair[1]]));
    let text: String =
        char::decode_utf16(units).map(|it| it.unwrap_or(char::REPLACEMENT_CHARACTER)).collect();
    *buffer = text.into_bytes();
}

#[cfg(test)]
mod tests {
    use std::{fs, os::unix::fs::MetadataExt, path::PathBuf};

    use super::*;

    fn folder() -> (tempfile::TempDir, PathBuf, (u64, u64)) {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().canonicalize().unwrap();
        let facts = path.metadata().unwrap();
        let identity = (facts.dev(), facts.ino());
        (dir, path, identity)
    }

    #[test]
    fn a_file_that_is_gone_or_became_a_link_is_named_so() {
        let (_dir, path, identity) = folder();
        fs::write(path.join("real"), "x").unwrap();
        fs::create_dir(path.join("inner")).unwrap();
        std::os::unix::fs::symlink("real", path.join("link")).unwrap();
        std::os::unix::fs::symlink("inner", path.join("way")).unwrap();
        fs::write(path.join("inner/file"), "x").unwrap();
        let root = Root::open(&path, identity).unwrap();
        let read = |name: &str| root.read(Path::new(name), 100, &mut Vec::new());
        assert_eq!(read("real"), Ok(()));
        assert_eq!(read("inner/file"), Ok(()));
        assert_eq!(read("gone"), Err(SkipReason::Vanished));
        assert_eq!(read("real/below"), Err(SkipReason::Vanished));
        for escape in ["link", "way/file", "../x", "/etc/hostname"] {
            assert_eq!(read(escape), Err(SkipReason::NotRegular), "{escape}");
        }
        assert_eq!(read("inner"), Err(SkipReason::NotRegular));
    }

    #[test]
    fn a_folder_that_was_replaced_is_not_scanned() {
        let (_dir, path, (device, inode)) = folder();
        assert!(Root::open(&path, (device, inode + 1)).is_err());
    }

    #[test]
    fn a_file_at_the_limit_is_read_and_one_beyond_is_not() {
        let (_dir, path, identity) = folder();
        let root = Root::open(&path, identity).unwrap();
        for (size, expected) in
            [(0, Ok(())), (SNIFF, Ok(())), (20_000, Ok(())), (20_001, Err(SkipReason::TooLarge))]
        {
            fs::write(path.join("f"), vec![b'a'; size]).unwrap();
            let mut buffer = Vec::new();
            assert_eq!(root.read(Path::new("f"), 20_000, &mut buffer), expected, "{size}");
            assert!(expected.is_err() || buffer.len() == size);
        }
    }
}
