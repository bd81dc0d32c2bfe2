//! Signatures over points of the chain.

use std::path::{Path, PathBuf};

use ring::{
    rand::SystemRandom,
    signature::{ED25519, Ed25519KeyPair, KeyPair, UnparsedPublicKey},
};
use store::{DataDir, private_file};

use crate::{AuditError, chain::Tail};

/// What a signature is about. A signature of one purpose is worthless for another.
#[derive(Clone, Copy)]
pub(crate) enum Purpose {
    /// The end of the chain.
    Head,
    /// A point that must stay where it is; also kept outside the database.
    Checkpoint,
    /// The last record that retention removed.
    Anchor,
}

impl Purpose {
    /// What is signed: the purpose, the position, the hash and, where it is stored, the time.
    fn message(self, tail: &Tail, at: i64) -> Vec<u8> {
        let label: &[u8] = match self {
            Self::Head => b"core-mcp audit head 1\0",
            Self::Checkpoint => b"core-mcp audit checkpoint 1\0",
            Self::Anchor => b"core-mcp audit anchor 1\0",
        };
        [label, &tail.seq.to_be_bytes(), &at.to_be_bytes(), &tail.hash].concat()
    }
}

/// Beside the key, so that a log that is removed whole, checkpoints included, does not pass for a new one.
fn begun(dir: &DataDir) -> PathBuf {
    dir.keys().join("audit.begun")
}

/// Whether the log of this directory has ever held a record.
pub(crate) fn has_begun(dir: &DataDir) -> bool {
    begun(dir).exists()
}

/// Notes that the log holds a record now.
pub(crate) fn note_begin(dir: &DataDir, key: &PublicKey) -> Result<(), AuditError> {
    if !has_begun(dir) {
        private_file::create_once(&begun(dir), key.to_hex().as_bytes())?;
    }
    Ok(())
}

/// Holds the private key. Has no `Debug`, so that it cannot slip into a log.
pub(crate) struct Signer(Ed25519KeyPair);

impl Signer {
    /// Reads the key, or makes one when `may_create`.
    pub(crate) fn open(path: &Path, may_create: bool) -> Result<Self, AuditError> {
        if !may_create && !path.exists() {
            return Err(AuditError::Key(
                "is missing although audit.db holds records; restore it from a backup, or move audit.db, \
                 audit/ and keys/audit.begun aside to begin a new log",
            ));
        }
        let fresh = Ed25519KeyPair::generate_pkcs8(&SystemRandom::new())
            .map_err(|_| AuditError::Key("could not be made: the system has no randomness"))?;
        let stored = private_file::create_once(path, fresh.as_ref())?;
        let pair = Ed25519KeyPair::from_pkcs8(&stored)
            .map_err(|_| AuditError::Key("is damaged; restore it from a backup"))?;
        Ok(Self(pair))
    }

    /// Signs one point. Points without a stored time pass 0.
    pub(crate) fn sign(&self, purpose: Purpose, tail: &Tail, at: i64) -> [u8; 64] {
        let signature = self.0.sign(&purpose.message(tail, at));
        signature.as_ref().try_into().expect("an Ed25519 signature has 64 bytes")
    }

    /// The half that everybody may know.
    pub(crate) fn public(&self) -> PublicKey {
        PublicKey(self.0.public_key().as_ref().try_into().expect("an Ed25519 key has 32 bytes"))
    }
}

/// The public half of `keys/audit.key`. Keep a copy elsewhere to verify against.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PublicKey(pub(crate) [u8; 32]);

impl PublicKey {
    /// As 64 hex digits.
    pub fn to_hex(&self) -> String {
        crate::hex::encode(&self.0)
    }

    /// From 64 hex digits.
    pub fn from_hex(text: &str) -> Option<Self> {
        crate::hex::decode(text).map(Self)
    }

    pub(crate) fn accepts(&self, purpose: Purpose, tail: &Tail, at: i64, signature: &[u8]) -> bool {
        UnparsedPublicKey::new(&ED25519, &self.0).verify(&purpose.message(tail, at), signature).is_ok()
    }
}
