//! Writes a whole file: all of it or nothing, whatever happens in between.

use std::{fs::File, io::Write, os::fd::OwnedFd};

use rustix::{
    fs::{AtFlags, Gid, Mode, OFlags, RenameFlags, Uid},
    io::Errno,
};

use super::{Facts, Kind, Place, wording};
use crate::Refusal;

/// What to do when something is there already.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Existing {
    /// Refuse with `ALREADY_EXISTS`.
    Keep,
    /// Replace a regular file; its permissions stay.
    Replace,
}

impl Place {
    /// Writes `bytes` to a new file beside the target, flushes it and renames it into place.
    ///
    /// # Errors
    /// `ALREADY_EXISTS` with [`Existing::Keep`], `LINK_REFUSED`, `NOT_A_FILE`, `CHANGED` when somebody else
    /// changed the file since this place was found, `OS_REFUSED`.
    pub fn write(&self, bytes: &[u8], existing: Existing) -> Result<(), Refusal> {
        self.require_parents()?;
        self.refuse_unchangeable()?;
        match (self.existing, existing) {
            (Some(_), Existing::Keep) => return Err(wording::exists(&self.field)),
            (Some(Facts { kind: Kind::Folder, .. }), _) => return Err(wording::not_a_file(&self.field)),
            _ => {}
        }
        let draft = Draft::create(self)?;
        draft.fill(bytes, self.existing.as_ref())?;
        if self.now()?.map(version) != self.existing.map(version) {
            return Err(changed(&self.field));
        }
        draft.publish()?;
        self.flush_folder()
    }

    /// A rename is only durable once the folder is.
    fn flush_folder(&self) -> Result<(), Refusal> {
        let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::CLOEXEC;
        let folder = match rustix::fs::openat(&self.dir, ".", flags, Mode::empty()) {
            Ok(folder) => folder,
            // A folder that may be changed and not read cannot be flushed; the write still stands.
            Err(Errno::ACCESS) => return Ok(()),
            Err(error) => return Err(self.os(error)),
        };
        match rustix::fs::fsync(&folder) {
            Ok(()) | Err(Errno::INVAL) => Ok(()),
            Err(error) => Err(self.os(error)),
        }
    }
}

/// What changes whenever the content does.
fn version(facts: Facts) -> ((u64, u64), u64, i128) {
    (facts.identity, facts.size, facts.changed_ns)
}

fn changed(field: &str) -> Refusal {
    Refusal::new(
        "CHANGED",
        field,
        "the file was changed by somebody else meanwhile",
        "read it again and retry",
    )
}

/// The new content under a name of its own; removed unless published.
struct Draft<'a> {
    place: &'a Place,
    file: OwnedFd,
    name: String,
    published: bool,
}

impl<'a> Draft<'a> {
    fn create(place: &'a Place) -> Result<Self, Refusal> {
        let name = format!(".core-mcp-{}.tmp", kernel::CallId::random());
        // What replaces a file gets that file's mode later; until then nobody else reads it.
        let mode = if place.existing.is_some() { 0o600 } else { 0o666 };
        let flags = OFlags::WRONLY | OFlags::CREATE | OFlags::EXCL | OFlags::NOFOLLOW | OFlags::CLOEXEC;
        let file = rustix::fs::openat(&place.dir, &name, flags, Mode::from_raw_mode(mode))
            .map_err(|error| place.os(error))?;
        Ok(Self { place, file, name, published: false })
    }

    fn fill(&self, bytes: &[u8], replaced: Option<&Facts>) -> Result<(), Refusal> {
        let os = |error| self.place.os(error);
        let mut file = File::from(self.file.try_clone().map_err(|error| os(errno(&error)))?);
        file.write_all(bytes).map_err(|error| os(errno(&error)))?;
        if let Some(facts) = replaced {
            self.take_over(facts)?;
        }
        rustix::fs::fsync(&self.file).map_err(os)
    }

    fn take_over(&self, facts: &Facts) -> Result<(), Refusal> {
        let os = |error| self.place.os(error);
        let ours = Facts::of(&rustix::fs::fstat(&self.file).map_err(os)?).owner;
        if ours != facts.owner {
            let (owner, group) = (Uid::from_raw(facts.owner.0), Gid::from_raw(facts.owner.1));
            match rustix::fs::fchown(&self.file, Some(owner), Some(group)) {
                // Only root may give files away. Then the file is ours, with at most its old permissions.
                Ok(()) | Err(Errno::PERM) => {}
                Err(error) => return Err(os(error)),
            }
        }
        // Never set-user-id: new content must not inherit another's powers.
        rustix::fs::fchmod(&self.file, Mode::from_raw_mode(facts.mode & 0o777)).map_err(os)
    }

    fn publish(mut self) -> Result<(), Refusal> {
        let place = self.place;
        let rename =
            |flags| rustix::fs::renameat_with(&place.dir, &self.name, &place.dir, &place.name, flags);
        let flags = if place.existing.is_some() { RenameFlags::empty() } else { RenameFlags::NOREPLACE };
        let outcome = match rename(flags) {
            Err(Errno::INVAL | Errno::NOSYS) => rename(RenameFlags::empty()),
            other => other,
        };
        outcome.map_err(|error| place.os(error))?;
        self.published = true;
        Ok(())
    }
}

impl Drop for Draft<'_> {
    fn drop(&mut self) {
        if self.published {
            return;
        }
        if let Err(error) = rustix::fs::unlinkat(&self.place.dir, &self.name, AtFlags::empty()) {
            tracing::warn!(%error, "a draft could not be removed");
        }
    }
}

pub(super) fn errno(error: &std::io::Error) -> Errno {
    error.raw_os_error().map_or(Errno::IO, Errno::from_raw_os_error)
}
