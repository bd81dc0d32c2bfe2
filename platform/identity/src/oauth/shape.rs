//! What a JWT may look like, judged before any of it is believed.

use std::fmt;

use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use jsonwebtoken::Algorithm;
use serde::{
    Deserialize, Deserializer,
    de::{Error, MapAccess, SeqAccess, Visitor},
};
use serde_json::{Map, Value};

use super::Refusal;

/// Longest token in bytes.
pub(crate) const TOKEN_BYTES_MAX: usize = 8192;
/// Longest key id in bytes.
const KID_BYTES_MAX: usize = 256;

/// Fields of the header that we know how to treat. The thumbprints are hints and are ignored; whatever brings
/// a key or the address of one, and whatever must be understood (`crit`), is not among them.
const HEADER_FIELDS: [&str; 5] = ["alg", "typ", "kid", "x5t", "x5t#S256"];

/// The header and what it claims, unproven.
#[derive(Debug)]
pub(crate) struct Shape {
    pub(crate) algorithm: Algorithm,
    pub(crate) typ: String,
    pub(crate) kid: Option<String>,
    /// Only to find the issuer's keys.
    pub(crate) issuer: String,
}

impl Shape {
    pub(crate) fn read(token: &str) -> Result<Self, Refusal> {
        if token.len() > TOKEN_BYTES_MAX {
            return Err(Refusal::Malformed);
        }
        let mut parts = token.split('.');
        let (Some(header), Some(claims), Some(signature), None) =
            (parts.next(), parts.next(), parts.next(), parts.next())
        else {
            return Err(Refusal::Malformed);
        };
        let header = object(header)?;
        let claims = object(claims)?;
        URL_SAFE_NO_PAD.decode(signature).map_err(|_| Refusal::Malformed)?;
        if header.keys().any(|it| !HEADER_FIELDS.contains(&it.as_str())) {
            return Err(Refusal::ForeignHeader);
        }
        let text = |name: &str| header.get(name).and_then(Value::as_str);
        let algorithm = text("alg").and_then(|it| it.parse().ok()).ok_or(Refusal::Algorithm)?;
        let kid = match header.get("kid") {
            None => None,
            Some(Value::String(kid)) if (1..=KID_BYTES_MAX).contains(&kid.len()) => Some(kid.clone()),
            Some(_) => return Err(Refusal::UnknownKey),
        };
        let typ = text("typ").unwrap_or_default().to_owned();
        let issuer = claims.get("iss").and_then(Value::as_str).ok_or(Refusal::Issuer)?.to_owned();
        Ok(Self { algorithm, typ, kid, issuer })
    }
}

/// Whether a token is to be read as a JWT: everything with two dots is.
pub(crate) fn is_jwt(token: &str) -> bool {
    token.bytes().filter(|it| *it == b'.').count() == 2
}

fn object(part: &str) -> Result<Map<String, Value>, Refusal> {
    let bytes = URL_SAFE_NO_PAD.decode(part).map_err(|_| Refusal::Malformed)?;
    let Strict(value) = serde_json::from_slice(&bytes).map_err(|_| Refusal::Malformed)?;
    match value {
        Value::Object(map) => Ok(map),
        _ => Err(Refusal::Malformed),
    }
}

/// JSON in which no key occurs twice: two parsers must not be able to read two meanings.
pub(crate) struct Strict(pub(crate) Value);

impl<'de> Deserialize<'de> for Strict {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(StrictVisitor).map(Self)
    }
}

struct StrictVisitor;

impl<'de> Visitor<'de> for StrictVisitor {
    type Value = Value;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("JSON without repeated keys")
    }

    fn visit_bool<E: Error>(self, value: bool) -> Result<Value, E> {
        Ok(value.into())
    }

    fn visit_i64<E: Error>(self, value: i64) -> Result<Value, E> {
        Ok(value.into())
    }

    fn visit_u64<E: Error>(self, value: u64) -> Result<Value, E> {
        Ok(value.into())
    }

    fn visit_f64<E: Error>(self, value: f64) -> Result<Value, E> {
        Ok(value.into())
    }

    fn visit_str<E: Error>(self, value: &str) -> Result<Value, E> {
        Ok(value.into())
    }

    fn visit_unit<E: Error>(self) -> Result<Value, E> {
        Ok(Value::Null)
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> Result<Value, A::Error> {
        let mut items = Vec::new();
        while let Some(Strict(item)) = seq.next_element()? {
            items.push(item);
        }
        Ok(items.into())
    }

    fn visit_map<A: MapAccess<'de>>(self, mut access: A) -> Result<Value, A::Error> {
        let mut map = Map::new();
        while let Some((key, Strict(value))) = access.next_entry::<String, Strict>()? {
            if map.insert(key, value).is_some() {
                return Err(A::Error::custom("a key occurs twice"));
            }
        }
        Ok(map.into())
    }
}
