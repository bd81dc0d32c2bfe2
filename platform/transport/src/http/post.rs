//! One POST: which era, which session, then the dispatcher, then JSON or a stream.

use std::sync::Arc;

use bytes::Bytes;
use http::{HeaderMap, StatusCode, header};
use hyper::body::Incoming;
use pipeline::Door;
use protocol::{Frame, Id, Message, Params, Revision, read_frame};
use tokio::sync::mpsc;
use tokio_util::sync::CancellationToken;

use super::{
    Http,
    auth::{insufficient, too_many},
    body,
    inbound::{Inbound, accepts, is_json},
    reply::{HttpReply, empty, events, message, refusal, with},
    routes::{Arrival, SESSION},
    stream::EventStream,
};
use crate::wire::{
    Exchange, Later, OUTBOX_MESSAGES_MAX, Opened, Refusal, Reply, Session, Watch, Work, reply_of,
};

impl Http {
    pub(crate) async fn post(
        self: &Arc<Self>,
        headers: HeaderMap,
        body: &mut Option<Incoming>,
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
        let Some(body) = body.take() else { return empty(StatusCode::BAD_REQUEST) };
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
            Message::Response { id, result, error } => match self.session(&inbound.headers, &inbound.arrival)
            {
                Ok(Some(session)) => {
                    // Nobody waiting is no error: the call may have ended meanwhile.
                    session.answer(&id, reply_of(result, error));
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
        if method == "tools/call"
            && let Err(fault) = inbound.check_parameters(&self.wire, params)
        {
            return message(Reply::fault(Some(&id), &fault, revision));
        }
        if method == "subscriptions/listen" {
            return match Watch::read(&id, params) {
                Ok(_) if !inbound.accepts.events => {
                    refusal(StatusCode::NOT_ACCEPTABLE, "not_acceptable", "accept text/event-stream")
                }
                Ok(subject) => {
                    self.listen(subject, revision, inbound.arrival, CancellationToken::new(), None)
                }
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
        let handshake = match self.wire.handshake(params, &arrival.caller, &arrival.scope, Door::Http) {
            Ok(handshake) => handshake,
            Err(fault) => return message(Reply::fault(Some(id), &fault, Revision::UNSTATED)),
        };
        let opened = Opened {
            principal: &arrival.caller.principal().id,
            scope: &arrival.scope,
            revision: handshake.revision,
            can_ask: handshake.can_ask,
            capabilities: handshake.capabilities,
            client_info: handshake.client_info,
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
        let asks_to_hear =
            |meta: &protocol::Meta<'_>| meta.progress_token.is_some() || meta.log_level.is_some();
        let may_speak = session.is_some() || params.meta.as_ref().is_some_and(asks_to_hear);
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
        let (principal, metadata) =
            (self.denied.caller(&exchange.caller.principal().id), inbound.arrival.metadata);
        match self.wire.begin(id, method, params, exchange) {
            Work::Ready(reply) => message(reply),
            Work::Later(later) => {
                // In older revisions a lost connection is no cancellation; see `Later::ends_with_client`.
                let guard = (revision.is_modern() && later.ends_with_client).then(|| cancel.drop_guard());
                let streams = inbound.accepts.events;
                let waiting = Waiting { later, inbox, guard, principal, streams, metadata };
                self.respond(waiting).await
            }
        }
    }

    /// Answers with JSON, unless something has to be said first or it takes long.
    async fn respond(self: &Arc<Self>, waiting: Waiting) -> HttpReply {
        let Waiting { later: Later { mut reply, .. }, mut inbox, guard, principal, streams, metadata } =
            waiting;
        let first = tokio::select! {
            biased;
            mut reply = &mut reply => {
                self.settle(&reply, principal);
                if let Some(guard) = guard {
                    guard.disarm();
                }
                return match reply.scope.take() {
                    Some(scope) => step_up(reply, &scope, &metadata),
                    None => self.ready(reply, inbox),
                };
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

    /// An answer that is there: JSON, unless a quick tool said something before it.
    fn ready(&self, reply: Reply, mut inbox: Option<mpsc::Receiver<Bytes>>) -> HttpReply {
        let Some(first) = inbox.as_mut().and_then(|inbox| inbox.try_recv().ok()) else {
            return message(reply);
        };
        let last = Box::pin(std::future::ready(Some(Bytes::from(reply.body))));
        events(EventStream::new(Some(first), inbox, last, None, self.config.keep_alive))
    }

    /// Refused calls use up the caller's allowance.
    pub(crate) fn settle(&self, reply: &Reply, principal: u64) {
        if reply.refusal != Refusal::No {
            self.denied.charge(principal, reply.refusal.cost());
        }
    }
}

/// 403 for a call that one more scope would allow; the body says the same to the model.
fn step_up(reply: Reply, scope: &str, metadata: &str) -> HttpReply {
    let challenge = insufficient(metadata, scope, "the call needs another scope");
    with(message(Reply { status: 403, ..reply }), header::WWW_AUTHENTICATE, &challenge)
}

/// A request that has begun.
struct Waiting {
    later: Later,
    inbox: Option<mpsc::Receiver<Bytes>>,
    guard: Option<tokio_util::sync::DropGuard>,
    principal: u64,
    streams: bool,
    metadata: String,
}

async fn next(inbox: &mut Option<mpsc::Receiver<Bytes>>) -> Option<Bytes> {
    inbox.as_mut()?.recv().await
}
