//! Checksums that some providers build into their tokens.

use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use serde::Deserialize;

const BASE62: &[u8; 62] = b"0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz";

/// How a token proves that it was issued and not invented.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum Checksum {
    /// The last six characters are the CRC-32 of what stands between the prefix and them, in base 62.
    Crc32Base62,
    /// The part after the four-letter prefix is base 32 of an account number below 2^47.
    AwsKeyId,
    /// Three base64url parts, the first two JSON objects, the first with an `alg`.
    Jwt,
}

impl Checksum {
    /// Whether `token` is consistent with itself.
    pub(crate) fn holds(self, token: &[u8]) -> bool {
        match self {
            Self::Crc32Base62 => crc32_base62_holds(token),
            Self::AwsKeyId => token.get(4..).is_some_and(|rest| {
                rest.len() == 16 && rest.iter().all(|it| matches!(it, b'A'..=b'Z' | b'2'..=b'7'))
            }),
            Self::Jwt => is_jwt(token),
        }
    }
}

/// CRC-32 (IEEE) in base 62, padded with zeros to six characters.
pub(crate) fn crc32_base62(body: &[u8]) -> String {
    let mut rest = crc32(body);
    let mut out = [b'0'; 6];
    for place in out.iter_mut().rev() {
        *place = BASE62[(rest % 62) as usize];
        rest /= 62;
    }
    out.iter().map(|it| char::from(*it)).collect()
}

fn crc32_base62_holds(token: &[u8]) -> bool {
    let start = token.iter().position(|it| *it == b'_').map_or(0, |at| at + 1);
    let Some(body) = token.get(start..token.len().saturating_sub(6)) else { return false };
    !body.is_empty() && crc32_base62(body).as_bytes() == &token[token.len() - 6..]
}

fn crc32(bytes: &[u8]) -> u32 {
    let mut crc = !0_u32;
    for byte in bytes {
        crc ^= u32::from(*byte);
        for _ in 0..8 {
            crc = (crc >> 1) ^ (0xEDB8_8320 & (!(crc & 1)).wrapping_add(1));
        }
    }
    !crc
}

/// Whether `text` has the structure of a JSON Web Token.
pub(crate) fn is_jwt(text: &[u8]) -> bool {
    let mut parts = text.split(|it| *it == b'.');
    let (Some(header), Some(claims), Some(_signature), None) =
        (parts.next(), parts.next(), parts.next(), parts.next())
    else {
        return false;
    };
    json_object(header).is_some_and(|it| it.contains_key("alg")) && json_object(claims).is_some()
}

fn json_object(part: &[u8]) -> Option<serde_json::Map<String, serde_json::Value>> {
    serde_json::from_slice(&URL_SAFE_NO_PAD.decode(part).ok()?).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn crc32_agrees_with_the_published_check_value() {
        assert_eq!(crc32(b"123456789"), 0xCBF4_3926);
    }

    #[test]
    fn a_token_with_one_changed_letter_fails_its_checksum() {
        let body = "0".repeat(30);
        let good = format!("ghp_{body}{}", crc32_base62(body.as_bytes()));
        assert!(Checksum::Crc32Base62.holds(good.as_bytes()));
        assert!(!Checksum::Crc32Base62.holds(good.replacen('0', "1", 1).as_bytes()));
        assert!(!Checksum::Crc32Base62.holds(b"ghp_"));
        assert!(!Checksum::Crc32Base62.holds(b""));
    }

    #[test]
    fn a_web_token_needs_two_json_objects_and_an_algorithm() {
        let part = |text: &str| URL_SAFE_NO_PAD.encode(text);
        let token = |header: &str, claims: &str| format!("{}.{}.c2ln", part(header), part(claims));
        assert!(is_jwt(token(r#"{"alg":"none"}"#, "{}").as_bytes()));
        assert!(!is_jwt(token(r#"{"typ":"JWT"}"#, "{}").as_bytes()));
        assert!(!is_jwt(token(r#"{"alg":"x"}"#, "[]").as_bytes()));
        assert!(!is_jwt(b"eyJ.eyJ"));
    }
}
