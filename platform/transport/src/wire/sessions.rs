//! The legacy sessions of the HTTP door, bounded in number and in time.

use std::{collections::HashMap, sync::Arc, time::Duration};

use parking_lot::Mutex;
use pipeline::Scope;

use super::session::{Opened, Session, route};

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
}

#[cfg(test)]
mod tests {
    use protocol::{Id, Revision};
    use tokio_util::sync::CancellationToken;

    use super::*;

    fn opened<'a>(principal: &'a str, scope: &'a Scope) -> Opened<'a> {
        let capabilities = kernel::Raw::of(&serde_json::json!({}));
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
        assert_eq!(sessions.open.lock().len(), 3);
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
}
