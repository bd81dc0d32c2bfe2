//! What a token looks like: `cmcp_<public id>_<256 random bits>_<checksum>`.
//!
//! The prefix lets scanners find leaked ones, the checksum lets them be sure without asking us.

use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use kernel::Secret;
use ring::rand::{SecureRandom, SystemRandom};

/// What every token begins with.
pub const TOKEN_PREFIX: &str = "cmcp_";
/// Length of every token in bytes.
pub const TOKEN_LENGTH: usize = CHECK_AT + 8;

const ID_AT: usize = TOKEN_PREFIX.len();
const RANDOM_AT: usize = ID_AT + 8 + 1;
const CHECK_AT: usize = RANDOM_AT + 43 + 1;

/// A fresh token and its public id.
pub(crate) fn fresh() -> (Secret<String>, String) {
    let mut bytes = [0_u8; 4 + 32];
    SystemRandom::new().fill(&mut bytes).expect("the system has randomness");
    let (id, random) = bytes.split_at(4);
    let id: String = id.iter().map(|byte| format!("{byte:02x}")).collect();
    let mut text = format!("{TOKEN_PREFIX}{id}_{}_", URL_SAFE_NO_PAD.encode(random));
    text.push_str(&checksum(&text));
    (Secret::new(text), id)
}

/// Whether the text has the form of a token, checksum included. Says nothing about its being valid.
pub fn looks_like_a_token(text: &str) -> bool {
    let bytes = text.as_bytes();
    let is_form = bytes.len() == TOKEN_LENGTH
        && text.is_ascii()
        && text.starts_with(TOKEN_PREFIX)
        && bytes[RANDOM_AT - 1] == b'_'
        && bytes[CHECK_AT - 1] == b'_';
    is_form && text[CHECK_AT..] == checksum(&text[..CHECK_AT])
}

/// CRC-32 (IEEE) as eight hex digits: catches typing mistakes, proves nothing.
fn checksum(text: &str) -> String {
    let crc = text.bytes().fold(u32::MAX, |crc, byte| {
        (0..8).fold(crc ^ u32::from(byte), |crc, _| (crc >> 1) ^ (0xEDB8_8320 & (crc & 1).wrapping_neg()))
    });
    format!("{:08x}", !crc)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_checksum_is_the_common_crc32() {
        assert_eq!(checksum("123456789"), "cbf43926");
    }

    #[test]
    fn a_fresh_token_has_the_form_and_any_changed_character_breaks_it() {
        let (secret, id) = fresh();
        let text = secret.expose();
        assert!(looks_like_a_token(text));
        assert_eq!(&text[5..13], id);
        for at in 0..TOKEN_LENGTH {
            let mut bytes = text.clone().into_bytes();
            bytes[at] = if bytes[at] == b'x' { b'y' } else { b'x' };
            let changed = String::from_utf8(bytes).expect("ASCII");
            assert!(!looks_like_a_token(&changed), "position {at}");
        }
        assert!(!looks_like_a_token(""));
        assert!(!looks_like_a_token(&text[..TOKEN_LENGTH - 1]));
        assert!(!looks_like_a_token(&format!("{}ü", &text[..TOKEN_LENGTH - 2])));
        assert!(!format!("{secret:?}").contains(&id));
    }
}
