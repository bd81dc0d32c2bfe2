//! Opens and reads one file without ever following a link or waiting on a device.

use std::{
    fs::File,
    io::{self, Read, Seek},
    os::{
        fd::{AsFd, OwnedFd},
        unix::fs::MetadataExt,
    },
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
    /// It holds no text, and the scan looks for dangerous code only.
    Binary,
    /// A link to something that the scan meets anyway, or to nothing.
    Link,
    /// A link that leads out of what is scanned.
    LinkOutside,
    /// A device, a socket or a pipe.
    NotRegular,
    /// Larger than the limit.
    TooLarge,
    /// Permission or input/output error.
    Unreadable,
    /// It was there when the folder was listed and is gone.
    Vanished,
    /// It was written while it was read, twice in a row; what was read was scanned.
    Changed,
    /// The depth of folders that are entered was reached.
    TooDeep,
}

impl SkipReason {
    /// Whether a scan that skipped for this reason has seen less than it was asked to.
    pub(crate) fn is_gap(self) -> bool {
        !matches!(self, Self::Binary | Self::Link)
    }
}

/// What a buffer was filled with.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Content {
    Text,
    Binary,
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

    /// Reads the file at `relative` into `buffer`.
    pub(crate) fn read(
        &self,
        relative: &Path,
        max_bytes: u64,
        buffer: &mut Vec<u8>,
    ) -> Result<Content, SkipReason> {
        buffer.clear();
        read_whole(self.file(relative).map_err(|error| reason(&error))?, max_bytes, buffer)
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

/// Reads an open file into `buffer`, once more when it was written meanwhile.
pub(crate) fn read_whole(
    mut file: File,
    max_bytes: u64,
    buffer: &mut Vec<u8>,
) -> Result<Content, SkipReason> {
    for _ in 0..2 {
        buffer.clear();
        let facts = file.metadata().map_err(|error| reason(&error))?;
        if !facts.is_file() {
            return Err(SkipReason::NotRegular);
        }
        if facts.len() > max_bytes {
            // Holes hold nothing: a giant that is mostly holes is read without them.
            let is_sparse = facts.blocks().saturating_mul(512) <= max_bytes;
            return if is_sparse {
                extents(&file, facts.len(), max_bytes, buffer)
            } else {
                Err(SkipReason::TooLarge)
            };
        }
        file.rewind().map_err(|error| reason(&error))?;
        let content = fill(&file, facts.len(), max_bytes, buffer)?;
        let after = file.metadata().map_err(|error| reason(&error))?;
        if (after.len(), after.mtime(), after.mtime_nsec())
            == (facts.len(), facts.mtime(), facts.mtime_nsec())
        {
            return Ok(content);
        }
    }
    Err(SkipReason::Changed)
}

/// Reads what is not a hole.
fn extents(file: &File, length: u64, max_bytes: u64, buffer: &mut Vec<u8>) -> Result<Content, SkipReason> {
    let seek = |to| rustix::fs::seek(file, to).map_err(io::Error::from);
    let mut at = 0;
    while at < length {
        let start = match seek(rustix::fs::SeekFrom::Data(at)) {
            Ok(start) => start,
            // Past the last data.
            Err(error) if error.raw_os_error() == Some(rustix::io::Errno::NXIO.raw_os_error()) => break,
            Err(error) => return Err(reason(&error)),
        };
        let end = seek(rustix::fs::SeekFrom::Hole(start)).map_err(|error| reason(&error))?;
        seek(rustix::fs::SeekFrom::Start(start)).map_err(|error| reason(&error))?;
        let room = (max_bytes + 1).saturating_sub(buffer.len() as u64);
        file.take((end - start).min(room)).read_to_end(buffer).map_err(|error| reason(&error))?;
        if buffer.len() as u64 > max_bytes {
            return Err(SkipReason::TooLarge);
        }
        at = end;
    }
    Ok(Content::Binary)
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

fn fill(file: &File, length: u64, max_bytes: u64, buffer: &mut Vec<u8>) -> Result<Content, SkipReason> {
    let read = |mut file: &File, upto: u64, buffer: &mut Vec<u8>| {
        Read::by_ref(&mut file).take(upto).read_to_end(buffer).map_err(|error| reason(&error))
    };
    read(file, SNIFF as u64, buffer)?;
    let content = if is_binary(buffer) { Content::Binary } else { Content::Text };
    if length > SNIFF as u64 {
        buffer.reserve_exact(usize::try_from(length).unwrap_or(SNIFF).saturating_sub(buffer.len()) + 1);
    }
    if buffer.len() == SNIFF {
        // A file that grows while it is read stays within the limit.
        read(file, max_bytes + 1 - SNIFF as u64, buffer)?;
    }
    if buffer.len() as u64 > max_bytes {
        return Err(SkipReason::TooLarge);
    }
    decode_utf16(buffer);
    Ok(content)
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
    use std::{fs, path::PathBuf};

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
        assert_eq!(read("real"), Ok(Content::Text));
        assert_eq!(read("inner/file"), Ok(Content::Text));
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
        for (size, expected) in [
            (0, Ok(Content::Text)),
            (SNIFF, Ok(Content::Text)),
            (20_000, Ok(Content::Text)),
            (20_001, Err(SkipReason::TooLarge)),
        ] {
            fs::write(path.join("f"), vec![b'a'; size]).unwrap();
            let mut buffer = Vec::new();
            assert_eq!(root.read(Path::new("f"), 20_000, &mut buffer), expected, "{size}");
            assert!(expected.is_err() || buffer.len() == size);
        }
    }

    #[test]
    fn a_giant_of_holes_is_read_without_them() {
        let (_dir, path, identity) = folder();
        let file = fs::File::create(path.join("sparse")).unwrap();
        file.set_len(4 << 30).unwrap();
        std::os::unix::fs::FileExt::write_at(&file, b"needle", 3 << 30).unwrap();
        let mut buffer = Vec::new();
        let read = Root::open(&path, identity).unwrap().read(Path::new("sparse"), 1 << 20, &mut buffer);
        assert_eq!(read, Ok(Content::Binary));
        assert!(memchr::memmem::find(&buffer, b"needle").is_some() && buffer.len() < 1 << 20);
    }
}
