//! What an operator gets to see.

use std::sync::Arc;

use kernel::{Principal, PrincipalKind, Secret};
use serde::Serialize;

/// One principal.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct PrincipalInfo {
    /// Unique and never given out again.
    pub id: String,
    /// What sort of caller.
    pub kind: PrincipalKind,
    /// Sorted.
    pub roles: Vec<String>,
    /// False: none of its tokens works.
    pub enabled: bool,
    /// Unix seconds.
    pub created_at: i64,
}

/// One role. What it may do is in the policies.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct RoleInfo {
    /// As policies write it.
    pub name: String,
    /// For people.
    pub description: String,
    /// True for the four that every installation has.
    pub built_in: bool,
    /// How many principals have it.
    pub holders: u32,
}

/// One token, without the token.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct TokenInfo {
    /// Public: in audit records and in the token's own text.
    pub id: String,
    /// Whose.
    pub principal: String,
    /// For people.
    pub label: String,
    /// Unix seconds.
    pub created_at: i64,
    /// Unix seconds; from then on it does not work.
    pub expires_at: i64,
    /// Unix seconds, exact to a minute or so.
    pub last_used_at: Option<i64>,
    /// The token that took its place, after a rotation.
    pub replaced_by: Option<String>,
    /// Whether it works, apart from its principal being enabled.
    pub state: TokenState,
}

/// Whether a token works.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum TokenState {
    /// It works.
    Active,
    /// Its time is over.
    Expired,
    /// Somebody ended it.
    Revoked,
}

/// A token at the only moment it can be seen.
#[derive(Clone, Debug)]
pub struct NewToken {
    /// Show it once; it is not stored.
    pub secret: Secret<String>,
    /// Everything else about it.
    pub info: TokenInfo,
}

/// Who holds a token.
#[derive(Clone, Debug, Serialize)]
pub struct Whoami {
    /// The principal as policy sees it.
    pub principal: Arc<Principal>,
    /// The token that proved it.
    pub token: TokenInfo,
}
