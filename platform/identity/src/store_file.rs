//! The file, its connections and its memory.

use std::{sync::Arc, time::Instant};

use parking_lot::{Mutex, RwLock};
use rusqlite::{Connection, Transaction, TransactionBehavior};
use store::{Clock, DataDir, sqlite};

use crate::{
    IdentityError, authenticate::Freshness, key::TokenKey, schema::MIGRATIONS, snapshot::Snapshot,
    usage::UsageWriter,
};

/// Who is who: `identity.db` and `keys/token.key` in the data directory.
///
/// Any number of processes may have it open; each notices the changes of the others within 100 ms.
/// Everything but authentication waits for the disk: call it from a blocking thread.
pub struct IdentityStore {
    pub(crate) clock: Clock,
    pub(crate) key: TokenKey,
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
        let key = TokenKey::open(&data.keys().join("token.key"))?;
        let mut writer = sqlite::open(&data.identity_db(), MIGRATIONS)?;
        claim(&mut writer, &key)?;
        let mut reader = sqlite::open(&data.identity_db(), MIGRATIONS)?;
        let freshness = Freshness::new(Instant::now(), crate::authenticate::data_version(&reader)?);
        let snapshot = Snapshot::read(&mut reader, &Snapshot::default())?;
        let writer = Arc::new(Mutex::new(writer));
        let usage = UsageWriter::start(Arc::clone(&writer)).map_err(IdentityError::Thread)?;
        Ok(Self {
            clock,
            key,
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

    /// Looks something up.
    pub(crate) fn look<T>(
        &self,
        look: impl FnOnce(&Connection, i64) -> Result<T, IdentityError>,
    ) -> Result<T, IdentityError> {
        look(&self.writer.lock(), self.clock.now_seconds())
    }
}

/// Binds the database to its key, the first time; later, refuses another key.
fn claim(connection: &mut Connection, key: &TokenKey) -> Result<(), IdentityError> {
    let work = connection.transaction_with_behavior(TransactionBehavior::Immediate)?;
    work.execute("INSERT OR IGNORE INTO facts VALUES ('token_key', ?1)", [key.fingerprint()])?;
    let known: Vec<u8> =
        work.query_row("SELECT value FROM facts WHERE name = 'token_key'", [], |row| row.get(0))?;
    work.commit()?;
    if known == key.fingerprint() { Ok(()) } else { Err(IdentityError::ForeignKey) }
}
