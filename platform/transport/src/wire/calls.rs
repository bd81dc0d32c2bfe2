//! `tools/call`: from the wire to the gate and back.

use std::sync::Arc;

use kernel::{Client, ClientChannel, Effect, Progress, Raw, ToolSpec, canonical_json, digest_hex};
use pipeline::{Asker, Mount, Request, Scope};
use protocol::{Fault, Id, Params, can_ask_in_form, trace_parent};
use serde_json::{Value, json};

use super::{
    Exchange, Later, Wire,
    asker::SessionAsker,
    client::WireClient,
    handshake::TASKS,
    incoming::{Incoming, Round},
    outcome::{Kind, Pending},
    rounds,
    talk::Talk,
};

/// Longest idempotency key we pass on.
const KEY_BYTES_MAX: usize = 200;

impl Wire {
    pub(super) fn call_tool(
        self: &Arc<Self>,
        id: &Id,
        params: &Params<'_>,
        exchange: Exchange,
    ) -> Result<Later, Fault> {
        let name = params.text("name", params.name)?;
        let args: Value = match params.arguments {
            Some(raw) => serde_json::from_str(raw.get())
                .map_err(|_| Fault::invalid_params("`arguments` is not JSON we can read"))?,
            None => json!({}),
        };
        // What names nothing is refused on the road, where it is recorded.
        let resolved = self.gate.resolve(&exchange.scope, &name);
        let (server, tool) = resolved.unwrap_or_else(|_| (name.clone().into(), String::new()));
        let mount = self.gate.registry().find(&server).ok();
        let spec = mount.as_ref().and_then(|mount| mount.spec(&tool));
        let effect = spec.map(|spec| spec.effect);
        let mut request = Request::new(exchange.caller.clone(), &server, &tool, args, exchange.door);
        let incoming = self.incoming(params, &exchange)?;
        let digest = incoming.may_come_back().then(|| request_digest(&request));
        let declared_tasks = Client::behind(incoming.client.clone()).declares_extension(TASKS);
        let pending = Pending {
            id: id.clone(),
            revision: exchange.revision,
            principal: exchange.caller.principal().id.clone(),
            kind: Kind::Tool,
            well_formed: effect.is_some() && request.args.is_object(),
            can_approve: can_ask_in_form(params.meta.as_ref().and_then(|meta| meta.capabilities)),
            request: digest,
            server: server.clone(),
            declared_tasks,
            offers_task: declared_tasks && spec.is_some_and(|spec| spec.long),
        };
        let round = self.second_round(&incoming, &pending)?;
        request.context_id.clone_from(&exchange.scope.context);
        request.trace_parent = trace_parent(params.meta.as_ref());
        request.idempotency_key = idempotency_key(params)?;
        request.progress = progress(&incoming.client);
        request.asker = asker(&exchange);
        request.cancel = exchange.cancel.clone();
        request.client = Client::behind(incoming.client.clone());
        let relays = mount.as_deref().is_some_and(is_relayed);
        if relays {
            request.params = incoming.whole.as_ref().map(|whole| bare(whole, &name, &tool));
        }
        // The guard ends with the call: a session forgets what no longer runs.
        let running =
            exchange.session.as_ref().map(|session| session.run(id, &exchange.cancel)).transpose()?;
        let (wire, cancel) = (Arc::clone(self), exchange.cancel.clone());
        let talk = self.talk(round, request, relays, &incoming)?;
        let reply = Box::pin(async move {
            let reply = wire.converse(pending, talk, cancel).await;
            drop(running);
            reply
        });
        Ok(Later { reply, ends_with_client: !matches!(effect, Some(Effect::Destroy { .. })) })
    }

    /// A tool whose own definition wants some arguments repeated in headers.
    pub(crate) fn annotated(&self, scope: &Scope, name: &str) -> Option<Arc<ToolSpec>> {
        let (server, tool) = self.gate.resolve(scope, name).ok()?;
        let mount = self.gate.registry().find(&server).ok()?;
        let spec = mount.spec(&tool)?;
        let wants = spec.raw.as_ref().is_some_and(|raw| raw.get().contains("x-mcp-header"));
        wants.then(|| Arc::clone(spec))
    }

    /// The call to wait for: a new one, or the one its client comes back to.
    pub(super) fn talk(
        &self,
        round: Round,
        mut request: Request,
        relays: bool,
        incoming: &Incoming,
    ) -> Result<Talk, Fault> {
        let client: Arc<WireClient> = Arc::clone(&incoming.client);
        match round {
            Round::Parked(mut talk) => {
                talk.client().redirect(&client);
                if let Some(responses) = &incoming.responses {
                    talk.answer(responses);
                }
                return Ok(*talk);
            }
            Round::Approved(reply) => request.approval = Some(reply),
            Round::Relayed(state) => {
                request.params = request.params.map(|it| it.with("requestState", state.as_ref()));
            }
            Round::First => {}
        }
        let gate = Arc::clone(&self.gate);
        let for_talk = Arc::clone(&client);
        Ok(if relays {
            Talk::new(Box::pin(rounds::run(gate, request, client)), for_talk)
        } else {
            Talk::new(Box::pin(async move { gate.call(request).await }), for_talk)
        })
    }
}

fn is_relayed(mount: &Mount) -> bool {
    mount.state.as_ref().is_ok_and(|it| it.peer().is_some())
}

/// The parameters with the name as the server knows it.
pub(super) fn bare(whole: &Raw, sent: &str, name: &str) -> Raw {
    if sent == name { whole.clone() } else { whole.with("name", Some(&Raw::of(&name))) }
}

/// What a request is about, so that an answer to a question belongs to nothing else.
pub(super) fn request_digest(request: &Request) -> String {
    let mut bytes = format!("{}.{}\0", request.server, request.tool).into_bytes();
    bytes.extend_from_slice(&canonical_json(&request.args));
    digest_hex(&bytes)
}

fn idempotency_key(params: &Params<'_>) -> Result<Option<String>, Fault> {
    let raw = params.meta.as_ref().and_then(|meta| meta.idempotency_key);
    let key = params.optional_text("_meta.core-mcp/idempotency_key", raw)?;
    if key.as_ref().is_some_and(|key| key.is_empty() || key.len() > KEY_BYTES_MAX) {
        return Err(Fault::invalid_params(format!("an idempotency key has 1 to {KEY_BYTES_MAX} bytes")));
    }
    Ok(key.map(Into::into))
}

/// Progress goes out only when the client named a token and can take a stream, then or when it comes back.
pub(super) fn progress(client: &Arc<WireClient>) -> Progress {
    if !client.hears_progress() && client.capabilities().get() == "{}" {
        return Progress::silent();
    }
    let client = Arc::clone(client);
    Progress::to(move |update| client.progress(&update))
}

fn asker(exchange: &Exchange) -> Option<Arc<dyn Asker>> {
    let (session, outbox) = (exchange.session.as_ref()?, exchange.outbox.as_ref()?);
    session.can_ask.then(|| Arc::new(SessionAsker::new(session, outbox.clone())) as Arc<dyn Asker>)
}
