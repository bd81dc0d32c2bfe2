//! The chain itself: how records are linked, and the one way to lengthen it.

use std::{
    fs,
    os::unix::fs::MetadataExt,
    path::{Path, PathBuf},
    sync::Arc,
};

use ring::digest::{Context, SHA256};
use rusqlite::{Connection, OptionalExtension, Row, Transaction, TransactionBehavior, params};
use store::{Clock, DataDir, sqlite};

use crate::{
    AuditError, PublicKey,
    checkpoints::{self, CheckpointFile},
    schema::MIGRATIONS,
    sign::{self, Purpose, Signer},
};

/// SHA-256.
pub(crate) type Hash = [u8; 32];

/// A point of the chain: a record's number and hash.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Tail {
    pub(crate) seq: i64,
    pub(crate) hash: Hash,
}

impl Tail {
    /// Before the first record.
    pub(crate) const GENESIS: Self = Self { seq: 0, hash: [0; 32] };

    /// The point after the record `body`.
    pub(crate) fn next(&self, body: &[u8]) -> Self {
        let seq = self.seq + 1;
        let mut context = Context::new(&SHA256);
        context.update(&self.hash);
        context.update(&seq.to_be_bytes());
        context.update(body);
        let hash = context.finish().as_ref().try_into().expect("SHA-256 has 32 bytes");
        Self { seq, hash }
    }

    /// Reads `seq` and `hash` from the first two columns; a hash of the wrong size becomes all zeros,
    /// which no record has.
    pub(crate) fn from_row(row: &Row<'_>) -> rusqlite::Result<Self> {
        let hash = row.get_ref(1)?.as_blob()?.try_into().unwrap_or([0; 32]);
        Ok(Self { seq: row.get(0)?, hash })
    }
}

/// When a checkpoint is signed besides every so many records.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Checkpoint {
    /// Only when enough records came since the last one.
    WhenDue,
    /// With this transaction, if there is anything new.
    Now,
}

/// How a chain is kept.
#[derive(Clone)]
pub(crate) struct ChainOptions {
    /// Records between two checkpoints.
    pub(crate) checkpoint_records: i64,
    /// Largest size of the database in bytes.
    pub(crate) bytes_max: Option<u64>,
    pub(crate) clock: Clock,
}

/// Which file a path names: device and inode.
pub(crate) type FileIdentity = (u64, u64);

/// What an earlier opening in this process knew; the same log must be found again.
#[derive(Clone)]
pub(crate) struct Reopen {
    pub(crate) signer: Arc<Signer>,
    pub(crate) identity: FileIdentity,
}

/// An open chain. One per writer; several processes may each hold one.
pub(crate) struct Chain {
    path: PathBuf,
    connection: Connection,
    signer: Arc<Signer>,
    options: ChainOptions,
    file: CheckpointFile,
    identity: FileIdentity,
    data_version: Option<i64>,
    tail: Tail,
    checkpointed: i64,
    mirrored: bool,
}

impl Chain {
    /// Opens the chain and checks that it ends where it was signed to end. Begins a new one when there
    /// is none, but never in place of an `earlier` one that has gone.
    pub(crate) fn open(
        dir: &DataDir,
        options: ChainOptions,
        earlier: Option<&Reopen>,
    ) -> Result<Self, AuditError> {
        let path = dir.audit_db();
        let same_file = |path: &Path| match (earlier, identity(path)) {
            (Some(earlier), Ok(found)) if earlier.identity == found => Ok(()),
            (Some(_), Ok(_)) => Err(AuditError::Moved),
            (Some(_), Err(error)) => Err(error),
            (None, _) => Ok(()),
        };
        same_file(&path)?;
        // Asked before the records: another process may be writing the first one right now.
        let has_begun = sign::has_begun(dir);
        let connection = sqlite::open(&path, MIGRATIONS)?;
        same_file(&path)?;
        let has_records: bool =
            connection.query_row("SELECT EXISTS (SELECT 1 FROM records)", [], |row| row.get(0))?;
        let file = CheckpointFile::new(dir);
        // Read before the end of the chain: other processes may lengthen both meanwhile.
        let signed = file.last()?.map_or(0, |it| it.seq);
        if has_begun && !has_records && signed == 0 {
            return Err(AuditError::Emptied);
        }
        let signer = match earlier {
            Some(earlier) => Arc::clone(&earlier.signer),
            None => Arc::new(Signer::open(&dir.keys().join("audit.key"), !has_records && signed == 0)?),
        };
        let identity = identity(&path)?;
        let mut chain = Self {
            path,
            connection,
            signer,
            options,
            file,
            identity,
            data_version: None,
            tail: Tail::GENESIS,
            checkpointed: 0,
            mirrored: false,
        };
        chain.limit_size()?;
        chain.transact(Checkpoint::WhenDue, |_| Ok(()))?;
        if signed > chain.tail.seq {
            return Err(AuditError::RolledBack { found: chain.tail.seq, signed });
        }
        Ok(chain)
    }

    /// Does `work` in one durable transaction: all of its records are in the chain afterwards, or none.
    pub(crate) fn transact<T>(
        &mut self,
        checkpoint: Checkpoint,
        work: impl FnOnce(&mut Segment<'_>) -> Result<T, AuditError>,
    ) -> Result<T, AuditError> {
        if identity(&self.path)? != self.identity {
            return Err(AuditError::Moved);
        }
        let transaction = self.connection.transaction_with_behavior(TransactionBehavior::Immediate)?;
        let version = transaction.prepare_cached("PRAGMA data_version")?.query_row([], |row| row.get(0))?;
        let (mut tail, mut checkpointed) = (self.tail, self.checkpointed);
        if self.data_version != Some(version) {
            // Somebody else wrote since, or we have just opened.
            (tail, checkpointed) = read_end(&transaction, &self.signer)?;
        }
        let start = tail;
        let mut segment = Segment { transaction: &transaction, signer: &self.signer, tail };
        let result = work(&mut segment)?;
        tail = segment.tail;
        if tail != start {
            sign_head(&transaction, &self.signer, &tail)?;
        }
        let unsigned = tail.seq - checkpointed;
        if unsigned >= self.options.checkpoint_records || (checkpoint == Checkpoint::Now && unsigned > 0) {
            checkpoints::sign(&transaction, &self.signer, &tail, self.options.clock.now_us())?;
            checkpointed = tail.seq;
            self.mirrored = false;
        }
        transaction.commit()?;
        (self.tail, self.checkpointed, self.data_version) = (tail, checkpointed, Some(version));
        Ok(result)
    }

    /// Records since the last checkpoint.
    pub(crate) fn unsigned(&self) -> i64 {
        self.tail.seq - self.checkpointed
    }

    /// The half of the key that everybody may know.
    pub(crate) fn public_key(&self) -> PublicKey {
        self.signer.public()
    }

    /// What is needed to open the same chain again.
    pub(crate) fn ticket(&self) -> Reopen {
        Reopen { signer: Arc::clone(&self.signer), identity: self.identity }
    }

    /// Copies new checkpoints out of the database; nobody has to wait for it. Records are safe without
    /// it, so a failure only postpones it to the next call.
    pub(crate) fn mirror(&mut self) {
        if self.mirrored {
            return;
        }
        match self.file.catch_up(&self.connection) {
            Ok(()) => self.mirrored = true,
            Err(error) => tracing::warn!(%error, "audit checkpoints could not be copied out of the database"),
        }
    }

    fn limit_size(&self) -> Result<(), AuditError> {
        let Some(bytes) = self.options.bytes_max else { return Ok(()) };
        let page: u32 = self.connection.query_row("PRAGMA page_size", [], |row| row.get(0))?;
        let pages = u32::try_from(bytes / u64::from(page.max(1))).unwrap_or(u32::MAX - 1).max(1);
        // The pragma answers with the limit in force.
        self.connection.query_row(&format!("PRAGMA max_page_count = {pages}"), [], |_| Ok(()))?;
        Ok(())
    }
}

/// The chain inside a transaction.
pub(crate) struct Segment<'t> {
    pub(crate) transaction: &'t Transaction<'t>,
    pub(crate) signer: &'t Signer,
    tail: Tail,
}

impl Segment<'_> {
    /// Whether the chain has no record yet.
    pub(crate) fn is_empty(&self) -> bool {
        self.tail == Tail::GENESIS
    }

    /// Adds one record and returns its number.
    pub(crate) fn push(&mut self, body: &str) -> Result<i64, AuditError> {
        let next = self.tail.next(body.as_bytes());
        self.transaction
            .prepare_cached("INSERT INTO records (seq, body, hash) VALUES (?1, ?2, ?3)")?
            .execute(params![next.seq, body, next.hash.as_slice()])?;
        self.tail = next;
        Ok(next.seq)
    }
}

/// The signed end of the chain and the last checkpoint, after making sure that they fit the records.
/// Without this a shortened chain would be made whole by the next signature.
fn read_end(connection: &Connection, signer: &Signer) -> Result<(Tail, i64), AuditError> {
    let broken = |seq, detail: &str| Err(AuditError::Broken { seq, detail: detail.into() });
    let last = connection
        .prepare_cached("SELECT seq, hash FROM records ORDER BY seq DESC LIMIT 1")?
        .query_row([], Tail::from_row)
        .optional()?;
    let head = connection
        .prepare_cached("SELECT seq, hash, signature FROM head")?
        .query_row([], |row| Ok((Tail::from_row(row)?, row.get::<_, Vec<u8>>(2)?)))
        .optional()?;
    let checkpointed: i64 = connection
        .prepare_cached("SELECT coalesce(max(seq), 0) FROM checkpoints")?
        .query_row([], |row| row.get(0))?;
    match (last, head) {
        (None, None) if checkpointed == 0 => Ok((Tail::GENESIS, 0)),
        (None, None) => broken(1, "records were removed together with their signature"),
        (Some(last), None) => broken(last.seq, "the signature of its end is gone"),
        (None, Some((head, _))) => broken(head.seq, "records were removed"),
        (Some(last), Some((head, signature))) => {
            if !signer.public().accepts(Purpose::Head, &head, 0, &signature) {
                return broken(head.seq, "the signature of its end is not valid");
            }
            if last != head {
                return broken(last.seq.min(head.seq), "it does not end where it was signed to end");
            }
            Ok((last, checkpointed))
        }
    }
}

fn sign_head(connection: &Connection, signer: &Signer, tail: &Tail) -> Result<(), AuditError> {
    let signature = signer.sign(Purpose::Head, tail, 0);
    connection
        .prepare_cached("INSERT OR REPLACE INTO head (id, seq, hash, signature) VALUES (1, ?1, ?2, ?3)")?
        .execute(params![tail.seq, tail.hash.as_slice(), signature.as_slice()])?;
    Ok(())
}

fn identity(path: &Path) -> Result<FileIdentity, AuditError> {
    match fs::symlink_metadata(path) {
        Ok(facts) => Ok((facts.dev(), facts.ino())),
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => Err(AuditError::Moved),
        Err(error) => Err(error.into()),
    }
}
