//! Who is calling.

use serde::{Deserialize, Serialize};

/// An authenticated caller. Made by the identity service only; it holds no credential.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Principal {
    /// Unique and stable: `admin`, `ci-bot`.
    pub id: String,
    /// What sort of caller.
    pub kind: PrincipalKind,
    /// Role names, sorted: `viewer`, `operator`, `security`, `admin` or the operator's own.
    pub roles: Vec<String>,
    /// Public id of the token that proved the caller, for audit and revocation.
    pub token_id: Option<String>,
}

/// What sort of caller.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum PrincipalKind {
    /// A person.
    User,
    /// A model-driven client.
    Agent,
    /// A program.
    Service,
}

impl PrincipalKind {
    /// The word the command line, policies and audit use.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::User => "user",
            Self::Agent => "agent",
            Self::Service => "service",
        }
    }
}
