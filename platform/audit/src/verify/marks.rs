//! The checkpoints, held against the records as these pass by.

use rusqlite::Rows;

use super::{FaultKind, Verdict, fault};
use crate::{
    AuditError, PublicKey,
    chain::Tail,
    checkpoints::{Line, LineRead, Lines},
    sign::Purpose,
};

/// The signed rows that must agree with the chain, in the order of their records.
pub(super) struct Marks<'r> {
    rows: Rows<'r>,
    row: Option<(Tail, i64, Vec<u8>)>,
    lines: Lines,
    line: Option<Line>,
    /// Checkpoints of the database since the last one that the file has too.
    pub(super) missing_in_file: u32,
    /// The last checkpoint of the database met so far.
    pub(super) last_in_table: i64,
}

impl<'r> Marks<'r> {
    pub(super) fn new(rows: Rows<'r>, lines: Lines) -> Result<Self, AuditError> {
        let mut marks = Self { rows, row: None, lines, line: None, missing_in_file: 0, last_in_table: 0 };
        marks.next_row()?;
        Ok(marks)
    }

    /// The last record that a checkpoint not met so far vouches for.
    pub(super) fn beyond(&self) -> Option<i64> {
        let in_table = self.row.as_ref().map(|it| it.0.seq);
        in_table.max(self.line.as_ref().map(|it| it.seq))
    }

    fn next_row(&mut self) -> Result<(), AuditError> {
        self.row = match self.rows.next()? {
            Some(row) => Some((Tail::from_row(row)?, row.get(2)?, row.get(3)?)),
            None => None,
        };
        Ok(())
    }

    /// Moves to the next line of the file, which must have a greater number than `after`.
    fn next_line(&mut self, after: i64) -> Verdict<()> {
        self.line = match self.lines.next()? {
            LineRead::End => None,
            LineRead::Line(line) if line.seq > after => Some(line),
            LineRead::Line(line) => {
                return fault(line.seq, FaultKind::CheckpointMismatch, "checkpoints.jsonl is out of order");
            }
            LineRead::Garbage => {
                return fault(
                    after,
                    FaultKind::CheckpointMismatch,
                    "a line of checkpoints.jsonl is not a checkpoint",
                );
            }
        };
        Ok(Ok(()))
    }

    /// Passes over lines about records that retention removed; only their signatures can be checked.
    pub(super) fn skip_lines_up_to(&mut self, start: &Tail, key: &PublicKey) -> Verdict<()> {
        let mut after = 0;
        loop {
            if let Err(fault) = self.next_line(after)? {
                return Ok(Err(fault));
            }
            let Some(line) = self.line.as_ref().filter(|line| line.seq <= start.seq) else {
                return Ok(Ok(()));
            };
            after = line.seq;
            if line.verified(key).is_none() {
                return fault(
                    after,
                    FaultKind::BadSignature,
                    "a line of checkpoints.jsonl is not signed by us",
                );
            }
        }
    }

    /// Holds the record at `tail` against the checkpoints about it.
    pub(super) fn compare(&mut self, tail: &Tail, key: &PublicKey) -> Verdict<()> {
        let in_file = self.line.as_ref().is_some_and(|line| line.seq == tail.seq);
        let in_table = self.row.as_ref().is_some_and(|row| row.0.seq == tail.seq);
        if let Some((point, at, signature)) = self.row.as_ref().filter(|_| in_table) {
            if !key.accepts(Purpose::Checkpoint, point, *at, signature) {
                return fault(tail.seq, FaultKind::BadSignature, "the checkpoint here is not signed by us");
            }
            if point != tail {
                return fault(
                    tail.seq,
                    FaultKind::CheckpointMismatch,
                    "the checkpoint here has another hash",
                );
            }
            self.last_in_table = tail.seq;
            // The file is only ever lengthened, so it may lag at its end but has no gaps.
            if in_file && self.missing_in_file > 0 {
                let detail = "checkpoints before this one are missing in checkpoints.jsonl";
                return fault(tail.seq, FaultKind::CheckpointMismatch, detail);
            }
            self.missing_in_file = if in_file { 0 } else { self.missing_in_file + 1 };
            self.next_row()?;
        }
        if !in_file {
            return Ok(Ok(()));
        }
        match self.line.as_ref().and_then(|line| line.verified(key)) {
            None => {
                fault(tail.seq, FaultKind::BadSignature, "its line in checkpoints.jsonl is not signed by us")
            }
            Some(point) if point != *tail => fault(
                tail.seq,
                FaultKind::CheckpointMismatch,
                "its line in checkpoints.jsonl has another hash",
            ),
            Some(_) if !in_table => {
                fault(tail.seq, FaultKind::CheckpointMismatch, "its checkpoint is only in checkpoints.jsonl")
            }
            Some(_) => self.next_line(tail.seq),
        }
    }
}
