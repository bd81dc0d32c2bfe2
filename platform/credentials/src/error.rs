//! Why an upstream cannot be shown anything, or did not take it.

use fetch::FetchError;
use kernel::{ErrorKind, ToolError};
use vault::VaultError;

/// A refusal or failure. Holds no credential.
#[derive(Debug, thiserror::Error)]
pub enum CredentialsError {
    /// The settings make no sense.
    #[error("{key}: {rule}")]
    Settings {
        /// Below `[upstreams.NAME.auth]`.
        key: &'static str,
        /// What is wrong.
        rule: String,
    },
    /// A secret cannot be had.
    #[error("a credential of the upstream cannot be had: {0}")]
    Vault(#[from] VaultError),
    /// The authorization server of the upstream did not give a token.
    #[error("the authorization server of the upstream gave no token: {0}")]
    NoToken(#[source] FetchError),
    /// Its answer is no token we can use.
    #[error("the authorization server of the upstream gave no token: {0}")]
    StrangeToken(&'static str),
    /// Nobody has logged in for this person, or what they allowed has ended.
    #[error("the upstream needs a login of `{0}`")]
    LoginNeeded(String),
    /// What the upstream or its authorization server says of itself cannot be relied on.
    #[error("the upstream cannot be logged in to: {0}")]
    Discovery(String),
    /// The answer to a login is not the one that was waited for.
    #[error("the login was refused: {0}")]
    Login(&'static str),
    /// The upstream does not take what it was shown.
    #[error("the upstream does not accept our credentials")]
    Refused,
    /// The upstream wants a scope that is not configured.
    #[error("the upstream wants more than our credentials give; it names the scope `{0}`")]
    Scope(String),
}

impl From<CredentialsError> for ToolError {
    fn from(error: CredentialsError) -> Self {
        use CredentialsError as E;
        let hint = match &error {
            E::Settings { .. } => "mend [upstreams.NAME.auth] in core.toml",
            E::Vault(_) => "`core-mcp secret list` shows the names that are there",
            E::NoToken(_) | E::StrangeToken(_) => "an operator can look with `core-mcp upstream check`",
            E::LoginNeeded(_) | E::Login(_) => "log in to the upstream once, then call again",
            E::Discovery(_) => "an operator can look with `core-mcp upstream check`",
            E::Refused => "an operator can give a new credential with `core-mcp secret rotate`",
            E::Scope(_) => "an operator can add the scope to [upstreams.NAME.auth]",
        };
        let kind = if matches!(error, E::Scope(_) | E::LoginNeeded(_) | E::Login(_)) {
            ErrorKind::PermissionDenied
        } else {
            ErrorKind::Unavailable
        };
        Self::wrap(kind, error).before_send().hint(hint)
    }
}
