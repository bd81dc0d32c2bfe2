//! Why stored state cannot be used.

use std::path::{Path, PathBuf};

use kernel::{ErrorKind, ToolError};

/// A failure of the data directory or of one of its files. `Display` is for the operator at the
/// machine and names paths; callers over the wire get the [`ToolError`], which does not.
#[derive(Debug, thiserror::Error)]
pub enum StoreError {
    /// A directory is not safe to keep secrets and evidence in.
    #[error("`{}` cannot be used: {reason}; {fix}", path.display())]
    Unsafe {
        /// Which directory or file.
        path: PathBuf,
        /// What is wrong with it.
        reason: String,
        /// What mends it.
        fix: String,
    },
    /// The file was written by a newer program.
    #[error(
        "`{}` has schema version {found} and this program knows up to {known}; run the newer core-mcp",
        path.display()
    )]
    Newer {
        /// Which database.
        path: PathBuf,
        /// Version in the file.
        found: i64,
        /// Newest version this program can read.
        known: i64,
    },
    /// The file's content is damaged.
    #[error("`{}` is damaged: {detail}; restore it from a backup", path.display())]
    Damaged {
        /// Which database.
        path: PathBuf,
        /// The first complaint of the integrity check.
        detail: String,
    },
    /// The operating system refused.
    #[error("`{}`: {source}", path.display())]
    Io {
        /// Which file or directory.
        path: PathBuf,
        /// What it said.
        #[source]
        source: std::io::Error,
    },
    /// SQLite refused.
    #[error("`{}`: {source}", path.display())]
    Sqlite {
        /// Which database.
        path: PathBuf,
        /// What it said.
        #[source]
        source: rusqlite::Error,
    },
}

impl StoreError {
    pub(crate) fn io(path: &Path) -> impl FnOnce(std::io::Error) -> Self + '_ {
        move |source| Self::Io { path: path.to_owned(), source }
    }

    pub(crate) fn sqlite(path: &Path) -> impl FnOnce(rusqlite::Error) -> Self + '_ {
        move |source| Self::Sqlite { path: path.to_owned(), source }
    }
}

impl From<StoreError> for ToolError {
    fn from(error: StoreError) -> Self {
        Self::new(ErrorKind::Unavailable, "the stored state cannot be used")
            .reason("STATE_UNAVAILABLE")
            .hint("run `core-mcp doctor` on the machine; the log there names the file and the cause")
            .caused_by(error)
    }
}

/// A failed statement on `state.db`, as the caller may see it.
pub(crate) fn state_error(error: rusqlite::Error) -> ToolError {
    StoreError::Sqlite { path: "state.db".into(), source: error }.into()
}
