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

use crate::key::TokenHash;

/// Uses waiting to be written. More are dropped: the next minute brings another.
const WAITING_MAX: usize = 1024;

enum Note {
    /// It was used at this time.
    Used(String, i64),
    /// It was found under the key before: from now on it is kept under the one in force.
    Rehashed(String, TokenHash),
}

/// Writes uses from its own thread, which ends when this is dropped, after writing what waits.
pub(crate) struct UsageWriter {
    sender: Option<SyncSender<Note>>,
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
            && sender.try_send(Note::Used(token.to_owned(), now)).is_err()
        {
            tracing::debug!(token, "the record of token uses is behind; one use is not recorded");
        }
    }

    /// Keeps a token under another key from now on. Never waits; what is dropped comes again with the next use.
    pub(crate) fn keep_under(&self, token: &str, hash: TokenHash) {
        if let Some(sender) = &self.sender
            && sender.try_send(Note::Rehashed(token.to_owned(), hash)).is_err()
        {
            tracing::debug!(token, "the record of token uses is behind; a token keeps its old key for now");
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

fn write_all(connection: &Mutex<Connection>, notes: &Receiver<Note>) {
    while let Ok(first) = notes.recv() {
        let (mut used, mut rehashed) = (HashMap::new(), HashMap::new());
        for note in std::iter::once(first).chain(notes.try_iter().take(WAITING_MAX)) {
            match note {
                Note::Used(token, at) => drop(used.insert(token, at)),
                Note::Rehashed(token, hash) => drop(rehashed.insert(token, hash)),
            }
        }
        if let Err(error) = write(&mut connection.lock(), &used, &rehashed) {
            tracing::warn!(%error, "token uses could not be recorded");
        }
    }
}

fn write(
    connection: &mut Connection,
    used: &HashMap<String, i64>,
    rehashed: &HashMap<String, TokenHash>,
) -> rusqlite::Result<()> {
    let work = connection.transaction()?;
    {
        let mut upsert = work.prepare_cached(
            "INSERT INTO token_use SELECT id, ?2 FROM token WHERE id = ?1
             ON CONFLICT (token) DO UPDATE SET used_at = max(used_at, excluded.used_at)",
        )?;
        for (token, at) in used {
            upsert.execute((token, at))?;
        }
    }
    let mut changed = 0;
    for (token, hash) in rehashed {
        changed += work.execute("UPDATE token SET hash = ?2 WHERE id = ?1 AND hash <> ?2", (token, hash))?;
    }
    if changed > 0 {
        // Other processes, and this one, look it up under its new hash from now on.
        work.execute("UPDATE generation SET number = number + 1", [])?;
    }
    work.commit()
}
