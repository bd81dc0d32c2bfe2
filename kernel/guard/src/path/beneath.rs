//! An existing file or folder beneath a root, held open.

use std::{
    fmt,
    fs::File,
    io::Read,
    os::fd::{AsFd, BorrowedFd, OwnedFd},
    path::{Path, PathBuf},
    sync::Arc,
};

use rustix::fs::{Mode, OFlags};

use super::{
    Facts, Folder, Kind,
    roots::{Root, Rules},
    wording,
};
use crate::Refusal;

/// An existing file or folder beneath a root. It stays the same one, whatever happens to its path.
pub struct PathBeneath {
    field: String,
    fd: OwnedFd,
    absolute: PathBuf,
    root: Arc<Root>,
    rules: Rules,
    facts: Facts,
}

impl PathBeneath {
    pub(super) fn new(
        field: &str,
        fd: OwnedFd,
        absolute: PathBuf,
        root: Arc<Root>,
        rules: Rules,
        facts: Facts,
    ) -> Self {
        Self { field: field.to_owned(), fd, absolute, root, rules, facts }
    }

    /// Where it was when it was opened: absolute, links resolved.
    pub fn absolute(&self) -> &Path {
        &self.absolute
    }

    /// The root it is beneath.
    pub fn root(&self) -> &Root {
        &self.root
    }

    /// What the file system said when it was opened. The kind is `File` or `Folder`, never another.
    pub fn facts(&self) -> &Facts {
        &self.facts
    }

    /// Opens the file for reading.
    ///
    /// # Errors
    /// `NOT_A_FILE` for a folder, `OS_REFUSED` when the system denies it.
    pub fn open_file(&self) -> Result<File, Refusal> {
        if self.facts.kind != Kind::File {
            return Err(wording::not_a_file(&self.field));
        }
        let flags = OFlags::RDONLY | OFlags::NONBLOCK | OFlags::NOCTTY | OFlags::CLOEXEC;
        self.reopen(flags).map(File::from)
    }

    /// Opens the folder for listing.
    ///
    /// # Errors
    /// `NOT_A_FILE` for a file, `OS_REFUSED` when the system denies it.
    pub fn open_folder(&self) -> Result<Folder, Refusal> {
        if self.facts.kind != Kind::Folder {
            return Err(wording::not_a_folder(&self.field));
        }
        let fd = self.reopen(OFlags::RDONLY | OFlags::DIRECTORY | OFlags::CLOEXEC)?;
        Ok(Folder::new(fd, self.absolute.clone(), self.rules.clone()))
    }

    /// The whole file, if it has at most `limit` bytes.
    ///
    /// # Errors
    /// `TOO_LARGE`, and as [`PathBeneath::open_file`].
    pub fn read(&self, limit: u64) -> Result<Vec<u8>, Refusal> {
        read_bounded(&self.field, self.open_file()?, self.facts.size, limit)
    }

    /// A bare handle is opened anew through its own descriptor: the same file, not the same path.
    fn reopen(&self, flags: OFlags) -> Result<OwnedFd, Refusal> {
        use std::os::fd::AsRawFd;
        let itself = format!("/proc/self/fd/{}", self.fd.as_raw_fd());
        rustix::fs::open(itself, flags, Mode::empty()).map_err(|error| wording::os(&self.field, error))
    }
}

/// Reads at most `limit` bytes and refuses a longer file, even one that grows meanwhile.
pub(super) fn read_bounded(field: &str, file: File, size: u64, limit: u64) -> Result<Vec<u8>, Refusal> {
    let too_large = || wording::too_large(field, "the file's size in bytes", limit);
    if size > limit {
        return Err(too_large());
    }
    let mut bytes = Vec::with_capacity(usize::try_from(size).unwrap_or(0));
    file.take(limit.saturating_add(1)).read_to_end(&mut bytes).map_err(|error| {
        let code = error.raw_os_error().unwrap_or(rustix::io::Errno::IO.raw_os_error());
        wording::os(field, rustix::io::Errno::from_raw_os_error(code))
    })?;
    if bytes.len() as u64 > limit { Err(too_large()) } else { Ok(bytes) }
}

impl AsFd for PathBeneath {
    /// The bare handle (`O_PATH`), for example to hand to a child as its working folder.
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.fd.as_fd()
    }
}

impl fmt::Debug for PathBeneath {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("PathBeneath").field(&self.absolute).finish()
    }
}
