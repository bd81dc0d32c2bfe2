//! What can go wrong in this server, and what a caller reads of it.

use kernel::{ErrorKind, ToolError};

#[derive(Debug, thiserror::Error)]
pub(crate) enum ScanError {
    /// The caller gave up or the deadline passed.
    #[error("the scan was cancelled")]
    Cancelled,
    /// The target could not be opened a second time.
    #[error("the target changed while it was opened")]
    Changed(#[source] std::io::Error),
    /// A page was asked of another result than there is now.
    #[error("the files changed since the first page")]
    StaleCursor,
    /// The cursor was not made by this tool.
    #[error("the cursor is not one of this tool")]
    BadCursor,
    /// The baseline is no baseline.
    #[error("the baseline cannot be read: {0}")]
    BadBaseline(String),
    /// The baseline's ids were made with another key.
    #[error("the baseline was made with another fingerprint key")]
    ForeignBaseline,
    /// A manifest or lock file is not what its name says.
    #[error("`{field}` is not read: {reason}")]
    BadManifest { field: &'static str, reason: String },
    /// The kind of scan is not one of ours.
    #[error("`scan_type` is not one of full, files, secrets, patterns, dependencies")]
    UnknownScan,
    /// No rule has this id.
    #[error("there is no rule `{0}`")]
    UnknownRule(String),
    /// The thread that scans died.
    #[error("the scan stopped unexpectedly")]
    Worker(#[source] tokio::task::JoinError),
}

impl From<ScanError> for ToolError {
    fn from(error: ScanError) -> Self {
        let wrap = |kind| move |error: ScanError| Self::wrap(kind, error);
        match &error {
            ScanError::Cancelled => wrap(ErrorKind::Cancelled)(error),
            ScanError::Changed(_) => wrap(ErrorKind::ToolExecutionFailed)(error).hint("call again"),
            ScanError::StaleCursor => {
                wrap(ErrorKind::ValidationFailed)(error).field("cursor").hint("start again without a cursor")
            }
            ScanError::BadCursor => wrap(ErrorKind::ValidationFailed)(error)
                .field("cursor")
                .hint("pass `next_cursor` of the previous page unchanged"),
            ScanError::BadBaseline(_) => wrap(ErrorKind::ValidationFailed)(error)
                .field("baseline")
                .hint("write a new one with baseline_update"),
            ScanError::ForeignBaseline => wrap(ErrorKind::ValidationFailed)(error).field("baseline").hint(
                "write a new one with baseline_update, or set the same fingerprint_key on both installations",
            ),
            ScanError::BadManifest { field, .. } => {
                let field = *field;
                wrap(ErrorKind::ValidationFailed)(error)
                    .field(field)
                    .hint("pass a file that its own tool accepts")
            }
            ScanError::UnknownScan => wrap(ErrorKind::ValidationFailed)(error).field("scan_type"),
            ScanError::UnknownRule(_) => {
                wrap(ErrorKind::NotFound)(error).field("rule").hint("call list_rules to see every rule")
            }
            ScanError::Worker(_) => wrap(ErrorKind::Internal)(error),
        }
    }
}
