//! Runs in the background: their output is kept by sequence number, also after they ended.

use std::{
    collections::VecDeque,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::{Duration, Instant},
};

use kernel::{CallId, ErrorKind, Principal, ToolError};
use serde::Serialize;
use tokio::{
    sync::{Notify, mpsc},
    time,
};
use tokio_util::{sync::CancellationToken, task::AbortOnDropHandle};

use super::{Ended, Engine, Request};
use crate::tools::brief::brief_schema;

/// Pieces of input that may wait for a program to read them.
const INPUT_QUEUE: usize = 16;

/// All sessions of one server.
pub(crate) struct Sessions {
    list: Mutex<Vec<Arc<Session>>>,
    per_principal_max: usize,
    bytes_max: usize,
}

struct Session {
    id: String,
    owner: String,
    command: String,
    programs: Vec<String>,
    started: Instant,
    log: Mutex<Log>,
    changed: Notify,
    input: Mutex<Option<mpsc::Sender<Vec<u8>>>>,
    cancel: CancellationToken,
    task: Mutex<Option<AbortOnDropHandle<()>>>,
}

#[derive(Default)]
struct Log {
    bytes: VecDeque<u8>,
    /// Sequence number of the first byte that is kept.
    first: u64,
    end: Option<Result<Ended, String>>,
}

/// A session in a listing.
#[derive(Debug, Serialize)]
pub(crate) struct SessionInfo {
    session_id: String,
    command: String,
    programs: Vec<String>,
    state: State,
    #[serde(skip_serializing_if = "Option::is_none")]
    exit_code: Option<i32>,
    age_seconds: u64,
    next_seq: u64,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum State {
    Running,
    Exited,
    /// By a signal, a caller, or a bound.
    Stopped,
    /// It could not be run.
    Failed,
}

/// A piece of a session's output.
#[derive(Debug, Serialize)]
pub(crate) struct Chunk {
    pub(crate) state: State,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) exit_code: Option<i32>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) signal: Option<i32>,
    /// Output from `since_seq` on.
    pub(crate) chunk: String,
    pub(crate) next_seq: u64,
    /// Bytes that were dropped before `chunk`.
    pub(crate) lost_bytes: u64,
}

brief_schema!(Chunk {
    state: "string",
    exit_code: "integer",
    signal: "integer",
    chunk: "string",
    next_seq: "integer",
    lost_bytes: "integer",
});

impl Sessions {
    pub(super) fn new(per_principal_max: usize, bytes_max: usize) -> Self {
        Self { list: Mutex::new(Vec::new()), per_principal_max, bytes_max }
    }

    /// Starts a run in the background and gives back its id.
    pub(crate) fn start(
        &self,
        engine: &Arc<Engine>,
        command: &str,
        mut request: Request,
    ) -> Result<String, ToolError> {
        let (input, output) = mpsc::channel(INPUT_QUEUE);
        request.stdin = Some(output);
        // The call that started it may end; only `stop_process` and the time limit end the session.
        request.cancel = CancellationToken::new();
        let session = Arc::new(Session {
            id: CallId::random().as_str()[..12].to_owned(),
            owner: request.principal.id.clone(),
            command: command.to_owned(),
            programs: request.plan.stages().map(|stage| stage.name().to_owned()).collect(),
            started: Instant::now(),
            log: Mutex::default(),
            changed: Notify::new(),
            input: Mutex::new(Some(input)),
            cancel: request.cancel.clone(),
            task: Mutex::new(None),
        });
        self.keep(&session)?;
        let (engine, running, bytes_max) = (Arc::clone(engine), Arc::clone(&session), self.bytes_max);
        let task = tokio::spawn(async move {
            let ended = engine.run(request, &|_, bytes| running.push(bytes, bytes_max)).await;
            running.end(ended);
        });
        *lock(&session.task) = Some(AbortOnDropHandle::new(task));
        Ok(session.id.clone())
    }

    /// Makes room among the sessions of the same principal by forgetting finished ones, oldest first.
    fn keep(&self, session: &Arc<Session>) -> Result<(), ToolError> {
        let mut list = lock(&self.list);
        while list.iter().filter(|other| other.owner == session.owner).count() >= self.per_principal_max {
            let finished =
                list.iter().position(|it| it.owner == session.owner && lock(&it.log).end.is_some());
            let Some(index) = finished else {
                return Err(ToolError::new(ErrorKind::Overloaded, "too many sessions run at the same time")
                    .hint("stop one with `stop_process`; `list_processes` shows them"));
            };
            list.remove(index);
        }
        list.push(Arc::clone(session));
        Ok(())
    }

    /// The session, for whoever started it. For others it does not exist.
    fn find(&self, id: &str, principal: &Principal) -> Result<Arc<Session>, ToolError> {
        let list = lock(&self.list);
        let found = list.iter().find(|session| session.id == id && session.owner == principal.id);
        found.cloned().ok_or_else(|| {
            ToolError::new(ErrorKind::NotFound, "no session has this id")
                .field("session_id")
                .hint("call `list_processes`; finished sessions are forgotten when new ones need room")
        })
    }

    pub(crate) fn list(&self, principal: &Principal) -> Vec<SessionInfo> {
        let list = lock(&self.list);
        list.iter().filter(|session| session.owner == principal.id).map(|session| session.info()).collect()
    }

    /// Output from a sequence number on. Waits for more, or for the end, at most `wait`.
    pub(crate) async fn read(
        &self,
        id: &str,
        principal: &Principal,
        since: u64,
        wait: Duration,
        bytes_max: usize,
    ) -> Result<Chunk, ToolError> {
        let session = self.find(id, principal)?;
        let until = time::Instant::now() + wait;
        loop {
            let changed = session.changed.notified();
            tokio::pin!(changed);
            // Registered before looking, so that no change between the two is missed.
            changed.as_mut().enable();
            let chunk = lock(&session.log).chunk(since, bytes_max);
            let is_news = !chunk.chunk.is_empty() || chunk.state != State::Running;
            if is_news || time::timeout_at(until, changed).await.is_err() {
                return Ok(chunk);
            }
        }
    }

    /// Gives bytes to the first program; with `eof` it sees the end of its input after them.
    pub(crate) async fn write(
        &self,
        id: &str,
        principal: &Principal,
        data: Vec<u8>,
        eof: bool,
    ) -> Result<(), ToolError> {
        let session = self.find(id, principal)?;
        let input = if eof { lock(&session.input).take() } else { lock(&session.input).clone() };
        let closed = || {
            ToolError::new(ErrorKind::ToolExecutionFailed, "the session reads no more input")
                .hint("read what it printed with `read_process`")
        };
        let input = input.ok_or_else(closed)?;
        if data.is_empty() {
            return Ok(());
        }
        match time::timeout(Duration::from_secs(10), input.send(data)).await {
            Ok(sent) => sent.map_err(|_| closed()),
            Err(_) => {
                Err(ToolError::new(ErrorKind::Timeout, "the program does not read its input").before_send())
            }
        }
    }

    /// Ends a session politely, then for good, and waits until it is gone.
    pub(crate) async fn stop(&self, id: &str, principal: &Principal) -> Result<Chunk, ToolError> {
        let session = self.find(id, principal)?;
        session.cancel.cancel();
        let since = lock(&session.log).next();
        loop {
            let changed = session.changed.notified();
            tokio::pin!(changed);
            changed.as_mut().enable();
            let log = lock(&session.log).chunk(since, 0);
            if log.state != State::Running {
                return Ok(log);
            }
            changed.await;
        }
    }

    /// Ends everything; for the moment the server goes.
    pub(super) fn clear(&self) {
        lock(&self.list).clear();
    }
}

impl Session {
    fn push(&self, bytes: &[u8], bytes_max: usize) {
        let mut log = lock(&self.log);
        log.bytes.extend(bytes);
        let surplus = log.bytes.len().saturating_sub(bytes_max);
        log.bytes.drain(..surplus);
        log.first += surplus as u64;
        drop(log);
        self.changed.notify_waiters();
    }

    fn end(&self, ended: Result<Ended, ToolError>) {
        lock(&self.log).end = Some(ended.map_err(|error| match error.kind {
            ErrorKind::Cancelled => String::new(),
            _ => error.message,
        }));
        lock(&self.input).take();
        self.changed.notify_waiters();
    }

    fn info(&self) -> SessionInfo {
        let log = lock(&self.log);
        let (state, exit_code, _) = log.state();
        SessionInfo {
            session_id: self.id.clone(),
            command: self.command.clone(),
            programs: self.programs.clone(),
            state,
            exit_code,
            age_seconds: self.started.elapsed().as_secs(),
            next_seq: log.next(),
        }
    }
}

impl Log {
    fn next(&self) -> u64 {
        self.first + self.bytes.len() as u64
    }

    fn state(&self) -> (State, Option<i32>, Option<i32>) {
        match &self.end {
            None => (State::Running, None, None),
            Some(Err(reason)) if reason.is_empty() => (State::Stopped, None, None),
            Some(Err(_)) => (State::Failed, None, None),
            Some(Ok(ended)) if ended.exit_code.is_some() => (State::Exited, ended.exit_code, None),
            Some(Ok(ended)) => (State::Stopped, None, ended.signal),
        }
    }

    fn chunk(&self, since: u64, bytes_max: usize) -> Chunk {
        let (state, exit_code, signal) = self.state();
        let from = since.clamp(self.first, self.next());
        let skip = usize::try_from(from - self.first).unwrap_or(usize::MAX);
        let bytes: Vec<u8> = self.bytes.iter().skip(skip).take(bytes_max).copied().collect();
        let whole =
            whole_characters(&bytes, state == State::Running || skip + bytes.len() < self.bytes.len());
        let mut chunk = String::from_utf8_lossy(&bytes[..whole]).into_owned();
        if let (Some(Err(reason)), true) = (&self.end, bytes_max > 0) {
            chunk.push_str(reason);
        }
        Chunk {
            state,
            exit_code,
            signal,
            chunk,
            next_seq: from + whole as u64,
            lost_bytes: from.saturating_sub(since),
        }
    }
}

/// Bytes up to the last complete character, when the rest of it may still come.
fn whole_characters(bytes: &[u8], more: bool) -> usize {
    match std::str::from_utf8(bytes) {
        Err(error) if more && error.error_len().is_none() && error.valid_up_to() > 0 => error.valid_up_to(),
        _ => bytes.len(),
    }
}

/// A lock whose holder panicked still guards plain data.
fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn log(text: &str, first: u64) -> Log {
        Log { bytes: text.bytes().collect(), first, end: None }
    }

    #[test]
    fn chunks_join_up_and_say_what_is_lost() {
        let log = log("abcdef", 10);
        let chunk = log.chunk(0, 4);
        assert_eq!((chunk.chunk.as_str(), chunk.next_seq, chunk.lost_bytes), ("abcd", 14, 10));
        let chunk = log.chunk(14, 4);
        assert_eq!((chunk.chunk.as_str(), chunk.next_seq, chunk.lost_bytes), ("ef", 16, 0));
        assert_eq!(log.chunk(99, 4).next_seq, 16);
    }

    #[test]
    fn a_character_is_never_cut() {
        let log = log("aé", 0);
        let chunk = log.chunk(0, 2);
        assert_eq!((chunk.chunk.as_str(), chunk.next_seq), ("a", 1));
        assert_eq!(log.chunk(1, 2).chunk, "é");
    }
}
