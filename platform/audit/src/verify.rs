//! Proof that the log is what was written: every record, in order, none missing, up to its signed end.

use std::path::PathBuf;

use rusqlite::{Connection, OptionalExtension};
use serde::Serialize;
use store::{DataDir, sqlite};

use crate::{
    AuditError, PublicKey,
    chain::Tail,
    checkpoints::{self, CheckpointFile, Lines},
    sign::{self, Purpose, Signer},
};

use self::marks::Marks;

mod marks;

/// How far behind a fault its cause is looked for.
const SEARCH_MAX: i64 = 1_000_000;
/// Checkpoints that the file may lack: it is written after the database, and a crash may fall between.
const LAG_MAX: u32 = 2;
/// Records between two reports of progress.
const PROGRESS_EVERY: u64 = 10_000;

/// What to verify, and against which key.
#[derive(Clone, Debug)]
pub struct VerifySources {
    /// `audit.db`, or a copy of it. Other processes may be writing to it.
    pub database: PathBuf,
    /// `checkpoints.jsonl`, or a copy kept elsewhere.
    pub checkpoints: PathBuf,
    /// The key that signed it.
    pub public_key: PublicKey,
    /// Whether the log has ever held a record; then an empty one was emptied.
    pub has_begun: bool,
}

impl VerifySources {
    /// The log of a data directory, with its own key. Whoever can replace both the log and the key can
    /// forge both: pass a key that was kept elsewhere when that matters.
    pub fn of(dir: &DataDir) -> Result<Self, AuditError> {
        let public_key = Signer::open(&dir.keys().join("audit.key"), false)?.public();
        let (database, checkpoints) = (dir.audit_db(), checkpoints::path_in(dir));
        Ok(Self { database, checkpoints, public_key, has_begun: sign::has_begun(dir) })
    }
}

/// What the proof came to.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct VerifyReport {
    /// Nothing was found wrong.
    pub ok: bool,
    /// Records proven, up to the first bad one.
    pub records: u64,
    /// The first thing that is wrong.
    pub first_bad: Option<Fault>,
}

/// One thing that is wrong.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Fault {
    /// The record.
    pub seq: i64,
    /// What was done to it.
    pub kind: FaultKind,
    /// In one sentence.
    pub detail: String,
}

/// Ways to tamper with a log.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum FaultKind {
    /// A record or its hash is not what was written.
    Edited,
    /// Records are missing in the middle or at the start.
    Removed,
    /// A record stands where another one stood.
    Reordered,
    /// Records are missing at the end.
    Truncated,
    /// A signature is missing or not ours.
    BadSignature,
    /// A signed checkpoint says something else than the chain.
    CheckpointMismatch,
}

type Verdict<T> = Result<Result<T, Fault>, AuditError>;

fn fault<T>(seq: i64, kind: FaultKind, detail: impl Into<String>) -> Verdict<T> {
    Ok(Err(Fault { seq, kind, detail: detail.into() }))
}

/// Verifies the whole log in one pass and constant memory, while others may write to it. `progress` is
/// told now and then how many of how many records are done.
///
/// # Errors
/// Only when the files cannot be read at all; whatever is wrong in them is in the report.
pub fn verify(
    sources: &VerifySources,
    mut progress: impl FnMut(u64, u64),
) -> Result<VerifyReport, AuditError> {
    // The file first: what it says now was in the database before, so the snapshot below includes it.
    let lines = Lines::open(&sources.checkpoints)?;
    let connection = sqlite::open_read_only(&sources.database)?;
    connection.execute_batch("BEGIN")?;
    let file = CheckpointFile::at(&sources.checkpoints);
    let (key, has_begun) = (sources.public_key, sources.has_begun);
    let mut walk = Walk { connection: &connection, file, key, has_begun, records: 0 };
    let verdict = match walk.run(lines, &mut progress) {
        Err(AuditError::Sqlite(error)) if is_damage(&error) => {
            let seq = i64::try_from(walk.records).unwrap_or(i64::MAX).saturating_add(1);
            fault(seq, FaultKind::Edited, format!("the file is damaged: {error}"))?
        }
        other => other?,
    };
    let records = walk.records;
    Ok(VerifyReport { ok: verdict.is_ok(), records, first_bad: verdict.err() })
}

fn is_damage(error: &rusqlite::Error) -> bool {
    use rusqlite::ErrorCode::{DatabaseCorrupt, NotADatabase, TooBig};
    matches!(error.sqlite_error_code(), Some(DatabaseCorrupt | NotADatabase | TooBig))
        || matches!(
            error,
            rusqlite::Error::FromSqlConversionFailure(..)
                | rusqlite::Error::InvalidColumnType(..)
                | rusqlite::Error::Utf8Error(..)
        )
}

struct Walk<'c> {
    connection: &'c Connection,
    file: CheckpointFile,
    key: PublicKey,
    has_begun: bool,
    records: u64,
}

impl Walk<'_> {
    fn run(&mut self, lines: Lines, progress: &mut impl FnMut(u64, u64)) -> Verdict<()> {
        let start = match self.start()? {
            Ok(start) => start,
            Err(fault) => return Ok(Err(fault)),
        };
        let total =
            self.connection.query_row("SELECT count(*) FROM records", [], |row| row.get::<_, i64>(0))?;
        let total = u64::try_from(total).unwrap_or_default();
        let mut checkpoints = self
            .connection
            .prepare("SELECT seq, hash, at, signature FROM checkpoints WHERE seq > ?1 ORDER BY seq")?;
        let rows = checkpoints.query([start.seq])?;
        let mut marks = Marks::new(rows, lines)?;
        if let Err(fault) = marks.skip_lines_up_to(&start, &self.key)? {
            return Ok(Err(fault));
        }
        let mut records = self.connection.prepare("SELECT seq, hash, body FROM records ORDER BY seq")?;
        let mut records = records.query([])?;
        let mut tail = start;
        while let Some(row) = records.next()? {
            let found = Tail::from_row(row)?;
            let body = row.get_ref(2)?.as_bytes().unwrap_or_default();
            if found.seq != tail.seq + 1 {
                let (first, last) = (tail.seq + 1, found.seq - 1);
                return fault(first, FaultKind::Removed, format!("records {first} to {last} are missing"));
            }
            let expected = tail.next(body);
            if expected != found {
                return self.explain(&tail);
            }
            tail = found;
            if let Err(fault) = marks.compare(&tail, &self.key)? {
                return Ok(Err(fault));
            }
            self.records += 1;
            if self.records.is_multiple_of(PROGRESS_EVERY) {
                progress(self.records, total);
            }
        }
        progress(self.records, total);
        self.end(&tail, &marks)
    }

    /// Where the chain begins: at its first record, or after what retention removed.
    fn start(&self) -> Verdict<Tail> {
        let anchor = self
            .connection
            .prepare("SELECT seq, hash, at, signature FROM anchor")?
            .query_row([], |row| Ok((Tail::from_row(row)?, row.get::<_, i64>(2)?, row.get::<_, Vec<u8>>(3)?)))
            .optional()?;
        match anchor {
            None => Ok(Ok(Tail::GENESIS)),
            Some((tail, at, signature)) if self.key.accepts(Purpose::Anchor, &tail, at, &signature) => {
                Ok(Ok(tail))
            }
            Some((tail, ..)) => {
                fault(tail.seq, FaultKind::BadSignature, "the anchor of retention is not signed by us")
            }
        }
    }

    /// Whether the file has meanwhile got what it lacked when it was opened: a busy log may sign several
    /// checkpoints between that moment and the snapshot.
    fn file_caught_up(&self, last_in_table: i64) -> Result<bool, AuditError> {
        let last = self.file.last()?.filter(|line| line.verified(&self.key).is_some());
        Ok(last.is_some_and(|line| line.seq >= last_in_table))
    }

    /// Says what became of the record after `tail`: if it stands further on, the order was changed.
    fn explain(&self, tail: &Tail) -> Verdict<()> {
        let seq = tail.seq + 1;
        let mut rows = self
            .connection
            .prepare("SELECT seq, hash, body FROM records WHERE seq > ?1 AND seq <= ?1 + ?2 ORDER BY seq")?;
        let mut rows = rows.query([seq, SEARCH_MAX])?;
        while let Some(row) = rows.next()? {
            let there = Tail::from_row(row)?;
            let true_hash = tail.next(row.get_ref(2)?.as_bytes().unwrap_or_default()).hash;
            if there.hash == true_hash {
                let detail = format!("the record that was number {seq} stands at {}", there.seq);
                return fault(seq, FaultKind::Reordered, detail);
            }
        }
        fault(seq, FaultKind::Edited, "its content and its hash do not fit the record before it")
    }

    /// The signed end, and checkpoints beyond it.
    fn end(&self, tail: &Tail, marks: &Marks<'_>) -> Verdict<()> {
        let beyond = marks.beyond();
        let head = self
            .connection
            .prepare("SELECT seq, hash, signature FROM head")?
            .query_row([], |row| Ok((Tail::from_row(row)?, row.get::<_, Vec<u8>>(2)?)))
            .optional()?;
        let next = tail.seq + 1;
        let Some((head, signature)) = head else {
            return match (beyond, tail.seq) {
                (Some(seq), _) => {
                    fault(next, FaultKind::Truncated, format!("a checkpoint vouches for record {seq}"))
                }
                (None, 0) if self.has_begun => {
                    fault(next, FaultKind::Truncated, "the log held records and is empty now")
                }
                (None, 0) => Ok(Ok(())),
                (None, seq) => {
                    fault(seq, FaultKind::BadSignature, "the signature of the chain's end is gone")
                }
            };
        };
        if !self.key.accepts(Purpose::Head, &head, 0, &signature) {
            return fault(tail.seq, FaultKind::BadSignature, "the chain's end is not signed by us");
        }
        let vouched = beyond.unwrap_or(0).max(head.seq);
        if vouched > tail.seq {
            let detail = format!("records {next} to {vouched} were signed and are missing");
            return fault(next, FaultKind::Truncated, detail);
        }
        if head.seq < tail.seq {
            let detail = "records follow the signed end";
            return fault(head.seq + 1, FaultKind::BadSignature, detail);
        }
        if head != *tail {
            return fault(tail.seq, FaultKind::BadSignature, "the signed end has another hash");
        }
        if marks.missing_in_file > LAG_MAX && !self.file_caught_up(marks.last_in_table)? {
            let detail = "the last checkpoints are missing in checkpoints.jsonl";
            return fault(tail.seq, FaultKind::CheckpointMismatch, detail);
        }
        Ok(Ok(()))
    }
}
