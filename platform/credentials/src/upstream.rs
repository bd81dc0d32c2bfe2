//! The credentials of one upstream.

use std::{
    collections::{BTreeMap, HashMap},
    sync::Arc,
    time::{Duration, Instant},
};

use fetch::Fetcher;
use guard::url::UrlRules;
use kernel::{Principal, Secret};
use parking_lot::Mutex;
use vault::{Vault, name_in};

use crate::{
    AuthorizationCodeSettings, CredentialsError, Login, UpstreamAuthSettings,
    grant::{self, Token},
    login::Beginning,
    personal::Personal,
    shown::{Shown, Version},
};

/// How long filled-in headers are used before the vault is asked again, so that a rotated secret is taken up.
const HEADERS_GOOD_FOR: Duration = Duration::from_secs(5);
/// Refusals in a row after which an upstream is not asked with the same credentials for a while.
const REFUSALS_MAX: u32 = 3;
const REST: Duration = Duration::from_secs(30);
/// Persons whose headers are remembered.
const STATES_MAX: usize = 4096;
/// Longest scope that is repeated to the caller.
const SCOPE_BYTES_MAX: usize = 200;

type Headers = Vec<(String, Secret<String>)>;

/// Makes the headers for requests to one upstream. Shared by everybody who uses it.
pub struct UpstreamAuth {
    settings: UpstreamAuthSettings,
    resource: String,
    fetcher: Fetcher,
    vault: Arc<Vault>,
    rules: UrlRules,
    /// By principal where credentials are a person's own; else there is one, under the empty name.
    states: Mutex<HashMap<String, State>>,
    /// One question to the authorization server at a time; whoever waited takes what the other brought.
    flight: tokio::sync::Mutex<()>,
}

#[derive(Default)]
struct State {
    headers: Option<(Shown, Instant)>,
    /// Grows with everything that is made; tells which refusals are about what is in use now.
    generation: u64,
    version: Option<Version>,
    refusals: u32,
    rests_until: Option<Instant>,
    /// A person's token was refused: the next is a renewed one.
    spoiled: bool,
}

impl State {
    fn ready(&mut self) -> Result<Option<Shown>, CredentialsError> {
        let now = Instant::now();
        if self.rests_until.is_some_and(|until| now < until) {
            return Err(CredentialsError::Refused);
        }
        self.rests_until = None;
        Ok(self.headers.as_ref().filter(|(_, until)| now < *until).map(|(shown, _)| shown.clone()))
    }
}

impl UpstreamAuth {
    /// Takes the settings of the upstream at `url`. Nothing is fetched yet. `rules` say where its authorization server
    /// may be.
    ///
    /// # Errors
    /// When the settings make no sense.
    pub fn open(
        url: &str,
        settings: &UpstreamAuthSettings,
        rules: &UrlRules,
        vault: Arc<Vault>,
    ) -> Result<Arc<Self>, CredentialsError> {
        settings.check(rules)?;
        let fetcher = Fetcher::new(rules, "")
            .map_err(|error| CredentialsError::Settings { key: "issuer", rule: error.to_string() })?;
        let resource = match settings {
            UpstreamAuthSettings::ClientCredentials(it) if !it.resource.is_empty() => it.resource.clone(),
            _ => url.to_owned(),
        };
        let settings = settings.clone();
        let (rules, states, flight) = (rules.clone(), Mutex::default(), tokio::sync::Mutex::default());
        Ok(Arc::new(Self { settings, resource, fetcher, vault, rules, states, flight }))
    }

    /// The headers for the next request on behalf of `principal`.
    ///
    /// # Errors
    /// When a secret is missing, the person has not logged in, the authorization server gives no token, or the upstream
    /// has refused us too often.
    pub async fn headers(&self, principal: &Principal) -> Result<Shown, CredentialsError> {
        let key = self.key(principal);
        if let Some(ready) = self.with(key, State::ready)? {
            return Ok(ready);
        }
        let _turn = self.flight.lock().await;
        if let Some(ready) = self.with(key, State::ready)? {
            return Ok(ready);
        }
        let (headers, good_until) = self.make(principal).await?;
        Ok(self.with(key, |state| {
            state.generation += 1;
            state.spoiled = false;
            let version = state.version.unwrap_or(Version::Current);
            let shown = Shown { headers, key: key.to_owned(), generation: state.generation, version };
            state.headers = Some((shown.clone(), good_until));
            shown
        }))
    }

    /// The upstream answered `shown` with 401 or 403. `Ok`: ask for headers again and repeat the request, once.
    /// `challenge` is its `WWW-Authenticate` header.
    ///
    /// # Errors
    /// When nothing better can be shown: what the caller should hear.
    pub fn refused(
        &self,
        shown: &Shown,
        status: u16,
        challenge: Option<&str>,
    ) -> Result<(), CredentialsError> {
        if status == 403 {
            return Err(match challenge.and_then(wanted_scope) {
                Some(scope) => CredentialsError::Scope(scope),
                None => CredentialsError::Refused,
            });
        }
        let known = self.with(&shown.key, |state| {
            if shown.generation < state.generation {
                // Somebody else was refused too and has fresh ones already.
                return Ok(true);
            }
            state.headers = None;
            state.refusals += 1;
            if state.refusals >= REFUSALS_MAX {
                (state.rests_until, state.refusals) = (Some(Instant::now() + REST), 0);
                return Err(CredentialsError::Refused);
            }
            Ok(false)
        })?;
        if known {
            return Ok(());
        }
        let next = match &self.settings {
            UpstreamAuthSettings::None => None,
            // A token may have been withdrawn; the next is fresh.
            UpstreamAuthSettings::ClientCredentials(_) | UpstreamAuthSettings::AuthorizationCode(_) => {
                Some(Version::Current)
            }
            UpstreamAuthSettings::Headers { headers } => self.other_version(headers, shown)?,
        };
        self.with(&shown.key, |state| (state.version, state.spoiled) = (next, true));
        next.map(drop).ok_or(CredentialsError::Refused)
    }

    /// Begins a login: finds the authorization server of the upstream and says which URL the person opens.
    /// `redirect_uri` is where the answer comes back, exactly; `challenge` the `WWW-Authenticate` of the upstream's 401.
    ///
    /// # Errors
    /// When nobody can log in here, or what the upstream says of itself cannot be relied on.
    pub async fn begin_login(
        &self,
        redirect_uri: &str,
        challenge: Option<&str>,
    ) -> Result<Login, CredentialsError> {
        let settings = self.personal()?;
        let (upstream, rules, vault) = (&self.resource, &self.rules, &self.vault);
        Login::begin(&self.fetcher, settings, Beginning { upstream, redirect_uri, challenge, rules, vault })
            .await
    }

    /// Ends a login with the query of the redirect. What `principal` allowed is kept for them alone.
    ///
    /// # Errors
    /// When the query is not the answer to this login, or the authorization server gives no token for it.
    pub async fn finish_login(
        &self,
        login: Login,
        principal: &Principal,
        query: &str,
    ) -> Result<(), CredentialsError> {
        self.personal()?;
        let code = login.code(query)?;
        let made = Personal::redeem(&self.fetcher, &login, &code).await?;
        made.store(&self.vault, &self.resource, principal)?;
        self.states.lock().remove(self.key(principal));
        Ok(())
    }

    /// Forgets what `principal` allowed.
    ///
    /// # Errors
    /// When the vault cannot be written.
    pub fn log_out(&self, principal: &Principal) -> Result<(), CredentialsError> {
        self.states.lock().remove(self.key(principal));
        Personal::forget(&self.vault, &self.resource, principal)
    }

    fn personal(&self) -> Result<&AuthorizationCodeSettings, CredentialsError> {
        match &self.settings {
            UpstreamAuthSettings::AuthorizationCode(settings) => Ok(settings),
            _ => Err(CredentialsError::Login("nobody logs in to this upstream")),
        }
    }

    fn key<'a>(&self, principal: &'a Principal) -> &'a str {
        if self.personal().is_ok() { &principal.id } else { "" }
    }

    fn with<T>(&self, key: &str, change: impl FnOnce(&mut State) -> T) -> T {
        let mut states = self.states.lock();
        if states.len() >= STATES_MAX && !states.contains_key(key) {
            // Everybody is asked for again; nothing is lost.
            states.clear();
        }
        change(states.entry(key.to_owned()).or_default())
    }

    /// The newest secret, when it is another than the one that was refused; else the one before it.
    fn other_version(
        &self,
        headers: &BTreeMap<String, String>,
        shown: &Shown,
    ) -> Result<Option<Version>, CredentialsError> {
        if shown.version == Version::Previous {
            return Ok(None);
        }
        for version in [Version::Current, Version::Previous] {
            if self.fill_all(headers, version)? != shown.headers {
                return Ok(Some(version));
            }
        }
        Ok(None)
    }

    /// The upstream took what it was shown.
    pub fn accepted(&self, shown: &Shown) {
        self.with(&shown.key, |state| {
            if shown.generation == state.generation {
                state.refusals = 0;
            }
        });
    }

    async fn make(&self, principal: &Principal) -> Result<(Headers, Instant), CredentialsError> {
        match &self.settings {
            UpstreamAuthSettings::None => Ok((Vec::new(), Instant::now() + HEADERS_GOOD_FOR)),
            UpstreamAuthSettings::Headers { headers } => {
                let version = self.with("", |state| state.version).unwrap_or(Version::Current);
                Ok((self.fill_all(headers, version)?, Instant::now() + HEADERS_GOOD_FOR))
            }
            UpstreamAuthSettings::ClientCredentials(settings) => {
                let Token { value, good_until } =
                    grant::obtain(&self.fetcher, settings, &self.resource, &self.vault).await?;
                let bearer = Secret::new(format!("Bearer {}", value.expose()));
                Ok((vec![("authorization".to_owned(), bearer)], good_until))
            }
            UpstreamAuthSettings::AuthorizationCode(settings) => {
                self.make_personal(settings, principal).await
            }
        }
    }

    async fn make_personal(
        &self,
        settings: &AuthorizationCodeSettings,
        principal: &Principal,
    ) -> Result<(Headers, Instant), CredentialsError> {
        let needed = || CredentialsError::LoginNeeded(principal.id.clone());
        let spoiled = self.with(&principal.id, |state| state.spoiled);
        let mut personal = Personal::load(&self.vault, &self.resource, principal)?.ok_or_else(needed)?;
        if spoiled || !personal.is_fresh() {
            personal.renew(&self.fetcher, &settings.issuer).await.map_err(|error| match error {
                CredentialsError::Login(_) => needed(),
                other => other,
            })?;
            personal.store(&self.vault, &self.resource, principal)?;
        }
        let headers = vec![("authorization".to_owned(), personal.bearer())];
        Ok((headers, Instant::now() + HEADERS_GOOD_FOR.min(personal.good_for())))
    }

    fn fill_all(
        &self,
        headers: &BTreeMap<String, String>,
        version: Version,
    ) -> Result<Headers, CredentialsError> {
        headers.iter().map(|(name, value)| Ok((name.clone(), self.fill(value, version)?))).collect()
    }

    fn fill(&self, text: &str, version: Version) -> Result<Secret<String>, CredentialsError> {
        let filled = match (version, name_in(text)) {
            (Version::Current, _) => self.vault.resolve(text)?,
            (Version::Previous, Some(name)) => older(&self.vault, name)?,
            (Version::Previous, None) => self.vault.resolve_with(text, |name| older(&self.vault, name))?,
        };
        if filled.expose().bytes().any(|it| it.is_ascii_control()) {
            let rule = "a secret in it has a line break or another control character".to_owned();
            return Err(CredentialsError::Settings { key: "headers", rule });
        }
        Ok(filled)
    }
}

fn older(vault: &Vault, name: &str) -> Result<Secret<String>, vault::VaultError> {
    let versions = vault.versions(name)?;
    Ok(versions.previous.unwrap_or(versions.current))
}

/// The `scope` of a challenge, when it is plain enough to be repeated.
fn wanted_scope(challenge: &str) -> Option<String> {
    let (_, rest) = challenge.split_once("scope=\"")?;
    let (scope, _) = rest.split_once('"')?;
    let plain = |it: u8| it.is_ascii_alphanumeric() || matches!(it, b' ' | b':' | b'.' | b'_' | b'-' | b'/');
    (!scope.is_empty() && scope.len() <= SCOPE_BYTES_MAX && scope.bytes().all(plain))
        .then(|| scope.to_owned())
}
