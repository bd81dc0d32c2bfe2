//! Requests to a server's peer that are no tool calls: found, sent down the road, answered like calls.

use std::sync::Arc;

use kernel::{Client, Listing, Raw, Resource, ToolError};
use pipeline::{Method, Operation, Request, seams::Action};
use protocol::{Fault, Id, Params, can_ask_in_form, trace_parent};
use serde_json::{Value, json};

use super::{
    Exchange, Later, Reply, Wire,
    calls::{bare, progress, request_digest},
    handshake::TASKS,
    incoming::Incoming,
    listing::refused,
    outcome::{Kind, Pending},
    resources,
};

/// Longest name or URI that is looked up.
const NAME_BYTES_MAX: usize = 2048;

/// One request to a peer, ready to be sent.
pub(super) struct Order {
    pub(super) server: String,
    pub(super) method: Method,
    /// What policy, audit and approvals see.
    pub(super) args: Value,
    /// The parameters as the server gets them.
    pub(super) params: Option<Raw>,
    pub(super) kind: Kind,
}

/// What stays of a request when its body is gone.
pub(super) struct Caller {
    pub(super) id: Id,
    pub(super) exchange: Exchange,
    pub(super) incoming: Incoming,
    trace_parent: Option<String>,
    can_approve: bool,
}

impl Wire {
    /// Keeps what a request to a peer needs.
    pub(super) fn caller(&self, id: &Id, params: &Params<'_>, exchange: Exchange) -> Result<Caller, Fault> {
        let incoming = self.incoming(params, &exchange)?;
        let trace_parent = trace_parent(params.meta.as_ref());
        let can_approve = can_ask_in_form(params.meta.as_ref().and_then(|meta| meta.capabilities));
        Ok(Caller { id: id.clone(), exchange, incoming, trace_parent, can_approve })
    }

    /// Sends one order and waits for its answer.
    pub(super) async fn send(self: Arc<Self>, caller: Caller, order: Order) -> Reply {
        let revision = caller.exchange.revision;
        let id = caller.id.clone();
        match self.try_send(caller, order).await {
            Ok(reply) => reply,
            Err(fault) => Reply::fault(Some(&id), &fault, revision),
        }
    }

    async fn try_send(self: Arc<Self>, caller: Caller, order: Order) -> Result<Reply, Fault> {
        let Caller { id, exchange, incoming, trace_parent, can_approve } = caller;
        let mut request = Request::new(
            exchange.caller.clone(),
            &order.server,
            &order.method.name,
            order.args,
            exchange.door,
        );
        request.operation = Operation::Method(order.method);
        request.context_id.clone_from(&exchange.scope.context);
        request.trace_parent = trace_parent;
        request.progress = progress(&incoming.client);
        request.cancel = exchange.cancel.clone();
        request.client = Client::behind(incoming.client.clone());
        request.params = order.params;
        let pending = Pending {
            id: id.clone(),
            revision: exchange.revision,
            principal: exchange.caller.principal().id.clone(),
            kind: order.kind,
            well_formed: true,
            can_approve,
            request: incoming.may_come_back().then(|| request_digest(&request)),
            server: order.server,
            declared_tasks: request.client.declares_extension(TASKS),
            offers_task: false,
        };
        let round = self.second_round(&incoming, &pending)?;
        let running =
            exchange.session.as_ref().map(|session| session.run(&id, &exchange.cancel)).transpose()?;
        let talk = self.talk(round, request, true, &incoming)?;
        let reply = self.converse(pending, talk, exchange.cancel).await;
        drop(running);
        Ok(reply)
    }

    /// `prompts/get`.
    pub(super) fn get_prompt(
        self: &Arc<Self>,
        id: &Id,
        params: &Params<'_>,
        exchange: Exchange,
    ) -> Result<Later, Fault> {
        let name = short(params.text("name", params.name)?.into_owned(), "name")?;
        let (server, prompt) = self.prompt_of(&exchange, &name).ok_or_else(no_prompt)?;
        let arguments = params.arguments.map(|raw| Raw::from(raw).to_value()).unwrap_or_else(|| json!({}));
        let caller = self.caller(id, params, exchange)?;
        let order = Order {
            server,
            method: read("prompts/get", "mcp.prompt", &prompt),
            args: json!({ "name": prompt, "arguments": arguments }),
            params: caller.incoming.whole.as_ref().map(|whole| bare(whole, &name, &prompt)),
            kind: Kind::Plain,
        };
        Ok(later(Arc::clone(self).send(caller, order)))
    }

    /// The server and its own name of a prompt on this route.
    pub(super) fn prompt_of(&self, exchange: &Exchange, name: &str) -> Option<(String, String)> {
        let (mount, prompt) = match &exchange.scope.server {
            Some(server) => (self.gate.registry().find(server).ok()?, name),
            None => self.gate.registry().split(name).ok()?,
        };
        let has_prompts = mount.state.as_ref().ok()?.peer()?.offers().prompts;
        has_prompts.then(|| (mount.facts.name.clone(), prompt.to_owned()))
    }

    /// `resources/read` of what is not ours.
    pub(super) fn read_elsewhere(
        self: &Arc<Self>,
        id: &Id,
        params: &Params<'_>,
        exchange: Exchange,
        uri: String,
    ) -> Result<Later, Fault> {
        if uri.len() > NAME_BYTES_MAX {
            return Err(resources::missing(&uri, exchange.revision));
        }
        let caller = self.caller(id, params, exchange)?;
        let wire = Arc::clone(self);
        Ok(later(async move {
            let (id, revision) = (caller.id.clone(), caller.exchange.revision);
            match wire.server_of(&caller.exchange, &uri).await {
                Ok(Some(server)) => {
                    let order = Order {
                        server,
                        method: read("resources/read", "mcp.resource", &uri),
                        args: json!({ "uri": uri }),
                        params: caller.incoming.whole.clone(),
                        kind: Kind::Cacheable,
                    };
                    wire.send(caller, order).await
                }
                Ok(None) => Reply::fault(Some(&id), &resources::missing(&uri, revision), revision),
                Err(error) => Reply::fault(Some(&id), &refused(&error), revision),
            }
        }))
    }

    /// Which server of this route has a resource: the one of the route, or the first that lists it or a
    /// template that fits. The order is the catalogue's, so a later server cannot take over an earlier one's.
    pub(super) async fn server_of(
        &self,
        exchange: &Exchange,
        uri: &str,
    ) -> Result<Option<String>, ToolError> {
        let Exchange { caller, scope, door, .. } = exchange;
        if scope.server.is_some() {
            let peers = self.gate.peers(caller, scope, *door)?;
            let one = peers.into_iter().find(|view| view.peer.offers().resources);
            return Ok(one.map(|view| view.facts.name.clone()));
        }
        for what in [Listing::Resources, Listing::Templates] {
            for listed in self.gate.list(caller, scope, *door, what).await? {
                let fits = listed.items.iter().any(|item| match what {
                    Listing::Templates => {
                        text_of(item, "uriTemplate").is_some_and(|it| fits_template(&it, uri))
                    }
                    _ => text_of(item, "uri").is_some_and(|it| it == uri),
                });
                if fits {
                    return Ok(Some(listed.facts.name.clone()));
                }
            }
        }
        Ok(None)
    }

    /// A method that the protocol's core does not have: of the server of this route, or of the only one
    /// that has it.
    pub(super) fn opaque(
        self: &Arc<Self>,
        id: &Id,
        method: &str,
        params: &Params<'_>,
        exchange: Exchange,
    ) -> Result<Later, Fault> {
        let unknown = || Fault::method_not_found(method);
        let peers = self.gate.peers(&exchange.caller, &exchange.scope, exchange.door);
        let mut able = peers.map_err(|_| unknown())?.into_iter().filter(|view| view.peer.handles(method));
        let (Some(view), None) = (able.next(), able.next()) else { return Err(unknown()) };
        let caller = self.caller(id, params, exchange)?;
        let args = caller.incoming.whole.as_ref().map(|it| it.with("_meta", None).to_value());
        let (action, kind) =
            if is_reading(method) { (Action::Read, Kind::Cacheable) } else { (Action::Execute, Kind::Plain) };
        let order = Order {
            server: view.facts.name.clone(),
            method: Method { name: method.to_owned(), action, resources: Vec::new() },
            args: args.unwrap_or_else(|| json!({})),
            params: caller.incoming.whole.clone(),
            kind,
        };
        Ok(later(Arc::clone(self).send(caller, order)))
    }
}

/// Methods of extensions we know to change nothing; every other one needs `execute`.
fn is_reading(method: &str) -> bool {
    matches!(method, "skills/list" | "skills/get" | "resources/directory/read")
}

/// A method that reads one thing.
pub(super) fn read(method: &str, kind: &'static str, id: &str) -> Method {
    Method { name: method.to_owned(), action: Action::Read, resources: vec![Resource::new(kind, id)] }
}

pub(super) fn later(reply: impl Future<Output = Reply> + Send + 'static) -> Later {
    Later { reply: Box::pin(reply), ends_with_client: true }
}

fn no_prompt() -> Fault {
    Fault::invalid_params("no such prompt; prompts/list shows what there is")
}

fn short(text: String, name: &str) -> Result<String, Fault> {
    if text.len() > NAME_BYTES_MAX {
        return Err(Fault::invalid_params(format!("`{name}` is longer than {NAME_BYTES_MAX} bytes")));
    }
    Ok(text)
}

/// A text member of a listed item.
pub(super) fn text_of(item: &Raw, member: &str) -> Option<String> {
    serde_json::from_str(item.member(member)?.get()).ok()
}

/// Whether `uri` could come from `template`: its literal parts stand in order, the first and last at the ends.
pub(super) fn fits_template(template: &str, uri: &str) -> bool {
    let mut parts = Vec::new();
    let mut rest = template;
    while let Some((literal, after)) = rest.split_once('{') {
        parts.push(literal);
        let Some((_, after)) = after.split_once('}') else { return false };
        rest = after;
    }
    let (Some((first, middle)), last) = (parts.split_first(), rest) else { return template == uri };
    let Some(mut left) = uri.strip_prefix(first) else { return false };
    for literal in middle {
        let Some(at) = left.find(literal) else { return false };
        left = &left[at + literal.len()..];
    }
    left.len() >= last.len() && left.ends_with(last)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_template_fits_what_it_could_make() {
        for (template, uri, fits) in [
            ("test://template/{id}/data", "test://template/1/data", true),
            ("test://template/{id}/data", "test://template//data", true),
            ("test://template/{id}/data", "test://template/data", false),
            ("test://template/{id}/data", "test://other/1/data", false),
            ("a://{x}-{y}", "a://1-2", true),
            ("a://{x}-{y}", "a://12", false),
            ("a://x", "a://x", true),
            ("a://x", "a://xy", false),
            ("a://{x", "a://1", false),
            ("{x}", "anything", true),
        ] {
            assert_eq!(fits_template(template, uri), fits, "{template} {uri}");
        }
    }
}
