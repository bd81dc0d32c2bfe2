//! The path guard: every path a caller names must be beneath a folder the operator opened.
//!
//! [`Roots`] holds those folders open. A path is resolved by the kernel in one step (`openat2` with
//! `RESOLVE_BENEATH`), and what comes back holds the file or folder open, so nothing can be swapped between
//! the check and the use:
//!
//! - [`Roots::resolve_readable`] gives a [`PathBeneath`]: an existing file or folder, open for reading.
//! - [`Roots::place`] gives a [`Place`]: a name in an open folder, for creating, replacing, moving, removing.
//! - [`Roots::check`] only answers; for paths that another program will open under its own confinement.
//!
//! Rules: links are followed only while they stay beneath the root, and never as the last step of a change;
//! devices, pipes and sockets are never opened; critical files (see `critical`) are read-only; the operator's
//! protected paths are neither read nor changed.

mod beneath;
mod critical;
mod facts;
mod folder;
mod lexical;
mod locate;
mod place;
mod replace;
mod roots;
mod tree;
mod wording;

pub use beneath::PathBeneath;
pub use facts::{Description, Facts, Kind};
pub use folder::{Entry, Folder};
pub use lexical::PATH_BYTES_MAX;
pub use place::Place;
pub use replace::Existing;
pub use roots::{Root, Roots, RootsError};
pub use tree::TreeLimits;

/// What will be done at a path.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Access {
    /// It is only looked at.
    Read,
    /// It is created, changed, moved or removed.
    Write,
}
