//! Which process has which calls open, so that a crash leaves no call without an ending.

use std::{
    fs::{self, File, OpenOptions, TryLockError},
    io,
    os::unix::fs::OpenOptionsExt,
    path::PathBuf,
};

use pipeline::seams::{AuditEntry, Phase};
use rusqlite::OptionalExtension;
use serde_json::Value;
use store::{Clock, DataDir};

use crate::{
    AuditError, body,
    chain::{Chain, Checkpoint, Segment},
};

/// How many abandoned calls one transaction ends.
const BATCH: i64 = 1000;

/// Proof that this process lives: a locked file, which the system unlocks however the process ends.
pub(crate) struct Process {
    pub(crate) id: i64,
    path: PathBuf,
    _lock: File,
}

impl Process {
    /// Registers this process.
    pub(crate) fn register(chain: &mut Chain, dir: &DataDir) -> Result<Self, AuditError> {
        let nonce = kernel::CallId::random().to_string();
        let path = lock_path(dir, &nonce);
        let lock = OpenOptions::new().write(true).create_new(true).mode(0o600).open(&path)?;
        // Locked before anybody can see it in the table.
        lock.lock()?;
        let id = chain.transact(Checkpoint::WhenDue, |segment| {
            let row = (&nonce, std::process::id());
            segment.transaction.execute("INSERT INTO processes (nonce, pid) VALUES (?1, ?2)", row)?;
            Ok(segment.transaction.last_insert_rowid())
        })?;
        Ok(Self { id, path, _lock: lock })
    }

    /// Ends what is still open and signs the chain's end. The last thing a writer does.
    pub(crate) fn leave(self, chain: &mut Chain, clock: &Clock) -> Result<(), AuditError> {
        end_calls_of(chain, self.id, clock, Checkpoint::Now)?;
        chain.mirror();
        Ok(fs::remove_file(&self.path)?)
    }
}

/// Gives every call of a dead process its outcome, `abandoned`. Returns how many there were.
pub(crate) fn recover(chain: &mut Chain, dir: &DataDir, clock: &Clock) -> Result<u64, AuditError> {
    let known = chain.transact(Checkpoint::WhenDue, |segment| {
        let mut rows =
            segment.transaction.prepare("SELECT id, nonce FROM processes ORDER BY id LIMIT 10000")?;
        let rows = rows.query_map([], |row| Ok((row.get(0)?, row.get(1)?)))?;
        Ok(rows.collect::<Result<Vec<(i64, String)>, _>>()?)
    })?;
    let mut ended = 0;
    for (id, nonce) in known {
        let path = lock_path(dir, &nonce);
        let Some(lock) = lock_of_the_dead(&path)? else { continue };
        ended += end_calls_of(chain, id, clock, Checkpoint::WhenDue)?;
        if lock.is_some() {
            fs::remove_file(&path)?;
        }
    }
    Ok(ended)
}

fn lock_path(dir: &DataDir, nonce: &str) -> PathBuf {
    dir.audit().join(format!("process-{nonce}.lock"))
}

/// `None` while its owner lives; else the lock, unless the file is gone too.
fn lock_of_the_dead(path: &PathBuf) -> Result<Option<Option<File>>, AuditError> {
    let file = match File::open(path) {
        Ok(file) => file,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Some(None)),
        Err(error) => return Err(error.into()),
    };
    match file.try_lock() {
        Ok(()) => Ok(Some(Some(file))),
        Err(TryLockError::WouldBlock) => Ok(None),
        Err(TryLockError::Error(error)) => Err(error.into()),
    }
}

fn end_calls_of(
    chain: &mut Chain,
    process: i64,
    clock: &Clock,
    checkpoint: Checkpoint,
) -> Result<u64, AuditError> {
    let mut ended = 0;
    loop {
        let now = clock.now_us();
        let batch = chain.transact(checkpoint, |segment| end_some(segment, process, now))?;
        if batch == 0 {
            return Ok(ended);
        }
        ended += batch;
    }
}

/// Ends up to [`BATCH`] calls of `process`; forgets the process when none is left.
fn end_some(segment: &mut Segment<'_>, process: i64, now: i64) -> Result<u64, AuditError> {
    let transaction = segment.transaction;
    let mut open =
        transaction.prepare_cached("SELECT seq FROM open_calls WHERE process = ?1 ORDER BY seq LIMIT ?2")?;
    let open = open.query_map((process, BATCH), |row| row.get(0))?.collect::<Result<Vec<i64>, _>>()?;
    for seq in &open {
        let intent: Option<String> = transaction
            .prepare_cached("SELECT body FROM records WHERE seq = ?1")?
            .query_row([seq], |row| row.get(0))
            .optional()?;
        // Retention may have removed the intent.
        if let Some(intent) = intent {
            let intent =
                body::parse(&intent).map_err(|source| AuditError::Unreadable { seq: *seq, source })?;
            let outcome = body::render(&abandoned(intent, now))
                .map_err(|it| AuditError::Broken { seq: *seq, detail: it.reason })?;
            segment.push(&outcome)?;
        }
        transaction.prepare_cached("DELETE FROM open_calls WHERE seq = ?1")?.execute([seq])?;
    }
    if open.is_empty() {
        transaction.execute("DELETE FROM processes WHERE id = ?1", [process])?;
    }
    Ok(open.len() as u64)
}

fn abandoned(intent: AuditEntry, now: i64) -> AuditEntry {
    AuditEntry {
        phase: Phase::Outcome,
        duration_us: u64::try_from(now - intent.at).ok(),
        at: now,
        args: Value::Null,
        args_digest: None,
        resources: Vec::new(),
        code: Some("abandoned".into()),
        message: Some("the process ended before the call did, so it may or may not have happened".into()),
        ..intent
    }
}
