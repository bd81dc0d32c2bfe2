//! Signed points of the chain, kept in the database and, so that an older copy of it is noticed, in a
//! file of their own.

use std::{
    fs::{File, OpenOptions},
    io::{self, BufRead, BufReader, Read, Seek, SeekFrom, Write},
    os::unix::fs::OpenOptionsExt,
    path::{Path, PathBuf},
};

use rusqlite::{Connection, params};
use serde::{Deserialize, Serialize};
use store::DataDir;

use crate::{
    AuditError,
    chain::Tail,
    hex,
    sign::{PublicKey, Purpose, Signer},
};

/// Longest line of the file in bytes; ours have about 270.
const LINE_BYTES_MAX: u64 = 1024;

/// One line of `audit/checkpoints.jsonl`.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Line {
    pub(crate) seq: i64,
    hash: String,
    at: i64,
    signature: String,
}

impl Line {
    /// The point it is about, if our key signed it.
    pub(crate) fn verified(&self, key: &PublicKey) -> Option<Tail> {
        let tail = Tail { seq: self.seq, hash: hex::decode(&self.hash)? };
        let signature: [u8; 64] = hex::decode(&self.signature)?;
        key.accepts(Purpose::Checkpoint, &tail, self.at, &signature).then_some(tail)
    }
}

/// Signs `tail` and keeps the signature in the database.
pub(crate) fn sign(connection: &Connection, signer: &Signer, tail: &Tail, at: i64) -> Result<(), AuditError> {
    let signature = signer.sign(Purpose::Checkpoint, tail, at);
    connection
        .prepare_cached("INSERT INTO checkpoints (seq, hash, at, signature) VALUES (?1, ?2, ?3, ?4)")?
        .execute(params![tail.seq, tail.hash.as_slice(), at, signature.as_slice()])?;
    Ok(())
}

/// `audit/checkpoints.jsonl`.
pub(crate) struct CheckpointFile(PathBuf);

impl CheckpointFile {
    pub(crate) fn new(dir: &DataDir) -> Self {
        Self(path_in(dir))
    }

    pub(crate) fn at(path: &Path) -> Self {
        Self(path.to_owned())
    }

    /// The last whole line, if there is one.
    pub(crate) fn last(&self) -> Result<Option<Line>, AuditError> {
        match File::open(&self.0) {
            Ok(mut file) => Ok(last_line(&mut file)?.line),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
            Err(error) => Err(error.into()),
        }
    }

    /// Appends every checkpoint of the database that the file lacks, and waits for the disk.
    pub(crate) fn catch_up(&self, connection: &Connection) -> Result<(), AuditError> {
        let opened =
            OpenOptions::new().read(true).write(true).create(true).truncate(false).mode(0o600).open(&self.0);
        let mut file = opened?;
        // Another process may be doing the same. Closing the file lets go.
        file.lock()?;
        let end = last_line(&mut file)?;
        let last_seq = end.line.map_or(0, |it| it.seq);
        let mut lines = Vec::new();
        let mut rows = connection.prepare_cached(
            "SELECT seq, hash, at, signature FROM checkpoints WHERE seq > ?1 ORDER BY seq LIMIT 10000",
        )?;
        let mut rows = rows.query([last_seq])?;
        while let Some(row) = rows.next()? {
            let line = Line {
                seq: row.get(0)?,
                hash: hex::encode(row.get_ref(1)?.as_blob().unwrap_or_default()),
                at: row.get(2)?,
                signature: hex::encode(row.get_ref(3)?.as_blob().unwrap_or_default()),
            };
            serde_json::to_writer(&mut lines, &line).map_err(io::Error::from)?;
            lines.push(b'\n');
        }
        if lines.is_empty() {
            return Ok(());
        }
        // A crash may have left half a line.
        file.set_len(end.whole_bytes)?;
        file.seek(SeekFrom::Start(end.whole_bytes))?;
        file.write_all(&lines)?;
        Ok(file.sync_data()?)
    }
}

pub(crate) fn path_in(dir: &DataDir) -> PathBuf {
    dir.audit().join("checkpoints.jsonl")
}

struct FileEnd {
    /// Length up to and with the last line break.
    whole_bytes: u64,
    line: Option<Line>,
}

fn last_line(file: &mut File) -> io::Result<FileEnd> {
    let length = file.metadata()?.len();
    let window = length.min(2 * LINE_BYTES_MAX);
    file.seek(SeekFrom::Start(length - window))?;
    let mut tail = Vec::new();
    file.take(window).read_to_end(&mut tail)?;
    let Some(end) = tail.iter().rposition(|it| *it == b'\n') else {
        return Ok(FileEnd { whole_bytes: 0, line: None });
    };
    let start = tail[..end].iter().rposition(|it| *it == b'\n').map_or(0, |it| it + 1);
    let line = serde_json::from_slice(&tail[start..end]).map_err(|_| {
        io::Error::new(
            io::ErrorKind::InvalidData,
            "audit/checkpoints.jsonl is damaged; run `core-mcp audit verify`",
        )
    })?;
    let torn = (tail.len() - end - 1) as u64;
    Ok(FileEnd { whole_bytes: length - torn, line: Some(line) })
}

/// Reads the file from its start, at most as far as it reached when opened.
pub(crate) struct Lines(Option<BufReader<io::Take<File>>>);

/// What a line holds.
pub(crate) enum LineRead {
    /// A checkpoint.
    Line(Line),
    /// Something else.
    Garbage,
    /// No more lines.
    End,
}

impl Lines {
    pub(crate) fn open(path: &Path) -> io::Result<Self> {
        match File::open(path) {
            Ok(file) => {
                let length = file.metadata()?.len();
                Ok(Self(Some(BufReader::new(file.take(length)))))
            }
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(Self(None)),
            Err(error) => Err(error),
        }
    }

    pub(crate) fn next(&mut self) -> io::Result<LineRead> {
        let Some(reader) = &mut self.0 else { return Ok(LineRead::End) };
        let mut line = Vec::new();
        reader.by_ref().take(LINE_BYTES_MAX).read_until(b'\n', &mut line)?;
        match line.pop() {
            None => Ok(LineRead::End),
            Some(b'\n') => Ok(serde_json::from_slice(&line).map_or(LineRead::Garbage, LineRead::Line)),
            // A crash may have left half a line at the very end.
            Some(_) if reader.fill_buf()?.is_empty() => Ok(LineRead::End),
            Some(_) => Ok(LineRead::Garbage),
        }
    }
}
