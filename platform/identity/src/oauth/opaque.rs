//! Tokens that only their issuer can read: asked about by introspection (RFC 7662), for seconds at a time.

use std::{
    sync::Arc,
    time::{Duration, Instant},
};

use moka::{policy::EvictionPolicy, sync::Cache};
use serde_json::Value;

use super::{
    Refusal,
    accepted::{Accepted, public_id},
    documents::introspection_url,
    grant::Grant,
    issuer::Issuer,
};

/// Answers remembered.
const ANSWERS_MAX: u64 = 10_000;
/// How long a refusal is remembered, so that one bad token costs one question.
const REFUSED_FOR: Duration = Duration::from_secs(5);

#[derive(Clone)]
struct Answer {
    result: Result<Arc<Accepted>, Refusal>,
    until: Instant,
}

/// What one issuer said lately.
pub(crate) struct Answers {
    kept: Cache<[u8; 32], Answer>,
    good_for: Duration,
}

impl Answers {
    pub(crate) fn new(good_for: Duration) -> Self {
        let kept = Cache::builder().max_capacity(ANSWERS_MAX).eviction_policy(EvictionPolicy::lru()).build();
        // A request is judged after the question: an answer must live at least that long.
        Self { kept, good_for: good_for.max(Duration::from_secs(1)) }
    }

    /// The answer in force for a token.
    pub(crate) fn get(&self, hash: &[u8; 32]) -> Option<Result<Arc<Accepted>, Refusal>> {
        self.kept.get(hash).filter(|it| Instant::now() < it.until).map(|it| it.result)
    }

    fn keep(&self, hash: [u8; 32], result: Result<Arc<Accepted>, Refusal>) {
        let good_for = if result.is_ok() { self.good_for } else { REFUSED_FOR.min(self.good_for) };
        self.kept.insert(hash, Answer { result, until: Instant::now() + good_for });
    }
}

impl Issuer {
    /// Asks about a token, unless an answer is here.
    pub(crate) async fn ask(&self, index: usize, token: &str, hash: [u8; 32]) {
        if self.answers.get(&hash).is_some() {
            return;
        }
        let result = match self.questions.try_acquire() {
            Ok(_turn) => self.ask_now(index, token, &hash).await,
            Err(_) => Err(Refusal::IssuerAway),
        };
        self.answers.keep(hash, result.map(Arc::new));
    }

    async fn ask_now(&self, index: usize, token: &str, hash: &[u8; 32]) -> Result<Accepted, Refusal> {
        let (Some(introspection), Some(secret)) = (&self.settings.introspection, &self.client_secret) else {
            return Err(Refusal::Malformed);
        };
        let client = (introspection.client_id.as_str(), secret.expose().as_str());
        let asked = async {
            let url = introspection_url(&self.fetcher, &self.settings).await?;
            let form = [("token", token), ("token_type_hint", "access_token")];
            self.fetcher.form("introspection.url", &url, Some(client), &form).await
        };
        let answer: Value = asked.await.map_err(|error| {
            tracing::warn!(issuer = self.alias, %error, "an issuer cannot be asked about a token");
            Refusal::IssuerAway
        })?;
        let claims = answer.as_object().ok_or(Refusal::IssuerAway)?;
        if claims.get("active") != Some(&Value::Bool(true)) {
            return Err(Refusal::Inactive);
        }
        if claims.get("iss").is_some_and(|it| it != &self.settings.url) {
            return Err(Refusal::Issuer);
        }
        let is_bearer = |it: &Value| it.as_str().is_some_and(|it| it.eq_ignore_ascii_case("bearer"));
        if claims.get("token_type").is_some_and(|it| !is_bearer(it)) {
            return Err(Refusal::Type);
        }
        let mut claims = claims.clone();
        // A subject is optional here; a client on its own behalf is its own subject.
        if !claims.contains_key("sub")
            && let Some(client) = claims.get("client_id").cloned()
        {
            claims.insert("sub".into(), client);
        }
        let grant = Grant::read(&self.alias, &self.settings, &claims, public_id(&self.alias, hash))?;
        Ok(Accepted { grant, issuer: index, key: None })
    }
}
