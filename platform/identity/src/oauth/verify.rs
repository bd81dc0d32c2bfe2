//! From a well-shaped JWT to proven claims.

use jsonwebtoken::{Validation, decode, errors::ErrorKind};
use serde_json::{Map, Value};

use super::{
    Refusal,
    issuer::Issuer,
    shape::{Shape, Strict},
};

/// Claims that the issuer signed, and the key that proved it.
pub(crate) struct Proven {
    pub(crate) claims: Map<String, Value>,
    pub(crate) key: [u8; 32],
}

/// Checks type, algorithm, key, signature, issuer and times. Audience and binding depend on the request and
/// are judged with it.
pub(crate) fn verify(
    token: &str,
    shape: &Shape,
    issuer: &Issuer,
    leeway_seconds: u32,
) -> Result<Proven, Refusal> {
    if !issuer.algorithms.contains(&shape.algorithm) {
        return Err(Refusal::Algorithm);
    }
    if !issuer.settings.token_types.iter().any(|it| it.eq_ignore_ascii_case(&shape.typ)) {
        return Err(Refusal::Type);
    }
    let keys = issuer.keys.current().ok_or(Refusal::IssuerAway)?;
    let key = keys.find(shape.kid.as_deref(), shape.algorithm).ok_or(Refusal::UnknownKey)?;
    let mut rules = Validation::new(shape.algorithm);
    rules.set_issuer(&[&issuer.settings.url]);
    rules.set_required_spec_claims(&["exp", "iss"]);
    rules.leeway = leeway_seconds.into();
    rules.validate_nbf = true;
    rules.validate_aud = false;
    let Strict(claims) = decode(token, &key.decoding, &rules).map_err(|error| refusal(&error))?.claims;
    match claims {
        Value::Object(claims) => Ok(Proven { claims, key: key.fingerprint }),
        _ => Err(Refusal::Malformed),
    }
}

fn refusal(error: &jsonwebtoken::errors::Error) -> Refusal {
    match error.kind() {
        ErrorKind::InvalidSignature => Refusal::Signature,
        ErrorKind::ExpiredSignature => Refusal::Expired,
        ErrorKind::ImmatureSignature => Refusal::TooEarly,
        ErrorKind::InvalidIssuer => Refusal::Issuer,
        ErrorKind::MissingRequiredClaim(_) | ErrorKind::InvalidClaimFormat(_) => Refusal::Claims,
        ErrorKind::InvalidAlgorithm | ErrorKind::UnsupportedAlgorithm => Refusal::Algorithm,
        _ => Refusal::Malformed,
    }
}
