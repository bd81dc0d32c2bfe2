//! What upstreams are shown: our own credentials there. Nothing a caller showed us ever comes in here.
//!
//! Reading order: `settings` (what an operator can say), [`UpstreamAuth`] (headers for a request, and what to do when
//! they are refused), `grant` (tokens by client credentials), [`Login`] (a person lets us in: `discovery`, `client`, `login`,
//! `personal`), [`Shown`], [`CredentialsError`].

mod client;
mod discovery;
mod error;
mod grant;
mod login;
mod personal;
mod settings;
mod shown;
mod upstream;

pub use error::CredentialsError;
pub use login::Login;
pub use settings::{AuthorizationCodeSettings, ClientCredentialsSettings, ClientProof, UpstreamAuthSettings};
pub use shown::Shown;
pub use upstream::UpstreamAuth;
