//! The vault itself.

use std::time::Duration;

use kernel::Secret;
use parking_lot::Mutex;
use rusqlite::{Connection, OptionalExtension, Transaction, TransactionBehavior};
use serde::Serialize;
use store::{Clock, DataDir, sqlite};

use crate::{
    VaultError, name_in,
    reference::{check_name, fill},
    schema::MIGRATIONS,
    seal::{Label, SALT_BYTES, SealKey, Sealed},
};

/// Largest value in bytes.
pub const VALUE_BYTES_MAX: usize = 64 * 1024;
/// Secrets one installation may have.
const SECRETS_MAX: u32 = 1000;
/// Longest overlap of two versions.
const OVERLAP_MAX: Duration = Duration::from_secs(30 * 24 * 3600);

/// Secrets of one data directory: `secrets.db`, sealed with `keys/vault.key`.
///
/// Any number of processes may have it open; each sees the changes of the others at once. Every method waits
/// for the disk.
pub struct Vault {
    connection: Mutex<Connection>,
    key: SealKey,
    clock: Clock,
}

/// What may be known of a secret. Never its value.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct SecretInfo {
    /// Its name.
    pub name: String,
    /// Number of the newest version, counted from 1.
    pub version: i64,
    /// Unix seconds at which that version was set.
    pub created_at: i64,
    /// Unix seconds until which the version before it is good too.
    pub previous_until: Option<i64>,
}

/// The versions that are good now.
#[derive(Clone, Debug)]
pub struct Versions {
    /// The newest: what to send.
    pub current: Secret<String>,
    /// The one before, while both are good: for the other side that does not know the newest yet.
    pub previous: Option<Secret<String>>,
}

impl Vault {
    /// Opens the vault of a data directory, or makes an empty one.
    ///
    /// # Errors
    /// When a file is damaged, open to other users, or key and database do not belong together.
    pub fn open(data: &DataDir) -> Result<Self, VaultError> {
        Self::open_at(data, Clock::system())
    }

    /// The same with a clock of the caller's choice.
    pub fn open_at(data: &DataDir, clock: Clock) -> Result<Self, VaultError> {
        let key = SealKey::open(data)?;
        let mut connection = sqlite::open(&data.secrets_db(), MIGRATIONS)?;
        let work = connection.transaction_with_behavior(TransactionBehavior::Immediate)?;
        work.execute("INSERT OR IGNORE INTO facts VALUES ('vault_key', ?1)", [key.fingerprint()])?;
        let known: Vec<u8> =
            work.query_row("SELECT value FROM facts WHERE name = 'vault_key'", [], |row| row.get(0))?;
        work.commit()?;
        if known != key.fingerprint() {
            return Err(VaultError::ForeignKey);
        }
        Ok(Self { connection: Mutex::new(connection), key, clock })
    }

    /// Keeps a value under a new name.
    pub fn set(&self, name: &str, value: &Secret<String>) -> Result<SecretInfo, VaultError> {
        check_name(name)?;
        check_value(value)?;
        self.change(name, |work, now| {
            if newest(work, name)?.is_some() {
                return Err(VaultError::Taken(name.to_owned()));
            }
            let count: u32 =
                work.query_row("SELECT count(DISTINCT name) FROM secret_version", [], |row| row.get(0))?;
            if count >= SECRETS_MAX {
                return Err(VaultError::Limit(count));
            }
            self.insert(work, &Label { name, version: 1, created_at: now, ends_at: None }, value)
        })
    }

    /// Gives a name a new value. The one before stays good for `overlap`, and any older one ends now.
    pub fn rotate(
        &self,
        name: &str,
        value: &Secret<String>,
        overlap: Duration,
    ) -> Result<SecretInfo, VaultError> {
        check_name(name)?;
        check_value(value)?;
        if overlap > OVERLAP_MAX {
            return Err(VaultError::Overlap);
        }
        self.change(name, |work, now| {
            let before = newest(work, name)?.ok_or_else(|| VaultError::Unknown(name.to_owned()))?;
            let last = before.open(&self.key, name)?;
            work.execute("DELETE FROM secret_version WHERE name = ?1", [name])?;
            let seconds = i64::try_from(overlap.as_secs()).unwrap_or(i64::MAX);
            if seconds > 0 {
                let ends_at = Some(now.saturating_add(seconds));
                self.insert(work, &Label { ends_at, ..before.label(name) }, &last)?;
            }
            let version = before.version + 1;
            self.insert(work, &Label { name, version, created_at: now, ends_at: None }, value)
        })
    }

    /// Keeps a value under a name, new or not; without overlap. For values that programs renew.
    pub fn keep(&self, name: &str, value: &Secret<String>) -> Result<SecretInfo, VaultError> {
        match self.rotate(name, value, Duration::ZERO) {
            Err(VaultError::Unknown(_)) => self.set(name, value),
            kept => kept,
        }
    }

    /// Forgets a name and all its versions.
    pub fn remove(&self, name: &str) -> Result<(), VaultError> {
        check_name(name)?;
        let removed = self.connection.lock().execute("DELETE FROM secret_version WHERE name = ?1", [name])?;
        if removed == 0 { Err(VaultError::Unknown(name.to_owned())) } else { Ok(()) }
    }

    /// Every secret, sorted by name.
    pub fn list(&self) -> Result<Vec<SecretInfo>, VaultError> {
        let connection = self.connection.lock();
        let mut query = connection.prepare_cached(
            "SELECT name, max(version), max(created_at), max(CASE WHEN ends_at > ?1 THEN ends_at END)
             FROM secret_version GROUP BY name ORDER BY name",
        )?;
        let rows = query.query_map([self.clock.now_seconds()], |row| {
            Ok(SecretInfo {
                name: row.get(0)?,
                version: row.get(1)?,
                created_at: row.get(2)?,
                previous_until: row.get(3)?,
            })
        })?;
        Ok(rows.collect::<Result<_, _>>()?)
    }

    /// The versions of a secret that are good now.
    pub fn versions(&self, name: &str) -> Result<Versions, VaultError> {
        check_name(name)?;
        let connection = self.connection.lock();
        let mut good = rows(&connection, name, self.clock.now_seconds())?.into_iter();
        let current = good.next().ok_or_else(|| VaultError::Unknown(name.to_owned()))?;
        Ok(Versions {
            current: current.open(&self.key, name)?,
            previous: good.next().map(|it| it.open(&self.key, name)).transpose()?,
        })
    }

    /// What a configured text stands for: `secret:NAME`, or a text with `${secret:NAME}` in it, or itself.
    pub fn resolve(&self, text: &str) -> Result<Secret<String>, VaultError> {
        match name_in(text) {
            Some(name) => Ok(self.versions(name)?.current),
            None => fill(text, |name| Ok(self.versions(name)?.current)),
        }
    }

    /// The same for a text with `${secret:NAME}` in it, with values of the caller's choice.
    pub fn resolve_with(
        &self,
        text: &str,
        look_up: impl FnMut(&str) -> Result<Secret<String>, VaultError>,
    ) -> Result<Secret<String>, VaultError> {
        fill(text, look_up)
    }

    fn change(
        &self,
        name: &str,
        change: impl FnOnce(&Transaction<'_>, i64) -> Result<(), VaultError>,
    ) -> Result<SecretInfo, VaultError> {
        {
            let mut connection = self.connection.lock();
            let work = connection.transaction_with_behavior(TransactionBehavior::Immediate)?;
            change(&work, self.clock.now_seconds())?;
            work.commit()?;
        }
        let found = self.list()?.into_iter().find(|it| it.name == name);
        found.ok_or_else(|| VaultError::Unknown(name.to_owned()))
    }

    fn insert(
        &self,
        work: &Transaction<'_>,
        label: &Label<'_>,
        value: &Secret<String>,
    ) -> Result<(), VaultError> {
        let Sealed { salt, bytes } = self.key.seal(label, value);
        work.execute(
            "INSERT INTO secret_version (name, version, created_at, ends_at, salt, sealed)
             VALUES (?1, ?2, ?3, ?4, ?5, ?6)",
            (label.name, label.version, label.created_at, label.ends_at, salt, bytes),
        )?;
        Ok(())
    }
}

/// One row, still sealed.
struct Row {
    version: i64,
    created_at: i64,
    ends_at: Option<i64>,
    sealed: Sealed,
}

impl Row {
    fn read(row: &rusqlite::Row<'_>) -> rusqlite::Result<Self> {
        let (salt, bytes) = (row.get::<_, [u8; SALT_BYTES]>(3)?, row.get(4)?);
        Ok(Self {
            version: row.get(0)?,
            created_at: row.get(1)?,
            ends_at: row.get(2)?,
            sealed: Sealed { salt, bytes },
        })
    }

    fn label<'a>(&self, name: &'a str) -> Label<'a> {
        Label { name, version: self.version, created_at: self.created_at, ends_at: self.ends_at }
    }

    fn open(&self, key: &SealKey, name: &str) -> Result<Secret<String>, VaultError> {
        key.open_sealed(&self.label(name), &self.sealed)
    }
}

fn newest(connection: &Connection, name: &str) -> Result<Option<Row>, VaultError> {
    let mut query = connection.prepare_cached(
        "SELECT version, created_at, ends_at, salt, sealed FROM secret_version
         WHERE name = ?1 ORDER BY version DESC LIMIT 1",
    )?;
    Ok(query.query_row([name], Row::read).optional()?)
}

/// Newest first; versions that ended are left out.
fn rows(connection: &Connection, name: &str, now: i64) -> Result<Vec<Row>, VaultError> {
    let mut query = connection.prepare_cached(
        "SELECT version, created_at, ends_at, salt, sealed FROM secret_version
         WHERE name = ?1 AND (ends_at IS NULL OR ends_at > ?2) ORDER BY version DESC LIMIT 2",
    )?;
    let rows = query.query_map((name, now), Row::read)?;
    Ok(rows.collect::<Result<_, _>>()?)
}

fn check_value(value: &Secret<String>) -> Result<(), VaultError> {
    match value.expose().len() {
        0 => Err(VaultError::Value { rule: "not empty" }),
        1..=VALUE_BYTES_MAX => Ok(()),
        _ => Err(VaultError::Value { rule: "at most 64 KiB long" }),
    }
}
