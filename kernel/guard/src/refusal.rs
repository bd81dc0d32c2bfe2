//! What a guard says when it says no.

use kernel::{ErrorKind, ToolError};

/// A refusal: a stable code, the field at fault, the rule it broke and the way to mend it.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{rule}")]
pub struct Refusal {
    /// Stable, for example `PATH_OUTSIDE_ROOT`.
    pub code: &'static str,
    /// The argument at fault.
    pub field: String,
    /// One sentence, lower case, no final stop, no secret.
    pub rule: String,
    /// What to do instead.
    pub fix: String,
}

impl Refusal {
    /// A refusal of `field`.
    pub fn new(code: &'static str, field: &str, rule: impl Into<String>, fix: impl Into<String>) -> Self {
        Self { code, field: field.to_owned(), rule: rule.into(), fix: fix.into() }
    }
}

impl From<Refusal> for ToolError {
    fn from(refusal: Refusal) -> Self {
        let kind = match refusal.code {
            "NOT_FOUND" => ErrorKind::NotFound,
            "OS_REFUSED" => ErrorKind::ToolExecutionFailed,
            _ => ErrorKind::ValidationFailed,
        };
        Self::new(kind, refusal.rule).reason(refusal.code).field(refusal.field).hint(refusal.fix)
    }
}
