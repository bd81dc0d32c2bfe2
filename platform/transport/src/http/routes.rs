//! From a request to the part that answers it. Every path passes the guard first.

use std::sync::Arc;

use http::{HeaderName, Method, Request, StatusCode, header, request::Parts};
use hyper::body::Incoming;
use pipeline::{Scope, Verified};
use protocol::Revision;
use tower::ServiceExt;

use super::{
    Http,
    auth::{Peer, Shown},
    body::{Answer, ReplyBody},
    guard::{Stranger, only},
    reply::{HttpReply, empty, refusal, with},
    stream::EventStream,
};
use crate::wire::{Exchange, Listener, OUTBOX_MESSAGES_MAX, Session, Watch, watch};

pub(crate) const SESSION: HeaderName = HeaderName::from_static("mcp-session-id");

/// A request to the protocol, from somebody we know.
pub(crate) struct Arrival {
    pub(crate) caller: Verified,
    pub(crate) shown: Shown,
    pub(crate) scope: Scope,
    /// Where the document about this resource is.
    pub(crate) metadata: String,
}

pub(crate) async fn handle(http: Arc<Http>, peer: Peer, request: Request<Incoming>) -> HttpReply {
    let (parts, body) = request.into_parts();
    let has_to_wait = parts.headers.contains_key(header::EXPECT);
    let mut body = Some(body);
    let reply = answer(http, peer, parts, &mut body).await;
    // Closed over an unread body, the connection would be reset and the answer lost on its way. Who asked before
    // sending has sent nothing yet.
    if let Some(left) = body.filter(|_| !has_to_wait) {
        super::body::drain(left).await;
    }
    reply
}

/// The answer to one request. The body is left behind by what refuses without reading it.
async fn answer(http: Arc<Http>, peer: Peer, parts: Parts, body: &mut Option<Incoming>) -> HttpReply {
    let checked = http.guard.read().check(&parts.uri, &parts.headers);
    match checked {
        Ok(()) => {}
        Err(Stranger::Host) => {
            let words = "this Host is not served here; add it to `allowed_hosts`";
            return refusal(StatusCode::MISDIRECTED_REQUEST, "unknown_host", words);
        }
        Err(Stranger::Origin) => {
            let words = "pages of this Origin may not call; add it to `allowed_origins`";
            return refusal(StatusCode::FORBIDDEN, "unknown_origin", words);
        }
    }
    let Some(scope) = scope_of(parts.uri.path()) else {
        return match http.page(&peer, &parts).await {
            Some(page) => page,
            None => elsewhere(&http, parts, body).await,
        };
    };
    let (caller, shown) = match http.authenticate(&peer, &parts.uri, &parts.headers).await {
        Ok(known) => known,
        Err(reply) => return *reply,
    };
    if let Some(server) = &scope.server
        && http.wire.gate.registry().find(server).is_err()
    {
        return refusal(
            StatusCode::NOT_FOUND,
            "unknown_server",
            "no server of this name; `core-mcp servers` lists them",
        );
    }
    let metadata = http.metadata_url(&parts.uri, &parts.headers);
    let arrival = Arrival { caller, shown, scope, metadata };
    match parts.method {
        Method::POST => http.post(parts.headers, body, arrival).await,
        Method::GET => http.get(&parts.headers, arrival),
        Method::DELETE => http.delete(&parts.headers, &arrival),
        _ => wrong_method("GET, POST, DELETE"),
    }
}

pub(crate) fn wrong_method(allowed: &str) -> HttpReply {
    with(empty(StatusCode::METHOD_NOT_ALLOWED), header::ALLOW, allowed)
}

/// `/mcp`, `/mcp/{server}` and `/contexts/{id}/mcp`, with or without a slash at the end.
fn scope_of(path: &str) -> Option<Scope> {
    let path = path.strip_suffix('/').unwrap_or(path);
    if path == "/mcp" {
        return Some(Scope::default());
    }
    if let Some(server) = path.strip_prefix("/mcp/") {
        return is_segment(server).then(|| Scope { server: Some(server.to_owned()), context: None });
    }
    let context = path.strip_prefix("/contexts/")?.strip_suffix("/mcp")?;
    is_segment(context).then(|| Scope { server: None, context: Some(context.to_owned()) })
}

fn is_segment(text: &str) -> bool {
    (1..=128).contains(&text.len())
        && text.bytes().all(|it| it.is_ascii_alphanumeric() || matches!(it, b'-' | b'_' | b'.'))
}

async fn elsewhere(http: &Http, parts: Parts, body: &mut Option<Incoming>) -> HttpReply {
    let (Some(router), Some(body)) = (http.fallback.clone(), body.take()) else {
        return refusal(
            StatusCode::NOT_FOUND,
            "not_found",
            "nothing is served here; the protocol is at /mcp",
        );
    };
    match router.oneshot(Request::from_parts(parts, axum::body::Body::new(body))).await {
        Ok(response) => response.map(|body| ReplyBody::new(Answer::Other(body))),
        Err(never) => match never {},
    }
}

impl Http {
    /// The session a request names: `Ok(None)` when it names none, an answer when it is not there.
    pub(crate) fn session(
        &self,
        headers: &http::HeaderMap,
        arrival: &Arrival,
    ) -> Result<Option<Arc<Session>>, Box<HttpReply>> {
        let gone = || {
            Box::new(refusal(
                StatusCode::NOT_FOUND,
                "unknown_session",
                "no such session; send `initialize` again",
            ))
        };
        let Some(id) = only(headers, SESSION).map_err(|()| gone())? else { return Ok(None) };
        let principal = &arrival.caller.principal().id;
        self.sessions.find(id, principal, &arrival.scope).map(Some).ok_or_else(gone)
    }

    /// Opens the notification stream of a legacy session.
    fn get(self: &Arc<Self>, headers: &http::HeaderMap, arrival: Arrival) -> HttpReply {
        let session = match self.session(headers, &arrival) {
            Ok(Some(session)) => session,
            Ok(None) => return wrong_method("POST"),
            Err(reply) => return *reply,
        };
        if !super::inbound::accepts(headers).events {
            return refusal(StatusCode::NOT_ACCEPTABLE, "not_acceptable", "accept text/event-stream");
        }
        let ended = session.take_stream();
        let revision = session.revision;
        self.listen(Watch::Legacy(Arc::clone(&session)), revision, arrival, ended, Some(session))
    }

    /// Streams what `subject` is about, until the client, the session or the server ends it.
    pub(crate) fn listen(
        self: &Arc<Self>,
        subject: Watch,
        revision: Revision,
        arrival: Arrival,
        ended: tokio_util::sync::CancellationToken,
        session: Option<Arc<Session>>,
    ) -> HttpReply {
        let Some(slot) = StreamSlot::take(self, &arrival.caller.principal().id) else {
            return refusal(
                StatusCode::TOO_MANY_REQUESTS,
                "too_many_streams",
                "close a stream before opening another",
            );
        };
        let (outbox, events) = tokio::sync::mpsc::channel(OUTBOX_MESSAGES_MAX);
        let (http, draining) = (Arc::clone(self), self.draining.clone());
        let check_every = self.config.keep_alive;
        let exchange = Exchange {
            caller: arrival.caller,
            scope: arrival.scope,
            door: pipeline::Door::Http,
            revision,
            session: session.clone(),
            outbox: None,
            cancel: tokio_util::sync::CancellationToken::new(),
        };
        let listener = Listener { wire: Arc::clone(&self.wire), exchange };
        let still_good = move || {
            if let Some(session) = &session {
                session.touch();
            }
            http.wire.gate.admit_now(&arrival.shown.credentials(), pipeline::Door::Http).is_ok()
        };
        let last = Box::pin(async move {
            let _slot = slot;
            let both = ended.clone();
            let watching = watch(listener, subject, outbox, both, check_every, still_good);
            let mut watching = std::pin::pin!(watching);
            tokio::select! {
                last = &mut watching => return last,
                () = draining.cancelled() => ended.cancel(),
            }
            watching.await
        });
        super::reply::events(EventStream::new(None, Some(events), last, None, self.config.keep_alive))
    }

    /// Ends a legacy session.
    fn delete(&self, headers: &http::HeaderMap, arrival: &Arrival) -> HttpReply {
        match self.session(headers, arrival) {
            Ok(Some(session)) => {
                self.sessions.close(&session);
                empty(StatusCode::NO_CONTENT)
            }
            Ok(None) => wrong_method("POST"),
            Err(reply) => *reply,
        }
    }
}

/// One of a principal's streams; given back when dropped.
struct StreamSlot {
    http: Arc<Http>,
    principal: String,
}

impl StreamSlot {
    fn take(http: &Arc<Http>, principal: &str) -> Option<Self> {
        let mut streams = http.streams.lock();
        let count = streams.entry(principal.to_owned()).or_default();
        if *count >= http.config.max_streams_per_principal {
            return None;
        }
        *count += 1;
        Some(Self { http: Arc::clone(http), principal: principal.to_owned() })
    }
}

impl Drop for StreamSlot {
    fn drop(&mut self) {
        let mut streams = self.http.streams.lock();
        if let Some(count) = streams.get_mut(&self.principal) {
            *count -= 1;
            if *count == 0 {
                streams.remove(&self.principal);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_path_names_everything_one_server_or_one_context() {
        let named = |path: &str| scope_of(path).map(|scope| (scope.server, scope.context));
        let some = |text: &str| Some(text.to_owned());
        for (path, scope) in [
            ("/mcp", Some((None, None))),
            ("/mcp/docker-manager", Some((some("docker-manager"), None))),
            ("/contexts/c-1/mcp", Some((None, some("c-1")))),
            ("/mcp/", Some((None, None))),
            ("/mcp/docker-manager/", Some((some("docker-manager"), None))),
            ("/mcp//", None),
            ("//mcp", None),
            ("/mcp/a/b", None),
            ("/mcp/%2e%2e", None),
            ("/mcpx", None),
            ("/contexts//mcp", None),
            ("/contexts/a/b/mcp", None),
            ("/contexts/mcp", None),
            ("/", None),
        ] {
            assert_eq!(named(path), scope, "{path}");
        }
    }
}
