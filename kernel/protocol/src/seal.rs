//! Signs what a client carries for us: cursors and the state of an approval round trip.

use base64::{Engine, prelude::BASE64_URL_SAFE_NO_PAD};
use ring::hmac;

const TAG_BYTES: usize = 32;
const EXPIRY_BYTES: usize = 8;

/// Longest sealed text we look at.
const TEXT_BYTES_MAX: usize = 64 * 1024;

/// What a sealed text is for. One made for one purpose is worthless for another.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Purpose {
    /// Where a listing goes on.
    Cursor,
    /// The state of an approval round trip.
    Approval,
    /// A call that waits for its client's answer.
    Parked,
    /// The state that a relayed server gave its client to carry.
    Relayed,
    /// The id of a task.
    Task,
}

impl Purpose {
    fn label(self) -> &'static [u8] {
        match self {
            Self::Cursor => b"cursor",
            Self::Approval => b"approval",
            Self::Parked => b"parked",
            Self::Relayed => b"relayed",
            Self::Task => b"task",
        }
    }
}

/// Why a sealed text is not accepted. Callers tell the client less.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum SealError {
    /// Not ours, changed, or sealed for another purpose or principal.
    #[error("not sealed by this server for this principal and purpose")]
    Forged,
    /// Too old.
    #[error("expired")]
    Expired,
}

/// Seals with HMAC-SHA256. The content is readable by the client: nothing secret goes in.
pub struct Sealer(hmac::Key);

impl Sealer {
    /// `key` is random and belongs to one data directory, so that a restart keeps what clients carry.
    pub fn new(key: &[u8; 32]) -> Self {
        Self(hmac::Key::new(hmac::HMAC_SHA256, key))
    }

    /// Seals `payload` for `principal` until `expires_at` (Unix seconds).
    pub fn seal(&self, purpose: Purpose, principal: &str, payload: &[u8], expires_at: i64) -> String {
        let expiry = expires_at.to_be_bytes();
        let tag = hmac::sign(&self.0, &signed(purpose, principal, &expiry, payload));
        let mut bytes = Vec::with_capacity(TAG_BYTES + EXPIRY_BYTES + payload.len());
        bytes.extend_from_slice(tag.as_ref());
        bytes.extend_from_slice(&expiry);
        bytes.extend_from_slice(payload);
        BASE64_URL_SAFE_NO_PAD.encode(bytes)
    }

    /// Opens what [`Sealer::seal`] made for the same purpose and principal.
    pub fn open(
        &self,
        purpose: Purpose,
        principal: &str,
        text: &str,
        now: i64,
    ) -> Result<Vec<u8>, SealError> {
        if text.len() > TEXT_BYTES_MAX {
            return Err(SealError::Forged);
        }
        let bytes = BASE64_URL_SAFE_NO_PAD.decode(text).map_err(|_| SealError::Forged)?;
        let (tag, rest) = bytes.split_at_checked(TAG_BYTES).ok_or(SealError::Forged)?;
        let (expiry, payload) = rest.split_first_chunk::<EXPIRY_BYTES>().ok_or(SealError::Forged)?;
        hmac::verify(&self.0, &signed(purpose, principal, expiry, payload), tag)
            .map_err(|_| SealError::Forged)?;
        if i64::from_be_bytes(*expiry) < now {
            return Err(SealError::Expired);
        }
        Ok(payload.to_vec())
    }
}

/// Every part carries its length, so no two different lists of parts sign alike.
fn signed(purpose: Purpose, principal: &str, expiry: &[u8], payload: &[u8]) -> Vec<u8> {
    let mut out = Vec::with_capacity(64 + principal.len() + payload.len());
    for part in [purpose.label(), principal.as_bytes(), expiry, payload] {
        out.extend_from_slice(&(part.len() as u64).to_be_bytes());
        out.extend_from_slice(part);
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_sealed_opens_for_the_same_principal_and_purpose_only() {
        let sealer = Sealer::new(&[1; 32]);
        let text = sealer.seal(Purpose::Cursor, "ann", b"at 100", 50);
        assert_eq!(sealer.open(Purpose::Cursor, "ann", &text, 50).as_deref(), Ok(&b"at 100"[..]));
        assert_eq!(sealer.open(Purpose::Cursor, "ann", &text, 51), Err(SealError::Expired));
        assert_eq!(sealer.open(Purpose::Cursor, "bob", &text, 50), Err(SealError::Forged));
        assert_eq!(sealer.open(Purpose::Approval, "ann", &text, 50), Err(SealError::Forged));
        assert_eq!(Sealer::new(&[2; 32]).open(Purpose::Cursor, "ann", &text, 50), Err(SealError::Forged));
    }

    #[test]
    fn no_changed_byte_goes_unnoticed() {
        let sealer = Sealer::new(&[1; 32]);
        let text = sealer.seal(Purpose::Cursor, "ann", b"payload", 50);
        let bytes = BASE64_URL_SAFE_NO_PAD.decode(&text).unwrap();
        for index in 0..bytes.len() {
            let mut changed = bytes.clone();
            changed[index] ^= 1;
            let changed = BASE64_URL_SAFE_NO_PAD.encode(changed);
            assert_eq!(
                sealer.open(Purpose::Cursor, "ann", &changed, 0),
                Err(SealError::Forged),
                "byte {index}"
            );
        }
        for text in ["", "x", "====", &"A".repeat(TEXT_BYTES_MAX + 4), &text[..text.len() - 8]] {
            assert_eq!(sealer.open(Purpose::Cursor, "ann", text, 0), Err(SealError::Forged));
        }
    }
}
