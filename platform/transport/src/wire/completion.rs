//! `completion/complete`: suggestions for tool arguments and for artifact ids.

use std::sync::Arc;

use protocol::{Fault, Id, Params};
use serde::Deserialize;
use serde_json::json;

use super::{Exchange, Later, Reply, Wire, listing::refused, resources};

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
    Prompt {},
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
            Reference::Prompt {} => Err(Fault::invalid_params("there are no prompts")),
        }
    }
}
