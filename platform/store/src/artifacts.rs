//! Results too large to send, kept for their owner for a while.

use std::{
    path::{Path, PathBuf},
    sync::Arc,
    time::Duration,
};

use kernel::{BoxFuture, ErrorKind, Principal, ToolError, digest_hex};
use parking_lot::Mutex;
use pipeline::seams::{Artifact, ArtifactInfo, Artifacts};
use rusqlite::{Connection, OptionalExtension, Transaction, TransactionBehavior};

use crate::{Clock, DataDir, StoreError, error::state_error, random, schema::MIGRATIONS, sqlite};

mod files;

const SCHEME: &str = "artifact://";
/// Hex digits of an id: 128 random bits.
const ID_DIGITS: usize = 32;
/// Largest piece one read returns.
const READ_MAX: usize = 16 << 20;
/// Longest listing.
const LIST_MAX: usize = 1000;

/// How much is kept, and how long.
#[derive(Clone, Debug)]
pub struct ArtifactOptions {
    /// Largest single artifact in bytes.
    pub size_max: u64,
    /// Bytes of one owner; the oldest make room.
    pub owner_bytes_max: u64,
    /// Artifacts of one owner; the oldest make room.
    pub owner_count_max: u32,
    /// Bytes in all; the oldest make room.
    pub total_bytes_max: u64,
    /// How long one is kept.
    pub lifetime: Duration,
    /// Where the time comes from.
    pub clock: Clock,
}

impl Default for ArtifactOptions {
    fn default() -> Self {
        Self {
            size_max: 64 << 20,
            owner_bytes_max: 256 << 20,
            owner_count_max: 1000,
            total_bytes_max: 1 << 30,
            lifetime: Duration::from_secs(7 * 86_400),
            clock: Clock::system(),
        }
    }
}

/// All artifacts of a data directory. Several processes may use them at once.
#[derive(Clone)]
pub struct ArtifactStore(Arc<Inner>);

struct Inner {
    connection: Mutex<Connection>,
    folder: PathBuf,
    options: ArtifactOptions,
}

impl ArtifactStore {
    /// Opens `state.db`, and removes what expired and what a crash left half done. Blocks on the disk.
    pub fn open(dir: &DataDir, options: ArtifactOptions) -> Result<Self, StoreError> {
        let path = dir.state_db();
        let connection = Mutex::new(sqlite::open(&path, MIGRATIONS)?);
        let store = Self(Arc::new(Inner { connection, folder: dir.artifacts(), options }));
        store.0.delete_expired().map_err(StoreError::sqlite(&path))?;
        files::remove_orphans(&store.0.folder, |id| store.0.is_known(id))?;
        Ok(store)
    }

    /// Removes what expired. Returns how many. Blocks on the disk.
    pub fn sweep(&self) -> Result<usize, ToolError> {
        self.0.delete_expired().map_err(state_error)
    }

    /// Runs `work` where it may block.
    fn blocking<'a, T: Send + 'static>(
        &self,
        work: impl FnOnce(&Inner) -> Result<T, ToolError> + Send + 'static,
    ) -> BoxFuture<'a, Result<T, ToolError>> {
        let inner = Arc::clone(&self.0);
        Box::pin(async move {
            let done = tokio::task::spawn_blocking(move || work(&inner)).await;
            done.unwrap_or_else(|error| Err(ToolError::wrap(ErrorKind::Internal, error)))
        })
    }
}

impl Artifacts for ArtifactStore {
    fn put<'a>(
        &'a self,
        owner: &'a Principal,
        mime: &'a str,
        bytes: Vec<u8>,
    ) -> BoxFuture<'a, Result<String, ToolError>> {
        let (owner, mime) = (owner.id.clone(), plain_mime(mime));
        self.blocking(move |inner| inner.put(&owner, &mime, &bytes))
    }

    fn get<'a>(
        &'a self,
        owner: &'a Principal,
        uri: &'a str,
        offset: u64,
        limit: usize,
    ) -> BoxFuture<'a, Result<Artifact, ToolError>> {
        let (owner, id) = (owner.id.clone(), id_in(uri).map(str::to_owned));
        self.blocking(move |inner| inner.get(&owner, &id.ok_or_else(not_found)?, offset, limit.min(READ_MAX)))
    }

    fn list<'a>(
        &'a self,
        owner: &'a Principal,
        limit: usize,
    ) -> BoxFuture<'a, Result<Vec<ArtifactInfo>, ToolError>> {
        let owner = owner.id.clone();
        self.blocking(move |inner| inner.list(&owner, limit.min(LIST_MAX)).map_err(state_error))
    }
}

impl Inner {
    fn put(&self, owner: &str, mime: &str, bytes: &[u8]) -> Result<String, ToolError> {
        let size = bytes.len() as u64;
        if size > self.options.size_max.min(self.options.owner_bytes_max) {
            return Err(ToolError::new(
                ErrorKind::Overloaded,
                format!("a result of {size} bytes is too large to keep"),
            )
            .hint("ask for less: narrow the filter or lower the limit"));
        }
        let id = random::hex_id(ID_DIGITS);
        // The bytes first: a row never stands for a file that is not there.
        files::write(&self.owner_folder(owner), &id, bytes)?;
        let pruned = self.insert(&id, owner, mime, size).map_err(state_error)?;
        self.remove_files(&pruned);
        Ok(format!("{SCHEME}{id}"))
    }

    /// Adds the row and takes out what has to make room for it. Returns (owner, id) of those.
    fn insert(
        &self,
        id: &str,
        owner: &str,
        mime: &str,
        size: u64,
    ) -> rusqlite::Result<Vec<(String, String)>> {
        let now = self.options.clock.now_seconds();
        let expires_at = now.saturating_add(signed(self.options.lifetime.as_secs()));
        let mut connection = self.connection.lock();
        let work = connection.transaction_with_behavior(TransactionBehavior::Immediate)?;
        work.prepare_cached(
            "INSERT INTO artifacts (id, owner, mime, size, created_at, expires_at)
             VALUES (?1, ?2, ?3, ?4, ?5, ?6)",
        )?
        .execute((id, owner, mime, signed(size), now, expires_at))?;
        let newest = work.last_insert_rowid();
        let mut pruned = Vec::new();
        while let Some(oldest) = self.oldest_too_many(&work, owner, newest)? {
            work.prepare_cached("DELETE FROM artifacts WHERE n = ?1")?.execute([oldest.0])?;
            pruned.push((oldest.1, oldest.2));
        }
        work.commit()?;
        Ok(pruned)
    }

    /// The artifact that has to go next, if a quota is exceeded; never `newest`.
    fn oldest_too_many(
        &self,
        work: &Transaction<'_>,
        owner: &str,
        newest: i64,
    ) -> rusqlite::Result<Option<(i64, String, String)>> {
        let (bytes, count): (i64, i64) = work
            .prepare_cached("SELECT coalesce(sum(size), 0), count(*) FROM artifacts WHERE owner = ?1")?
            .query_row([owner], |row| Ok((row.get(0)?, row.get(1)?)))?;
        let total: i64 = work
            .prepare_cached("SELECT coalesce(sum(size), 0) FROM artifacts")?
            .query_row([], |row| row.get(0))?;
        let of_owner =
            bytes > signed(self.options.owner_bytes_max) || count > i64::from(self.options.owner_count_max);
        if !of_owner && total <= signed(self.options.total_bytes_max) {
            return Ok(None);
        }
        work.prepare_cached(
            "SELECT n, owner, id FROM artifacts WHERE n <> ?1 AND (NOT ?2 OR owner = ?3) ORDER BY n LIMIT 1",
        )?
        .query_row((newest, of_owner, owner), |row| Ok((row.get(0)?, row.get(1)?, row.get(2)?)))
        .optional()
    }

    fn get(&self, owner: &str, id: &str, offset: u64, limit: usize) -> Result<Artifact, ToolError> {
        let now = self.options.clock.now_seconds();
        let row: Option<(String, i64)> = self
            .connection
            .lock()
            .prepare_cached(
                "SELECT mime, size FROM artifacts WHERE id = ?1 AND owner = ?2 AND expires_at > ?3",
            )
            .and_then(|mut it| {
                it.query_row((id, owner, now), |row| Ok((row.get(0)?, row.get(1)?))).optional()
            })
            .map_err(state_error)?;
        let (mime, size) = row.ok_or_else(not_found)?;
        let total = u64::try_from(size).unwrap_or_default();
        let bytes =
            files::read(&self.owner_folder(owner), id, offset.min(total), limit)?.ok_or_else(not_found)?;
        Ok(Artifact { mime, bytes, total })
    }

    fn list(&self, owner: &str, limit: usize) -> rusqlite::Result<Vec<ArtifactInfo>> {
        let now = self.options.clock.now_seconds();
        let connection = self.connection.lock();
        let mut rows = connection.prepare_cached(
            "SELECT id, mime, size, created_at FROM artifacts WHERE owner = ?1 AND expires_at > ?2
             ORDER BY n DESC LIMIT ?3",
        )?;
        let rows = rows.query_map((owner, now, signed(limit as u64)), |row| {
            Ok(ArtifactInfo {
                uri: format!("{SCHEME}{}", row.get::<_, String>(0)?),
                mime: row.get(1)?,
                size: u64::try_from(row.get::<_, i64>(2)?).unwrap_or_default(),
                created_at: row.get(3)?,
            })
        })?;
        rows.collect()
    }

    fn delete_expired(&self) -> rusqlite::Result<usize> {
        let now = self.options.clock.now_seconds();
        let expired = self
            .connection
            .lock()
            .prepare_cached("DELETE FROM artifacts WHERE expires_at <= ?1 RETURNING owner, id")?
            .query_map([now], |row| Ok((row.get(0)?, row.get(1)?)))?
            .collect::<rusqlite::Result<Vec<_>>>()?;
        self.remove_files(&expired);
        Ok(expired.len())
    }

    fn is_known(&self, id: &str) -> Result<bool, StoreError> {
        let sql = "SELECT EXISTS (SELECT 1 FROM artifacts WHERE id = ?1)";
        let connection = self.connection.lock();
        connection.query_row(sql, [id], |row| row.get(0)).map_err(StoreError::sqlite(Path::new("state.db")))
    }

    /// A file that stays behind is an orphan, which the next start removes.
    fn remove_files(&self, gone: &[(String, String)]) {
        for (owner, id) in gone {
            if let Err(error) = files::remove(&self.owner_folder(owner), id) {
                tracing::warn!(%error, "an artifact's file could not be removed");
            }
        }
    }

    /// A principal's id may hold anything, so the folder is named by its digest.
    fn owner_folder(&self, owner: &str) -> PathBuf {
        self.folder.join(&digest_hex(owner.as_bytes())[..32])
    }
}

/// The id in `artifact://<id>`, if it is one of ours.
fn id_in(uri: &str) -> Option<&str> {
    uri.strip_prefix(SCHEME).filter(|id| is_id(id))
}

fn is_id(id: &str) -> bool {
    id.len() == ID_DIGITS && id.bytes().all(|it| it.is_ascii_digit() || (b'a'..=b'f').contains(&it))
}

/// Media types go into headers and protocol fields, so only plain ones are kept.
fn plain_mime(mime: &str) -> String {
    let is_plain = |it: u8| it.is_ascii_alphanumeric() || b"/.+-_;= ".contains(&it);
    match (1..=127).contains(&mime.len()) && mime.contains('/') && mime.bytes().all(is_plain) {
        true => mime.to_owned(),
        false => "application/octet-stream".to_owned(),
    }
}

/// Somebody else's, expired and unknown look alike.
fn not_found() -> ToolError {
    ToolError::new(ErrorKind::NotFound, "you have no such artifact; it may have expired")
        .hint("repeat the call that made it, or list your artifacts with resources/list")
}

fn signed(value: u64) -> i64 {
    i64::try_from(value).unwrap_or(i64::MAX)
}
