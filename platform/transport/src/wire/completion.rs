//! `completion/complete`: suggestions for tool arguments and artifact ids; prompts and templates ask their server.

use std::sync::Arc;

use kernel::{Listing, Raw, ToolError};
use protocol::{Fault, Id, Params};
use serde::Deserialize;
use serde_json::json;

use super::{
    Exchange, Later, Reply, Wire,
    calls::bare,
    listing::refused,
    outcome::Kind,
    relay::{Order, later, read, text_of},
    resources,
};

/// The protocol shows at most this many.
const VALUES_MAX: usize = 100;

/// What is completed. `ref/tool` is our own extension: the protocol completes prompts and resources only.
#[derive(Deserialize)]
#[serde(tag = "type")]
enum Reference {
    #[serde(rename = "ref/tool")]
    Tool { name: String },
    #[serde(rename = "ref/resource")]
    Resource { uri: String },
    #[serde(rename = "ref/prompt")]
    Prompt { name: String },
}

#[derive(Deserialize)]
struct Argument {
    name: String,
    value: String,
}

impl Wire {
    pub(super) fn complete(
        self: &Arc<Self>,
        id: &Id,
        params: &Params<'_>,
        exchange: Exchange,
    ) -> Result<Later, Fault> {
        let reference: Reference = Params::typed("ref", params.reference)?;
        let argument: Argument = Params::typed("argument", params.argument)?;
        match reference {
            Reference::Prompt { name } => return self.complete_prompt(id, params, exchange, &name),
            Reference::Resource { uri } if uri != resources::TEMPLATE => {
                return self.complete_template(id, params, exchange, uri);
            }
            Reference::Tool { .. } | Reference::Resource { .. } => {}
        }
        let (wire, id) = (Arc::clone(self), id.clone());
        let reply = Box::pin(async move {
            let revision = exchange.revision;
            match wire.suggest(&reference, &argument, &exchange).await {
                Ok(mut values) => {
                    let total = values.len();
                    values.truncate(VALUES_MAX);
                    let completion =
                        json!({ "values": values, "total": total, "hasMore": total > VALUES_MAX });
                    wire.fine(&id, &json!({ "completion": completion }), revision)
                }
                Err(fault) => Reply::fault(Some(&id), &fault, revision),
            }
        });
        Ok(Later { reply, ends_with_client: true })
    }

    fn complete_prompt(
        self: &Arc<Self>,
        id: &Id,
        params: &Params<'_>,
        exchange: Exchange,
        name: &str,
    ) -> Result<Later, Fault> {
        let found = self.prompt_of(&exchange, name);
        let (server, prompt) = found.ok_or_else(|| Fault::invalid_params("no such prompt"))?;
        let caller = self.caller(id, params, exchange)?;
        let reference = params.reference.map(|it| bare(&it.into(), name, &prompt));
        let args = json!({ "ref": reference, "argument": params.argument });
        let order = Order {
            server,
            method: read("completion/complete", "mcp.prompt", &prompt),
            args,
            params: caller.incoming.whole.as_ref().map(|it| it.with("ref", reference.as_ref())),
            kind: Kind::Plain,
        };
        Ok(later(Arc::clone(self).send(caller, order)))
    }

    fn complete_template(
        self: &Arc<Self>,
        id: &Id,
        params: &Params<'_>,
        exchange: Exchange,
        template: String,
    ) -> Result<Later, Fault> {
        let args = json!({ "ref": params.reference, "argument": params.argument });
        let caller = self.caller(id, params, exchange)?;
        let wire = Arc::clone(self);
        Ok(later(async move {
            let (id, revision) = (caller.id.clone(), caller.exchange.revision);
            match wire.server_with_template(&caller.exchange, &template).await {
                Ok(Some(server)) => {
                    let order = Order {
                        server,
                        method: read("completion/complete", "mcp.resource", &template),
                        args,
                        params: caller.incoming.whole.clone(),
                        kind: Kind::Plain,
                    };
                    wire.send(caller, order).await
                }
                Ok(None) => {
                    let fault = Fault::invalid_params("no such resource template or variable");
                    Reply::fault(Some(&id), &fault, revision)
                }
                Err(error) => Reply::fault(Some(&id), &refused(&error), revision),
            }
        }))
    }

    async fn server_with_template(
        &self,
        exchange: &Exchange,
        template: &str,
    ) -> Result<Option<String>, ToolError> {
        let Exchange { caller, scope, door, .. } = exchange;
        let listed = self.gate.list(caller, scope, *door, Listing::Templates).await?;
        let has = |item: &Raw| text_of(item, "uriTemplate").is_some_and(|it| it == template);
        let found = listed.into_iter().find(|it| it.items.iter().any(has));
        Ok(found.map(|it| it.facts.name.clone()))
    }

    async fn suggest(
        &self,
        reference: &Reference,
        argument: &Argument,
        exchange: &Exchange,
    ) -> Result<Vec<String>, Fault> {
        match reference {
            Reference::Tool { name } => {
                let (server, tool) =
                    self.gate.resolve(&exchange.scope, name).map_err(|error| refused(&error))?;
                self.gate
                    .complete(
                        &exchange.caller,
                        &exchange.scope,
                        (&server, &tool),
                        &argument.name,
                        &argument.value,
                        exchange.door,
                    )
                    .await
                    .map_err(|error| refused(&error))
            }
            Reference::Resource { uri } if uri == resources::TEMPLATE && argument.name == "id" => {
                let artifacts =
                    self.gate.artifacts(&exchange.caller).await.map_err(|error| refused(&error))?;
                let ids = artifacts.iter().filter_map(|it| it.uri.strip_prefix("artifact://"));
                Ok(ids.filter(|it| it.starts_with(&argument.value)).map(str::to_owned).collect())
            }
            Reference::Resource { .. } => Err(Fault::invalid_params("no such resource template or variable")),
            Reference::Prompt { .. } => Err(Fault::invalid_params("a prompt is completed by its server")),
        }
    }
}
