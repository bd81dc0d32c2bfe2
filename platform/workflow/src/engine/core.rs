//! The thread that owns the runs.

use std::{
    cmp::Reverse,
    collections::{BinaryHeap, HashMap, VecDeque},
    sync::{
        Arc,
        mpsc::{Receiver, RecvTimeoutError, SyncSender, TrySendError},
    },
    time::{Duration, Instant},
};

use kernel::{CallId, ErrorKind, ToolError};
use rusqlite::{Connection, OptionalExtension};
use store::{DataDir, sqlite};
use tokio::{
    runtime::Handle,
    sync::{oneshot, watch},
};
use tokio_util::sync::CancellationToken;

use super::{
    Caller, EngineOptions, Job,
    batch::{Batch, Effects, Hot},
    recover,
};
use crate::{
    interpreter::{Command, StepOutcome},
    journal::{Ask, MIGRATIONS, broken},
    program::Program,
};

/// Events in one transaction at most.
const BATCH_MAX: usize = 1024;
/// How often the inbox is looked at when nothing else happens.
const INBOX_EVERY: Duration = Duration::from_millis(50);
/// Time before another attempt when the journal cannot be written.
const RETRY: Duration = Duration::from_millis(500);
/// States kept in memory.
const HOT_MAX: usize = 256;
/// Programs kept in memory.
const PROGRAMS_MAX: usize = 256;
/// How long calls under way may take when the driver stops.
const LAST_CALLS: Duration = Duration::from_secs(3);
/// How often old runs are removed.
const SWEEP_EVERY: Duration = Duration::from_secs(3600);

/// What reaches the thread.
pub(super) enum Input {
    /// Somebody asks.
    Ask { ask: Ask, reply: Option<oneshot::Sender<Result<(), ToolError>>> },
    /// A call that cannot be repeated is about to be made.
    Begun { run: i64, ticket: u64, call_id: String, reply: oneshot::Sender<()> },
    /// A call ended.
    Done(Ended),
    /// A timer is due.
    Timer { run: i64, ticket: u64 },
    /// It is to end.
    Stop,
}

/// How a call ended.
pub(super) struct Ended {
    pub(super) run: i64,
    pub(super) ticket: u64,
    pub(super) call_id: String,
    pub(super) started_ms: u64,
    pub(super) ended_ms: u64,
    pub(super) outcome: StepOutcome,
}

pub(super) struct Core {
    db: Connection,
    options: EngineOptions,
    caller: Arc<dyn Caller>,
    runtime: Handle,
    sender: SyncSender<Input>,
    changed: watch::Sender<u64>,
    programs: HashMap<String, Arc<Program>>,
    hot: HashMap<i64, Hot>,
    timers: BinaryHeap<Reverse<(u64, i64, u64)>>,
    ready: VecDeque<(i64, u64)>,
    flying: HashMap<(i64, u64), CancellationToken>,
    inbox_version: i64,
    inbox_at: Instant,
    sweep_at: Instant,
}

impl Core {
    /// Opens the journal and finds out what has to go on. Must be called inside a runtime.
    pub(super) fn open(
        data: &DataDir,
        options: EngineOptions,
        caller: Arc<dyn Caller>,
        sender: SyncSender<Input>,
        changed: watch::Sender<u64>,
    ) -> Result<Self, ToolError> {
        let db = sqlite::open(&data.workflows_db(), MIGRATIONS)?;
        let found = recover::look(&db).map_err(broken)?;
        let now = Instant::now();
        let mut core = Self {
            db,
            options,
            caller,
            runtime: Handle::current(),
            sender,
            changed,
            programs: HashMap::new(),
            hot: HashMap::new(),
            timers: found.timers.into_iter().map(Reverse).collect(),
            ready: found.ready,
            flying: HashMap::new(),
            inbox_version: -1,
            inbox_at: now,
            sweep_at: now,
        };
        if !found.interrupted.is_empty() {
            tracing::warn!(
                calls = found.interrupted.len(),
                "calls of workflows were interrupted; their runs ask"
            );
        }
        let mut batch: Vec<Input> = found.interrupted.into_iter().map(Input::Done).collect();
        core.write(&mut batch).map_err(broken)?;
        Ok(core)
    }

    /// Works until told to stop.
    pub(super) fn run(mut self, queue: &Receiver<Input>) {
        let mut kept: Vec<Input> = Vec::new();
        let mut stop_at: Option<Instant> = None;
        self.launch();
        loop {
            let mut batch = std::mem::take(&mut kept);
            stop_at = self.gather(queue, &mut batch).then(|| Instant::now() + LAST_CALLS).or(stop_at);
            if let Err(error) = self.write(&mut batch) {
                tracing::error!(%error, "the workflow journal cannot be written; runs wait");
                self.hot.clear();
                kept = refuse_asks(batch);
                std::thread::park_timeout(RETRY);
            }
            match stop_at {
                None => self.launch(),
                Some(end) if self.flying.is_empty() || Instant::now() >= end => return,
                Some(_) => {}
            }
        }
    }

    /// Waits for work. True: it is to end.
    fn gather(&mut self, queue: &Receiver<Input>, batch: &mut Vec<Input>) -> bool {
        let mut stop = false;
        let mut wait = self.patience(!batch.is_empty());
        while batch.len() < BATCH_MAX {
            match queue.recv_timeout(wait) {
                Ok(Input::Stop) | Err(RecvTimeoutError::Disconnected) => {
                    stop = true;
                    break;
                }
                Ok(input) => batch.push(input),
                Err(RecvTimeoutError::Timeout) => break,
            }
            // The commit before was the window in which the others gathered.
            wait = Duration::ZERO;
        }
        let now = now_ms();
        while batch.len() < BATCH_MAX
            && let Some(Reverse((due, run, ticket))) = self.timers.peek().copied()
            && due <= now
        {
            self.timers.pop();
            batch.push(Input::Timer { run, ticket });
        }
        stop
    }

    fn patience(&self, has_work: bool) -> Duration {
        if has_work {
            return Duration::ZERO;
        }
        let timer =
            self.timers.peek().map(|Reverse((due, ..))| Duration::from_millis(due.saturating_sub(now_ms())));
        timer.map_or(INBOX_EVERY, |it| it.min(INBOX_EVERY))
    }

    /// One transaction with everything in `batch`; on success it is empty and everybody was answered.
    fn write(&mut self, batch: &mut Vec<Input>) -> rusqlite::Result<()> {
        let inbox = self.look_at_inbox()?;
        let is_sweeping = self.sweep_at <= Instant::now();
        if batch.is_empty() && inbox.is_empty() && !is_sweeping {
            return Ok(());
        }
        let work = self.db.transaction_with_behavior(rusqlite::TransactionBehavior::Immediate)?;
        let mut one = Batch::new(&work, &mut self.programs, &mut self.hot);
        for (n, ask) in &inbox {
            one.ask(ask)?;
            one.taken_from_inbox(*n)?;
        }
        for input in batch.iter() {
            one.input(input)?;
        }
        if is_sweeping {
            one.sweep(self.options.retention_days)?;
        }
        let effects = one.finish()?;
        work.commit()?;
        if is_sweeping {
            self.sweep_at = Instant::now() + SWEEP_EVERY;
        }
        self.answer(batch, &effects);
        self.obey(effects);
        Ok(())
    }

    /// What other processes asked, if anything was written by another connection since.
    fn look_at_inbox(&mut self) -> rusqlite::Result<Vec<(i64, Ask)>> {
        if Instant::now() < self.inbox_at {
            return Ok(Vec::new());
        }
        self.inbox_at = Instant::now() + INBOX_EVERY;
        let version: i64 = self.db.prepare_cached("PRAGMA data_version")?.query_row([], |row| row.get(0))?;
        if version == self.inbox_version {
            return Ok(Vec::new());
        }
        let mut rows = self.db.prepare_cached("SELECT n, ask FROM inbox ORDER BY n LIMIT 512")?;
        let rows = rows
            .query_map([], |row| Ok((row.get(0)?, row.get::<_, String>(1)?)))?
            .collect::<rusqlite::Result<Vec<(i64, String)>>>()?;
        if rows.len() < 512 {
            self.inbox_version = version;
        }
        // Written by ourselves; what does not parse comes from a newer program and stays.
        Ok(rows.into_iter().filter_map(|(n, text)| Some((n, serde_json::from_str(&text).ok()?))).collect())
    }

    fn answer(&mut self, batch: &mut Vec<Input>, effects: &Effects) {
        for input in batch.drain(..) {
            match input {
                Input::Ask { reply: Some(reply), .. } => {
                    // Whoever asked may have gone.
                    reply.send(Ok(())).ok();
                }
                Input::Begun { run, ticket, reply, .. } => {
                    if effects.begun.contains(&(run, ticket)) {
                        reply.send(()).ok();
                    } else {
                        // Nobody waits for it any more: it is not made, and its place is free.
                        self.flying.remove(&(run, ticket));
                    }
                }
                Input::Done(ended) => {
                    self.flying.remove(&(ended.run, ended.ticket));
                }
                Input::Ask { reply: None, .. } | Input::Timer { .. } | Input::Stop => {}
            }
        }
    }

    fn obey(&mut self, effects: Effects) {
        self.timers.extend(effects.timers.into_iter().map(Reverse));
        self.ready.extend(effects.ready);
        for key in effects.interrupted {
            match self.flying.get(&key) {
                Some(cancel) => cancel.cancel(),
                None => self.never_made(key),
            }
        }
        effects.notes.into_iter().for_each(|it| self.caller.note(it));
        if self.hot.len() > HOT_MAX {
            self.hot.clear();
        }
        if self.programs.len() > PROGRAMS_MAX {
            self.programs.clear();
        }
        self.changed.send_modify(|it| *it += 1);
    }

    /// A call that waited for its turn is not made any more.
    fn never_made(&mut self, (run, ticket): (i64, u64)) {
        self.ready.retain(|it| *it != (run, ticket));
        let outcome = StepOutcome::Failed {
            code: ErrorKind::Cancelled.code().into(),
            message: "the run was cancelled before the call was made".into(),
            retry_after_ms: None,
        };
        let now = now_ms();
        let ended = Ended { run, ticket, call_id: String::new(), started_ms: now, ended_ms: now, outcome };
        let sender = self.sender.clone();
        self.runtime.spawn(send(sender, Input::Done(ended)));
    }

    /// Makes calls while there is room.
    fn launch(&mut self) {
        while self.flying.len() < self.options.calls_max.max(1)
            && let Some(key) = self.ready.pop_front()
        {
            match self.job(key) {
                Ok(Some(job)) => self.fly(key, job),
                // Forgotten, or over.
                Ok(None) => {}
                Err(error) => {
                    tracing::error!(%error, "the workflow journal cannot be read; calls wait");
                    self.ready.push_front(key);
                    return;
                }
            }
        }
    }

    fn job(&self, (run, ticket): (i64, u64)) -> rusqlite::Result<Option<Job>> {
        let row: Option<(String, String, String, Option<String>)> = self
            .db
            .prepare_cached(
                "SELECT body, runs.id, principal, context FROM owed JOIN runs ON runs.n = owed.run
                 WHERE owed.run = ?1 AND ticket = ?2 AND kind = 'call'",
            )?
            .query_row((run, signed(ticket)), |row| Ok((row.get(0)?, row.get(1)?, row.get(2)?, row.get(3)?)))
            .optional()?;
        let Some((body, id, principal, context)) = row else { return Ok(None) };
        let Ok(Command::Execute { step, tool, args, timeout_ms, .. }) = serde_json::from_str(&body) else {
            return Ok(None);
        };
        let (call_id, cancel) = (CallId::random().to_string(), CancellationToken::new());
        Ok(Some(Job { run: id, ticket, step, tool, args, timeout_ms, principal, context, call_id, cancel }))
    }

    fn fly(&mut self, (run, ticket): (i64, u64), job: Job) {
        self.flying.insert((run, ticket), job.cancel.clone());
        let (caller, sender) = (Arc::clone(&self.caller), self.sender.clone());
        self.runtime.spawn(async move {
            let call_id = job.call_id.clone();
            if !caller.is_idempotent(&job.tool) {
                // After a crash from here on, nobody knows whether it happened.
                let (reply, durable) = oneshot::channel();
                send(sender.clone(), Input::Begun { run, ticket, call_id: call_id.clone(), reply }).await;
                if durable.await.is_err() {
                    return;
                }
            }
            let started_ms = now_ms();
            let outcome = tokio::spawn(caller.call(job)).await.unwrap_or_else(|error| StepOutcome::Failed {
                code: ErrorKind::Internal.code().into(),
                message: format!("the call crashed: {error}"),
                retry_after_ms: None,
            });
            let ended = Ended { run, ticket, call_id, started_ms, ended_ms: now_ms(), outcome };
            send(sender, Input::Done(ended)).await;
        });
    }
}

/// Waits for room: an outcome must not be lost while the process lives.
async fn send(sender: SyncSender<Input>, mut input: Input) {
    loop {
        match sender.try_send(input) {
            Ok(()) | Err(TrySendError::Disconnected(_)) => return,
            Err(TrySendError::Full(back)) => input = back,
        }
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
}

/// Those who asked are told; what happened is kept for another attempt.
fn refuse_asks(batch: Vec<Input>) -> Vec<Input> {
    let mut kept = Vec::new();
    for input in batch {
        match input {
            Input::Ask { reply, .. } => {
                let error = ToolError::new(ErrorKind::Unavailable, "the workflow journal cannot be written");
                if let Some(reply) = reply {
                    reply.send(Err(error.hint("free disk space, then try again"))).ok();
                }
            }
            other => kept.push(other),
        }
    }
    kept
}

/// Unix milliseconds.
pub(super) fn now_ms() -> u64 {
    let since = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap_or_default();
    u64::try_from(since.as_millis()).unwrap_or(u64::MAX)
}

/// As SQLite keeps it.
pub(super) fn signed(number: u64) -> i64 {
    i64::try_from(number).unwrap_or(i64::MAX)
}
