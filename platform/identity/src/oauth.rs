//! Access tokens of foreign authorization servers (OAuth 2.1, RFC 9068, RFC 8707, RFC 9728).
//!
//! Reading order: `settings` (what an operator can say), `shape` (what a token may look like before anything
//! is believed), `keys` and `documents` (the issuer's keys), `verify` (signature and claims), `grant` (from claims to
//! a principal), `opaque` (tokens that only their issuer can read), `accepted` (what was proven lately),
//! `service` (the whole, as the gate asks it).

mod accepted;
mod documents;
mod grant;
mod issuer;
mod keys;
mod opaque;
mod refusal;
mod ring_provider;
mod service;
mod settings;
mod shape;
mod verify;

pub use documents::IssuerReport;
pub use service::{OAuth, SecretLookup};
pub use settings::{Fault, IntrospectionSettings, IssuerSettings, OAuthSettings};

/// For the fuzz target: reads a token as far as it is read before its signature is checked.
#[doc(hidden)]
pub fn read_unverified(token: &str) -> bool {
    shape::Shape::read(token).is_ok()
}

pub(crate) use refusal::Refusal;
