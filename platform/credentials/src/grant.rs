//! Tokens by the client credentials grant.

use std::time::{Duration, Instant};

use fetch::{FetchError, Fetcher};
use kernel::Secret;
use serde::Deserialize;
use vault::{Vault, name_in};

use crate::{ClientCredentialsSettings, ClientProof, CredentialsError};

/// A token is renewed this long before it expires.
const RENEW_BEFORE: Duration = Duration::from_secs(30);
/// Longest time a token is used without asking again, whatever the server says.
const LIFETIME_MAX: Duration = Duration::from_secs(3600);
/// Used when the server does not say how long its token lives.
const LIFETIME_UNSTATED: Duration = Duration::from_secs(300);
/// Longest token taken.
const TOKEN_BYTES_MAX: usize = 16 * 1024;

/// A token and how long it is used.
#[derive(Clone, Debug)]
pub(crate) struct Token {
    pub(crate) value: Secret<String>,
    pub(crate) good_until: Instant,
}

/// What a token endpoint says.
#[derive(Deserialize)]
pub(crate) struct Answer {
    pub(crate) access_token: Secret<String>,
    token_type: String,
    pub(crate) expires_in: Option<u64>,
    pub(crate) refresh_token: Option<Secret<String>>,
}

/// Asks for a token. While two versions of our secret are good, the older is tried when the newer is unknown there.
pub(crate) async fn obtain(
    fetcher: &Fetcher,
    settings: &ClientCredentialsSettings,
    resource: &str,
    vault: &Vault,
) -> Result<Token, CredentialsError> {
    let name = name_in(&settings.client_secret).unwrap_or_default();
    let versions = vault.versions(name)?;
    let url = token_url(fetcher, settings).await.map_err(CredentialsError::NoToken)?;
    match (ask(fetcher, settings, &url, resource, &versions.current).await, &versions.previous) {
        (Err(CredentialsError::NoToken(error)), Some(previous)) if is_unknown_client(&error) => {
            ask(fetcher, settings, &url, resource, previous).await
        }
        (answer, _) => answer,
    }
}

async fn token_url(fetcher: &Fetcher, settings: &ClientCredentialsSettings) -> Result<String, FetchError> {
    if !settings.token_url.is_empty() {
        return Ok(settings.token_url.clone());
    }
    let metadata = fetcher.metadata(&settings.issuer).await?;
    metadata.token_endpoint.ok_or(FetchError::Missing("token_endpoint"))
}

async fn ask(
    fetcher: &Fetcher,
    settings: &ClientCredentialsSettings,
    url: &str,
    resource: &str,
    secret: &Secret<String>,
) -> Result<Token, CredentialsError> {
    let scope = settings.scopes.join(" ");
    let client = (settings.client_id.as_str(), secret.expose().as_str());
    let mut form = vec![("grant_type", "client_credentials"), ("resource", resource)];
    if !scope.is_empty() {
        form.push(("scope", &scope));
    }
    let basic = match settings.proof {
        ClientProof::Basic => Some(client),
        ClientProof::Post => {
            form.extend([("client_id", client.0), ("client_secret", client.1)]);
            None
        }
    };
    let answer = fetcher.form::<Answer>("token_url", url, basic, &form).await;
    token(answer.map_err(CredentialsError::NoToken)?)
}

/// Whether the token can be sent as it is.
pub(crate) fn check_token(answer: &Answer) -> Result<(), CredentialsError> {
    if !answer.token_type.eq_ignore_ascii_case("bearer") {
        return Err(CredentialsError::StrangeToken("it is not a bearer token"));
    }
    let text = answer.access_token.expose();
    let fits = (1..=TOKEN_BYTES_MAX).contains(&text.len()) && text.bytes().all(|it| it.is_ascii_graphic());
    if fits { Ok(()) } else { Err(CredentialsError::StrangeToken("it does not fit into a header")) }
}

fn token(answer: Answer) -> Result<Token, CredentialsError> {
    check_token(&answer)?;
    let lifetime = answer.expires_in.map_or(LIFETIME_UNSTATED, Duration::from_secs).min(LIFETIME_MAX);
    let used = lifetime.saturating_sub(RENEW_BEFORE).max(Duration::from_secs(1));
    Ok(Token { value: answer.access_token, good_until: Instant::now() + used })
}

fn is_unknown_client(error: &FetchError) -> bool {
    error.oauth_code().as_deref() == Some("invalid_client")
}
