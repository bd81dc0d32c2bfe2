//! The audit log of one process.

use std::{
    sync::{
        Arc,
        atomic::Ordering,
        mpsc::{SyncSender, TrySendError, sync_channel},
    },
    thread::{self, JoinHandle},
    time::Duration,
};

use parking_lot::{Mutex, RwLock};
use pipeline::seams::{AuditEntry, Durable, Journal, JournalError, Phase};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::json;
use store::{Clock, DataDir};
use tokio::sync::oneshot;

use crate::{
    AuditError, PublicKey, body,
    chain::{Chain, ChainOptions, Checkpoint},
    process::{self, Process},
    sign,
    writer::{Entry, Job, Role, Shared, Writer},
};

/// When a record counts as kept.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Durability {
    /// On the disk, one transaction per record.
    Sync,
    /// On the disk, together with whatever else waits.
    #[default]
    Group,
    /// Queued; on the disk within about 100 ms. A crash of the machine or the process may lose that much.
    Async,
}

/// How the log is kept.
#[derive(Clone, Debug)]
pub struct AuditOptions {
    /// When a record counts as kept.
    pub durability: Durability,
    /// Records that may wait; one more is refused.
    pub queue_max: usize,
    /// Bytes of records that may wait; one more record is refused.
    pub queue_bytes_max: usize,
    /// Records between two signed checkpoints.
    pub checkpoint_records: u32,
    /// Time between two signed checkpoints while records come.
    pub checkpoint_every: Duration,
    /// Largest size of `audit.db` in bytes; beyond it records are refused until retention makes room.
    pub bytes_max: Option<u64>,
    /// Where the time comes from.
    pub clock: Clock,
}

impl Default for AuditOptions {
    fn default() -> Self {
        Self {
            durability: Durability::Group,
            queue_max: 10_000,
            queue_bytes_max: 64 << 20,
            checkpoint_records: 1000,
            checkpoint_every: Duration::from_secs(60),
            bytes_max: None,
            clock: Clock::system(),
        }
    }
}

impl AuditOptions {
    pub(crate) fn chain(&self) -> ChainOptions {
        ChainOptions {
            checkpoint_records: i64::from(self.checkpoint_records.max(1)),
            bytes_max: self.bytes_max,
            clock: self.clock.clone(),
        }
    }
}

/// The open log: takes records, writes them in order, and signs where it stands.
///
/// Several processes may have the same log open; their records interleave in one chain.
pub struct AuditLog {
    queue: RwLock<Option<SyncSender<Job>>>,
    shared: Arc<Shared>,
    options: AuditOptions,
    writer: Mutex<Option<JoinHandle<Result<(), AuditError>>>>,
    public_key: PublicKey,
    recovered: u64,
}

impl AuditLog {
    /// Opens or begins the log in `dir`, and gives calls that a dead process left open their outcome
    /// (`abandoned`). Blocks on the disk.
    ///
    /// # Errors
    /// When the database cannot be written, was shortened or replaced by an older copy, or when its key
    /// is missing. A server must not start then.
    pub fn open(dir: &DataDir, options: AuditOptions) -> Result<Self, AuditError> {
        let mut chain = Chain::open(dir, options.chain(), None)?;
        let public_key = chain.public_key();
        begin(&mut chain, &public_key, &options.clock)?;
        sign::note_begin(dir, &public_key)?;
        let recovered = process::recover(&mut chain, dir, &options.clock)?;
        if recovered > 0 {
            tracing::warn!(
                calls = recovered,
                "an earlier process died during calls; they are recorded as abandoned"
            );
        }
        let process = Process::register(&mut chain, dir)?;
        let shared = Arc::new(Shared::default());
        let (sender, receiver) = sync_channel(options.queue_max.max(1));
        let writer = Writer::new(dir.clone(), options.clone(), Arc::clone(&shared), chain, process);
        let writer =
            thread::Builder::new().name("audit-writer".into()).spawn(move || writer.run(&receiver))?;
        Ok(Self {
            queue: RwLock::new(Some(sender)),
            shared,
            options,
            writer: Mutex::new(Some(writer)),
            public_key,
            recovered,
        })
    }

    /// Writes what waits, signs the end and lets go of the files. Later appends are refused. Blocks.
    ///
    /// # Errors
    /// When the last records could not be written.
    pub fn shutdown(&self) -> Result<(), AuditError> {
        drop(self.queue.write().take());
        match self.writer.lock().take() {
            Some(writer) => writer.join().map_err(|_| AuditError::Stopped)?,
            None => Ok(()),
        }
    }

    /// The key that verifies this log. Keep a copy on another machine.
    pub fn public_key(&self) -> PublicKey {
        self.public_key
    }

    /// Calls of dead processes that were ended when this log was opened.
    pub fn recovered(&self) -> u64 {
        self.recovered
    }

    fn send(&self, job: Job) -> Result<(), JournalError> {
        let refused = |reason: &str| JournalError { reason: reason.into() };
        let bytes = job.entry.body.len();
        let waiting = self.shared.queued_bytes.fetch_add(bytes, Ordering::Relaxed);
        let sent = match &*self.queue.read() {
            None => Err(refused("the journal stopped")),
            Some(_) if waiting + bytes > self.options.queue_bytes_max => {
                Err(refused("too many records wait"))
            }
            Some(queue) => queue.try_send(job).map_err(|error| match error {
                TrySendError::Full(_) => refused("too many records wait"),
                TrySendError::Disconnected(_) => refused("the journal stopped"),
            }),
        };
        if sent.is_err() {
            self.shared.queued_bytes.fetch_sub(bytes, Ordering::Relaxed);
        }
        sent
    }
}

impl Journal for AuditLog {
    fn append(&self, entry: AuditEntry) -> Result<Durable, JournalError> {
        let body = body::render(&entry)?;
        let role = match entry.phase {
            Phase::Intent => Role::Opens(entry.call_id.into()),
            Phase::Outcome => Role::Closes(entry.call_id.into()),
            Phase::Event => Role::Alone,
        };
        let (reply, durable) = oneshot::channel();
        // While commits fail nobody is told that all is well.
        let answers_early = self.options.durability == Durability::Async && self.is_healthy();
        if answers_early {
            self.send(Job { entry: Entry { body, role }, reply: None })?;
            reply.send(Ok(())).ok();
        } else {
            self.send(Job { entry: Entry { body, role }, reply: Some(reply) })?;
        }
        Ok(Durable::pending(durable))
    }

    fn is_healthy(&self) -> bool {
        !self.shared.is_failing.load(Ordering::Relaxed)
    }
}

impl Drop for AuditLog {
    fn drop(&mut self) {
        if let Err(error) = self.shutdown() {
            tracing::error!(%error, "the audit log could not be closed cleanly");
        }
    }
}

/// The first record of a log names the key that signs it.
fn begin(chain: &mut Chain, key: &PublicKey, clock: &Clock) -> Result<(), AuditError> {
    let detail = json!({ "format": 1, "public_key_ed25519": key.to_hex() });
    let first = body::system_event("audit.created", clock.now_us(), detail);
    let first = body::render(&first).map_err(|it| AuditError::Broken { seq: 1, detail: it.reason })?;
    chain.transact(Checkpoint::WhenDue, |segment| {
        if segment.is_empty() {
            segment.push(&first)?;
        }
        Ok(())
    })
}
