//! How a value lies in the database: AES-256-GCM under a key of its own, derived from the key file and a salt.
//!
//! Every seal has a fresh salt, so no key is ever used twice and the nonce can stay zero. Name, version and times
//! are sealed in: a row that is moved, renamed or made to last longer does not open.

use kernel::Secret;
use ring::{
    aead::{AES_256_GCM, Aad, LessSafeKey, Nonce, UnboundKey},
    hkdf::{HKDF_SHA256, Prk, Salt},
    hmac,
    rand::{SecureRandom, SystemRandom},
};
use store::{DataDir, private_file};

use crate::VaultError;

const KEY_BYTES: usize = 32;
/// Bytes of the salt of one seal.
pub(crate) const SALT_BYTES: usize = 32;

/// What the seal covers besides the value.
pub(crate) struct Label<'a> {
    pub(crate) name: &'a str,
    pub(crate) version: i64,
    pub(crate) created_at: i64,
    pub(crate) ends_at: Option<i64>,
}

impl Label<'_> {
    /// No two labels have the same bytes: the name has no NUL.
    fn bytes(&self) -> Vec<u8> {
        let ends_at = self.ends_at.map_or_else(String::new, |it| it.to_string());
        format!("core-mcp secret 1\0{}\0{}\0{}\0{ends_at}", self.name, self.version, self.created_at)
            .into_bytes()
    }
}

/// A sealed value.
pub(crate) struct Sealed {
    pub(crate) salt: [u8; SALT_BYTES],
    pub(crate) bytes: Vec<u8>,
}

/// The key file's content; it never leaves this module.
pub(crate) struct SealKey([u8; KEY_BYTES]);

impl SealKey {
    /// Reads `keys/vault.key`, or makes it (mode 0600) when it is absent.
    pub(crate) fn open(data: &DataDir) -> Result<Self, VaultError> {
        let fresh: [u8; KEY_BYTES] = random();
        let bytes = private_file::create_once(&data.keys().join("vault.key"), &fresh)?;
        bytes.try_into().map(Self).map_err(|_| VaultError::DamagedKey)
    }

    /// Kept in the database to notice a key that does not belong to it.
    pub(crate) fn fingerprint(&self) -> Vec<u8> {
        let key = hmac::Key::new(hmac::HMAC_SHA256, &self.0);
        hmac::sign(&key, b"core-mcp vault key, not a secret").as_ref().to_vec()
    }

    pub(crate) fn seal(&self, label: &Label<'_>, value: &Secret<String>) -> Sealed {
        let salt = random();
        let mut bytes = value.expose().clone().into_bytes();
        self.key(&salt)
            .seal_in_place_append_tag(nonce(), Aad::from(label.bytes()), &mut bytes)
            .expect("a value is far smaller than AES-GCM allows");
        Sealed { salt, bytes }
    }

    pub(crate) fn open_sealed(
        &self,
        label: &Label<'_>,
        sealed: &Sealed,
    ) -> Result<Secret<String>, VaultError> {
        let damaged = || VaultError::Damaged(label.name.to_owned());
        let mut bytes = sealed.bytes.clone();
        let opened = self.key(&sealed.salt).open_in_place(nonce(), Aad::from(label.bytes()), &mut bytes);
        let text = opened.map_err(|_| damaged())?.to_vec();
        String::from_utf8(text).map(Secret::new).map_err(|_| damaged())
    }

    fn key(&self, salt: &[u8]) -> LessSafeKey {
        let master: Prk = Salt::new(HKDF_SHA256, salt).extract(&self.0);
        let info = [&b"core-mcp secret"[..]];
        let derived = master.expand(&info, &AES_256_GCM).expect("one key is not too much to derive");
        LessSafeKey::new(UnboundKey::from(derived))
    }
}

fn nonce() -> Nonce {
    Nonce::assume_unique_for_key([0; 12])
}

fn random<const N: usize>() -> [u8; N] {
    let mut bytes = [0; N];
    SystemRandom::new().fill(&mut bytes).expect("the system has randomness");
    bytes
}
