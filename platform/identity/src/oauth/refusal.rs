//! Why a foreign token is not accepted. The words go to the client; none of them repeats the token.

use kernel::{ErrorKind, ToolError};
use pipeline::seams::NotAdmitted;

/// One rule that a token broke.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum Refusal {
    #[error("the token is neither ours nor a well-formed JWT")]
    Malformed,
    #[error("the token brings its own key or header fields that are not accepted")]
    ForeignHeader,
    #[error("the token's algorithm is not accepted")]
    Algorithm,
    #[error("the token is not of an accepted type")]
    Type,
    #[error("the token's issuer is not accepted")]
    Issuer,
    #[error("the token's key is unknown")]
    UnknownKey,
    #[error("the token's signature does not hold")]
    Signature,
    #[error("the token's claims cannot be read")]
    Claims,
    #[error("the token is for another audience")]
    Audience,
    #[error("the token has expired")]
    Expired,
    #[error("the token is not valid yet")]
    TooEarly,
    #[error("the token names no subject that is accepted")]
    Subject,
    #[error("the token is bound to a key that was not shown")]
    Binding,
    #[error("the token is not active")]
    Inactive,
    #[error("the issuer of the token cannot be asked now")]
    IssuerAway,
    #[error("the token gives no role here")]
    NoRole,
}

impl Refusal {
    /// As the gate hears it. `scopes` would help when the token gives no role.
    pub(crate) fn not_admitted(self, scopes: &[String]) -> NotAdmitted {
        let (kind, reason) = match self {
            Self::NoRole => (ErrorKind::PermissionDenied, "insufficient_scope"),
            Self::IssuerAway => (ErrorKind::Unavailable, "temporarily_unavailable"),
            _ => (ErrorKind::AuthenticationFailed, "invalid_token"),
        };
        let error = ToolError::new(kind, self.to_string())
            .reason(reason)
            .hint("ask the authorization server for a token whose resource is this server's URL");
        NotAdmitted { error, scopes: if self == Self::NoRole { scopes.to_vec() } else { Vec::new() } }
    }
}
