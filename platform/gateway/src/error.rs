//! What can go wrong between us and an upstream, and what the caller is told.

use std::time::Duration;

use kernel::{ErrorKind, ToolError};
use serde_json::value::RawValue;

/// Why a request to an upstream has no result.
#[derive(Debug, thiserror::Error)]
pub(crate) enum UpstreamError {
    /// Nothing was sent: it is not there, or it was not started.
    #[error("upstream `{upstream}` cannot be reached: {reason}")]
    Unreachable {
        /// Its name.
        upstream: String,
        /// In a few words, without addresses.
        reason: String,
        /// When it is worth trying again.
        after: Option<Duration>,
    },
    /// It was sent, and then the upstream went away.
    #[error("upstream `{upstream}` went away before it answered: {reason}")]
    Lost {
        /// Its name.
        upstream: String,
        /// In a few words.
        reason: String,
    },
    /// What came back is no MCP.
    #[error("upstream `{upstream}` answered with something that is not MCP: {reason}")]
    Garbage {
        /// Its name.
        upstream: String,
        /// In a few words; nothing of the answer is repeated.
        reason: String,
    },
    /// The answer is larger than we take.
    #[error("upstream `{upstream}` sent an answer of more than {limit} bytes")]
    TooLarge {
        /// Its name.
        upstream: String,
        /// The bound.
        limit: usize,
    },
    /// It did not take our credentials.
    #[error("upstream `{upstream}` refused core-mcp's credentials (HTTP {status})")]
    Refused {
        /// Its name.
        upstream: String,
        /// 401 or 403.
        status: u16,
        /// Its `WWW-Authenticate`, for whoever can get better credentials.
        challenge: Option<String>,
    },
    /// We have no credentials it takes.
    #[error("{}", .0.message)]
    Credentials(Box<ToolError>),
    /// It is up and says no for now.
    #[error("upstream `{upstream}` is busy (HTTP {status})")]
    Busy {
        /// Its name.
        upstream: String,
        /// 429, 502, 503 or 504.
        status: u16,
        /// `Retry-After`.
        after: Option<Duration>,
    },
    /// It answered with an HTTP status that says nothing about MCP.
    #[error("upstream `{upstream}` answered HTTP {status}")]
    Odd {
        /// Its name.
        upstream: String,
        /// Neither success nor one of the others.
        status: u16,
    },
    /// It answered with a JSON-RPC error.
    #[error("{message}")]
    Rpc {
        /// The code.
        code: i64,
        /// Its words.
        message: String,
        /// The details, as they were written.
        data: Option<Box<RawValue>>,
    },
    /// It no longer knows our session; nothing was done.
    #[error("upstream `{upstream}` no longer knows the session")]
    SessionGone {
        /// Its name.
        upstream: String,
    },
    /// It did not answer in time.
    #[error("upstream `{upstream}` did not answer in time")]
    Slow {
        /// Its name.
        upstream: String,
        /// Whether the request had left.
        sent: bool,
    },
    /// The caller gave up.
    #[error("the call was cancelled")]
    Cancelled,
}

impl UpstreamError {
    /// Something that is not MCP.
    pub(crate) fn garbage(upstream: &str, reason: impl Into<String>) -> Self {
        Self::Garbage { upstream: upstream.to_owned(), reason: reason.into() }
    }

    /// Gone after sending.
    pub(crate) fn lost(upstream: &str, reason: impl Into<String>) -> Self {
        Self::Lost { upstream: upstream.to_owned(), reason: reason.into() }
    }

    /// Never sent.
    pub(crate) fn unreachable(upstream: &str, reason: impl Into<String>) -> Self {
        Self::Unreachable { upstream: upstream.to_owned(), reason: reason.into(), after: None }
    }

    /// Whether the upstream certainly did nothing, so that another replica may be asked.
    pub(crate) fn before_send(&self) -> bool {
        match self {
            Self::Unreachable { .. }
            | Self::SessionGone { .. }
            | Self::Refused { .. }
            | Self::Credentials(_) => true,
            Self::Busy { status, .. } => matches!(status, 429 | 503),
            Self::Odd { status, .. } => *status < 500,
            Self::Slow { sent, .. } => !sent,
            _ => false,
        }
    }
}

/// A write that was sent and not answered may have happened; saying "failed" would invite a repetition.
pub(crate) fn tool_error(error: UpstreamError, changes: bool) -> ToolError {
    let before_send = error.before_send();
    let words = error.to_string();
    let new = |kind| {
        let error = ToolError::new(kind, words);
        if before_send { error.before_send() } else { error }
    };
    let unanswered = if changes { ErrorKind::OutcomeUnknown } else { ErrorKind::Unavailable };
    match error {
        UpstreamError::Unreachable { after, upstream, .. } => {
            let error = new(ErrorKind::Unavailable)
                .hint(format!("`core-mcp upstream check {upstream}` says what is wrong"));
            after.map_or_else(|| error.share(), |after| error.share().after(after))
        }
        UpstreamError::Busy { after, .. } => {
            let error = new(ErrorKind::Unavailable).hint("try again later");
            after.map_or_else(|| error.share(), |after| error.share().after(after))
        }
        UpstreamError::SessionGone { .. } => new(ErrorKind::Unavailable),
        UpstreamError::Refused { upstream, .. } => new(ErrorKind::Unavailable).hint(format!(
            "check `headers` or `auth` in [upstreams.{upstream}]; the caller's own token is never passed on"
        )),
        UpstreamError::Odd { upstream, status } if status < 500 => {
            new(ErrorKind::Unavailable).hint(format!("check `url` in [upstreams.{upstream}]"))
        }
        UpstreamError::Lost { .. } | UpstreamError::Garbage { .. } | UpstreamError::Odd { .. } => {
            new(unanswered).hint("look at the current state before calling again")
        }
        UpstreamError::TooLarge { upstream, .. } => new(ErrorKind::ToolExecutionFailed)
            .hint(format!("narrow the call, or raise `message_bytes_max` in [upstreams.{upstream}]")),
        UpstreamError::Slow { sent, .. } if sent && changes => new(ErrorKind::OutcomeUnknown),
        UpstreamError::Slow { .. } => new(ErrorKind::Timeout),
        UpstreamError::Credentials(error) => *error,
        UpstreamError::Cancelled => new(ErrorKind::Cancelled),
        UpstreamError::Rpc { .. } => new(ErrorKind::ToolExecutionFailed),
    }
}
