//! Tokens of single persons: kept apart in the vault, renewed when they end.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use fetch::{FetchError, Fetcher};
use kernel::{Principal, Secret};
use ring::digest::{SHA256, digest};
use serde::{Deserialize, Serialize};
use vault::{Vault, VaultError};

use crate::{
    CredentialsError, Login,
    client::{Client, Proof},
    grant::{Answer, check_token},
};

/// A token is renewed this long before it expires.
const RENEW_BEFORE_SECONDS: i64 = 30;
/// Used when the server does not say how long its token lives.
const LIFETIME_UNSTATED_SECONDS: u64 = 300;
/// Longest lifetime that is believed.
const LIFETIME_MAX_SECONDS: u64 = 24 * 3600;

/// What is kept of one person at one upstream. Everything of it belongs to one issuer.
#[derive(Serialize, Deserialize)]
pub(crate) struct Personal {
    issuer: String,
    client_id: String,
    client_secret: Option<String>,
    proof: Proof,
    resource: String,
    access_token: String,
    refresh_token: Option<String>,
    /// Unix seconds.
    expires_at: i64,
}

impl Personal {
    /// Turns the code of a login into tokens.
    pub(crate) async fn redeem(
        fetcher: &Fetcher,
        login: &Login,
        code: &Secret<String>,
    ) -> Result<Self, CredentialsError> {
        let form = [
            ("grant_type", "authorization_code"),
            ("code", code.expose()),
            ("redirect_uri", &login.redirect_uri),
            ("code_verifier", login.verifier.expose()),
            ("resource", &login.resource),
        ];
        let url = token_endpoint(login.server.token_endpoint.as_deref())?;
        let answer = ask(fetcher, url, &login.client, &form).await?;
        let mut made = Self {
            issuer: login.server.issuer.clone(),
            client_id: login.client.id.clone(),
            client_secret: login.client.secret.as_ref().map(|it| it.expose().clone()),
            proof: login.client.proof,
            resource: login.resource.clone(),
            access_token: String::new(),
            refresh_token: None,
            expires_at: 0,
        };
        made.take(&answer)?;
        Ok(made)
    }

    /// Whether the access token is good for a while.
    pub(crate) fn is_fresh(&self) -> bool {
        now() < self.expires_at - RENEW_BEFORE_SECONDS
    }

    /// How long it is used without another look.
    pub(crate) fn good_for(&self) -> Duration {
        let left = self.expires_at - RENEW_BEFORE_SECONDS - now();
        Duration::from_secs(u64::try_from(left).unwrap_or(0).max(1))
    }

    pub(crate) fn bearer(&self) -> Secret<String> {
        Secret::new(format!("Bearer {}", self.access_token))
    }

    /// Gets a new access token from the issuer that gave the first. `pinned` is the issuer an operator wrote down.
    pub(crate) async fn renew(&mut self, fetcher: &Fetcher, pinned: &str) -> Result<(), CredentialsError> {
        if !pinned.is_empty() && pinned != self.issuer {
            // Credentials of one issuer are never shown to another.
            return Err(CredentialsError::Login("another authorization server was configured since"));
        }
        let Some(refresh) = self.refresh_token.clone() else { return Err(ended()) };
        let server = fetcher.metadata(&self.issuer).await.map_err(CredentialsError::NoToken)?;
        let url = token_endpoint(server.token_endpoint.as_deref())?;
        let secret = self.client_secret.clone().map(Secret::new);
        let client = Client { id: self.client_id.clone(), secret, proof: self.proof };
        let form =
            [("grant_type", "refresh_token"), ("refresh_token", &refresh), ("resource", &self.resource)];
        let answer = ask(fetcher, url, &client, &form).await.map_err(|error| match &error {
            CredentialsError::NoToken(cause) if cause.oauth_code().as_deref() == Some("invalid_grant") => {
                ended()
            }
            _ => error,
        })?;
        self.take(&answer)
    }

    fn take(&mut self, answer: &Answer) -> Result<(), CredentialsError> {
        check_token(answer)?;
        let lifetime = answer.expires_in.unwrap_or(LIFETIME_UNSTATED_SECONDS).min(LIFETIME_MAX_SECONDS);
        self.access_token.clone_from(answer.access_token.expose());
        // A server that rotates refresh tokens ends the one before.
        if let Some(refresh) = &answer.refresh_token {
            self.refresh_token = Some(refresh.expose().clone());
        }
        self.expires_at = now() + i64::try_from(lifetime).unwrap_or(0);
        Ok(())
    }

    /// What this person allowed at this upstream, if anything.
    pub(crate) fn load(
        vault: &Vault,
        upstream: &str,
        principal: &Principal,
    ) -> Result<Option<Self>, CredentialsError> {
        match vault.versions(&name(upstream, principal)) {
            Ok(versions) => Ok(serde_json::from_str(versions.current.expose()).ok()),
            Err(VaultError::Unknown(_)) => Ok(None),
            Err(error) => Err(error.into()),
        }
    }

    pub(crate) fn store(
        &self,
        vault: &Vault,
        upstream: &str,
        principal: &Principal,
    ) -> Result<(), CredentialsError> {
        let text = Secret::new(serde_json::to_string(self).expect("plain data is JSON"));
        vault.keep(&name(upstream, principal), &text)?;
        Ok(())
    }

    /// Forgets what this person allowed.
    pub(crate) fn forget(
        vault: &Vault,
        upstream: &str,
        principal: &Principal,
    ) -> Result<(), CredentialsError> {
        match vault.remove(&name(upstream, principal)) {
            Ok(()) | Err(VaultError::Unknown(_)) => Ok(()),
            Err(error) => Err(error.into()),
        }
    }
}

/// Where it lies in the vault. The seal covers the name, so one person's row does not open as another's.
fn name(upstream: &str, principal: &Principal) -> String {
    let short = |text: &str, bytes: usize| -> String {
        digest(&SHA256, text.as_bytes()).as_ref()[..bytes].iter().map(|it| format!("{it:02x}")).collect()
    };
    format!("login.{}.{}", short(upstream, 8), short(&principal.id, 16))
}

fn ended() -> CredentialsError {
    CredentialsError::Login("what the person allowed has ended")
}

fn token_endpoint(url: Option<&str>) -> Result<&str, CredentialsError> {
    url.ok_or(CredentialsError::NoToken(FetchError::Missing("token_endpoint")))
}

async fn ask(
    fetcher: &Fetcher,
    url: &str,
    client: &Client,
    form: &[(&str, &str)],
) -> Result<Answer, CredentialsError> {
    let mut form = form.to_vec();
    let secret = client.secret.as_ref().map_or("", |it| it.expose().as_str());
    let basic = match client.proof {
        Proof::Basic => Some((client.id.as_str(), secret)),
        Proof::Post => {
            form.extend([("client_id", client.id.as_str()), ("client_secret", secret)]);
            None
        }
        Proof::None => {
            form.push(("client_id", client.id.as_str()));
            None
        }
    };
    fetcher.form("token_endpoint", url, basic, &form).await.map_err(CredentialsError::NoToken)
}

fn now() -> i64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    i64::try_from(since.as_secs()).unwrap_or(i64::MAX)
}
