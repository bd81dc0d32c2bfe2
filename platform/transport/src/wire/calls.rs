//! `tools/call`: from the wire to the gate and back.

use std::sync::Arc;

use kernel::{Effect, ErrorKind, Progress, ToolError, canonical_json, digest_hex};
use parking_lot::Mutex;
use pipeline::{ApprovalReply, Asker, Outcome, Request};
use protocol::{
    AnswerView, Approval, Fault, Id, Params, Revision, Said, can_ask_in_form, failure_detail,
    progress_notice, trace_parent, write_answer, write_failure,
};
use serde_json::{Value, json, value::RawValue};

use super::{Exchange, Later, Refusal, Reply, Wire, asker::SessionAsker, unix_now};

/// Longest idempotency key we pass on.
const KEY_BYTES_MAX: usize = 200;

/// What is needed again when the outcome is known.
struct Pending {
    id: Id,
    revision: Revision,
    principal: String,
    /// False when no such tool is mounted or the arguments are no object: the protocol has its own answer.
    well_formed: bool,
    /// Digest of the request, when the client could be asked to approve it in a second round.
    round: Option<String>,
}

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
        let effect = self.effect_of(&server, &tool);
        let well_formed = effect.is_some() && args.is_object();
        let mut request = Request::new(exchange.caller.clone(), &server, &tool, args, exchange.door);
        let round = self.second_round(params, &exchange, &mut request)?;
        request.context_id.clone_from(&exchange.scope.context);
        request.trace_parent = trace_parent(params.meta.as_ref());
        request.idempotency_key = idempotency_key(params)?;
        request.progress = progress(params, &exchange)?;
        request.asker = asker(&exchange);
        request.cancel = exchange.cancel.clone();
        let pending = Pending {
            id: id.clone(),
            revision: exchange.revision,
            principal: exchange.caller.principal().id.clone(),
            well_formed,
            round,
        };
        let wire = Arc::clone(self);
        // The guard ends with the call: a session forgets what no longer runs.
        let running =
            exchange.session.as_ref().map(|session| session.run(id, &exchange.cancel)).transpose()?;
        let reply = Box::pin(async move {
            let outcome = wire.gate.call(request).await;
            drop(running);
            wire.finish(&pending, outcome)
        });
        Ok(Later { reply, ends_with_client: !matches!(effect, Some(Effect::Destroy { .. })) })
    }

    fn effect_of(&self, server: &str, tool: &str) -> Option<Effect> {
        let mount = self.gate.registry().find(server).ok()?;
        mount.specs.iter().find(|spec| spec.name == tool).map(|spec| spec.effect)
    }

    /// Reads the answer to an earlier question, and says under which digest a new one may be asked.
    fn second_round(
        &self,
        params: &Params<'_>,
        exchange: &Exchange,
        request: &mut Request,
    ) -> Result<Option<String>, Fault> {
        if !exchange.revision.is_modern() {
            return Ok(None);
        }
        let state = params.optional_text("requestState", params.request_state)?;
        let can_ask = can_ask_in_form(params.meta.as_ref().and_then(|meta| meta.capabilities));
        if state.is_none() && !can_ask {
            return Ok(None);
        }
        let digest = request_digest(request);
        if let Some(state) = state {
            let principal = &exchange.caller.principal().id;
            let reply = Approval::read_reply(
                &state,
                params.input_responses,
                &digest,
                principal,
                &self.sealer,
                unix_now(),
            )?;
            request.approval =
                reply.map(|(approval, said)| ApprovalReply { id: approval.id, granted: said == Said::Yes });
        }
        Ok(can_ask.then_some(digest))
    }

    fn finish(&self, pending: &Pending, outcome: Outcome) -> Reply {
        let (id, revision, server) = (&pending.id, pending.revision, &self.config.server);
        let error = match outcome {
            Ok(answer) => {
                let view = AnswerView {
                    structured: &answer.structured,
                    untrusted: answer.untrusted,
                    truncated: answer.truncated,
                    artifact_uri: answer.artifact_uri.as_deref(),
                    masked: answer.masked,
                    cached: answer.cached,
                };
                return Reply::fine(write_answer(id, view, revision, server));
            }
            Err(error) => error,
        };
        let refusal = Refusal::of(error.kind);
        if let (ErrorKind::NeedsApproval, Some(ticket), Some(digest)) =
            (error.kind, &error.approval, &pending.round)
        {
            let approval = Approval { id: ticket.id.clone(), request: digest.clone() };
            let body = approval.write_question(id, ticket, &pending.principal, &self.sealer, server);
            return Reply { refusal, ..Reply::fine(body) };
        }
        let malformed = matches!(error.kind, ErrorKind::NotFound | ErrorKind::ValidationFailed);
        if malformed && !pending.well_formed {
            return Reply { refusal, ..Reply::fault(Some(id), &unknown(&error), revision) };
        }
        let body = write_failure(id, &error, revision, server);
        Reply { refusal, scope: error.scope, ..Reply::fine(body) }
    }
}

fn unknown(error: &ToolError) -> Fault {
    let detail = failure_detail(error);
    Fault::invalid_params(error.message.clone())
        .with_data(json!({ "hints": error.hints, "core-mcp/error": detail }))
}

fn request_digest(request: &Request) -> String {
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

/// Progress goes out only when the client named a token and can take a stream. A full outbox drops steps.
fn progress(params: &Params<'_>, exchange: &Exchange) -> Result<Progress, Fault> {
    let (Some(token), Some(outbox)) = (params.progress_token()?, &exchange.outbox) else {
        return Ok(Progress::silent());
    };
    let (token, outbox): (Box<RawValue>, _) = (token.to_owned(), outbox.clone());
    let last = Mutex::new(f64::NEG_INFINITY);
    Ok(Progress::to(move |update| {
        let mut last = last.lock();
        // The protocol wants it to grow with every message.
        if update.done > *last && outbox.try_send(progress_notice(&token, &update).into()).is_ok() {
            *last = update.done;
        }
    }))
}

fn asker(exchange: &Exchange) -> Option<Arc<dyn Asker>> {
    let (session, outbox) = (exchange.session.as_ref()?, exchange.outbox.as_ref()?);
    session.can_ask.then(|| Arc::new(SessionAsker::new(session, outbox.clone())) as Arc<dyn Asker>)
}
