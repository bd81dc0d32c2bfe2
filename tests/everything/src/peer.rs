//! Resources, prompts and completion.

use std::sync::Arc;

use kernel::{BoxFuture, CallContext, Listing, Notice, Offers, Peer, Principal, Raw, ToolError};
use serde_json::{Map, Value, json};

use crate::{
    server::{NAME, Shared},
    skills,
    tools::rounds_of_prompts,
};

/// A picture of one red dot.
pub(crate) const PICTURE: &str =
    "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAIAAACQd1PeAAAADElEQVR4nGP4z8AAAAMBAQDJ/pLvAAAAAElFTkSuQmCC";

/// What `resources/list` shows besides the skills: URI, name and media type.
const RESOURCES: [(&str, &str, &str); 3] = [
    ("test://static-text", "static-text", "text/plain"),
    ("test://static-binary", "static-binary", "image/png"),
    ("test://watched-resource", "watched-resource", "text/plain"),
];

impl Peer for Shared {
    fn offers(&self) -> Offers {
        Offers {
            resources: true,
            subscribe: true,
            prompts: true,
            completions: true,
            logging: true,
            trusted: true,
            extensions: Map::from_iter([(skills::EXTENSION.to_owned(), json!({ "directoryRead": true }))]),
            ..Offers::default()
        }
    }

    fn list(
        self: Arc<Self>,
        what: Listing,
        _principal: Arc<Principal>,
    ) -> BoxFuture<'static, Result<Vec<Raw>, ToolError>> {
        let items: Vec<Value> = match what {
            Listing::Resources => {
                let own = RESOURCES.iter().map(|(uri, name, mime)| {
                    json!({ "uri": uri, "name": name, "mimeType": mime, "description": "For tests." })
                });
                own.chain(skills::resources()).collect()
            }
            Listing::Templates => vec![json!({
                "uriTemplate": "test://template/{id}/data", "name": "template", "mimeType": "application/json",
            })],
            Listing::Prompts => prompts(),
        };
        Box::pin(async move { Ok(items.iter().map(Raw::of).collect()) })
    }

    fn request(
        self: Arc<Self>,
        method: String,
        cx: CallContext,
    ) -> BoxFuture<'static, Result<Raw, ToolError>> {
        Box::pin(async move {
            let params = cx.params.as_ref().map(Raw::to_value).unwrap_or_default();
            match method.as_str() {
                "resources/read" => read(text(&params, "uri")),
                "resources/subscribe" => {
                    read(text(&params, "uri"))?;
                    // A subscriber hears of the next change; here it comes at once.
                    self.touch(text(&params, "uri"));
                    Ok(Raw::of(&json!({})))
                }
                "resources/unsubscribe" => Ok(Raw::of(&json!({}))),
                "prompts/get" => prompt(&params, &cx),
                "completion/complete" => Ok(complete(&params)),
                _ => skills::answer(&method, &params),
            }
        })
    }

    fn handles(&self, method: &str) -> bool {
        skills::METHODS.contains(&method)
    }
}

impl Shared {
    fn touch(&self, uri: &str) {
        let notice = Notice::ResourceUpdated {
            server: NAME.into(),
            uri: uri.into(),
            params: Raw::of(&json!({ "uri": uri })),
        };
        self.0.registry.notices().publish(notice);
    }
}

fn text<'a>(params: &'a Value, name: &str) -> &'a str {
    params[name].as_str().unwrap_or_default()
}

fn invalid(what: &str, uri: &str) -> ToolError {
    ToolError::relayed(-32602, what, Some(Raw::of(&json!({ "uri": uri }))))
}

fn read(uri: &str) -> Result<Raw, ToolError> {
    let content = match uri {
        "test://static-text" => {
            json!({ "mimeType": "text/plain", "text": "The static text of the test server." })
        }
        "test://static-binary" => json!({ "mimeType": "image/png", "blob": PICTURE }),
        "test://watched-resource" => json!({ "mimeType": "text/plain", "text": "Watch me." }),
        _ => match uri.strip_prefix("test://template/").and_then(|it| it.strip_suffix("/data")) {
            Some(id) => {
                let data = json!({ "id": id, "templateTest": true, "data": format!("Data for ID: {id}") });
                json!({ "mimeType": "application/json", "text": data.to_string() })
            }
            None => skills::content(uri).ok_or_else(|| invalid("no such resource", uri))?,
        },
    };
    let mut content = content;
    content["uri"] = uri.into();
    Ok(Raw::of(&json!({ "contents": [content] })))
}

fn prompts() -> Vec<Value> {
    let takes = |names: &[&str]| -> Vec<Value> {
        names
            .iter()
            .map(|it| json!({ "name": it, "description": "An argument.", "required": true }))
            .collect()
    };
    let prompt = |name: &str, arguments: Vec<Value>| json!({ "name": name, "description": "A prompt for tests.", "arguments": arguments });
    vec![
        prompt("test_simple_prompt", Vec::new()),
        prompt("test_prompt_with_arguments", takes(&["arg1", "arg2"])),
        prompt("test_prompt_with_embedded_resource", takes(&["resourceUri"])),
        prompt("test_prompt_with_image", Vec::new()),
        prompt("test_input_required_result_prompt", Vec::new()),
    ]
}

fn prompt(params: &Value, cx: &CallContext) -> Result<Raw, ToolError> {
    let (name, arguments) = (text(params, "name"), &params["arguments"]);
    let said = |text: &str| json!({ "role": "user", "content": { "type": "text", "text": text } });
    let messages = match name {
        "test_simple_prompt" => vec![said("This is a simple prompt for testing.")],
        "test_prompt_with_arguments" => {
            let (first, second) = (text(arguments, "arg1"), text(arguments, "arg2"));
            vec![said(&format!("Prompt with arguments: arg1='{first}', arg2='{second}'"))]
        }
        "test_prompt_with_embedded_resource" => {
            let uri = text(arguments, "resourceUri");
            let resource = json!({ "uri": uri, "mimeType": "text/plain", "text": "The embedded resource." });
            let embedded = json!({ "role": "user", "content": { "type": "resource", "resource": resource } });
            vec![embedded, said("Please work on the resource above.")]
        }
        "test_prompt_with_image" => {
            let image = json!({ "type": "image", "data": PICTURE, "mimeType": "image/png" });
            vec![json!({ "role": "user", "content": image }), said("Please look at the image above.")]
        }
        "test_input_required_result_prompt" => return Ok(rounds_of_prompts(cx, said)),
        _ => return Err(ToolError::relayed(-32602, format!("no prompt `{name}`"), None)),
    };
    Ok(Raw::of(&json!({ "messages": messages })))
}

fn complete(params: &Value) -> Raw {
    let sent = text(&params["argument"], "value");
    let words = ["paris", "park", "party"];
    let values: Vec<_> = words.into_iter().filter(|it| it.starts_with(sent)).collect();
    Raw::of(&json!({ "completion": { "total": values.len(), "values": values, "hasMore": false } }))
}
