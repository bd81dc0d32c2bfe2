//! One login of one person: the URL to open, and the answer the browser brings back.

use std::time::{Duration, Instant};

use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use fetch::{Fetcher, Metadata};
use guard::url::UrlRules;
use kernel::Secret;
use ring::{
    digest::{SHA256, digest},
    rand::{SecureRandom, SystemRandom},
};
use url::Url;
use vault::Vault;

use crate::{
    AuthorizationCodeSettings, CredentialsError,
    client::{Client, choose},
    discovery::{Place, discover},
    settings::is_fine_url,
};

/// Longest time between the URL and the answer.
const PATIENCE: Duration = Duration::from_secs(600);
/// Longest answer that is read.
const QUERY_BYTES_MAX: usize = 8192;

/// A login that has begun. It is used up by its answer, right or wrong, and holds for ten minutes. Whoever keeps it
/// makes sure that the answer comes from the browser that opened the URL.
pub struct Login {
    url: String,
    state: String,
    begun: Instant,
    pub(crate) verifier: Secret<String>,
    pub(crate) redirect_uri: String,
    pub(crate) client: Client,
    pub(crate) server: Metadata,
    pub(crate) resource: String,
}

/// What a login is begun with.
pub(crate) struct Beginning<'a> {
    pub(crate) upstream: &'a str,
    pub(crate) redirect_uri: &'a str,
    pub(crate) challenge: Option<&'a str>,
    pub(crate) rules: &'a UrlRules,
    pub(crate) vault: &'a Vault,
}

impl Login {
    /// What the person opens in a browser. Nobody can finish the login with it alone.
    pub fn url(&self) -> &str {
        &self.url
    }

    /// The value that comes back with the answer: who waits for several logins finds this one by it.
    pub fn state(&self) -> &str {
        &self.state
    }

    pub(crate) async fn begin(
        fetcher: &Fetcher,
        settings: &AuthorizationCodeSettings,
        with: Beginning<'_>,
    ) -> Result<Self, CredentialsError> {
        check_redirect(with.redirect_uri)?;
        let place = discover(fetcher, with.upstream, with.challenge, &settings.issuer).await?;
        let client = choose(fetcher, settings, &place.server, with.redirect_uri, with.vault).await?;
        let (state, verifier) = (random(), random());
        let endpoint = place.server.authorization_endpoint.as_deref().unwrap_or_default();
        let mut url = match Url::parse(endpoint) {
            Ok(url) if is_fine_url(endpoint, with.rules) => url,
            _ => {
                let words = "the authorization endpoint of its authorization server is no https URL";
                return Err(CredentialsError::Discovery(words.into()));
            }
        };
        let scope = scope(settings, &place);
        let code_challenge = URL_SAFE_NO_PAD.encode(digest(&SHA256, verifier.as_bytes()));
        url.query_pairs_mut().extend_pairs([
            ("response_type", "code"),
            ("client_id", &client.id),
            ("redirect_uri", with.redirect_uri),
            ("state", &state),
            ("code_challenge", &code_challenge),
            ("code_challenge_method", "S256"),
            ("resource", &place.resource),
        ]);
        if !scope.is_empty() {
            url.query_pairs_mut().append_pair("scope", &scope);
        }
        Ok(Self {
            url: url.into(),
            state,
            begun: Instant::now(),
            verifier: Secret::new(verifier),
            redirect_uri: with.redirect_uri.to_owned(),
            client,
            server: place.server,
            resource: place.resource,
        })
    }

    /// The code in the query of the redirect, if the query is the answer to this login.
    pub(crate) fn code(&self, query: &str) -> Result<Secret<String>, CredentialsError> {
        let refuse = |words| Err(CredentialsError::Login(words));
        if self.begun.elapsed() > PATIENCE {
            return refuse("it took longer than ten minutes");
        }
        if query.len() > QUERY_BYTES_MAX {
            return refuse("the answer is too long");
        }
        let pairs: Vec<(String, String)> =
            url::form_urlencoded::parse(query.trim_start_matches('?').as_bytes()).into_owned().collect();
        let only = |name: &str| -> Result<Option<&str>, CredentialsError> {
            let mut found = pairs.iter().filter(|(key, _)| key == name).map(|(_, value)| value.as_str());
            match (found.next(), found.next()) {
                (value, None) => Ok(value),
                _ => Err(CredentialsError::Login("the answer says something twice")),
            }
        };
        // Compared as hashes: how near a guess came does not show in the time it took.
        let same = |text: &str| {
            digest(&SHA256, text.as_bytes()).as_ref() == digest(&SHA256, self.state.as_bytes()).as_ref()
        };
        if !only("state")?.is_some_and(same) {
            return refuse("the answer belongs to another login");
        }
        // RFC 9207: an answer of another server must not be taken to this one (mix-up).
        match only("iss")? {
            Some(issuer) if issuer != self.server.issuer => {
                return refuse("the answer comes from another authorization server");
            }
            None if self.server.authorization_response_iss_parameter_supported => {
                return refuse("the answer does not say who it comes from");
            }
            _ => {}
        }
        if only("error")?.is_some() {
            return refuse("the person or the authorization server said no");
        }
        match only("code")? {
            Some(code) if !code.is_empty() => Ok(Secret::new(code.to_owned())),
            _ => refuse("the answer has no code"),
        }
    }
}

/// What the operator wrote, else what the upstream needs; and, where it is known, what gives a refresh token: without it
/// the person would log in again every hour.
fn scope(settings: &AuthorizationCodeSettings, place: &Place) -> String {
    let mut scopes = if settings.scopes.is_empty() { place.scopes.clone() } else { settings.scopes.clone() };
    let offline = "offline_access".to_owned();
    if !scopes.is_empty() && place.server.scopes_supported.contains(&offline) && !scopes.contains(&offline) {
        scopes.push(offline);
    }
    scopes.join(" ")
}

/// Ours, and nothing that could be read on the way: https, or this machine.
fn check_redirect(uri: &str) -> Result<(), CredentialsError> {
    let is_ours = Url::parse(uri).is_ok_and(|url| {
        let loopback = matches!(url.host_str(), Some("127.0.0.1" | "[::1]" | "localhost"));
        let clear = url.scheme() == "http" && loopback;
        (url.scheme() == "https" || clear) && url.fragment().is_none() && url.username().is_empty()
    });
    if is_ours {
        Ok(())
    } else {
        Err(CredentialsError::Login("the redirect URI is neither https nor on this machine"))
    }
}

fn random() -> String {
    let mut bytes = [0_u8; 32];
    SystemRandom::new().fill(&mut bytes).expect("the system has randomness");
    URL_SAFE_NO_PAD.encode(bytes)
}
