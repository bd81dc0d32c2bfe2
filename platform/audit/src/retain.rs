//! Removing old records so that the rest still proves itself.

use rusqlite::{OptionalExtension, params};
use serde::Serialize;
use serde_json::json;
use store::{Clock, DataDir};

use crate::{
    AuditError, AuditOptions, VerifyReport, VerifySources, body,
    chain::{Chain, Checkpoint, Segment, Tail},
    hex,
    sign::Purpose,
    verify,
};

/// Records removed in one transaction, so that writers wait briefly only.
const BATCH: i64 = 5000;

/// How much of the log stays.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Keep {
    /// Records of the last days.
    Days(u32),
    /// The newest records.
    Records(u32),
}

/// What retention removed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub struct Retained {
    /// Records removed.
    pub removed: u64,
    /// The last one of them; 0 when none was.
    pub removed_to: i64,
}

/// Removes the oldest records, after proving the whole log. What was removed is itself recorded, and
/// the last removed record's hash is signed, so that [`verify`] still proves the rest. Works while other
/// processes write. `progress` hears of the proof.
///
/// # Errors
/// [`AuditError::NotVerified`] when the log does not verify: tampering is not to be tidied away.
pub fn retain(
    dir: &DataDir,
    keep: Keep,
    clock: &Clock,
    progress: impl FnMut(u64, u64),
) -> Result<Retained, AuditError> {
    let report = verify(&VerifySources::of(dir)?, progress)?;
    if let VerifyReport { first_bad: Some(bad), .. } = report {
        return Err(AuditError::NotVerified(format!("record {}: {}", bad.seq, bad.detail)));
    }
    let options = AuditOptions { clock: clock.clone(), ..AuditOptions::default() };
    let mut chain = Chain::open(dir, options.chain(), None)?;
    let proven = i64::try_from(report.records).unwrap_or(i64::MAX);
    let plan = chain.transact(Checkpoint::WhenDue, |segment| {
        let plan = plan(segment, keep, clock.now_us(), proven)?;
        if let Some(plan) = &plan {
            segment.push(&announcement(plan, clock.now_us())?)?;
        }
        Ok(plan)
    })?;
    let Some(plan) = plan else { return Ok(Retained { removed: 0, removed_to: 0 }) };
    let mut from = plan.first;
    while from <= plan.last.seq {
        let to = plan.last.seq.min(from + BATCH - 1);
        chain.transact(Checkpoint::WhenDue, |segment| remove(segment, to, clock.now_us()))?;
        from = to + 1;
    }
    chain.mirror();
    let removed = u64::try_from(plan.last.seq - plan.first + 1).unwrap_or_default();
    Ok(Retained { removed, removed_to: plan.last.seq })
}

struct Plan {
    first: i64,
    last: Tail,
}

/// What would go: from the first record to `last`. Never beyond the `proven` records.
fn plan(segment: &Segment<'_>, keep: Keep, now: i64, proven: i64) -> Result<Option<Plan>, AuditError> {
    let transaction = segment.transaction;
    let (first, end): (Option<i64>, Option<i64>) =
        transaction
            .query_row("SELECT min(seq), max(seq) FROM records", [], |row| Ok((row.get(0)?, row.get(1)?)))?;
    let (Some(first), Some(end)) = (first, end) else { return Ok(None) };
    let last = match keep {
        Keep::Records(count) => end - i64::from(count),
        Keep::Days(days) => {
            let oldest = now - i64::from(days) * 86_400_000_000;
            let kept: Option<i64> = transaction
                .prepare(
                    "SELECT seq FROM records WHERE json_extract(body, '$.at') >= ?1 ORDER BY seq LIMIT 1",
                )?
                .query_row([oldest], |row| row.get(0))
                .optional()?;
            kept.map_or(end, |seq| seq - 1)
        }
    };
    let last = last.min(first.saturating_add(proven) - 1);
    if last < first {
        return Ok(None);
    }
    let last =
        transaction.query_row("SELECT seq, hash FROM records WHERE seq = ?1", [last], Tail::from_row)?;
    Ok(Some(Plan { first, last }))
}

fn announcement(plan: &Plan, now: i64) -> Result<String, AuditError> {
    let detail =
        json!({ "first": plan.first, "last": plan.last.seq, "last_hash": hex::encode(&plan.last.hash) });
    body::render(&body::system_event("audit.retention", now, detail))
        .map_err(|it| AuditError::Broken { seq: plan.last.seq, detail: it.reason })
}

fn remove(segment: &mut Segment<'_>, to: i64, now: i64) -> Result<(), AuditError> {
    let transaction = segment.transaction;
    let last: Option<Tail> = transaction
        .query_row("SELECT seq, hash FROM records WHERE seq = ?1", [to], Tail::from_row)
        .optional()?;
    // Another process removed it already.
    let Some(last) = last else { return Ok(()) };
    let signature = segment.signer.sign(Purpose::Anchor, &last, now);
    transaction.execute(
        "INSERT OR REPLACE INTO anchor (id, seq, hash, at, signature) VALUES (1, ?1, ?2, ?3, ?4)",
        params![last.seq, last.hash.as_slice(), now, signature.as_slice()],
    )?;
    for table in ["records", "checkpoints", "open_calls"] {
        transaction.execute(&format!("DELETE FROM {table} WHERE seq <= ?1"), [to])?;
    }
    Ok(())
}
