//! What a request brings that may come back to an earlier one: its client, and the state we gave it to carry.

use std::sync::Arc;

use kernel::Raw;
use pipeline::ApprovalReply;
use protocol::{Approval, Fault, Params, Purpose, Said};
use serde_json::{Value, json};

use super::{
    Exchange, Wire,
    client::{Behind, WireClient},
    outcome::Pending,
    talk::Talk,
    unix_now,
};

/// What is needed of a request after its body is gone.
pub(super) struct Incoming {
    /// The parameters as they were written.
    pub(super) whole: Option<Raw>,
    /// Answers to earlier questions.
    pub(super) responses: Option<Raw>,
    state: Option<String>,
    pub(super) client: Arc<WireClient>,
    can_answer: bool,
}

/// What a request is, in a conversation.
pub(super) enum Round {
    /// The first one, or one that carries nothing of ours.
    First,
    /// It brings a human's answer to an approval.
    Approved(ApprovalReply),
    /// It goes on with a call that waits.
    Parked(Box<Talk>),
    /// It brings back what a relayed server gave its client to carry.
    Relayed(Option<Raw>),
}

impl Incoming {
    /// Whether the client could come back to this request, so that we must know it again.
    pub(super) fn may_come_back(&self) -> bool {
        self.can_answer || self.state.is_some()
    }
}

impl Wire {
    pub(super) fn incoming(&self, params: &Params<'_>, exchange: &Exchange) -> Result<Incoming, Fault> {
        let modern = exchange.revision.is_modern();
        let state = params.optional_text("requestState", params.request_state)?.filter(|_| modern);
        let responses = match params.input_responses.filter(|_| modern) {
            Some(raw) if !raw.get().starts_with('{') => {
                return Err(Fault::invalid_params("`inputResponses` must be an object"));
            }
            other => other.map(Raw::from),
        };
        let client = client_of(params, exchange)?;
        let can_answer = modern && kernel::ClientChannel::capabilities(&*client).get() != "{}";
        Ok(Incoming {
            whole: params.whole.map(Raw::from),
            responses,
            state: state.map(Into::into),
            client,
            can_answer,
        })
    }

    /// Opens what the client carried for us. What is forged, expired, another principal's or another
    /// request's is refused.
    pub(super) fn second_round(&self, incoming: &Incoming, pending: &Pending) -> Result<Round, Fault> {
        let (Some(state), Some(request)) = (&incoming.state, &pending.request) else {
            return Ok(Round::First);
        };
        let refused = || Fault::invalid_params("`requestState` is not valid for this request");
        let (principal, now) = (&pending.principal, unix_now());
        let open = |purpose| self.sealer.open(purpose, principal, state, now).ok();
        if let Some(parked) = open(Purpose::Parked) {
            let id = String::from_utf8(parked).map_err(|_| refused())?;
            let talk = self.parked.take(&id, principal, request).ok_or_else(refused)?;
            return Ok(Round::Parked(Box::new(talk)));
        }
        if let Some(relayed) = open(Purpose::Relayed) {
            let fields: Value = serde_json::from_slice(&relayed).map_err(|_| refused())?;
            if fields["request"] != **request || fields["server"] != *pending.server {
                return Err(refused());
            }
            return Ok(Round::Relayed(fields.get("state").map(Raw::of)));
        }
        let responses =
            incoming.responses.as_ref().map(|it| serde_json::value::RawValue::from_string(it.get().into()));
        let responses = responses.transpose().map_err(|_| refused())?;
        let reply = Approval::read_reply(state, responses.as_deref(), request, principal, &self.sealer, now)?;
        Ok(reply.map_or(Round::First, |(approval, said)| {
            Round::Approved(ApprovalReply { id: approval.id, granted: said == Said::Yes })
        }))
    }
}

fn client_of(params: &Params<'_>, exchange: &Exchange) -> Result<Arc<WireClient>, Fault> {
    let modern = exchange.revision.is_modern();
    let nothing = || Raw::of(&json!({}));
    let meta = params.meta.as_ref().filter(|_| modern);
    let session = exchange.session.clone().filter(|_| !modern);
    let object = |raw: &&serde_json::value::RawValue| raw.get().starts_with('{');
    let (capabilities, info) = match &session {
        Some(session) => (session.capabilities.clone(), session.client_info.clone()),
        None => (
            meta.and_then(|it| it.capabilities).filter(object).map_or_else(nothing, Raw::from),
            meta.and_then(|it| it.client_info).filter(object).map(Raw::from),
        ),
    };
    let log_level = meta.and_then(|it| it.log_level).and_then(|it| serde_json::from_str(it.get()).ok());
    let token = params.progress_token()?.map(|it| it.to_owned());
    let outbox = exchange.outbox.clone();
    Ok(WireClient::new(Behind { modern, capabilities, info, log_level, session, outbox, token }))
}
