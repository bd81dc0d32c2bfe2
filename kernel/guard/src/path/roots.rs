//! The folders that are open to tools.

use std::{
    fmt,
    os::fd::{AsFd, OwnedFd},
    path::{Path, PathBuf},
    sync::Arc,
};

use rustix::{
    fs::{CWD, Mode, OFlags, ResolveFlags},
    io::Errno,
};

use super::{Access, Description, Kind, PathBeneath, Place, lexical, locate, wording};
use crate::Refusal;

/// Why the roots could not be opened.
#[derive(Debug, thiserror::Error)]
pub enum RootsError {
    /// A root must be an absolute path.
    #[error("root `{}` is not an absolute path", .0.display())]
    Relative(PathBuf),
    /// A root must be a folder that exists and can be opened.
    #[error("root `{}` cannot be opened as a folder: {reason}", .path.display())]
    Unusable {
        /// Which one.
        path: PathBuf,
        /// What the operating system says.
        reason: String,
    },
    /// A narrower root must be beneath one of the operator's.
    #[error("root `{}` is not beneath any of the operator's roots", .0.display())]
    Wider(PathBuf),
    /// The kernel cannot confine path resolution.
    #[error("this system cannot confine paths: Linux 5.6 with `openat2` and a mounted /proc is needed ({0})")]
    Unsupported(&'static str),
}

/// One folder that is open to tools.
pub struct Root {
    path: PathBuf,
    given: PathBuf,
    fd: OwnedFd,
}

impl Root {
    /// Its absolute path, links resolved.
    pub fn path(&self) -> &Path {
        &self.path
    }

    pub(super) fn fd(&self) -> &OwnedFd {
        &self.fd
    }

    fn open(given: &Path) -> Result<Self, RootsError> {
        if !given.is_absolute() {
            return Err(RootsError::Relative(given.to_owned()));
        }
        let unusable = |reason: String| RootsError::Unusable { path: given.to_owned(), reason };
        let path = given.canonicalize().map_err(|error| unusable(error.kind().to_string()))?;
        let flags = OFlags::PATH | OFlags::DIRECTORY | OFlags::CLOEXEC;
        let fd = rustix::fs::openat2(CWD, &path, flags, Mode::empty(), ResolveFlags::NO_MAGICLINKS).map_err(
            |error| match error {
                Errno::NOSYS | Errno::PERM => RootsError::Unsupported("openat2 is missing or filtered"),
                other => unusable(std::io::Error::from(other).kind().to_string()),
            },
        )?;
        let seen = locate::real_path(&fd).map_err(|_| RootsError::Unsupported("/proc/self/fd is missing"))?;
        if seen != path {
            return Err(unusable("it changed while it was opened".into()));
        }
        Ok(Self { path, given: given.to_owned(), fd })
    }

    fn relative<'a>(&self, absolute: &'a Path) -> Option<&'a Path> {
        // Component by component: `/srv/app-old` is not beneath `/srv/app`.
        absolute.strip_prefix(&self.path).or_else(|_| absolute.strip_prefix(&self.given)).ok()
    }
}

impl fmt::Debug for Root {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Root").field(&self.path).finish()
    }
}

/// The folders that are open to tools. Cheap to clone; an empty list allows nothing.
#[derive(Clone, Debug)]
pub struct Roots {
    roots: Arc<[Arc<Root>]>,
    rules: Rules,
}

/// What holds for every path, whatever its root.
#[derive(Clone, Debug)]
pub(super) struct Rules {
    pub(super) protected: Arc<[PathBuf]>,
    pub(super) roots: Arc<[PathBuf]>,
    pub(super) change_hard_links: bool,
}

impl Roots {
    /// Opens the operator's roots. `protected` paths are neither read nor changed, even beneath a root.
    ///
    /// # Errors
    /// When a root is relative, missing or no folder, or the kernel cannot confine paths.
    pub fn open(roots: &[PathBuf], protected: &[PathBuf]) -> Result<Self, RootsError> {
        let roots = roots.iter().map(|path| Root::open(path).map(Arc::new)).collect::<Result<Vec<_>, _>>()?;
        // What is protected may not exist yet; then its spelling is all there is.
        let both = |path: &PathBuf| [path.canonicalize().unwrap_or_else(|_| path.clone()), path.clone()];
        let mut protected: Vec<PathBuf> = protected.iter().flat_map(both).collect();
        protected.dedup();
        Ok(Self::of(roots, protected.into(), false))
    }

    fn of(roots: Vec<Arc<Root>>, protected: Arc<[PathBuf]>, change_hard_links: bool) -> Self {
        let paths = roots.iter().map(|root| root.path.clone()).collect();
        Self { roots: roots.into(), rules: Rules { protected, roots: paths, change_hard_links } }
    }

    /// The same rules over fewer folders, each beneath one of these roots. Empty keeps them all.
    ///
    /// # Errors
    /// When a folder cannot be opened or is not beneath any root.
    pub fn narrowed(&self, folders: &[PathBuf]) -> Result<Self, RootsError> {
        if folders.is_empty() {
            return Ok(self.clone());
        }
        let mut kept = Vec::with_capacity(folders.len());
        for folder in folders {
            let root = Root::open(folder)?;
            if !self.roots.iter().any(|outer| root.path.starts_with(&outer.path)) {
                return Err(RootsError::Wider(folder.clone()));
            }
            kept.push(Arc::new(root));
        }
        Ok(Self::of(kept, Arc::clone(&self.rules.protected), self.rules.change_hard_links))
    }

    /// Whether files with several names (hard links) may be changed. They may not, unless set.
    #[must_use]
    pub fn change_hard_links(mut self, allowed: bool) -> Self {
        self.rules.change_hard_links = allowed;
        self
    }

    /// The root that relative paths start from.
    pub fn first(&self) -> Option<&Root> {
        self.roots.first().map(Arc::as_ref)
    }

    /// Every root, in the operator's order.
    pub fn iter(&self) -> impl Iterator<Item = &Root> {
        self.roots.iter().map(Arc::as_ref)
    }

    /// Opens an existing file or folder for reading. `field` names the argument in a refusal.
    ///
    /// # Errors
    /// `PATH_OUTSIDE_ROOT`, `LINK_REFUSED`, `CRITICAL_PATH` (protected), `NAME_INVALID`, `NOT_A_FILE`
    /// (devices, pipes, sockets), `NOT_FOUND`, `OS_REFUSED`.
    pub fn resolve_readable(&self, field: &str, path: &str) -> Result<PathBeneath, Refusal> {
        let (root, relative) = self.map(field, None, path, Access::Read)?;
        locate::existing(field, root, &relative, &self.rules)
    }

    /// Finds the name at `path` for creating, replacing, moving or removing what it names.
    ///
    /// The last name is not followed when it is a link. Folders on the way may be missing; see
    /// [`Place::make_parents`].
    ///
    /// # Errors
    /// As [`Roots::resolve_readable`], and `CRITICAL_PATH` for critical files.
    pub fn place(&self, field: &str, path: &str) -> Result<Place, Refusal> {
        let (root, relative) = self.map(field, None, path, Access::Write)?;
        locate::place(field, root, &relative, Access::Write, &self.rules)
    }

    /// Describes what is at `path`; a link is described, not followed.
    ///
    /// # Errors
    /// As [`Roots::resolve_readable`], but links, devices, pipes and sockets can be described.
    pub fn describe(&self, field: &str, path: &str) -> Result<Description, Refusal> {
        let (root, relative) = self.map(field, None, path, Access::Read)?;
        if lexical::split_last(&relative).is_none() {
            let found = locate::existing(field, root, &relative, &self.rules)?;
            let (absolute, facts) = (found.absolute().to_owned(), *found.facts());
            let unchangeable = Some(wording::root_itself(field));
            return Ok(Description { absolute, facts, link_target: None, unchangeable });
        }
        let place = locate::place(field, root, &relative, Access::Read, &self.rules)?;
        let facts = place.now()?.filter(|_| !place.lacks_parents());
        let facts = facts.ok_or_else(|| wording::not_found(field))?;
        let link_target = if facts.kind == Kind::Link { Some(place.link_target()?) } else { None };
        let changeable = self.place(field, path).and_then(|place| place.refuse_unchangeable());
        Ok(Description {
            absolute: place.absolute().to_owned(),
            facts,
            link_target,
            unchangeable: changeable.err(),
        })
    }

    /// Answers whether a path argument of another program is beneath a root, and where it really is.
    ///
    /// `cwd` is the absolute folder relative paths start from; without it, the first root. The path need
    /// not exist. The answer is a snapshot: what opens the path later must be confined itself.
    ///
    /// # Errors
    /// As [`Roots::resolve_readable`] or [`Roots::place`], by `access`; missing paths are no error.
    pub fn check(
        &self,
        field: &str,
        cwd: Option<&Path>,
        path: &str,
        access: Access,
    ) -> Result<PathBuf, Refusal> {
        let (root, relative) = self.map(field, cwd, path, access)?;
        match access {
            Access::Read => match locate::existing(field, root, &relative, &self.rules) {
                Ok(found) => Ok(found.absolute().to_owned()),
                Err(refusal) if refusal.code == "NOT_FOUND" => {
                    let place = locate::place(field, root, &relative, access, &self.rules)?;
                    Ok(place.absolute().to_owned())
                }
                Err(refusal) => Err(refusal),
            },
            Access::Write if lexical::split_last(&relative).is_some() => {
                let place = locate::place(field, root, &relative, access, &self.rules)?;
                place.refuse_unchangeable()?;
                Ok(place.absolute().to_owned())
            }
            // `.`, `..` and the root itself: folders to put something in.
            Access::Write => {
                let found = locate::existing(field, root, &relative, &self.rules)?;
                if found.absolute() != root.path {
                    locate::refuse_critical(field, found.absolute())?;
                }
                Ok(found.absolute().to_owned())
            }
        }
    }

    /// The root a path belongs to, and the path beneath it (which may still climb out; the kernel decides).
    fn map(
        &self,
        field: &str,
        cwd: Option<&Path>,
        path: &str,
        access: Access,
    ) -> Result<(&Arc<Root>, PathBuf), Refusal> {
        lexical::check_text(field, path, access)?;
        let first = self.roots.first().ok_or_else(|| wording::no_roots(field))?;
        let asked = match cwd {
            Some(cwd) => cwd.join(path),
            None => PathBuf::from(path),
        };
        if !asked.is_absolute() {
            return Ok((first, asked));
        }
        self.roots
            .iter()
            .filter_map(|root| Some((root, root.relative(&asked)?.to_owned())))
            .max_by_key(|(root, _)| root.path.as_os_str().len())
            .ok_or_else(|| wording::outside(field))
    }
}

impl Rules {
    /// Refuses the operator's protected paths, for reading and for changing.
    pub(super) fn refuse_protected(&self, field: &str, absolute: &Path) -> Result<(), Refusal> {
        if self.protected.iter().any(|prefix| absolute.starts_with(prefix)) {
            return Err(wording::protected(field));
        }
        Ok(())
    }

    /// Refuses a folder that holds a protected path or a root: it would come or go with the folder.
    pub(super) fn refuse_holder(&self, field: &str, absolute: &Path) -> Result<(), Refusal> {
        if self.roots.iter().any(|root| root.starts_with(absolute)) {
            return Err(wording::root_itself(field));
        }
        if self.protected.iter().any(|inside| inside.starts_with(absolute)) {
            return Err(wording::protected(field));
        }
        Ok(())
    }
}

impl AsFd for Root {
    fn as_fd(&self) -> std::os::fd::BorrowedFd<'_> {
        self.fd.as_fd()
    }
}
