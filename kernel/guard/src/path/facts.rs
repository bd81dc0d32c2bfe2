//! What the file system says about one entry.

use rustix::fs::{FileType, Stat};

/// What sort of entry.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Kind {
    /// A regular file.
    File,
    /// A folder.
    Folder,
    /// A symbolic link, not followed.
    Link,
    /// A device, pipe or socket.
    Special,
}

impl Kind {
    pub(super) fn of(kind: FileType) -> Self {
        match kind {
            FileType::RegularFile => Self::File,
            FileType::Directory => Self::Folder,
            FileType::Symlink => Self::Link,
            _ => Self::Special,
        }
    }

    /// `file`, `directory`, `link` or `special`.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::File => "file",
            Self::Folder => "directory",
            Self::Link => "link",
            Self::Special => "special",
        }
    }
}

/// What the file system says about one entry.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Facts {
    /// What sort of entry.
    pub kind: Kind,
    /// Bytes; meaningful for files.
    pub size: u64,
    /// Permission bits, `0o644`.
    pub mode: u32,
    /// Last change of the content, in Unix seconds.
    pub modified: i64,
    /// Last change of content or metadata, in Unix nanoseconds. Tools cannot set it.
    pub changed_ns: i128,
    /// Names the file has (hard links).
    pub names: u64,
    /// Owner and group ids.
    pub owner: (u32, u32),
    /// Device and inode: equal for the same file.
    pub identity: (u64, u64),
}

impl Facts {
    pub(super) fn of(stat: &Stat) -> Self {
        Self {
            kind: Kind::of(FileType::from_raw_mode(stat.st_mode)),
            size: u64::try_from(stat.st_size).unwrap_or(0),
            mode: stat.st_mode & 0o7777,
            modified: stat.st_mtime,
            changed_ns: i128::from(stat.st_ctime) * 1_000_000_000 + i128::from(stat.st_ctime_nsec),
            names: wide(stat.st_nlink),
            owner: (stat.st_uid, stat.st_gid),
            identity: (stat.st_dev, stat.st_ino),
        }
    }
}

/// The width of this field differs between processors.
fn wide(number: impl Into<u64>) -> u64 {
    number.into()
}

/// One entry, described without opening it.
#[derive(Debug)]
pub struct Description {
    /// Absolute, links in its folders resolved; a link itself is not followed.
    pub absolute: std::path::PathBuf,
    /// What the file system says.
    pub facts: Facts,
    /// Where it points, when it is a link.
    pub link_target: Option<std::path::PathBuf>,
    /// Why tools may not change it, if so.
    pub unchangeable: Option<crate::Refusal>,
}
