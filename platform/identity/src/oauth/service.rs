//! The whole of it, as the gate asks: settings in force, issuers, and tokens proven lately.

use std::sync::Arc;

use kernel::{BoxFuture, Principal, Secret};
use pipeline::seams::{Credentials, Issuers, NotAdmitted};
use store::Clock;

use super::{
    Refusal,
    accepted::{Accepted, AcceptedTokens, hash, public_id},
    documents::IssuerReport,
    grant::Grant,
    issuer::Issuer,
    ring_provider,
    settings::OAuthSettings,
    shape::{Shape, TOKEN_BYTES_MAX, is_jwt},
    verify::verify,
};

/// Finds the value behind `secret:NAME`, or says in a sentence why it cannot.
pub type SecretLookup<'a> = dyn Fn(&str) -> Result<Secret<String>, String> + 'a;

/// Judges access tokens of foreign authorization servers. Changed settings make a new one.
pub struct OAuth {
    issuers: Vec<Arc<Issuer>>,
    published: Arc<Issuers>,
    leeway_seconds: u32,
    public_url: String,
    accepted: AcceptedTokens,
    clock: Clock,
}

impl OAuth {
    /// Takes settings that were checked with [`OAuthSettings::faults`]. Nothing is fetched yet.
    ///
    /// # Errors
    /// When a secret or a CA file cannot be read.
    pub fn new(
        settings: &OAuthSettings,
        public_url: Option<&str>,
        secrets: &SecretLookup<'_>,
        clock: Clock,
    ) -> Result<Self, String> {
        ring_provider::install();
        let mut issuers = Vec::new();
        for (alias, issuer) in &settings.issuer {
            let secret = match &issuer.introspection {
                Some(it) => Some(secrets(&it.client_secret)?),
                None => None,
            };
            let made = Issuer::new(alias, issuer, secret);
            issuers.push(Arc::new(made.map_err(|error| format!("auth.oauth.issuer.{alias}: {error}"))?));
        }
        let mut scopes: Vec<String> =
            settings.issuer.values().flat_map(|it| it.scope_roles.keys().cloned()).collect();
        scopes.sort();
        scopes.dedup();
        let published = Issuers {
            authorization_servers: settings.issuer.values().map(|it| it.url.clone()).collect(),
            scopes,
            first_scopes: settings.first_scopes.clone(),
        };
        Ok(Self {
            issuers,
            published: Arc::new(published),
            leeway_seconds: settings.leeway_seconds,
            public_url: public_url.unwrap_or_default().trim_end_matches('/').to_owned(),
            accepted: AcceptedTokens::new(),
            clock,
        })
    }

    /// Looks at every issuer now: metadata, keys.
    pub async fn report(&self) -> Vec<IssuerReport> {
        let mut reports = Vec::new();
        for issuer in &self.issuers {
            reports.push(issuer.report().await);
        }
        reports
    }

    pub(crate) fn published(&self) -> Arc<Issuers> {
        Arc::clone(&self.published)
    }

    /// What judging `token` needs and is not here: keys, or an answer of the issuers.
    pub(crate) fn prepare<'a>(&self, token: &'a str) -> Option<BoxFuture<'a, ()>> {
        if self.issuers.is_empty() || token.len() > TOKEN_BYTES_MAX {
            return None;
        }
        let hash = hash(token);
        if is_jwt(token) {
            // A forgery costs no fetch unless it names one of our issuers and a new key.
            let shape = Shape::read(token).ok()?;
            let (_, issuer) = self.issuer_of(&shape)?;
            let wait =
                issuer.algorithms.contains(&shape.algorithm) && issuer.must_wait_for(shape.kid.as_deref());
            return wait.then(|| -> BoxFuture<'a, ()> {
                let issuer = Arc::clone(issuer);
                Box::pin(async move { issuer.renew_keys(shape.kid.as_deref()).await })
            });
        }
        let asked: Vec<(usize, Arc<Issuer>)> = self
            .askable()
            .filter(|(_, it)| it.answers.get(&hash).is_none())
            .map(|(index, it)| (index, Arc::clone(it)))
            .collect();
        (!asked.is_empty()).then(|| -> BoxFuture<'a, ()> {
            Box::pin(async move {
                for (index, issuer) in asked {
                    issuer.ask(index, token, hash).await;
                }
            })
        })
    }

    pub(crate) fn admit(&self, token: &str, shown: &Credentials<'_>) -> Result<Arc<Principal>, NotAdmitted> {
        let refused = |refusal: Refusal| refusal.not_admitted(&self.published.scopes);
        let accepted = self.judge(token).map_err(refused)?;
        let grant = &accepted.grant;
        if !self.is_for_us(&accepted, shown.resource) {
            return Err(refused(Refusal::Audience));
        }
        if !grant.is_bound_to(shown.certificate) {
            return Err(refused(Refusal::Binding));
        }
        if grant.principal.roles.is_empty() {
            let more = grant.with_more_scope(&self.issuers[accepted.issuer].settings);
            let scopes: Vec<String> = more.into_iter().map(|(scope, _)| scope).collect();
            return Err(Refusal::NoRole.not_admitted(&scopes));
        }
        Ok(Arc::clone(&grant.principal))
    }

    /// Whether a principal of ours is still good; `None` when it is none of ours.
    pub(crate) fn still_valid(&self, principal: &Principal) -> Option<bool> {
        let accepted = self.accepted_of(principal)?;
        let fresh = match accepted.key {
            Some(_) => self.is_current(&accepted).is_ok(),
            // Asked again by the next request; a running session ends with the token.
            None => !self.is_expired(&accepted.grant),
        };
        Some(fresh && *accepted.grant.principal == *principal)
    }

    pub(crate) fn with_more_scope(&self, principal: &Principal) -> Vec<(String, Principal)> {
        let Some(accepted) = self.accepted_of(principal) else { return Vec::new() };
        accepted.grant.with_more_scope(&self.issuers[accepted.issuer].settings)
    }

    fn accepted_of(&self, principal: &Principal) -> Option<Arc<Accepted>> {
        self.accepted.by_id(principal.token_id.as_deref()?)
    }

    /// Everything but what depends on the request.
    fn judge(&self, token: &str) -> Result<Arc<Accepted>, Refusal> {
        if token.len() > TOKEN_BYTES_MAX {
            return Err(Refusal::Malformed);
        }
        let hash = hash(token);
        if !is_jwt(token) {
            return self.judge_opaque(&hash);
        }
        if let Some(accepted) = self.accepted.by_hash(&hash) {
            return self.is_current(&accepted).map(|()| accepted);
        }
        let shape = Shape::read(token)?;
        let (index, issuer) = self.issuer_of(&shape).ok_or(Refusal::Issuer)?;
        let proven = verify(token, &shape, issuer, self.leeway_seconds)?;
        let id = public_id(&issuer.alias, &hash);
        let grant = Grant::read(&issuer.alias, &issuer.settings, &proven.claims, id)?;
        let accepted = Arc::new(Accepted { grant, issuer: index, key: Some(proven.key) });
        self.accepted.keep(hash, Arc::clone(&accepted));
        Ok(accepted)
    }

    fn judge_opaque(&self, hash: &[u8; 32]) -> Result<Arc<Accepted>, Refusal> {
        let mut refusal = Refusal::Malformed;
        for (_, issuer) in self.askable() {
            match issuer.answers.get(hash) {
                Some(Ok(accepted)) if self.is_expired(&accepted.grant) => return Err(Refusal::Expired),
                Some(Ok(accepted)) => {
                    self.accepted.keep(*hash, Arc::clone(&accepted));
                    return Ok(accepted);
                }
                Some(Err(error)) => refusal = error,
                None => refusal = Refusal::IssuerAway,
            }
        }
        Err(refusal)
    }

    fn askable(&self) -> impl Iterator<Item = (usize, &Arc<Issuer>)> {
        self.issuers.iter().enumerate().filter(|(_, it)| it.client_secret.is_some())
    }

    fn issuer_of(&self, shape: &Shape) -> Option<(usize, &Arc<Issuer>)> {
        self.issuers.iter().enumerate().find(|(_, it)| it.settings.url == shape.issuer)
    }

    /// What was proven once may have expired, or its key may have been withdrawn.
    fn is_current(&self, accepted: &Accepted) -> Result<(), Refusal> {
        if self.is_expired(&accepted.grant) {
            return Err(Refusal::Expired);
        }
        let keys = self.issuers[accepted.issuer].keys.current().ok_or(Refusal::IssuerAway)?;
        match &accepted.key {
            Some(key) if !keys.still_has(key) => Err(Refusal::UnknownKey),
            _ => Ok(()),
        }
    }

    fn is_expired(&self, grant: &Grant) -> bool {
        self.clock.now_seconds() >= grant.expires_at.saturating_add(self.leeway_seconds.into())
    }

    /// The URL that was asked for, one of the URLs that stand for all of ours, or a name the operator accepts.
    fn is_for_us(&self, accepted: &Accepted, resource: Option<&str>) -> bool {
        let whole = format!("{}/mcp", self.public_url);
        let named = self.issuers[accepted.issuer].settings.audiences.iter().map(String::as_str);
        let ours: Vec<&str> = (!self.public_url.is_empty())
            .then_some([self.public_url.as_str(), whole.as_str()])
            .into_iter()
            .flatten()
            .chain(resource)
            .chain(named)
            .collect();
        accepted.grant.is_for(&ours)
    }
}
