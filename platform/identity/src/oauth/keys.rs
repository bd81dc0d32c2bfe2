//! The public keys of one issuer: fetched when needed, served stale when the issuer is away, and never fetched
//! faster than a bounded pace, whatever key ids strangers make up.

use std::{
    collections::HashMap,
    sync::Arc,
    time::{Duration, Instant},
};

use jsonwebtoken::{
    Algorithm, AlgorithmFamily, DecodingKey,
    jwk::{Jwk, KeyOperations, PublicKeyUse},
};
use parking_lot::{Mutex, RwLock};
use ring::digest::{SHA256, digest};
use serde::Deserialize;
use serde_json::value::RawValue;

use fetch::{FetchError, Fetcher};

use super::{documents::keys_url, settings::IssuerSettings};

/// Keys younger than this are not fetched again, unless a token names one that is not among them.
const FRESH: Duration = Duration::from_secs(600);
/// Keys older than this are not believed any more.
const STALE_MAX: Duration = Duration::from_secs(24 * 3600);
/// Fetches that may follow each other at once, and how fast that allowance comes back.
const BURST: f64 = 4.0;
const SECONDS_PER_FETCH: f64 = 30.0;
/// How long a key id that was not found is not looked for again, and how many are remembered.
const UNKNOWN_FOR: Duration = Duration::from_secs(60);
const UNKNOWN_MAX: usize = 256;
/// Keys of one issuer.
const KEYS_MAX: usize = 64;

/// One key, and what it may be used for.
pub(crate) struct TrustedKey {
    kid: Option<String>,
    /// When the issuer restricts it to one.
    algorithm: Option<Algorithm>,
    family: AlgorithmFamily,
    pub(crate) decoding: DecodingKey,
    /// Tells keys apart even when two have the same id.
    pub(crate) fingerprint: [u8; 32],
}

/// The keys of one fetch.
pub(crate) struct KeySet {
    keys: Vec<TrustedKey>,
    fetched: Instant,
}

#[derive(Deserialize)]
struct Document {
    keys: Vec<Box<RawValue>>,
}

impl KeySet {
    fn read(document: &Document) -> Self {
        let keys = document.keys.iter().take(KEYS_MAX).filter_map(|raw| trusted(raw.get())).collect();
        Self { keys, fetched: Instant::now() }
    }

    fn has(&self, kid: &str) -> bool {
        self.keys.iter().any(|it| it.kid.as_deref() == Some(kid))
    }

    /// The key a token names; without a name, the only key its algorithm fits.
    pub(crate) fn find(&self, kid: Option<&str>, algorithm: Algorithm) -> Option<&TrustedKey> {
        let fits = |it: &&TrustedKey| {
            it.family == algorithm.family()
                && it.algorithm.is_none_or(|only| only == algorithm)
                && kid.is_none_or(|kid| it.kid.as_deref() == Some(kid))
        };
        let mut fitting = self.keys.iter().filter(fits);
        match (fitting.next(), fitting.next()) {
            (Some(only), None) => Some(only),
            _ => None,
        }
    }

    pub(crate) fn still_has(&self, fingerprint: &[u8; 32]) -> bool {
        self.keys.iter().any(|it| it.fingerprint == *fingerprint)
    }

    pub(crate) fn len(&self) -> usize {
        self.keys.len()
    }
}

/// A public key for signatures; anything else in the document is none of our business.
fn trusted(raw: &str) -> Option<TrustedKey> {
    let jwk: Jwk = serde_json::from_str(raw).ok()?;
    let common = &jwk.common;
    let for_signatures = common.public_key_use.as_ref().is_none_or(|it| *it == PublicKeyUse::Signature)
        && common.key_operations.as_ref().is_none_or(|it| it.contains(&KeyOperations::Verify));
    let algorithm = match common.key_algorithm {
        None => None,
        Some(named) => Some(named.to_string().parse().ok()?),
    };
    let decoding = DecodingKey::from_jwk(&jwk).ok()?;
    let family = decoding.family();
    let usable = for_signatures && family != AlgorithmFamily::Hmac;
    let fingerprint = digest(&SHA256, raw.as_bytes()).as_ref().try_into().ok()?;
    usable.then(|| TrustedKey { kid: common.key_id.clone(), algorithm, family, decoding, fingerprint })
}

/// What has to happen before a token with some key id can be judged.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Need {
    Nothing,
    /// What is here is good; newer keys may be fetched meanwhile.
    Renewal,
    /// Nothing here is good enough.
    Keys,
}

/// The cache.
pub(crate) struct Keys {
    set: RwLock<Option<Arc<KeySet>>>,
    pace: Mutex<(f64, Instant)>,
    unknown: Mutex<HashMap<String, Instant>>,
    /// One fetch at a time; whoever waited takes what the other brought.
    flight: tokio::sync::Mutex<()>,
}

impl Keys {
    pub(crate) fn new() -> Self {
        Self {
            set: RwLock::new(None),
            pace: Mutex::new((BURST, Instant::now())),
            unknown: Mutex::default(),
            flight: tokio::sync::Mutex::default(),
        }
    }

    /// The keys in force; none when they are too old to be believed.
    pub(crate) fn current(&self) -> Option<Arc<KeySet>> {
        self.set.read().clone().filter(|it| it.fetched.elapsed() < STALE_MAX)
    }

    pub(crate) fn need(&self, kid: Option<&str>) -> Need {
        let Some(set) = self.current() else { return Need::Keys };
        match kid {
            Some(kid) if !set.has(kid) && !self.is_known_unknown(kid) => Need::Keys,
            _ if set.fetched.elapsed() >= FRESH => Need::Renewal,
            _ => Need::Nothing,
        }
    }

    /// Fetches, unless somebody just did or the pace forbids it. The old keys stay when it fails.
    pub(crate) async fn renew(
        &self,
        fetcher: &Fetcher,
        settings: &IssuerSettings,
        kid: Option<&str>,
    ) -> Result<(), FetchError> {
        let asked = Instant::now();
        let _turn = self.flight.lock().await;
        let is_newer = self.set.read().as_ref().is_some_and(|it| it.fetched > asked);
        if !is_newer {
            if !self.may_fetch() {
                return Ok(());
            }
            let url = keys_url(fetcher, settings).await?;
            let set = KeySet::read(&fetcher.json::<Document>("jwks_url", &url).await?);
            *self.set.write() = Some(Arc::new(set));
        }
        if let Some(kid) = kid
            && self.current().is_some_and(|set| !set.has(kid))
        {
            self.note_unknown(kid);
        }
        Ok(())
    }

    fn may_fetch(&self) -> bool {
        let mut pace = self.pace.lock();
        let now = Instant::now();
        let grown = now.saturating_duration_since(pace.1).as_secs_f64() / SECONDS_PER_FETCH;
        *pace = ((pace.0 + grown).min(BURST), now);
        if pace.0 < 1.0 {
            return false;
        }
        pace.0 -= 1.0;
        true
    }

    fn is_known_unknown(&self, kid: &str) -> bool {
        self.unknown.lock().get(kid).is_some_and(|since| since.elapsed() < UNKNOWN_FOR)
    }

    fn note_unknown(&self, kid: &str) {
        let mut unknown = self.unknown.lock();
        if unknown.len() >= UNKNOWN_MAX {
            unknown.retain(|_, since| since.elapsed() < UNKNOWN_FOR);
            if unknown.len() >= UNKNOWN_MAX {
                unknown.clear();
            }
        }
        unknown.insert(kid.to_owned(), Instant::now());
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const EC: &str = r#""kty":"EC","crv":"P-256","x":"f83OJ3D2xF1Bg8vub9tLe1gHMzV76e8Tus9uPHvRVEU","y":"x_FEzRu9m36HLN_tue659LNpXW6pCyStikYjKIWI5a0""#;

    fn set(keys: &[String]) -> KeySet {
        KeySet::read(&serde_json::from_str(&format!("{{\"keys\":[{}]}}", keys.join(","))).unwrap())
    }

    #[test]
    fn only_public_signature_keys_are_taken() {
        for (key, taken) in [
            (format!("{{{EC},\"kid\":\"a\"}}"), true),
            (format!("{{{EC},\"use\":\"sig\",\"alg\":\"ES256\"}}"), true),
            (format!("{{{EC},\"use\":\"enc\"}}"), false),
            (format!("{{{EC},\"key_ops\":[\"sign\"]}}"), false),
            (format!("{{{EC},\"alg\":\"ECDH-ES\"}}"), false),
            (r#"{"kty":"oct","k":"c2VjcmV0"}"#.to_owned(), false),
            (r#"{"kty":"AKP","alg":"ML-DSA-44","pub":"AA"}"#.to_owned(), false),
            ("7".to_owned(), false),
        ] {
            assert_eq!(set(std::slice::from_ref(&key)).len() == 1, taken, "{key}");
        }
        let many: Vec<String> = (0..100).map(|it| format!("{{{EC},\"kid\":\"{it}\"}}")).collect();
        assert_eq!(set(&many).len(), KEYS_MAX);
    }

    #[test]
    fn a_key_is_found_by_name_or_when_only_one_fits() {
        let two = set(&[format!("{{{EC},\"kid\":\"a\"}}"), format!("{{{EC},\"kid\":\"b\"}}")]);
        assert!(two.find(Some("a"), Algorithm::ES256).is_some());
        assert!(two.find(None, Algorithm::ES256).is_none(), "which of the two?");
        assert!(two.find(Some("a"), Algorithm::RS256).is_none(), "another family");
        assert!(two.find(Some("a' OR '1'='1"), Algorithm::ES256).is_none());
        let one = set(&[format!("{{{EC},\"kid\":\"a\",\"alg\":\"ES256\"}}")]);
        assert!(one.find(None, Algorithm::ES256).is_some());
        assert!(one.find(None, Algorithm::ES384).is_none(), "the key is for another algorithm");
    }

    #[test]
    fn made_up_key_ids_cost_few_fetches_and_little_memory() {
        let keys = Keys::new();
        assert_eq!(keys.need(Some("a")), Need::Keys);
        assert_eq!((0..100).filter(|_| keys.may_fetch()).count(), 4);
        *keys.set.write() = Some(Arc::new(set(&[format!("{{{EC},\"kid\":\"a\"}}")])));
        assert_eq!(keys.need(Some("a")), Need::Nothing);
        assert_eq!(keys.need(Some("b")), Need::Keys);
        keys.note_unknown("b");
        assert_eq!(keys.need(Some("b")), Need::Nothing, "it was looked for a moment ago");
        for index in 0..10_000 {
            keys.note_unknown(&index.to_string());
        }
        assert!(keys.unknown.lock().len() <= UNKNOWN_MAX);
    }
}
