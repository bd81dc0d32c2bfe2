//! Why the audit log cannot be used.

use pipeline::seams::JournalError;
use store::StoreError;

/// A failure of the audit log. `Display` is for the operator at the machine.
#[derive(Debug, thiserror::Error)]
pub enum AuditError {
    /// A file cannot be opened or is not safe.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// SQLite refused a statement: the disk is full, read-only or damaged.
    #[error("audit.db: {0}")]
    Sqlite(#[from] rusqlite::Error),
    /// A file next to the database cannot be read or written.
    #[error("the audit files: {0}")]
    Io(#[from] std::io::Error),
    /// The chain does not end where its signature says.
    #[error("the audit chain is broken at record {seq}: {detail}; run `core-mcp audit verify`")]
    Broken {
        /// Where.
        seq: i64,
        /// What does not fit.
        detail: String,
    },
    /// The database is older than what was signed outside it.
    #[error(
        "audit.db ends at record {found} but audit/checkpoints.jsonl vouches for record {signed}: it was \
         replaced by an older copy; restore the newer one, or move both and keys/audit.begun aside to begin a new log"
    )]
    RolledBack {
        /// Last record in the database.
        found: i64,
        /// Last record that was signed.
        signed: i64,
    },
    /// There is nothing where records were.
    #[error(
        "audit.db and audit/checkpoints.jsonl are empty or gone, but keys/audit.begun says that this log held \
         records; restore them from a backup, or move keys/audit.begun aside to begin a new log"
    )]
    Emptied,
    /// The database file was moved or deleted under us.
    #[error("audit.db was moved or deleted while in use; put it back, or restart")]
    Moved,
    /// The signing key does not fit.
    #[error("keys/audit.key {0}")]
    Key(&'static str),
    /// A stored record is not one of ours.
    #[error("audit record {seq} cannot be read: {source}")]
    Unreadable {
        /// Which.
        seq: i64,
        /// Why.
        #[source]
        source: serde_json::Error,
    },
    /// Records were to be removed from a chain that does not verify.
    #[error("the chain does not verify ({0}), so nothing was removed")]
    NotVerified(String),
    /// The receiver of an export failed.
    #[error("the export could not be written: {0}")]
    Export(std::io::Error),
    /// The writer's thread ended early.
    #[error("the audit writer is gone")]
    Stopped,
}

impl AuditError {
    /// The few words a refused call is told; no path, no address.
    pub(crate) fn brief(&self) -> JournalError {
        let reason = match self {
            Self::Sqlite(error) => match error.sqlite_error_code() {
                Some(rusqlite::ErrorCode::DiskFull) => "the disk or its quota is full",
                Some(rusqlite::ErrorCode::ReadOnly) => "the file is read-only",
                Some(rusqlite::ErrorCode::DatabaseBusy | rusqlite::ErrorCode::DatabaseLocked) => {
                    "another process holds the file for too long"
                }
                Some(rusqlite::ErrorCode::DatabaseCorrupt | rusqlite::ErrorCode::NotADatabase) => {
                    "the file is damaged"
                }
                _ => "the file cannot be written",
            },
            Self::Broken { .. } => "the chain is broken; run `core-mcp audit verify`",
            Self::Emptied => "the file was emptied",
            Self::RolledBack { .. } => "the file was replaced by an older copy",
            Self::Moved => "the file was moved or deleted",
            Self::Key(_) => "the signing key does not fit",
            Self::Stopped => "the journal stopped",
            _ => "the file cannot be used",
        };
        JournalError { reason: reason.into() }
    }
}
