//! When a token was last seen: coarse, and never in a caller's way.

use std::{
    collections::HashMap,
    sync::{
        Arc,
        atomic::{AtomicI64, Ordering},
        mpsc::{Receiver, SyncSender, sync_channel},
    },
    thread::JoinHandle,
};

use parking_lot::Mutex;
use rusqlite::Connection;

/// Uses waiting to be written. More are dropped: the next minute brings another.
const WAITING_MAX: usize = 1024;

struct Use {
    token: String,
    at: i64,
}

/// Writes uses from its own thread, which ends when this is dropped, after writing what waits.
pub(crate) struct UsageWriter {
    sender: Option<SyncSender<Use>>,
    thread: Option<JoinHandle<()>>,
}

impl UsageWriter {
    pub(crate) fn start(connection: Arc<Mutex<Connection>>) -> std::io::Result<Self> {
        let (sender, receiver) = sync_channel(WAITING_MAX);
        let thread = std::thread::Builder::new()
            .name("token-usage".into())
            .spawn(move || write_all(&connection, &receiver))?;
        Ok(Self { sender: Some(sender), thread: Some(thread) })
    }

    /// Notes a use, at most once a minute per token. Never waits.
    pub(crate) fn note(&self, token: &str, now: i64, used_minute: &AtomicI64) {
        let (minute, before) = (now.div_euclid(60), used_minute.load(Ordering::Relaxed));
        if minute <= before {
            return;
        }
        let won = used_minute.compare_exchange(before, minute, Ordering::Relaxed, Ordering::Relaxed).is_ok();
        if let (true, Some(sender)) = (won, &self.sender)
            && sender.try_send(Use { token: token.to_owned(), at: now }).is_err()
        {
            tracing::debug!(token, "the record of token uses is behind; one use is not recorded");
        }
    }
}

impl Drop for UsageWriter {
    fn drop(&mut self) {
        drop(self.sender.take());
        if self.thread.take().is_some_and(|thread| thread.join().is_err()) {
            tracing::error!("the thread that records token uses had panicked");
        }
    }
}

fn write_all(connection: &Mutex<Connection>, uses: &Receiver<Use>) {
    while let Ok(first) = uses.recv() {
        let batch: HashMap<String, i64> = std::iter::once(first)
            .chain(uses.try_iter().take(WAITING_MAX))
            .map(|it| (it.token, it.at))
            .collect();
        if let Err(error) = write(&mut connection.lock(), &batch) {
            tracing::warn!(%error, "token uses could not be recorded");
        }
    }
}

fn write(connection: &mut Connection, batch: &HashMap<String, i64>) -> rusqlite::Result<()> {
    let work = connection.transaction()?;
    {
        let mut upsert = work.prepare_cached(
            "INSERT INTO token_use SELECT id, ?2 FROM token WHERE id = ?1
             ON CONFLICT (token) DO UPDATE SET used_at = max(used_at, excluded.used_at)",
        )?;
        for (token, at) in batch {
            upsert.execute((token, at))?;
        }
    }
    work.commit()
}
