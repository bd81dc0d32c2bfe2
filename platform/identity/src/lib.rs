//! Tokens, users, agents, service accounts and roles.
//!
//! Reading order: [`Authenticator`] (every way to prove who calls), [`IdentityStore`] (open), `principals`, `roles` and `tokens` (what an operator changes),
//! `text` and `key` (what a token looks like and how it is kept), `snapshot` and `authenticate` (how a token
//! becomes a principal in a few microseconds, in every process that shares the file), `usage` (when a token
//! was last seen); `oauth` (access tokens of foreign authorization servers), `certificates` (client certificates).

mod authenticate;
mod authenticator;
mod certificates;
mod error;
mod key;
mod name;
mod oauth;
mod principals;
mod records;
mod roles;
mod schema;
mod snapshot;
mod store_file;
mod text;
mod tokens;
mod usage;

pub use authenticator::Authenticator;
pub use certificates::CertificateMapping;
pub use error::IdentityError;
pub use name::{ADMIN_ROLE, BUILT_IN_ROLES};
#[doc(hidden)]
pub use oauth::read_unverified;
pub use oauth::{
    Fault as OAuthFault, IntrospectionSettings, IssuerReport, IssuerSettings, OAuth, OAuthSettings,
    SecretLookup,
};
pub use records::{NewToken, PrincipalInfo, RoleInfo, TokenInfo, TokenState, Whoami};
pub use store_file::IdentityStore;
pub use text::{TOKEN_LENGTH, TOKEN_PREFIX, looks_like_a_token};
pub use tokens::{Lifetime, TokenOptions};
