//! The one thread that lengthens the chain: it takes whatever waits and commits it at once.

use std::{
    collections::HashMap,
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicUsize, Ordering},
        mpsc::{Receiver, RecvTimeoutError},
    },
    time::{Duration, Instant},
};

use pipeline::seams::JournalError;
use serde_json::Value;
use store::DataDir;
use tokio::sync::oneshot;

use crate::{
    AuditError, AuditOptions, Durability, body,
    chain::{Chain, Checkpoint, Reopen, Segment},
    process::Process,
};

/// Records in one transaction at most.
const BATCH_MAX: usize = 2048;
/// How long `async` gathers.
const ASYNC_WINDOW: Duration = Duration::from_millis(100);
/// How long a record that could not be written waits for the next attempt when nothing else comes.
const RETRY: Duration = Duration::from_millis(500);
/// Records kept for another attempt at most.
const KEPT_MAX: usize = 10_000;

/// A record on its way to the disk.
pub(crate) struct Entry {
    pub(crate) body: String,
    pub(crate) role: Role,
}

/// What a record means for the call it is about.
pub(crate) enum Role {
    /// The call began.
    Opens(Box<str>),
    /// The call ended.
    Closes(Box<str>),
    /// It is about no call.
    Alone,
}

/// One queued record and who waits for it.
pub(crate) struct Job {
    pub(crate) entry: Entry,
    /// `None`: the caller has its answer already.
    pub(crate) reply: Option<oneshot::Sender<Result<(), JournalError>>>,
}

/// What the writer and its callers share.
#[derive(Default)]
pub(crate) struct Shared {
    /// Bytes of the records in the queue.
    pub(crate) queued_bytes: AtomicUsize,
    /// The last commit failed.
    pub(crate) is_failing: AtomicBool,
}

pub(crate) struct Writer {
    dir: DataDir,
    options: AuditOptions,
    shared: Arc<Shared>,
    ticket: Reopen,
    /// `None` after a failure: the next attempt opens it anew.
    chain: Option<Chain>,
    process: Process,
    /// Calls of this process whose intent is committed and whose outcome is not: id to record number.
    open_calls: HashMap<Box<str>, i64>,
    /// Records that must not be lost although their commit failed.
    kept: Vec<Entry>,
    checkpoint_at: Instant,
}

impl Writer {
    pub(crate) fn new(
        dir: DataDir,
        options: AuditOptions,
        shared: Arc<Shared>,
        chain: Chain,
        process: Process,
    ) -> Self {
        let checkpoint_at = Instant::now() + options.checkpoint_every;
        let ticket = chain.ticket();
        let (open_calls, kept) = (HashMap::new(), Vec::new());
        Self { dir, options, shared, ticket, chain: Some(chain), process, open_calls, kept, checkpoint_at }
    }

    /// Works until every sender is gone and everything they sent is written.
    pub(crate) fn run(mut self, queue: &Receiver<Job>) -> Result<(), AuditError> {
        loop {
            let (jobs, is_open) = self.gather(queue);
            self.commit(jobs);
            if !is_open {
                return self.finish();
            }
        }
    }

    /// Waits for work. The flag is false when none will come any more.
    fn gather(&self, queue: &Receiver<Job>) -> (Vec<Job>, bool) {
        let first = match self.patience() {
            Some(limit) => queue.recv_timeout(limit),
            None => queue.recv().map_err(|_| RecvTimeoutError::Disconnected),
        };
        let first = match first {
            Ok(job) => job,
            Err(RecvTimeoutError::Timeout) => return (Vec::new(), true),
            Err(RecvTimeoutError::Disconnected) => return (Vec::new(), false),
        };
        let mut jobs = vec![first];
        match self.options.durability {
            Durability::Sync => {}
            // The previous commit was the window in which these gathered.
            Durability::Group => jobs.extend(queue.try_iter().take(BATCH_MAX - 1)),
            Durability::Async => {
                let end = Instant::now() + ASYNC_WINDOW;
                while jobs.len() < BATCH_MAX
                    && let Ok(job) = queue.recv_timeout(end.saturating_duration_since(Instant::now()))
                {
                    jobs.push(job);
                }
            }
        }
        let bytes: usize = jobs.iter().map(|job| job.entry.body.len()).sum();
        self.shared.queued_bytes.fetch_sub(bytes, Ordering::Relaxed);
        (jobs, true)
    }

    fn patience(&self) -> Option<Duration> {
        if !self.kept.is_empty() {
            return Some(RETRY);
        }
        self.owes_checkpoint().then(|| self.checkpoint_at.saturating_duration_since(Instant::now()))
    }

    fn owes_checkpoint(&self) -> bool {
        self.chain.as_ref().is_some_and(|chain| chain.unsigned() > 0)
    }

    fn commit(&mut self, jobs: Vec<Job>) {
        let is_due = Instant::now() >= self.checkpoint_at;
        if jobs.is_empty() && self.kept.is_empty() && !(is_due && self.owes_checkpoint()) {
            return;
        }
        let mut entries = std::mem::take(&mut self.kept);
        let old = entries.len();
        let (new, replies): (Vec<_>, Vec<_>) = jobs.into_iter().map(|job| (job.entry, job.reply)).unzip();
        entries.extend(new);
        let checkpoint = if is_due { Checkpoint::Now } else { Checkpoint::WhenDue };
        let result = self.write(&entries, checkpoint);
        if is_due {
            self.checkpoint_at = Instant::now() + self.options.checkpoint_every;
        }
        let was_failing = self.shared.is_failing.swap(result.is_err(), Ordering::Relaxed);
        let answer = match result {
            Ok(()) => {
                if was_failing {
                    tracing::info!("the audit journal is written again");
                }
                Ok(())
            }
            Err(error) => {
                if !was_failing {
                    tracing::error!(%error, "the audit journal cannot be written; calls are refused");
                }
                self.chain = None;
                if !was_failing {
                    self.note_interruption();
                }
                self.keep(entries, old, &replies);
                Err(error.brief())
            }
        };
        for reply in replies.into_iter().flatten() {
            // A caller that hung up does not wait for the answer.
            reply.send(answer.clone()).ok();
        }
        if let Some(chain) = &mut self.chain {
            chain.mirror();
        }
    }

    fn write(&mut self, entries: &[Entry], checkpoint: Checkpoint) -> Result<(), AuditError> {
        let chain = match &mut self.chain {
            Some(chain) => chain,
            None => {
                let chain = Chain::open(&self.dir, self.options.chain(), Some(&self.ticket))?;
                self.chain.insert(chain)
            }
        };
        let (open, process) = (&self.open_calls, self.process.id);
        let change = chain.transact(checkpoint, |segment| push_all(segment, entries, open, process))?;
        for call in change.closed {
            self.open_calls.remove(call);
        }
        self.open_calls.extend(change.opened.into_iter().map(|(call, seq)| (call.into(), seq)));
        Ok(())
    }

    /// The first record after a gap says that there was one. Until it is written it is tried again and again,
    /// so the journal notices by itself that there is room.
    fn note_interruption(&mut self) {
        let event = body::system_event("audit.interrupted", self.options.clock.now_us(), Value::Null);
        match body::render(&event) {
            Ok(body) => self.kept.push(Entry { body, role: Role::Alone }),
            Err(error) => tracing::error!(%error, "an interruption cannot be noted"),
        }
    }

    /// What happened must be recorded, even if late: outcomes, and records whose callers were told that
    /// all is well. An intent is not kept: its call was refused.
    fn keep(
        &mut self,
        entries: Vec<Entry>,
        old: usize,
        replies: &[Option<oneshot::Sender<Result<(), JournalError>>>],
    ) {
        let mut lost = 0_usize;
        for (index, entry) in entries.into_iter().enumerate() {
            let is_promised = index < old || replies[index - old].is_none();
            if !is_promised && !matches!(entry.role, Role::Closes(_)) {
                continue;
            }
            if self.kept.len() < KEPT_MAX {
                self.kept.push(entry);
            } else {
                lost += 1;
            }
        }
        if lost > 0 {
            tracing::error!(
                lost,
                "outcomes could neither be written nor kept; their calls will read `abandoned`"
            );
        }
    }

    fn finish(mut self) -> Result<(), AuditError> {
        let mut chain = match self.chain.take() {
            Some(chain) => chain,
            None => Chain::open(&self.dir, self.options.chain(), Some(&self.ticket))?,
        };
        self.process.leave(&mut chain, &self.options.clock)
    }
}

/// Which calls a batch opened and closed for good.
struct Change<'e> {
    opened: HashMap<&'e str, i64>,
    closed: Vec<&'e str>,
}

/// Adds `entries` to the chain. A call that opens and closes within the batch leaves no trace in the
/// table of open calls.
fn push_all<'e>(
    segment: &mut Segment<'_>,
    entries: &'e [Entry],
    open: &HashMap<Box<str>, i64>,
    process: i64,
) -> Result<Change<'e>, AuditError> {
    let mut change = Change { opened: HashMap::new(), closed: Vec::new() };
    for entry in entries {
        let seq = segment.push(&entry.body)?;
        match &entry.role {
            Role::Opens(call) => {
                change.opened.insert(call, seq);
            }
            Role::Closes(call) => {
                if change.opened.remove(&**call).is_none()
                    && let Some(intent) = open.get(call)
                {
                    let mut delete =
                        segment.transaction.prepare_cached("DELETE FROM open_calls WHERE seq = ?1")?;
                    delete.execute([intent])?;
                    change.closed.push(call);
                }
            }
            Role::Alone => {}
        }
    }
    for seq in change.opened.values() {
        segment
            .transaction
            .prepare_cached("INSERT INTO open_calls (seq, process) VALUES (?1, ?2)")?
            .execute([*seq, process])?;
    }
    Ok(change)
}
