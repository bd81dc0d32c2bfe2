//! Secrets at rest: values that configuration names as `secret:NAME` and never holds.
//!
//! Reading order: [`Vault`] (set, rotate, list, remove, and look up), `seal` (how a value lies in the database),
//! `reference` (what `secret:NAME` may look like), [`VaultError`].

mod error;
mod reference;
mod schema;
mod seal;
mod vault;

pub use error::VaultError;
pub use reference::{REFERENCE_PREFIX, name_in, names_in};
pub use vault::{SecretInfo, VALUE_BYTES_MAX, Vault, Versions};
