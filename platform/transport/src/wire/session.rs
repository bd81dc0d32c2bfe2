//! A legacy session: what a handshake agreed on, and what runs under it.

use std::{
    collections::HashMap,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    time::{Duration, Instant},
};

use kernel::{CallId, Raw, RelayedFault};
use parking_lot::Mutex;
use pipeline::Scope;
use protocol::{Fault, Id, Revision};
use tokio::sync::oneshot;
use tokio_util::sync::CancellationToken;

use super::subscribe::Held;

/// Calls of one session at the same time.
const RUNNING_MAX: usize = 64;

/// Open questions of one session.
const QUESTIONS_MAX: usize = 16;

/// What a client answered to a question of ours.
type Reply = Result<Raw, RelayedFault>;

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
    /// What the client said it can do.
    pub(crate) capabilities: Raw,
    /// Who the client said it is.
    pub(crate) client_info: Option<Raw>,
    log_level: Mutex<Option<&'static str>>,
    /// The resources it subscribed to, by server and URI; letting go of one ends it.
    pub(super) subscriptions: Mutex<HashMap<(String, String), Held>>,
    /// Fires when the session ends.
    pub(crate) ended: CancellationToken,
    running: Mutex<HashMap<Id, CancellationToken>>,
    questions: Mutex<HashMap<Id, oneshot::Sender<Reply>>>,
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
    pub(crate) capabilities: Raw,
    pub(crate) client_info: Option<Raw>,
}

impl Session {
    pub(crate) fn new(opened: &Opened<'_>) -> Arc<Self> {
        Arc::new(Self {
            id: CallId::random().to_string(),
            principal: opened.principal.to_owned(),
            route: route(opened.scope),
            revision: opened.revision,
            can_ask: opened.can_ask,
            capabilities: opened.capabilities.clone(),
            client_info: opened.client_info.clone(),
            log_level: Mutex::default(),
            subscriptions: Mutex::default(),
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
    pub(crate) fn answer(&self, id: &Id, reply: Reply) -> bool {
        let waiting = self.questions.lock().remove(id);
        waiting.is_some_and(|sender| sender.send(reply).is_ok())
    }

    /// A session has one notification stream: opening another ends the first.
    pub(crate) fn take_stream(&self) -> CancellationToken {
        let token = self.ended.child_token();
        std::mem::replace(&mut *self.stream.lock(), token.clone()).cancel();
        token
    }

    /// The least severe log messages the client gets.
    pub(super) fn log_level(&self) -> String {
        self.log_level.lock().unwrap_or("info").to_owned()
    }

    pub(super) fn set_log_level(&self, level: &'static str) {
        *self.log_level.lock() = Some(level);
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
        self.subscriptions.lock().clear();
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
    answer: oneshot::Receiver<Reply>,
}

impl Asked {
    /// What the client answered; `None` when the session ended first.
    pub(crate) async fn answer(&mut self) -> Option<Reply> {
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
        let capabilities = Raw::of(&serde_json::json!({}));
        Opened {
            principal,
            scope,
            revision: Revision::V2025_11_25,
            can_ask: true,
            capabilities,
            client_info: None,
        }
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
        let yes = || Ok(Raw::of(&"yes"));
        assert!(!session.answer(&Id::own("core-mcp-99"), yes()));
        assert!(session.answer(&asked.id, yes()));
        assert!(!session.answer(&asked.id, yes()));
        assert_eq!(asked.answer().await, Some(yes()));
        let mut lost = session.question().unwrap();
        session.end();
        assert_eq!(lost.answer().await, None);
    }
}
