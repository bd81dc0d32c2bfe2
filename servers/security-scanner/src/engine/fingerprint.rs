//! Names a secret without keeping it.

use std::{fs, io, path::Path};

use ring::{hmac, rand::SecureRandom};

/// Names secrets with a keyed hash: equal secrets get equal names, and the name gives nothing away.
#[derive(Clone)]
pub(crate) struct Fingerprints {
    key: hmac::Key,
}

impl std::fmt::Debug for Fingerprints {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Fingerprints(…)")
    }
}

impl Fingerprints {
    /// With a key that several installations share, so that they can share baselines.
    pub(crate) fn shared(key: &[u8]) -> Self {
        Self { key: hmac::Key::new(hmac::HMAC_SHA256, key) }
    }

    /// With this installation's own key, made on first use and readable by its owner only.
    pub(crate) fn local(state_dir: &Path) -> io::Result<Self> {
        let path = state_dir.join("fingerprint.key");
        match fs::read(&path) {
            Ok(key) if key.len() == 32 => return Ok(Self::shared(&key)),
            Ok(_) => {
                return Err(io::Error::new(
                    io::ErrorKind::InvalidData,
                    "fingerprint.key does not hold 32 bytes",
                ));
            }
            Err(error) if error.kind() == io::ErrorKind::NotFound => {}
            Err(error) => return Err(error),
        }
        let mut key = [0_u8; 32];
        ring::rand::SystemRandom::new().fill(&mut key).map_err(|_| io::Error::other("no randomness"))?;
        write_private(&path, &key)?;
        Ok(Self::shared(&key))
    }

    /// The name of `secret` under `rule`: 32 hex digits.
    pub(crate) fn of(&self, rule: &str, secret: &[u8]) -> String {
        let mut context = hmac::Context::with_key(&self.key);
        context.update(rule.as_bytes());
        context.update(&[0]);
        context.update(secret);
        hex(&context.sign().as_ref()[..16])
    }

    /// Names the key itself, so that a baseline made with another one is recognised.
    pub(crate) fn key_id(&self) -> String {
        self.of("core-mcp key", b"")[..16].to_owned()
    }
}

fn hex(bytes: &[u8]) -> String {
    bytes
        .iter()
        .flat_map(|it| [it >> 4, it & 15])
        .map(|it| char::from(b"0123456789abcdef"[usize::from(it)]))
        .collect()
}

fn write_private(path: &Path, key: &[u8]) -> io::Result<()> {
    use std::{io::Write, os::unix::fs::OpenOptionsExt};
    let mut file = fs::OpenOptions::new().write(true).create_new(true).mode(0o600).open(path)?;
    file.write_all(key)?;
    file.sync_all()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_key_survives_a_restart_and_decides_every_name() {
        let dir = tempfile::tempdir().unwrap();
        let first = Fingerprints::local(dir.path()).unwrap();
        let again = Fingerprints::local(dir.path()).unwrap();
        assert_eq!(first.of("r", b"secret"), again.of("r", b"secret"));
        assert_ne!(first.of("r", b"secret"), first.of("s", b"secret"));
        assert_ne!(first.of("r", b"secret"), Fingerprints::shared(b"other").of("r", b"secret"));
        assert_ne!(first.key_id(), Fingerprints::shared(b"other").key_id());
    }

    #[test]
    fn a_damaged_key_is_an_error_and_not_a_new_key() {
        let dir = tempfile::tempdir().unwrap();
        fs::write(dir.path().join("fingerprint.key"), b"short").unwrap();
        assert!(Fingerprints::local(dir.path()).is_err());
    }
}
