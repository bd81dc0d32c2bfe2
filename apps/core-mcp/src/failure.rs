//! How a command fails: what it prints and the exit code it ends with.

use std::fmt::Display;

use kernel::{ErrorKind, ToolError};
use serde::{Deserialize, Serialize};

/// A failed command. Serialises to what `--output json` prints under `error`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(crate) struct Failure {
    /// The stable code of [`ErrorKind`].
    pub(crate) code: String,
    /// One sentence.
    pub(crate) message: String,
    /// What to do next.
    #[serde(default)]
    pub(crate) hints: Vec<String>,
    /// A guard's finer code.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) reason: Option<String>,
    /// The argument at fault.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) field: Option<String>,
    /// When the same call may succeed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) retry_after_seconds: Option<u64>,
    /// What waits for a human.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) approval: Option<kernel::ApprovalTicket>,
}

impl Failure {
    /// A failure of one kind.
    pub(crate) fn new(kind: ErrorKind, message: impl Into<String>) -> Self {
        ToolError::new(kind, message).into()
    }

    /// The command line makes no sense: exit code 2.
    pub(crate) fn usage(message: impl Into<String>) -> Self {
        Self::new(ErrorKind::ValidationFailed, message)
    }

    /// Something on this machine is in the way: exit code 1.
    pub(crate) fn local(what: impl Into<String>, error: impl Display) -> Self {
        Self::new(ErrorKind::ToolExecutionFailed, format!("{}: {error}", what.into()))
    }

    /// No token was given: exit code 3.
    pub(crate) fn no_token() -> Self {
        Self::new(ErrorKind::AuthenticationFailed, "no access token was given")
            .hint("set CORE_MCP_TOKEN, or point --token-file at a file that holds the token")
            .hint("make a token with `core-mcp token create USER`, or a first one with `core-mcp quickstart`")
    }

    /// Adds a next step.
    #[must_use]
    pub(crate) fn hint(mut self, hint: impl Into<String>) -> Self {
        self.hints.push(hint.into());
        self
    }

    /// The exit code: 1 the tool failed, 2 usage, 3 not authenticated, 4 denied, 5 rate limited,
    /// 6 circuit open, 7 timed out, 8 needs approval.
    pub(crate) fn exit_code(&self) -> u8 {
        serde_json::from_value::<ErrorKind>(self.code.clone().into()).map_or(1, ErrorKind::exit_code)
    }
}

impl From<ToolError> for Failure {
    fn from(mut error: ToolError) -> Self {
        Self {
            code: error.kind.code().into(),
            message: std::mem::take(&mut error.message),
            hints: std::mem::take(&mut error.hints),
            reason: error.reason.map(Into::into),
            field: error.field.take(),
            // Rounded up: waiting the seconds we print must be enough.
            retry_after_seconds: error.retry_after.map(|wait| wait.as_millis().div_ceil(1000) as u64),
            approval: error.approval.take().map(|it| *it),
        }
    }
}

impl From<anyhow::Error> for Failure {
    fn from(error: anyhow::Error) -> Self {
        Self::new(ErrorKind::ToolExecutionFailed, format!("{error:#}"))
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    #[test]
    fn the_exit_code_follows_the_kind() {
        let check =
            |kind: ErrorKind, code: u8| assert_eq!(Failure::new(kind, "x").exit_code(), code, "{kind:?}");
        check(ErrorKind::ToolExecutionFailed, 1);
        check(ErrorKind::NotFound, 1);
        check(ErrorKind::ValidationFailed, 2);
        check(ErrorKind::AuthenticationFailed, 3);
        check(ErrorKind::PermissionDenied, 4);
        check(ErrorKind::RateLimited, 5);
        check(ErrorKind::CircuitOpen, 6);
        check(ErrorKind::Timeout, 7);
        check(ErrorKind::NeedsApproval, 8);
    }

    #[test]
    fn a_code_from_the_wire_that_we_do_not_know_is_a_plain_failure() {
        let failure = Failure { code: "made_up".into(), ..Failure::usage("x") };
        assert_eq!(failure.exit_code(), 1);
    }

    #[test]
    fn the_wait_is_rounded_up() {
        let error = ToolError::new(ErrorKind::RateLimited, "x").after(Duration::from_millis(2001));
        assert_eq!(Failure::from(error).retry_after_seconds, Some(3));
    }
}
