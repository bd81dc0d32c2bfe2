//! What a process finds when it takes the runs over.

use std::collections::VecDeque;

use kernel::ErrorKind;
use rusqlite::Connection;

use super::core::{Ended, now_ms};
use crate::interpreter::StepOutcome;

/// What has to go on.
#[derive(Default)]
pub(super) struct Found {
    pub(super) timers: Vec<(u64, i64, u64)>,
    pub(super) ready: VecDeque<(i64, u64)>,
    /// Calls that were begun and cannot be repeated: nobody knows what became of them.
    pub(super) interrupted: Vec<Ended>,
}

/// One pass over what is owed; the states stay on the disk until something happens to their run.
pub(super) fn look(db: &Connection) -> rusqlite::Result<Found> {
    let mut found = Found::default();
    let mut rows = db.prepare("SELECT run, ticket, kind, due_ms, begun, call_id FROM owed WHERE kind <> 'listen' ORDER BY run, ticket")?;
    let mut rows = rows.query([])?;
    while let Some(row) = rows.next()? {
        let (run, ticket): (i64, i64) = (row.get(0)?, row.get(1)?);
        let ticket = ticket.unsigned_abs();
        let kind: String = row.get(2)?;
        let begun: i64 = row.get(4)?;
        if kind == "timer" {
            found.timers.push((row.get::<_, i64>(3)?.unsigned_abs(), run, ticket));
        } else if begun == 0 {
            found.ready.push_back((run, ticket));
        } else {
            found.interrupted.push(Ended {
                run,
                ticket,
                call_id: row.get::<_, Option<String>>(5)?.unwrap_or_default(),
                started_ms: begun.unsigned_abs(),
                ended_ms: now_ms(),
                outcome: StepOutcome::Failed {
                    code: ErrorKind::OutcomeUnknown.code().into(),
                    message: "the process ended during the call; it may or may not have taken effect".into(),
                    retry_after_ms: None,
                },
            });
        }
    }
    Ok(found)
}
