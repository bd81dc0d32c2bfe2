//! Legacy sessions: what a handshake agreed on, and what runs under it. Bounded in number and in time.

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
    principal: String,
    /// The route it was opened on.
    route: (Option<String>, Option<String>),
    /// What was agreed.
    pub(crate) revision: Revision,
    /// Whether the human at the client can be asked.
    pub(crate) can_ask: bool,
    /// Fires when the session ends.
    pub(crate) ended: CancellationToken,
    running: Mutex<HashMap<Id, CancellationToken>>,
    questions: Mutex<HashMap<Id, oneshot::Sender<Said>>>,
    asked: AtomicU64,
    used: Mutex<Instant>,
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

    fn is_idle(&self, limit: Duration) -> bool {
        self.running.lock().is_empty() && self.used.lock().elapsed() > limit
    }
}

fn route(scope: &Scope) -> (Option<String>, Option<String>) {
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

/// The sessions of the HTTP door.
pub(crate) struct Sessions {
    open: Mutex<HashMap<String, Arc<Session>>>,
    max: usize,
    max_per_principal: usize,
    idle: Duration,
}

impl Sessions {
    pub(crate) fn new(max: usize, max_per_principal: usize, idle: Duration) -> Self {
        Self { open: Mutex::default(), max, max_per_principal, idle }
    }

    /// Opens a session. A principal's oldest makes room for its newest; when the house is full of
    /// others' sessions, nobody is thrown out for a stranger and the answer is `None`.
    pub(crate) fn open(&self, opened: &Opened<'_>) -> Option<Arc<Session>> {
        let mut open = self.open.lock();
        let own = open.values().filter(|it| it.principal == opened.principal).count();
        if own >= self.max_per_principal || open.len() >= self.max {
            open.retain(|_, session| !session.is_idle(self.idle));
            let own = open.values().filter(|it| it.principal == opened.principal).count();
            if own >= self.max_per_principal || open.len() >= self.max {
                let oldest = open
                    .values()
                    .filter(|it| it.principal == opened.principal)
                    .min_by_key(|it| *it.used.lock())
                    .map(|it| it.id.clone())?;
                if let Some(session) = open.remove(&oldest) {
                    session.end();
                }
            }
        }
        let session = Session::new(opened);
        open.insert(session.id.clone(), Arc::clone(&session));
        Some(session)
    }

    /// Finds a session of `principal` on this route, and keeps it from being dropped as idle.
    pub(crate) fn find(&self, id: &str, principal: &str, scope: &Scope) -> Option<Arc<Session>> {
        let mut open = self.open.lock();
        let session = Arc::clone(open.get(id)?);
        if session.principal != principal || session.route != route(scope) {
            return None;
        }
        if session.is_idle(self.idle) {
            open.remove(id);
            session.end();
            return None;
        }
        session.touch();
        Some(session)
    }

    /// Ends a session and everything that runs in it.
    pub(crate) fn close(&self, session: &Session) {
        self.open.lock().remove(&session.id);
        session.end();
    }

    /// Open sessions.
    pub(crate) fn len(&self) -> usize {
        self.open.lock().len()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn opened<'a>(principal: &'a str, scope: &'a Scope) -> Opened<'a> {
        Opened { principal, scope, revision: Revision::V2025_11_25, can_ask: true }
    }

    #[test]
    fn a_session_is_found_by_its_principal_on_its_route_only() {
        let sessions = Sessions::new(10, 10, Duration::from_secs(60));
        let (all, one) = (Scope::default(), Scope { server: Some("x".into()), context: None });
        let session = sessions.open(&opened("ann", &all)).unwrap();
        assert_eq!(session.id.len(), 32);
        for (id, principal, scope, found) in [
            (session.id.as_str(), "ann", &all, true),
            (session.id.as_str(), "bob", &all, false),
            (session.id.as_str(), "ann", &one, false),
            ("0123", "ann", &all, false),
            ("", "ann", &all, false),
        ] {
            assert_eq!(sessions.find(id, principal, scope).is_some(), found, "{id} {principal}");
        }
        sessions.close(&session);
        assert!(sessions.find(&session.id, "ann", &all).is_none() && session.ended.is_cancelled());
    }

    #[test]
    fn the_oldest_own_session_makes_room_and_nobody_elses_does() {
        let scope = Scope::default();
        let sessions = Sessions::new(3, 2, Duration::from_secs(60));
        let first = sessions.open(&opened("ann", &scope)).unwrap();
        let second = sessions.open(&opened("ann", &scope)).unwrap();
        first.touch();
        let third = sessions.open(&opened("ann", &scope)).unwrap();
        assert!(second.ended.is_cancelled() && !first.ended.is_cancelled());
        let bobs = sessions.open(&opened("bob", &scope)).unwrap();
        assert!(sessions.open(&opened("eve", &scope)).is_none(), "full of others' sessions");
        assert_eq!(sessions.len(), 3);
        assert!(!bobs.ended.is_cancelled() && !third.ended.is_cancelled());
    }

    #[test]
    fn an_idle_session_is_gone_but_not_while_a_call_runs() {
        let scope = Scope::default();
        let sessions = Sessions::new(3, 2, Duration::ZERO);
        let session = sessions.open(&opened("ann", &scope)).unwrap();
        let cancel = CancellationToken::new();
        let running = session.run(&Id::own("1"), &cancel).unwrap();
        assert!(sessions.find(&session.id, "ann", &scope).is_some());
        drop(running);
        assert!(sessions.find(&session.id, "ann", &scope).is_none());
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
