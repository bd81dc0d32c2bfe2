//! One POST: which era, which session, then the dispatcher, then JSON or a stream.

use std::sync::Arc;

use bytes::Bytes;
use http::{HeaderMap, HeaderName, StatusCode, header};
use hyper::body::Incoming;
use pipeline::Door;
use protocol::{
    Fault, Frame, Id, Message, Mirrored, Params, Revision, check_headers, read_elicitation, read_frame,
};
use tokio::sync::mpsc;
use tokio_util::sync::CancellationToken;

use super::{
    Http,
    auth::too_many,
    body,
    guard::only,
    reply::{HttpReply, empty, events, message, refusal, with},
    routes::{Arrival, SESSION},
    stream::EventStream,
};
use crate::wire::{Exchange, Later, OUTBOX_MESSAGES_MAX, Opened, Reply, Session, Watch, Work};

const VERSION: HeaderName = HeaderName::from_static("mcp-protocol-version");
const METHOD: HeaderName = HeaderName::from_static("mcp-method");
const NAME: HeaderName = HeaderName::from_static("mcp-name");

/// What a client can read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Accepts {
    pub(crate) json: bool,
    pub(crate) events: bool,
}

/// One request on its way, with what its headers said.
pub(crate) struct Inbound {
    pub(crate) headers: HeaderMap,
    pub(crate) arrival: Arrival,
    pub(crate) accepts: Accepts,
}

impl Http {
    pub(crate) async fn post(
        self: &Arc<Self>,
        headers: HeaderMap,
        body: Incoming,
        arrival: Arrival,
    ) -> HttpReply {
        if !is_json(&headers) {
            let words = "send Content-Type: application/json";
            return refusal(StatusCode::UNSUPPORTED_MEDIA_TYPE, "unsupported_media_type", words);
        }
        let accepts = accepts(&headers);
        if !accepts.json {
            let words = "send Accept: application/json, text/event-stream";
            return refusal(StatusCode::NOT_ACCEPTABLE, "not_acceptable", words);
        }
        if let Some(wait) = self.denied.wait(self.denied.caller(&arrival.caller.principal().id)) {
            return too_many(wait);
        }
        let body = match body::read(body, &headers, self.config.max_body, self.config.body_timeout).await {
            Ok(body) => body,
            // What is left of the body is not worth reading: the connection goes.
            Err(status) => {
                let words = "the body is too large, too slow or broken";
                return with(refusal(status, "unreadable_body", words), header::CONNECTION, "close");
            }
        };
        let inbound = Inbound { headers, arrival, accepts };
        match read_frame(&body) {
            Ok(Frame::One(one)) => self.one(one, inbound).await,
            Ok(Frame::Batch(messages)) => self.batch(&messages, &inbound).await,
            Err((id, fault)) => message(Reply::fault(id.as_ref(), &fault, Revision::UNSTATED)),
        }
    }

    async fn one(self: &Arc<Self>, one: Message<'_>, inbound: Inbound) -> HttpReply {
        match one {
            Message::Request { id, method, params } => {
                let params = match Params::read(params) {
                    Ok(params) => params,
                    Err(fault) => return message(Reply::fault(Some(&id), &fault, Revision::UNSTATED)),
                };
                match inbound.is_modern(&method, &params) {
                    Ok(true) => self.modern(id, &method, &params, inbound).await,
                    Ok(false) => self.legacy(id, &method, &params, inbound).await,
                    Err(fault) => message(Reply::fault(Some(&id), &fault, Revision::UNSTATED)),
                }
            }
            Message::Notification { method, params } => self.notified(&method, params, &inbound),
            Message::Response { id, result } => match self.session(&inbound.headers, &inbound.arrival) {
                Ok(Some(session)) => {
                    // Nobody waiting is no error: the call may have ended meanwhile.
                    session.answer(&id, read_elicitation(result));
                    empty(StatusCode::ACCEPTED)
                }
                Ok(None) => refusal(
                    StatusCode::BAD_REQUEST,
                    "no_session",
                    "a response needs the session it answers in",
                ),
                Err(reply) => *reply,
            },
        }
    }

    fn notified(
        &self,
        method: &str,
        params: Option<&serde_json::value::RawValue>,
        inbound: &Inbound,
    ) -> HttpReply {
        let session = match self.session(&inbound.headers, &inbound.arrival) {
            Ok(session) => session,
            Err(reply) => return *reply,
        };
        if method == "notifications/cancelled"
            && let Some(session) = session
            && let Ok(params) = Params::read(params)
            && let Some(id) = params.request_id.and_then(|raw| Id::read(raw).ok())
        {
            session.cancel(&id);
        }
        empty(StatusCode::ACCEPTED)
    }

    async fn modern(
        self: &Arc<Self>,
        id: Id,
        method: &str,
        params: &Params<'_>,
        inbound: Inbound,
    ) -> HttpReply {
        let revision = Revision::V2026_07_28;
        if let Err(fault) = inbound.check_modern(method, params) {
            return message(Reply::fault(Some(&id), &fault, revision));
        }
        if method == "subscriptions/listen" {
            return match Watch::read(&id, params) {
                Ok(_) if !inbound.accepts.events => {
                    refusal(StatusCode::NOT_ACCEPTABLE, "not_acceptable", "accept text/event-stream")
                }
                Ok(subject) => self.listen(subject, inbound.arrival, CancellationToken::new(), None),
                Err(fault) => message(Reply::fault(Some(&id), &fault, revision)),
            };
        }
        self.work(id, method, params, inbound, revision, None).await
    }

    async fn legacy(
        self: &Arc<Self>,
        id: Id,
        method: &str,
        params: &Params<'_>,
        inbound: Inbound,
    ) -> HttpReply {
        if method == "initialize" {
            return self.initialize(&id, params, &inbound.arrival);
        }
        let session = match self.session(&inbound.headers, &inbound.arrival) {
            Ok(session) => session,
            Err(reply) => return *reply,
        };
        match inbound.legacy_revision(session.as_deref()) {
            Ok(revision) => self.work(id, method, params, inbound, revision, session).await,
            Err(fault) => message(Reply::fault(Some(&id), &fault, Revision::UNSTATED)),
        }
    }

    fn initialize(self: &Arc<Self>, id: &Id, params: &Params<'_>, arrival: &Arrival) -> HttpReply {
        let handshake = match self.wire.handshake(params) {
            Ok(handshake) => handshake,
            Err(fault) => return message(Reply::fault(Some(id), &fault, Revision::UNSTATED)),
        };
        let opened = Opened {
            principal: &arrival.caller.principal().id,
            scope: &arrival.scope,
            revision: handshake.revision,
            can_ask: handshake.can_ask,
        };
        let Some(session) = self.sessions.open(&opened) else {
            let words =
                "too many sessions are open; try again later, or use protocol 2026-07-28, which needs none";
            let full = refusal(StatusCode::SERVICE_UNAVAILABLE, "too_many_sessions", words);
            return with(full, header::RETRY_AFTER, "60");
        };
        let body =
            protocol::write_result(id, &handshake.result, handshake.revision, &self.wire.config.server);
        with(message(Reply::fine(body)), SESSION, &session.id)
    }

    async fn work(
        self: &Arc<Self>,
        id: Id,
        method: &str,
        params: &Params<'_>,
        inbound: Inbound,
        revision: Revision,
        session: Option<Arc<Session>>,
    ) -> HttpReply {
        let cancel = CancellationToken::new();
        let may_speak = params.meta.as_ref().is_some_and(|meta| meta.progress_token.is_some())
            || session.as_ref().is_some_and(|it| it.can_ask);
        let (outbox, inbox) = (inbound.accepts.events && may_speak)
            .then(|| mpsc::channel(OUTBOX_MESSAGES_MAX))
            .map_or((None, None), |(outbox, inbox)| (Some(outbox), Some(inbox)));
        let exchange = Exchange {
            caller: inbound.arrival.caller,
            scope: inbound.arrival.scope,
            door: Door::Http,
            revision,
            session,
            outbox,
            cancel: cancel.clone(),
        };
        let principal = self.denied.caller(&exchange.caller.principal().id);
        match self.wire.begin(id, method, params, exchange) {
            Work::Ready(reply) => message(reply),
            Work::Later(later) => {
                // In older revisions a lost connection is no cancellation; see `Later::ends_with_client`.
                let guard = (revision.is_modern() && later.ends_with_client).then(|| cancel.drop_guard());
                let waiting = Waiting { later, inbox, guard, principal, streams: inbound.accepts.events };
                self.respond(waiting).await
            }
        }
    }

    /// Answers with JSON, unless something has to be said first or it takes long.
    async fn respond(self: &Arc<Self>, waiting: Waiting) -> HttpReply {
        let Waiting { later: Later { mut reply, .. }, mut inbox, guard, principal, streams } = waiting;
        let first = tokio::select! {
            biased;
            reply = &mut reply => {
                self.settle(&reply, principal);
                if let Some(guard) = guard {
                    guard.disarm();
                }
                return message(reply);
            }
            Some(first) = next(&mut inbox) => Some(first),
            () = tokio::time::sleep(self.config.keep_alive), if streams => None,
        };
        let http = Arc::clone(self);
        let last = Box::pin(async move {
            let reply = reply.await;
            http.settle(&reply, principal);
            Some(Bytes::from(reply.body))
        });
        events(EventStream::new(first, inbox, last, guard, self.config.keep_alive))
    }

    /// Denied calls use up the caller's allowance.
    pub(crate) fn settle(&self, reply: &Reply, principal: u64) {
        if reply.denied {
            self.denied.charge(principal);
        }
    }
}

/// A request that has begun.
struct Waiting {
    later: Later,
    inbox: Option<mpsc::Receiver<Bytes>>,
    guard: Option<tokio_util::sync::DropGuard>,
    principal: u64,
    streams: bool,
}

async fn next(inbox: &mut Option<mpsc::Receiver<Bytes>>) -> Option<Bytes> {
    inbox.as_mut()?.recv().await
}

impl Inbound {
    /// Whether a request is written in 2026-07-28: it says so in its body or in its headers.
    fn is_modern(&self, method: &str, params: &Params<'_>) -> Result<bool, Fault> {
        let header = only(&self.headers, VERSION).ok().flatten().and_then(Revision::parse);
        Ok(method == "server/discover"
            || header.is_some_and(Revision::is_modern)
            || params.stated_revision()?.is_some())
    }

    fn check_modern(&self, method: &str, params: &Params<'_>) -> Result<(), Fault> {
        let header = |name: HeaderName| only(&self.headers, name).ok().flatten();
        let mirrored = Mirrored { revision: header(VERSION), method: header(METHOD), name: header(NAME) };
        let stated = params.stated_revision()?;
        // Without a stated revision there is nothing to compare: the missing metadata is the fault.
        if stated.is_some() {
            let raw = if method == "resources/read" { params.uri } else { params.name };
            let name = params.optional_text("name", raw)?;
            check_headers(mirrored, stated.as_deref(), method, name.as_deref())?;
        }
        params.check_modern()
    }

    pub(crate) fn legacy_revision(&self, session: Option<&Session>) -> Result<Revision, Fault> {
        let stated = only(&self.headers, VERSION).map_err(|()| Fault::unsupported_revision("unreadable"))?;
        let stated = stated
            .map(|name| Revision::parse(name).ok_or_else(|| Fault::unsupported_revision(name)))
            .transpose()?;
        Ok(session.map(|it| it.revision).or(stated).unwrap_or(Revision::UNSTATED))
    }
}

fn is_json(headers: &HeaderMap) -> bool {
    let Ok(Some(value)) = only(headers, header::CONTENT_TYPE) else { return false };
    let media = value.split(';').next().unwrap_or_default().trim();
    media.eq_ignore_ascii_case("application/json")
}

/// Reads `Accept`. A range with quality 0 is a refusal; other qualities do not matter to us.
pub(crate) fn accepts(headers: &HeaderMap) -> Accepts {
    let mut accepts = Accepts { json: false, events: false };
    for value in headers.get_all(header::ACCEPT) {
        for range in value.to_str().unwrap_or_default().split(',') {
            let mut parts = range.split(';').map(str::trim);
            let media = parts.next().unwrap_or_default().to_ascii_lowercase();
            if parts.any(|it| matches!(it, "q=0" | "q=0.0" | "q=0.00" | "q=0.000")) {
                continue;
            }
            accepts.json |= matches!(media.as_str(), "*/*" | "application/*" | "application/json");
            accepts.events |= matches!(media.as_str(), "*/*" | "text/*" | "text/event-stream");
        }
    }
    accepts
}

#[cfg(test)]
mod tests {
    use http::HeaderValue;

    use super::*;

    #[test]
    fn accept_is_read_as_ranges() {
        for (value, json, events) in [
            ("application/json, text/event-stream", true, true),
            ("text/event-stream;q=0.5, Application/JSON;charset=utf-8", true, true),
            ("*/*", true, true),
            ("application/json", true, false),
            ("text/event-stream", false, true),
            ("application/json;q=0, */*;q=0.0", false, false),
            ("text/html", false, false),
            ("application/jsonx", false, false),
            ("", false, false),
        ] {
            let headers = HeaderMap::from_iter([(header::ACCEPT, HeaderValue::from_static(value))]);
            assert_eq!(accepts(&headers), Accepts { json, events }, "{value}");
        }
        assert_eq!(accepts(&HeaderMap::new()), Accepts { json: false, events: false });
    }
}
