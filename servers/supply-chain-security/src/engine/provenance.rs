//! Who built a file, as a signed statement says it.

use base64::{Engine as _, engine::general_purpose::STANDARD};
use ring::signature;
use serde_json::Value;

use super::{
    component::clean,
    fields::{items, maybe, text},
};

/// Signatures of one envelope that are tried.
const SIGNATURES_MAX: usize = 16;
/// What stands before the key itself in an Ed25519 and in a P-256 public key.
const ED25519: &[u8] = &[0x30, 0x2a, 0x30, 0x05, 0x06, 0x03, 0x2b, 0x65, 0x70, 0x03, 0x21, 0x00];
const P256: &[u8] = &[
    0x30, 0x59, 0x30, 0x13, 0x06, 0x07, 0x2a, 0x86, 0x48, 0xce, 0x3d, 0x02, 0x01, 0x06, 0x08, 0x2a, 0x86,
    0x48, 0xce, 0x3d, 0x03, 0x01, 0x07, 0x03, 0x42, 0x00,
];

/// A public key that signatures are checked with.
#[derive(Debug)]
pub(crate) enum PublicKey {
    Ed25519(Vec<u8>),
    P256(Vec<u8>),
}

impl PublicKey {
    /// Reads a key in PEM.
    pub(crate) fn read(pem: &str) -> Result<Self, String> {
        let body = pem
            .split_once("-----BEGIN PUBLIC KEY-----")
            .and_then(|it| it.1.split_once("-----END PUBLIC KEY-----"));
        let (body, _) = body.ok_or("it is no public key in PEM")?;
        let packed: String = body.split_whitespace().collect();
        let der = STANDARD.decode(packed).map_err(|_| "it is no public key in PEM")?;
        match (der.strip_prefix(ED25519), der.strip_prefix(P256)) {
            (Some(key), _) if key.len() == 32 => Ok(Self::Ed25519(key.to_vec())),
            (_, Some(key)) if key.len() == 65 => Ok(Self::P256(key.to_vec())),
            _ => Err("only Ed25519 and P-256 keys are read".into()),
        }
    }

    fn verifies(&self, message: &[u8], signed: &[u8]) -> bool {
        let (algorithm, key): (&dyn signature::VerificationAlgorithm, _) = match self {
            Self::Ed25519(key) => (&signature::ED25519, key),
            Self::P256(key) => (&signature::ECDSA_P256_SHA256_ASN1, key),
        };
        signature::UnparsedPublicKey::new(algorithm, key).verify(message, signed).is_ok()
    }
}

/// How the signature stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Signature {
    /// One of them was made with the key.
    Verified,
    /// None of them was made with the key.
    Invalid,
    /// There is none.
    Missing,
    /// No key was given to check with.
    NotChecked,
}

impl Signature {
    pub(crate) fn as_str(self) -> &'static str {
        match self {
            Self::Verified => "verified",
            Self::Invalid => "invalid",
            Self::Missing => "missing",
            Self::NotChecked => "not_checked",
        }
    }
}

/// What a statement says, and how far it can be believed.
#[derive(Debug)]
pub(crate) struct Attested {
    pub(crate) signature: Signature,
    /// The statement names exactly this file's digest.
    pub(crate) matches_artifact: bool,
    pub(crate) predicate_type: String,
    pub(crate) builder: Option<String>,
    pub(crate) source: Option<String>,
}

/// Reads an envelope, a bundle around one, or a bare statement.
pub(crate) fn check(document: &Value, sha256: &str, key: Option<&PublicKey>) -> Result<Attested, String> {
    let envelope = document.get("dsseEnvelope").unwrap_or(document);
    let (statement, signature) = match maybe(envelope, "payload") {
        Some(payload) => {
            let payload = STANDARD.decode(payload).map_err(|_| "its payload is no base64")?;
            let signature = signature(envelope, &payload, key);
            (
                serde_json::from_slice(&payload)
                    .map_err(|error| format!("its payload is no JSON: {error}"))?,
                signature,
            )
        }
        None => (envelope.clone(), Signature::Missing),
    };
    if !text(&statement, "_type").starts_with("https://in-toto.io/Statement/") {
        return Err("it holds no in-toto statement".into());
    }
    let digest =
        |it: &Value| it.get("digest").is_some_and(|it| text(it, "sha256").eq_ignore_ascii_case(sha256));
    let predicate = statement.get("predicate").unwrap_or(&Value::Null);
    let at = |path: &[&str]| {
        let found = path.iter().try_fold(predicate, |it, key| it.get(key))?;
        found.as_str().map(clean)
    };
    let builder = at(&["runDetails", "builder", "id"]).or_else(|| at(&["builder", "id"]));
    let source = at(&["buildDefinition", "externalParameters", "workflow", "repository"])
        .or_else(|| at(&["buildDefinition", "externalParameters", "source"]))
        .or_else(|| at(&["invocation", "configSource", "uri"]));
    Ok(Attested {
        signature,
        matches_artifact: items(&statement, "subject").any(digest),
        predicate_type: clean(text(&statement, "predicateType")),
        builder,
        source,
    })
}

fn signature(envelope: &Value, payload: &[u8], key: Option<&PublicKey>) -> Signature {
    let signed: Vec<Vec<u8>> = items(envelope, "signatures")
        .take(SIGNATURES_MAX)
        .filter_map(|it| STANDARD.decode(text(it, "sig")).ok())
        .collect();
    let Some(key) = key.filter(|_| !signed.is_empty()) else {
        return if signed.is_empty() { Signature::Missing } else { Signature::NotChecked };
    };
    let message = encoded(text(envelope, "payloadType"), payload);
    if signed.iter().any(|it| key.verifies(&message, it)) { Signature::Verified } else { Signature::Invalid }
}

/// What is really signed: type and payload, each with its length before it.
fn encoded(kind: &str, payload: &[u8]) -> Vec<u8> {
    let mut message = format!("DSSEv1 {} {kind} {} ", kind.len(), payload.len()).into_bytes();
    message.extend_from_slice(payload);
    message
}

#[cfg(test)]
mod tests {
    use ring::{
        rand::SystemRandom,
        signature::{ECDSA_P256_SHA256_ASN1_SIGNING, EcdsaKeyPair, Ed25519KeyPair, KeyPair},
    };
    use serde_json::json;

    use super::*;

    fn pem(head: &[u8], key: &[u8]) -> String {
        let der = [head, key].concat();
        format!("-----BEGIN PUBLIC KEY-----\n{}\n-----END PUBLIC KEY-----\n", STANDARD.encode(der))
    }

    fn statement(sha256: &str) -> Vec<u8> {
        json!({"_type": "https://in-toto.io/Statement/v1", "subject": [{"name": "a", "digest": {"sha256": sha256}}],
            "predicateType": "https://slsa.dev/provenance/v1",
            "predicate": {"runDetails": {"builder": {"id": "https://b.example"}}}})
        .to_string()
        .into_bytes()
    }

    fn envelope(payload: &[u8], signed: &[u8]) -> Value {
        json!({"payloadType": "application/vnd.in-toto+json", "payload": STANDARD.encode(payload),
            "signatures": [{"keyid": "", "sig": STANDARD.encode(signed)}]})
    }

    #[test]
    fn only_the_right_key_over_the_right_file_is_believed() {
        let random = SystemRandom::new();
        let ed =
            Ed25519KeyPair::from_pkcs8(Ed25519KeyPair::generate_pkcs8(&random).unwrap().as_ref()).unwrap();
        let document = EcdsaKeyPair::generate_pkcs8(&ECDSA_P256_SHA256_ASN1_SIGNING, &random).unwrap();
        let p256 =
            EcdsaKeyPair::from_pkcs8(&ECDSA_P256_SHA256_ASN1_SIGNING, document.as_ref(), &random).unwrap();
        let ed_key = PublicKey::read(&pem(ED25519, ed.public_key().as_ref())).unwrap();
        let p256_key = PublicKey::read(&pem(P256, p256.public_key().as_ref())).unwrap();
        let payload = statement("aa");
        let message = encoded("application/vnd.in-toto+json", &payload);
        let by_ed = envelope(&payload, ed.sign(&message).as_ref());
        let by_p256 = envelope(&payload, p256.sign(&random, &message).unwrap().as_ref());
        let stolen = envelope(&statement("bb"), ed.sign(&message).as_ref());
        for (document, key, sha256, signature, matches) in [
            (&by_ed, Some(&ed_key), "aa", Signature::Verified, true),
            (&by_p256, Some(&p256_key), "aa", Signature::Verified, true),
            (&by_ed, Some(&p256_key), "aa", Signature::Invalid, true),
            (&by_ed, Some(&ed_key), "cc", Signature::Verified, false),
            (&stolen, Some(&ed_key), "bb", Signature::Invalid, true),
            (&by_ed, None, "aa", Signature::NotChecked, true),
            (&json!({"dsseEnvelope": by_ed}), Some(&ed_key), "aa", Signature::Verified, true),
        ] {
            let got = check(document, sha256, key).unwrap();
            assert_eq!((got.signature, got.matches_artifact), (signature, matches));
        }
        let bare: Value = serde_json::from_slice(&payload).unwrap();
        let bare = check(&bare, "aa", Some(&ed_key)).unwrap();
        assert_eq!(
            (bare.signature, bare.builder.as_deref()),
            (Signature::Missing, Some("https://b.example"))
        );
    }

    #[test]
    fn what_is_no_key_or_no_statement_is_refused() {
        for bad in [
            "",
            "-----BEGIN PUBLIC KEY-----\n!\n-----END PUBLIC KEY-----",
            &pem(ED25519, &[0; 31]),
            &pem(&[1], &[0; 32]),
        ] {
            assert!(PublicKey::read(bad).is_err());
        }
        for bad in [json!({}), json!({"payload": "!"}), json!({"payload": STANDARD.encode("[]")})] {
            assert!(check(&bad, "aa", None).is_err());
        }
    }
}
