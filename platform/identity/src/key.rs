//! The key under which tokens are kept.

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

/// HMAC-SHA256 under a key that is not in the database: a copy of the database alone is good for nothing.
pub(crate) struct TokenKey(Key);

impl TokenKey {
    /// Reads `path`, or makes it (mode 0600) when it is absent.
    pub(crate) fn open(path: &Path) -> Result<Self, IdentityError> {
        let mut fresh = [0_u8; KEY_BYTES];
        SystemRandom::new().fill(&mut fresh).expect("the system has randomness");
        let bytes = private_file::create_once(path, &fresh)?;
        if bytes.len() != KEY_BYTES {
            return Err(IdentityError::DamagedKey);
        }
        Ok(Self(Key::new(HMAC_SHA256, &bytes)))
    }

    /// A token is found by this alone, so the comparison of secrets is one hash lookup that tells nothing
    /// about how near a guess came.
    pub(crate) fn hash(&self, token: &str) -> TokenHash {
        sign(&self.0, token.as_bytes()).as_ref().try_into().expect("SHA-256 has 32 bytes")
    }

    /// Kept in the database to notice a key that does not belong to it.
    pub(crate) fn fingerprint(&self) -> TokenHash {
        self.hash("core-mcp token key, not a token")
    }
}
