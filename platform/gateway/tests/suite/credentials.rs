//! What upstreams are shown of us: made for each caller, replaced once when refused, never mixed up.

use std::sync::{
    Arc,
    atomic::{AtomicUsize, Ordering},
};

use axum::http::HeaderMap;
use gateway::{Credentials, CredentialsFor, Shown};
use kernel::{BoxFuture, ErrorKind, Principal, ToolError};
use pipeline::{Door, Request};
use serde_json::json;

use crate::{
    fake::{Era, Fake},
    rig::{Rig, at},
};

/// A token for each caller; each refusal makes a new one, at most twice.
struct Tokens {
    made: AtomicUsize,
    are_personal: bool,
}

impl Credentials for Tokens {
    fn headers<'a>(&'a self, principal: &'a Principal) -> BoxFuture<'a, Result<Shown, ToolError>> {
        let mut headers = HeaderMap::new();
        let token = format!("Bearer {}-{}", principal.id, self.made.load(Ordering::Relaxed));
        headers.insert("authorization", token.parse().unwrap());
        Box::pin(std::future::ready(Ok(Shown { headers, made_from: Arc::new(()) })))
    }

    fn refused(&self, _shown: &Shown, status: u16, _challenge: Option<&str>) -> Result<(), ToolError> {
        if status == 401 && self.made.fetch_add(1, Ordering::Relaxed) < 2 {
            return Ok(());
        }
        Err(ToolError::new(ErrorKind::Unavailable, "log in to the upstream first"))
    }

    fn are_personal(&self) -> bool {
        self.are_personal
    }
}

fn tokens(are_personal: bool) -> (Arc<Tokens>, CredentialsFor) {
    let tokens = Arc::new(Tokens { made: AtomicUsize::new(0), are_personal });
    let shared = Arc::clone(&tokens);
    (tokens, Arc::new(move |_, _| Ok(Some(Arc::clone(&shared) as Arc<dyn Credentials>))))
}

#[tokio::test]
async fn each_caller_shows_their_own_and_shares_no_session() {
    let (_, credentials) = tokens(true);
    let (rig, fake) = (Rig::with(credentials).await, Fake::new(Era::Legacy).await);
    rig.mount(&[("up", at(&fake.url, json!({"headers": {"Authorization": "static"}})))]).await;
    for who in ["admin", "viewer", "admin"] {
        let request = Request::new(rig.gate.caller(who), "up", "echo", json!({}), Door::Cli);
        rig.send(request).await.unwrap();
        let headers = fake.state.headers.lock().last().unwrap().clone();
        assert_eq!(headers["authorization"], format!("Bearer {who}-0"));
    }
    let by_session: std::collections::BTreeSet<(String, String)> = fake
        .state
        .headers
        .lock()
        .iter()
        .filter_map(|it| {
            let text = |name: &str| it.get(name).map(|it| it.to_str().unwrap().to_owned());
            Some((text("mcp-session-id")?, text("authorization")?))
        })
        .collect();
    let sessions: std::collections::BTreeSet<&String> =
        by_session.iter().map(|(session, _)| session).collect();
    assert_eq!((by_session.len(), sessions.len()), (3, 3), "one session, one credential: {by_session:?}");
    rig.close().await;
}

#[tokio::test]
async fn refused_credentials_are_replaced_once_and_then_the_caller_hears_why() {
    let (made, credentials) = tokens(false);
    let (rig, fake) = (Rig::with(credentials).await, Fake::new(Era::Modern).await);
    rig.mount(&[("up", at(&fake.url, json!({})))]).await;
    *fake.state.status.lock() = Some(401);
    let before = fake.state.headers.lock().len();
    let error = rig.call("up.echo", json!({})).await.unwrap_err();
    assert_eq!(error.kind, ErrorKind::Unavailable);
    assert!(made.made.load(Ordering::Relaxed) >= 1, "nothing new was made");
    assert_eq!(fake.state.headers.lock().len(), before, "a refusal is no request that was taken");
    *fake.state.status.lock() = Some(403);
    let error = rig.call("up.echo", json!({})).await.unwrap_err();
    assert_eq!(error.message, "log in to the upstream first");
    *fake.state.status.lock() = None;
    rig.call("up.echo", json!({})).await.unwrap();
    let headers = fake.state.headers.lock().last().unwrap().clone();
    assert_eq!(headers["authorization"], format!("Bearer admin-{}", made.made.load(Ordering::Relaxed)));
    rig.close().await;
}
