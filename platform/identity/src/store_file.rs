//! The file, its connections and its memory.

use std::{
    path::PathBuf,
    sync::Arc,
    time::{Duration, Instant},
};

use parking_lot::{Mutex, RwLock};
use rusqlite::{Connection, Transaction, TransactionBehavior};
use store::{Clock, DataDir, sqlite};

use crate::{
    IdentityError, authenticate::Freshness, key::TokenKeys, schema::MIGRATIONS, snapshot::Snapshot,
    usage::UsageWriter,
};

/// Longest time two keys are good side by side: no token lives much longer without being used.
const KEY_OVERLAP_MAX: Duration = Duration::from_secs(400 * 24 * 3600);

/// Who is who: `identity.db` and `keys/token.key` in the data directory.
///
/// Any number of processes may have it open; each notices the changes of the others within 100 ms.
/// Everything but authentication waits for the disk: call it from a blocking thread.
pub struct IdentityStore {
    pub(crate) clock: Clock,
    pub(crate) keys: RwLock<Arc<TokenKeys>>,
    key_path: PathBuf,
    /// For changes.
    pub(crate) writer: Arc<Mutex<Connection>>,
    /// For noticing changes, of others and through `writer`.
    pub(crate) reader: Mutex<Connection>,
    pub(crate) snapshot: RwLock<Arc<Snapshot>>,
    pub(crate) freshness: Freshness,
    pub(crate) usage: UsageWriter,
}

impl IdentityStore {
    /// Opens the identities of a data directory, or makes them: no principals, four roles.
    ///
    /// # Errors
    /// When a file is damaged, newer than this program, or open to other users of the machine.
    pub fn open(data: &DataDir) -> Result<Self, IdentityError> {
        Self::open_at(data, Clock::system())
    }

    /// The same with a clock of the caller's choice.
    pub fn open_at(data: &DataDir, clock: Clock) -> Result<Self, IdentityError> {
        let key_path = data.keys().join("token.key");
        let keys = TokenKeys::open(&key_path)?;
        let mut writer = sqlite::open(&data.identity_db(), MIGRATIONS)?;
        claim(&mut writer, &keys)?;
        let mut reader = sqlite::open(&data.identity_db(), MIGRATIONS)?;
        let freshness = Freshness::new(Instant::now(), crate::authenticate::data_version(&reader)?);
        let snapshot = Snapshot::read(&mut reader, &Snapshot::default())?;
        let writer = Arc::new(Mutex::new(writer));
        let usage = UsageWriter::start(Arc::clone(&writer)).map_err(IdentityError::Thread)?;
        Ok(Self {
            clock,
            keys: RwLock::new(Arc::new(keys)),
            key_path,
            writer,
            reader: Mutex::new(reader),
            snapshot: RwLock::new(Arc::new(snapshot)),
            freshness,
            usage,
        })
    }

    /// Makes one change, whole or not at all, and lets this process see it at once.
    pub(crate) fn change<T>(
        &self,
        change: impl FnOnce(&Transaction<'_>, i64) -> Result<T, IdentityError>,
    ) -> Result<T, IdentityError> {
        let result = {
            let mut writer = self.writer.lock();
            let work = writer.transaction_with_behavior(TransactionBehavior::Immediate)?;
            let result = change(&work, self.clock.now_seconds())?;
            work.execute("UPDATE generation SET number = number + 1", [])?;
            work.commit()?;
            result
        };
        self.refresh_now()?;
        Ok(result)
    }

    /// Replaces the key tokens are kept under. Tokens made before work on for `overlap`, and those that are used
    /// meanwhile for good: they are kept under the new key from then on.
    pub fn replace_key(&self, overlap: Duration) -> Result<(), IdentityError> {
        if overlap > KEY_OVERLAP_MAX {
            let rule = "two keys are good side by side for 400 days at most".to_owned();
            return Err(IdentityError::Invalid { field: "overlap", rule });
        }
        let overlap = i64::try_from(overlap.as_secs()).expect("400 days fit");
        self.change(|work, now| {
            // Read again under the lock: another process may have replaced it a moment ago.
            let fresh = TokenKeys::reopen(&self.key_path)?.replaced(now + overlap);
            fresh.write(&self.key_path)?;
            let print = fresh.current.fingerprint();
            work.execute("UPDATE facts SET value = ?1 WHERE name = 'token_key'", [print])?;
            Ok(())
        })
    }

    /// Takes up keys that another process, or this one, has replaced.
    pub(crate) fn reopen_keys(&self) -> Result<(), IdentityError> {
        let keys = TokenKeys::reopen(&self.key_path)?;
        *self.keys.write() = Arc::new(keys);
        Ok(())
    }

    pub(crate) fn keys(&self) -> Arc<TokenKeys> {
        Arc::clone(&self.keys.read())
    }

    /// Looks something up.
    pub(crate) fn look<T>(
        &self,
        look: impl FnOnce(&Connection, i64) -> Result<T, IdentityError>,
    ) -> Result<T, IdentityError> {
        look(&self.writer.lock(), self.clock.now_seconds())
    }
}

/// Binds the database to its key, the first time; later, refuses another key.
fn claim(connection: &mut Connection, keys: &TokenKeys) -> Result<(), IdentityError> {
    let work = connection.transaction_with_behavior(TransactionBehavior::Immediate)?;
    work.execute("INSERT OR IGNORE INTO facts VALUES ('token_key', ?1)", [keys.current.fingerprint()])?;
    let known: Vec<u8> =
        work.query_row("SELECT value FROM facts WHERE name = 'token_key'", [], |row| row.get(0))?;
    if known != keys.current.fingerprint() {
        if !keys.replaces(&known) {
            return Err(IdentityError::ForeignKey);
        }
        // A replacement ended half way, after the file and before the database.
        work.execute("UPDATE facts SET value = ?1 WHERE name = 'token_key'", [keys.current.fingerprint()])?;
    }
    work.commit()?;
    Ok(())
}
