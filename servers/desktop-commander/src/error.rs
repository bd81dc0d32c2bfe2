//! What goes wrong with files, and what a caller is told.

use guard::Refusal;
use kernel::{ErrorKind, ToolError};

/// A failed file operation.
#[derive(Debug, thiserror::Error)]
pub(crate) enum FileError {
    /// A guard said no, or the file system did.
    #[error(transparent)]
    Refused(#[from] Refusal),
    /// No encoding has this label.
    #[error("no text encoding is called so")]
    UnknownEncoding,
    /// The bytes are not text.
    #[error("the file is not text in this encoding")]
    NotText,
    /// A pattern does not parse.
    #[error("the {field} does not parse: {why}")]
    BadPattern { field: &'static str, why: String },
    /// A cursor that no listing gave.
    #[error("the cursor is not one that this tool gave")]
    BadCursor,
    /// The file is not the one the caller read.
    #[error("the file changed since it was read")]
    Mismatch { field: &'static str },
    /// The text to replace is not there as often as it should be.
    #[error("edit {number}: the old text occurs {found} times, expected {expected}")]
    EditMissed { number: usize, found: usize, expected: usize, nearest: Option<String> },
    /// A folder with content and `recursive` unset.
    #[error("the folder is not empty")]
    NotEmpty,
    /// No such change, or somebody else's.
    #[error("there is no change with this id")]
    UnknownChange,
    /// The change was undone before.
    #[error("the change was undone already")]
    AlreadyUndone,
    /// What the change left behind was changed again.
    #[error("what this change left behind was changed again since")]
    ChangedSince,
    /// The journal's database failed.
    #[error("the journal of changes cannot be used")]
    Journal(#[from] rusqlite::Error),
    /// The caller gave up.
    #[error("the call was cancelled")]
    Cancelled,
}

impl From<FileError> for ToolError {
    fn from(error: FileError) -> Self {
        use FileError as E;
        let kind = match &error {
            E::Refused(_) => ErrorKind::ValidationFailed,
            E::UnknownChange => ErrorKind::NotFound,
            E::Journal(_) => ErrorKind::Internal,
            E::Cancelled => ErrorKind::Cancelled,
            _ => ErrorKind::ValidationFailed,
        };
        match error {
            E::Refused(refusal) => refused(refusal),
            E::UnknownEncoding => Self::wrap(kind, error)
                .field("encoding")
                .hint("use a label such as utf-8, utf-16le, windows-1252 or shift_jis"),
            E::NotText => Self::wrap(kind, error)
                .reason("NOT_TEXT")
                .hint("read it with `as` = base64 or hex, or name its encoding"),
            E::BadPattern { field: "pattern", .. } => Self::wrap(kind, error)
                .field("pattern")
                .hint("leave `regex` out to find the text as it stands, or escape it with backslashes"),
            E::BadPattern { field, .. } => {
                Self::wrap(kind, error).field(field).hint("use a glob such as `*.rs` or `src/**/*.rs`")
            }
            E::BadCursor => Self::wrap(kind, error)
                .field("cursor")
                .hint("pass `next_cursor` of the previous page unchanged"),
            E::Mismatch { field } => {
                Self::wrap(kind, error).reason("CHANGED").field(field).hint("read the file again and retry")
            }
            E::EditMissed { ref nearest, found, .. } => {
                let hint = match nearest {
                    Some(span) => format!("the closest text is: {span}"),
                    None if found == 0 => "read the file and copy the old text exactly".to_owned(),
                    None => format!(
                        "add lines around it until it occurs once, or set `expected_count` to {found}"
                    ),
                };
                Self::wrap(kind, error).reason("EDIT_MISSED").field("edits").hint(hint)
            }
            E::NotEmpty => {
                Self::wrap(kind, error).field("recursive").hint("set `recursive` to delete it whole")
            }
            E::UnknownChange => {
                Self::wrap(kind, error).field("change_id").hint("list_changes shows what can be undone")
            }
            E::AlreadyUndone => Self::wrap(kind, error)
                .field("change_id")
                .hint("`list_changes` shows the newer change that undid it, which can be undone in turn"),
            E::ChangedSince => Self::wrap(kind, error)
                .reason("CHANGED")
                .field("change_id")
                .hint("look at the file first; `force` undoes anyway"),
            E::Journal(_) | E::Cancelled => Self::wrap(kind, error),
        }
    }
}

/// A refusal of a guard, with what this server has to help.
pub(crate) fn refused(refusal: Refusal) -> ToolError {
    let help = match (refusal.code, refusal.field.as_ref()) {
        ("PATH_OUTSIDE_ROOT", _) => Some("`get_policy` lists the open folders"),
        ("TOO_LARGE", "file_path" | "file_paths") => Some(
            "look into it with `execute_command`: head, tail, `sed -n 10,20p`, grep; the operator's bound is \
             `servers.desktop-commander.files.read_bytes_max`",
        ),
        _ => None,
    };
    help.into_iter().fold(refusal.into(), ToolError::hint)
}
