//! Several messages in one body, which only revision 2025-03-26 has. They run one after another.

use std::sync::Arc;

use http::StatusCode;
use pipeline::{Door, Scope};
use protocol::{Fault, Message, Params, Revision, read_message};
use serde_json::value::RawValue;
use tokio_util::sync::CancellationToken;

use super::{
    Http,
    inbound::Inbound,
    reply::{HttpReply, empty, json, message},
};
use crate::wire::{Exchange, Reply, Session, Work};

impl Http {
    pub(super) async fn batch(self: &Arc<Self>, messages: &[&RawValue], inbound: &Inbound) -> HttpReply {
        let session = match self.session(&inbound.headers, &inbound.arrival) {
            Ok(session) => session,
            Err(reply) => return *reply,
        };
        let revision = match inbound.legacy_revision(session.as_deref()) {
            Ok(revision) if revision.has_batches() => revision,
            Ok(_) => {
                let fault = Fault::invalid_request("this protocol version has no batches");
                return message(Reply::fault(None, &fault, Revision::UNSTATED));
            }
            Err(fault) => return message(Reply::fault(None, &fault, Revision::UNSTATED)),
        };
        let mut out = vec![b'['];
        for raw in messages {
            if let Some(reply) = self.batched(raw, inbound, revision, session.as_ref()).await {
                if out.len() > 1 {
                    out.push(b',');
                }
                out.extend_from_slice(&reply.body);
            }
        }
        if out.len() == 1 {
            return empty(StatusCode::ACCEPTED);
        }
        out.push(b']');
        json(StatusCode::OK, out)
    }

    async fn batched(
        self: &Arc<Self>,
        raw: &RawValue,
        inbound: &Inbound,
        revision: Revision,
        session: Option<&Arc<Session>>,
    ) -> Option<Reply> {
        let (id, method, params) = match read_message(raw) {
            Ok(Message::Request { id, method, params }) => (id, method, params),
            Ok(Message::Notification { .. } | Message::Response { .. }) => return None,
            Err((id, fault)) => return Some(Reply::fault(id.as_ref(), &fault, revision)),
        };
        let params = match Params::read(params) {
            Ok(params) => params,
            Err(fault) => return Some(Reply::fault(Some(&id), &fault, revision)),
        };
        let exchange = Exchange {
            caller: inbound.arrival.caller.clone(),
            scope: Scope::clone(&inbound.arrival.scope),
            door: Door::Http,
            revision,
            session: session.cloned(),
            outbox: None,
            cancel: CancellationToken::new(),
        };
        let principal = self.denied.caller(&exchange.caller.principal().id);
        let reply = match self.wire.begin(id, &method, &params, exchange) {
            Work::Ready(reply) => reply,
            Work::Later(later) => later.reply.await,
        };
        self.settle(&reply, principal);
        Some(reply)
    }
}
