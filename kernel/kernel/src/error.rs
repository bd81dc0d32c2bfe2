//! The one error type that crosses from a server into the pipeline and out to the caller.

use std::{error::Error, time::Duration};

use serde::{Deserialize, Serialize};

use crate::Raw;

/// A failed call: a sentence for the model, a cause for the log.
///
/// Everything but `source` leaves the process, so it carries no secret and no internal address.
#[derive(Debug, thiserror::Error)]
#[error("{message}")]
pub struct ToolError {
    /// Decides retry, breaker, metrics and exit code. Never parse the message.
    pub kind: ErrorKind,
    /// One sentence, lower case, no final stop.
    pub message: String,
    /// A finer, stable code of a guard, for example `PATH_OUTSIDE_ROOT`.
    pub reason: Option<&'static str>,
    /// The argument that is at fault, as a JSON pointer without the leading slash.
    pub field: Option<String>,
    /// What the caller could do next.
    pub hints: Vec<String>,
    /// When the same call may succeed.
    pub retry_after: Option<Duration>,
    /// True when the backend certainly never saw the request, so that a retry is safe.
    pub before_send: bool,
    /// A scope with which the same caller would be allowed, when `kind` is [`ErrorKind::PermissionDenied`].
    pub scope: Option<Box<str>>,
    /// What must be approved, when `kind` is [`ErrorKind::NeedsApproval`].
    pub approval: Option<Box<ApprovalTicket>>,
    /// The protocol's own error, when a relayed server answered with one: doors pass it on as it is.
    pub fault: Option<Box<RelayedFault>>,
    /// A relayed tool's own failed result, which doors pass on as it is.
    pub result: Option<Raw>,
    /// True when `result` carries text that somebody outside wrote.
    pub untrusted: bool,
    #[source]
    source: Option<Box<dyn Error + Send + Sync>>,
}

/// The classes that the pipeline and its clients tell apart. The code is stable public surface.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum ErrorKind {
    /// No valid credential.
    AuthenticationFailed,
    /// No policy allows this, or one forbids it.
    PermissionDenied,
    /// The arguments do not make sense or a guard refused them.
    ValidationFailed,
    /// The named thing does not exist.
    NotFound,
    /// Too many calls; see `retry_after`.
    RateLimited,
    /// The queue of this server is full.
    Overloaded,
    /// The backend failed too often; see `retry_after`.
    CircuitOpen,
    /// A human has to say yes first.
    NeedsApproval,
    /// The deadline passed.
    Timeout,
    /// The caller gave up.
    Cancelled,
    /// The backend is away; the same call may work later. Counts for the breaker.
    Unavailable,
    /// The tool ran and failed.
    ToolExecutionFailed,
    /// A write was sent and no answer came: it may or may not have happened.
    OutcomeUnknown,
    /// The call could not be recorded, so it was refused.
    AuditUnavailable,
    /// Our bug.
    Internal,
}

impl ErrorKind {
    /// The stable code.
    pub fn code(self) -> &'static str {
        match self {
            Self::AuthenticationFailed => "authentication_failed",
            Self::PermissionDenied => "permission_denied",
            Self::ValidationFailed => "validation_failed",
            Self::NotFound => "not_found",
            Self::RateLimited => "rate_limited",
            Self::Overloaded => "overloaded",
            Self::CircuitOpen => "circuit_open",
            Self::NeedsApproval => "needs_approval",
            Self::Timeout => "timeout",
            Self::Cancelled => "cancelled",
            Self::Unavailable => "unavailable",
            Self::ToolExecutionFailed => "tool_execution_failed",
            Self::OutcomeUnknown => "outcome_unknown",
            Self::AuditUnavailable => "audit_unavailable",
            Self::Internal => "internal",
        }
    }

    /// Exit code of the command line: 1 the tool failed, 2 usage, 3 not authenticated, 4 denied,
    /// 5 rate limited, 6 circuit open, 7 timed out, 8 needs approval.
    pub fn exit_code(self) -> u8 {
        match self {
            Self::ValidationFailed => 2,
            Self::AuthenticationFailed => 3,
            Self::PermissionDenied => 4,
            Self::RateLimited => 5,
            Self::CircuitOpen => 6,
            Self::Timeout => 7,
            Self::NeedsApproval => 8,
            _ => 1,
        }
    }
}

/// A pending approval, as the caller sees it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ApprovalTicket {
    /// Names the request in `core-mcp approval` and in the protocol's round trip.
    pub id: String,
    /// SHA-256 of the canonical arguments, with server and tool: what exactly is approved.
    pub digest: String,
    /// What a human reads before saying yes; one argument per line.
    pub question: String,
    /// Unix seconds after which the ticket is void.
    pub expires_at: i64,
}

/// An error in the protocol's own form.
#[derive(Clone, Debug, PartialEq)]
pub struct RelayedFault {
    /// As the specification numbers it.
    pub code: i64,
    /// One sentence.
    pub message: String,
    /// What a program needs to go on.
    pub data: Option<Raw>,
}

impl RelayedFault {
    const INVALID_PARAMS: i64 = -32602;
    const METHOD_NOT_FOUND: i64 = -32601;
    const LEGACY_NOT_FOUND: i64 = -32002;
    /// The caller did not declare a capability that the request needs.
    pub const MISSING_CAPABILITY: i64 = -32021;
}

impl ToolError {
    /// A failure with no cause to log.
    pub fn new(kind: ErrorKind, message: impl Into<String>) -> Self {
        Self {
            kind,
            message: message.into(),
            reason: None,
            field: None,
            hints: Vec::new(),
            retry_after: None,
            before_send: false,
            scope: None,
            approval: None,
            fault: None,
            result: None,
            untrusted: false,
            source: None,
        }
    }

    /// An error of the protocol, as a relayed server answered it.
    pub fn relayed(code: i64, message: impl Into<String>, data: Option<Raw>) -> Self {
        let kind = match code {
            RelayedFault::INVALID_PARAMS => ErrorKind::ValidationFailed,
            RelayedFault::METHOD_NOT_FOUND | RelayedFault::LEGACY_NOT_FOUND => ErrorKind::NotFound,
            _ => ErrorKind::ToolExecutionFailed,
        };
        let message = message.into();
        let fault = RelayedFault { code, message: message.clone(), data };
        Self { fault: Some(Box::new(fault)), ..Self::new(kind, message) }
    }

    /// A failed result of a relayed tool; `message` is its first text.
    pub fn failed_result(message: impl Into<String>, result: Raw) -> Self {
        Self { result: Some(result), ..Self::new(ErrorKind::ToolExecutionFailed, message) }
    }

    /// Wraps a domain error: its `Display` is public, its sources are not.
    pub fn wrap(kind: ErrorKind, error: impl Error + Send + Sync + 'static) -> Self {
        Self { source: Some(Box::new(error)), ..Self::new(kind, "") }.with_display()
    }

    /// The arguments are at fault: names the field, the rule and, as a hint, the fix.
    pub fn invalid(field: impl Into<String>, rule: impl Into<String>) -> Self {
        Self { field: Some(field.into()), ..Self::new(ErrorKind::ValidationFailed, rule) }
    }

    /// Adds a next step.
    #[must_use]
    pub fn hint(mut self, hint: impl Into<String>) -> Self {
        self.hints.push(hint.into());
        self
    }

    /// Names a guard's finer code.
    #[must_use]
    pub fn reason(mut self, reason: &'static str) -> Self {
        self.reason = Some(reason);
        self
    }

    /// Names the argument at fault.
    #[must_use]
    pub fn field(mut self, field: impl Into<String>) -> Self {
        self.field = Some(field.into());
        self
    }

    /// Says when to try again.
    #[must_use]
    pub fn after(mut self, wait: Duration) -> Self {
        self.retry_after = Some(wait);
        self
    }

    /// Says that the backend certainly never saw the request.
    #[must_use]
    pub fn before_send(mut self) -> Self {
        self.before_send = true;
        self
    }

    /// Names the scope that would help, for the machine and as a hint.
    #[must_use]
    pub fn scope(mut self, scope: impl Into<Box<str>>) -> Self {
        let scope = scope.into();
        self.hints.push(format!("ask the authorization server for the scope `{scope}`"));
        self.scope = Some(scope);
        self
    }

    /// Attaches the cause, for the log only.
    #[must_use]
    pub fn caused_by(mut self, source: impl Error + Send + Sync + 'static) -> Self {
        self.source = Some(Box::new(source));
        self
    }

    /// The same error for another caller of the same work. The cause stays with the first.
    #[must_use]
    pub fn share(&self) -> Self {
        Self {
            kind: self.kind,
            message: self.message.clone(),
            reason: self.reason,
            field: self.field.clone(),
            hints: self.hints.clone(),
            retry_after: self.retry_after,
            before_send: self.before_send,
            scope: self.scope.clone(),
            approval: self.approval.clone(),
            fault: self.fault.clone(),
            result: self.result.clone(),
            untrusted: self.untrusted,
            source: None,
        }
    }

    fn with_display(mut self) -> Self {
        self.message = self.source.as_ref().map(ToString::to_string).unwrap_or_default();
        self
    }
}
