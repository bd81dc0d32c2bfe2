//! Tokens, users, agents, service accounts and roles.
//!
//! Reading order: [`IdentityStore`] (open), `principals`, `roles` and `tokens` (what an operator changes),
//! `text` and `key` (what a token looks like and how it is kept), `snapshot` and `authenticate` (how a token
//! becomes a principal in a few microseconds, in every process that shares the file), `usage` (when a token
//! was last seen).

mod authenticate;
mod error;
mod key;
mod name;
mod principals;
mod records;
mod roles;
mod schema;
mod snapshot;
mod store_file;
mod text;
mod tokens;
mod usage;

pub use error::IdentityError;
pub use name::{ADMIN_ROLE, BUILT_IN_ROLES};
pub use records::{NewToken, PrincipalInfo, RoleInfo, TokenInfo, TokenState, Whoami};
pub use store_file::IdentityStore;
pub use text::{TOKEN_LENGTH, TOKEN_PREFIX, looks_like_a_token};
pub use tokens::{Lifetime, TokenOptions};
