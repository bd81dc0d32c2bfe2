//! The keys under which tokens are kept.

use std::path::Path;

use ring::{
    hmac::{HMAC_SHA256, Key, sign},
    rand::{SecureRandom, SystemRandom},
};
use store::private_file;

use crate::IdentityError;

/// What the database keeps of a token.
pub(crate) type TokenHash = [u8; 32];

const KEY_BYTES: usize = 32;
/// Bytes of the time until which the previous key is good.
const TIME_BYTES: usize = 8;
/// Largest key file that is read.
const FILE_BYTES_MAX: u64 = 1024;

/// HMAC-SHA256 under a key that is not in the database: a copy of the database alone is good for nothing.
#[derive(Clone)]
pub(crate) struct TokenKey {
    bytes: [u8; KEY_BYTES],
    key: Key,
}

/// The key in force and, for a while after it was replaced, the one before.
pub(crate) struct TokenKeys {
    pub(crate) current: TokenKey,
    previous: Option<(TokenKey, i64)>,
}

impl TokenKey {
    fn new(bytes: [u8; KEY_BYTES]) -> Self {
        Self { key: Key::new(HMAC_SHA256, &bytes), bytes }
    }

    fn fresh() -> Self {
        let mut bytes = [0_u8; KEY_BYTES];
        SystemRandom::new().fill(&mut bytes).expect("the system has randomness");
        Self::new(bytes)
    }

    /// A token is found by this alone, so the comparison of secrets is one hash lookup that tells nothing
    /// about how near a guess came.
    pub(crate) fn hash(&self, token: &str) -> TokenHash {
        sign(&self.key, token.as_bytes()).as_ref().try_into().expect("SHA-256 has 32 bytes")
    }

    /// Kept in the database to notice a key that does not belong to it.
    pub(crate) fn fingerprint(&self) -> TokenHash {
        self.hash("core-mcp token key, not a token")
    }
}

impl TokenKeys {
    /// Reads `path`, or makes it (mode 0600) when it is absent.
    pub(crate) fn open(path: &Path) -> Result<Self, IdentityError> {
        Self::read(&private_file::create_once(path, &TokenKey::fresh().bytes)?)
    }

    /// Reads `path` again after somebody replaced the key.
    pub(crate) fn reopen(path: &Path) -> Result<Self, IdentityError> {
        Self::read(&private_file::read(path, FILE_BYTES_MAX)?)
    }

    /// A fresh key; the one in force now stays good until then.
    pub(crate) fn replaced(&self, until: i64) -> Self {
        Self { current: TokenKey::fresh(), previous: Some((self.current.clone(), until)) }
    }

    pub(crate) fn write(&self, path: &Path) -> Result<(), IdentityError> {
        let mut bytes = self.current.bytes.to_vec();
        if let Some((previous, until)) = &self.previous {
            bytes.extend_from_slice(&previous.bytes);
            bytes.extend_from_slice(&until.to_be_bytes());
        }
        Ok(private_file::replace(path, &bytes)?)
    }

    /// The key before, while it is good.
    pub(crate) fn previous(&self, now: i64) -> Option<&TokenKey> {
        self.previous.as_ref().filter(|(_, until)| now < *until).map(|(key, _)| key)
    }

    /// Whether `fingerprint` is of the key before: a replacement was written and not recorded.
    pub(crate) fn replaces(&self, fingerprint: &[u8]) -> bool {
        self.previous.as_ref().is_some_and(|(key, _)| key.fingerprint() == fingerprint)
    }

    fn read(bytes: &[u8]) -> Result<Self, IdentityError> {
        let key = |at: usize| -> Option<TokenKey> {
            Some(TokenKey::new(bytes.get(at..at + KEY_BYTES)?.try_into().ok()?))
        };
        let previous = || {
            let time = bytes.get(2 * KEY_BYTES..)?.try_into().ok().map(i64::from_be_bytes)?;
            Some((key(KEY_BYTES)?, time))
        };
        let read = match bytes.len() {
            KEY_BYTES => key(0).map(|current| Self { current, previous: None }),
            length if length == 2 * KEY_BYTES + TIME_BYTES => {
                key(0).zip(previous()).map(|(current, previous)| Self { current, previous: Some(previous) })
            }
            _ => None,
        };
        read.ok_or(IdentityError::DamagedKey)
    }
}
