//! What contexts did: written behind the caller's back, bounded everywhere.

use std::{
    io,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
        mpsc::{Receiver, SyncSender, sync_channel},
    },
    thread::{self, JoinHandle},
    time::Duration,
};

use pipeline::seams::HistoryEntry;
use rusqlite::{Connection, TransactionBehavior};

/// Calls that may wait to be written; more are forgotten, because the audit log has them anyway.
const QUEUE_MAX: usize = 4096;
/// Calls written in one transaction.
const BATCH_MAX: usize = 512;
/// How long a reader waits for the calls before it.
const FLUSH_PATIENCE: Duration = Duration::from_secs(2);

enum Message {
    Call(String, HistoryEntry),
    Flush(SyncSender<()>),
}

/// Owns the thread that writes history.
pub(super) struct HistoryWriter {
    queue: Option<SyncSender<Message>>,
    dropped: Arc<AtomicU64>,
    thread: Option<JoinHandle<()>>,
}

impl HistoryWriter {
    pub(super) fn start(mut connection: Connection, keep: u32) -> io::Result<Self> {
        let (queue, calls) = sync_channel(QUEUE_MAX);
        let thread = thread::Builder::new()
            .name("context-history".into())
            .spawn(move || run(&mut connection, &calls, keep))?;
        Ok(Self { queue: Some(queue), dropped: Arc::default(), thread: Some(thread) })
    }

    /// Queues one call; never blocks.
    pub(super) fn add(&self, id: &str, call: HistoryEntry) {
        let sent =
            self.queue.as_ref().is_some_and(|it| it.try_send(Message::Call(id.to_owned(), call)).is_ok());
        if !sent && self.dropped.fetch_add(1, Ordering::Relaxed) == 0 {
            tracing::warn!(
                "context history cannot keep up; calls are missing in it but not in the audit log"
            );
        }
    }

    pub(super) fn dropped(&self) -> u64 {
        self.dropped.load(Ordering::Relaxed)
    }

    /// Waits until what was queued before is written, for a while.
    pub(super) fn flush(&self) {
        let (done, wait) = sync_channel(1);
        if self.queue.as_ref().is_some_and(|it| it.send(Message::Flush(done)).is_ok())
            && wait.recv_timeout(FLUSH_PATIENCE).is_err()
        {
            tracing::warn!("context history is late; the newest calls are missing in the answer");
        }
    }
}

impl Drop for HistoryWriter {
    fn drop(&mut self) {
        drop(self.queue.take());
        if self.thread.take().is_some_and(|it| it.join().is_err()) {
            tracing::error!("the writer of context history panicked");
        }
    }
}

fn run(connection: &mut Connection, calls: &Receiver<Message>, keep: u32) {
    while let Ok(first) = calls.recv() {
        let batch: Vec<Message> =
            std::iter::once(first).chain(calls.try_iter().take(BATCH_MAX - 1)).collect();
        if let Err(error) = write(connection, &batch, keep) {
            tracing::warn!(%error, "context history could not be written");
        }
        for message in batch {
            if let Message::Flush(done) = message {
                // The reader may have given up waiting.
                done.try_send(()).ok();
            }
        }
    }
}

fn write(connection: &mut Connection, batch: &[Message], keep: u32) -> rusqlite::Result<()> {
    let mut touched: Vec<&str> = Vec::new();
    let transaction = connection.transaction_with_behavior(TransactionBehavior::Immediate)?;
    for message in batch {
        let Message::Call(id, call) = message else { continue };
        // The context may have been deleted while the call ran.
        let duration = i64::try_from(call.duration_us).unwrap_or(i64::MAX);
        transaction
            .prepare_cached(
                "INSERT INTO history (context, call_id, tool, code, at_us, duration_us)
                 SELECT id, ?2, ?3, ?4, ?5, ?6 FROM contexts WHERE id = ?1",
            )?
            .execute((id, &call.call_id, &call.tool, &call.code, call.at, duration))?;
        touched.push(id);
    }
    touched.sort_unstable();
    touched.dedup();
    for id in touched {
        transaction
            .prepare_cached(
                "DELETE FROM history WHERE context = ?1 AND id <=
                   (SELECT id FROM history WHERE context = ?1 ORDER BY id DESC LIMIT 1 OFFSET ?2)",
            )?
            .execute((id, keep))?;
    }
    transaction.commit()
}

/// The calls of a context, newest first.
pub(super) fn read(connection: &Connection, id: &str, limit: u32) -> rusqlite::Result<Vec<HistoryEntry>> {
    let mut rows = connection.prepare_cached(
        "SELECT call_id, tool, code, at_us, duration_us FROM history
         WHERE context = ?1 ORDER BY id DESC LIMIT ?2",
    )?;
    let rows = rows.query_map((id, limit), |row| {
        Ok(HistoryEntry {
            call_id: row.get(0)?,
            tool: row.get(1)?,
            code: row.get(2)?,
            at: row.get(3)?,
            duration_us: u64::try_from(row.get::<_, i64>(4)?).unwrap_or_default(),
        })
    })?;
    rows.collect()
}
