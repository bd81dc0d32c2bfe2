//! A legacy session: what a handshake agreed on, and what runs under it.

use std::{
    collections::HashMap,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    time::{Duration, Instant},
};

use kernel::CallId;
use parking_lot::Mutex;
use pipeline::Scope;
use protocol::{Fault, Id, Revision, Said};
use tokio::sync::oneshot;
use tokio_util::sync::CancellationToken;

/// Calls of one session at the same time.
const RUNNING_MAX: usize = 64;

/// Open questions of one session.
const QUESTIONS_MAX: usize = 16;

/// One legacy session. Stdio has exactly one, HTTP one per `Mcp-Session-Id`.
pub(crate) struct Session {
    /// 128 random bits, in hex.
    pub(crate) id: String,
    /// Whose it is; anybody else does not find it.
    pub(super) principal: String,
    /// The route it was opened on.
    pub(super) route: (Option<String>, Option<String>),
    /// What was agreed.
    pub(crate) revision: Revision,
    /// Whether the human at the client can be asked.
    pub(crate) can_ask: bool,
    /// Fires when the session ends.
    pub(crate) ended: CancellationToken,
    running: Mutex<HashMap<Id, CancellationToken>>,
    questions: Mutex<HashMap<Id, oneshot::Sender<Said>>>,
    asked: AtomicU64,
    pub(super) used: Mutex<Instant>,
    stream: Mutex<CancellationToken>,
}

/// What a session is opened with.
pub(crate) struct Opened<'a> {
    pub(crate) principal: &'a str,
    pub(crate) scope: &'a Scope,
    pub(crate) revision: Revision,
    pub(crate) can_ask: bool,
}

impl Session {
    pub(crate) fn new(opened: &Opened<'_>) -> Arc<Self> {
        Arc::new(Self {
            id: CallId::random().to_string(),
            principal: opened.principal.to_owned(),
            route: route(opened.scope),
            revision: opened.revision,
            can_ask: opened.can_ask,
            ended: CancellationToken::new(),
            running: Mutex::default(),
            questions: Mutex::default(),
            asked: AtomicU64::new(0),
            used: Mutex::new(Instant::now()),
            stream: Mutex::default(),
        })
    }

    /// Notes that `id` runs until the guard is dropped. An id that runs already is refused.
    pub(crate) fn run(self: &Arc<Self>, id: &Id, cancel: &CancellationToken) -> Result<Running, Fault> {
        let mut running = self.running.lock();
        if running.len() >= RUNNING_MAX {
            return Err(Fault::busy(format!(
                "more than {RUNNING_MAX} calls at the same time in one session"
            )));
        }
        if running.contains_key(id) {
            return Err(Fault::invalid_request("a request with this id is still running"));
        }
        running.insert(id.clone(), cancel.clone());
        Ok(Running { session: Arc::clone(self), id: id.clone() })
    }

    /// Cancels a running call. One that has finished, or never was, is no error.
    pub(crate) fn cancel(&self, id: &Id) {
        let token = self.running.lock().get(id).cloned();
        if let Some(token) = token {
            token.cancel();
        }
    }

    /// Prepares a question to the client.
    pub(crate) fn question(self: &Arc<Self>) -> Option<Asked> {
        let mut questions = self.questions.lock();
        if questions.len() >= QUESTIONS_MAX {
            return None;
        }
        let id = Id::own(&format!("core-mcp-{}", self.asked.fetch_add(1, Ordering::Relaxed)));
        let (sender, answer) = oneshot::channel();
        questions.insert(id.clone(), sender);
        Some(Asked { session: Arc::clone(self), id, answer })
    }

    /// Hands the client's answer to whoever waits. False when nobody does.
    pub(crate) fn answer(&self, id: &Id, said: Said) -> bool {
        let waiting = self.questions.lock().remove(id);
        waiting.is_some_and(|sender| sender.send(said).is_ok())
    }

    /// A session has one notification stream: opening another ends the first.
    pub(crate) fn take_stream(&self) -> CancellationToken {
        let token = self.ended.child_token();
        std::mem::replace(&mut *self.stream.lock(), token.clone()).cancel();
        token
    }

    /// Keeps the session from being dropped as idle.
    pub(crate) fn touch(&self) {
        *self.used.lock() = Instant::now();
    }

    pub(crate) fn end(&self) {
        self.ended.cancel();
        for token in self.running.lock().values() {
            token.cancel();
        }
        self.questions.lock().clear();
    }

    pub(super) fn is_idle(&self, limit: Duration) -> bool {
        self.running.lock().is_empty() && self.used.lock().elapsed() > limit
    }
}

pub(super) fn route(scope: &Scope) -> (Option<String>, Option<String>) {
    (scope.server.clone(), scope.context.clone())
}

/// A call that runs; forgotten when dropped.
pub(crate) struct Running {
    session: Arc<Session>,
    id: Id,
}

impl Drop for Running {
    fn drop(&mut self) {
        self.session.running.lock().remove(&self.id);
        self.session.touch();
    }
}

/// A question that waits for its answer; withdrawn when dropped.
pub(crate) struct Asked {
    session: Arc<Session>,
    /// The id it is sent under.
    pub(crate) id: Id,
    answer: oneshot::Receiver<Said>,
}

impl Asked {
    /// What the human said; `None` when the session ended first.
    pub(crate) async fn answer(&mut self) -> Option<Said> {
        (&mut self.answer).await.ok()
    }
}

impl Drop for Asked {
    fn drop(&mut self) {
        self.session.questions.lock().remove(&self.id);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn opened<'a>(principal: &'a str, scope: &'a Scope) -> Opened<'a> {
        Opened { principal, scope, revision: Revision::V2025_11_25, can_ask: true }
    }

    #[test]
    fn cancelling_twice_or_too_late_is_no_error_and_an_id_runs_once() {
        let session = Session::new(&opened("ann", &Scope::default()));
        let (id, cancel) = (Id::own("1"), CancellationToken::new());
        let running = session.run(&id, &cancel).unwrap();
        assert!(session.run(&id, &cancel).is_err());
        session.cancel(&id);
        session.cancel(&id);
        assert!(cancel.is_cancelled());
        drop(running);
        session.cancel(&id);
        let many: Vec<_> = (0..RUNNING_MAX)
            .map(|index| session.run(&Id::own(&index.to_string()), &cancel).unwrap())
            .collect();
        assert!(session.run(&Id::own("one more"), &cancel).is_err());
        drop(many);
    }

    #[tokio::test]
    async fn an_answer_reaches_its_question_once() {
        let session = Session::new(&opened("ann", &Scope::default()));
        let mut asked = session.question().unwrap();
        assert!(!session.answer(&Id::own("core-mcp-99"), Said::Yes));
        assert!(session.answer(&asked.id, Said::Yes));
        assert!(!session.answer(&asked.id, Said::Yes));
        assert_eq!(asked.answer().await, Some(Said::Yes));
        let mut lost = session.question().unwrap();
        session.end();
        assert_eq!(lost.answer().await, None);
    }
}
