//! Tools that ask in rounds: they answer `input_required` and are called again with what was asked for.

use kernel::{CallContext, Raw, ToolError};
use serde_json::{Map, Value, json};

use super::{Definition, plain, text};

pub(super) fn definitions() -> Vec<Definition> {
    vec![
        plain("test_input_required_result_elicitation", "Asks for a name in a round."),
        plain("test_input_required_result_sampling", "Asks the client's model in a round."),
        plain("test_input_required_result_list_roots", "Asks for roots in a round."),
        plain("test_input_required_result_request_state", "Gives its client something to carry."),
        plain("test_input_required_result_multiple_inputs", "Asks three things at once."),
        plain("test_input_required_result_multi_round", "Asks twice."),
        plain("test_input_required_result_tampered_state", "Refuses a state that was changed."),
        plain("test_input_required_result_capabilities", "Asks only for what the client declared."),
    ]
}

/// What came with a call.
pub(crate) struct Came {
    responses: Map<String, Value>,
    state: Option<Value>,
}

impl Came {
    pub(crate) fn with(cx: &CallContext) -> Self {
        let params = cx.params.as_ref().map(Raw::to_value).unwrap_or_default();
        let responses = params["inputResponses"].as_object().cloned().unwrap_or_default();
        let state = params["requestState"].as_str().and_then(|it| serde_json::from_str(it).ok());
        Self { responses, state }
    }

    /// A text field of an accepted form.
    pub(crate) fn field(&self, key: &str, name: &str) -> Option<&str> {
        let response = self.responses.get(key)?;
        response["content"][name].as_str().filter(|_| response["action"] == "accept")
    }

    fn sample(&self, key: &str) -> Option<&str> {
        self.responses.get(key)?["content"]["text"].as_str()
    }

    fn roots(&self, key: &str) -> Option<usize> {
        Some(self.responses.get(key)?["roots"].as_array()?.len())
    }

    fn round(&self) -> i64 {
        self.state.as_ref().map_or(0, |it| it["round"].as_i64().unwrap_or(0))
    }
}

/// Asks for one text.
pub(crate) fn form(message: &str, field: &str, kind: &str) -> Value {
    let schema = json!({ "type": "object", "properties": { field: { "type": kind } }, "required": [field] });
    json!({
        "method": "elicitation/create",
        "params": { "mode": "form", "message": message, "requestedSchema": schema },
    })
}

fn sampling(words: &str) -> Value {
    let message = json!({ "role": "user", "content": { "type": "text", "text": words } });
    json!({ "method": "sampling/createMessage", "params": { "messages": [message], "maxTokens": 100 } })
}

fn roots() -> Value {
    json!({ "method": "roots/list", "params": {} })
}

/// A result that asks.
pub(crate) fn ask(requests: Value, state: Option<Value>) -> Raw {
    let mut result = json!({ "resultType": "input_required", "inputRequests": requests });
    if let Some(state) = state {
        result["requestState"] = state.to_string().into();
    }
    Raw::of(&result)
}

pub(super) fn run(tool: &str, cx: &CallContext) -> Option<Result<Raw, ToolError>> {
    let came = Came::with(cx);
    Some(Ok(match tool {
        "test_input_required_result_elicitation" => match came.field("user_name", "name") {
            Some(name) => text(format!("Hello, {name}!")),
            None => ask(json!({ "user_name": form("What is your name?", "name", "string") }), None),
        },
        "test_input_required_result_sampling" => match came.sample("sample_request") {
            Some(words) => text(format!("Sampling result: {words}")),
            None => ask(json!({ "sample_request": sampling("What is the capital of France?") }), None),
        },
        "test_input_required_result_list_roots" => match came.roots("roots_request") {
            Some(count) => text(format!("Found {count} root(s)")),
            None => ask(json!({ "roots_request": roots() }), None),
        },
        "test_input_required_result_request_state" | "test_input_required_result_tampered_state" => {
            let confirmed = came.responses.contains_key("confirm");
            match &came.state {
                Some(state) if confirmed && state["tool"] == tool => text("state-ok: integrity-ok"),
                _ => {
                    let state = json!({ "tool": tool });
                    ask(json!({ "confirm": form("Go on?", "ok", "boolean") }), Some(state))
                }
            }
        }
        "test_input_required_result_multiple_inputs" => several(&came),
        "test_input_required_result_multi_round" => in_turn(&came),
        "test_input_required_result_capabilities" => as_declared(&came, cx),
        _ => return None,
    }))
}

fn several(came: &Came) -> Raw {
    let found = (came.field("user_name", "name"), came.sample("greeting"), came.roots("client_roots"));
    if let (Some(name), Some(greeting), Some(roots)) = found {
        return text(format!("Name: {name}; Greeting: {greeting}; Roots: {roots}"));
    }
    let requests = json!({
        "user_name": form("What is your name?", "name", "string"),
        "greeting": sampling("Write a greeting"),
        "client_roots": roots(),
    });
    ask(requests, Some(json!({ "round": 1 })))
}

fn in_turn(came: &Came) -> Raw {
    match (came.round(), came.field("step1", "name"), came.field("step2", "color")) {
        (1, Some(name), _) => {
            let state = json!({ "round": 2, "name": name });
            ask(json!({ "step2": form("Which colour do you like?", "color", "string") }), Some(state))
        }
        (2, _, Some(color)) => {
            let name = came.state.as_ref().and_then(|it| it["name"].as_str()).unwrap_or_default();
            text(format!("Multi-round complete for {name} who likes {color}"))
        }
        _ => {
            let request = json!({ "step1": form("What is your name?", "name", "string") });
            ask(request, Some(json!({ "round": 1 })))
        }
    }
}

fn as_declared(came: &Came, cx: &CallContext) -> Raw {
    if !came.responses.is_empty() {
        let keys: Vec<_> = came.responses.keys().map(String::as_str).collect();
        return text(format!("capabilities-ok: {}", keys.join(",")));
    }
    let mut requests = json!({});
    if cx.client.declares("elicitation") {
        requests["elicit_input"] = form("A value, please", "value", "string");
    }
    if cx.client.declares("sampling") {
        requests["sample_input"] = sampling("A sample, please");
    }
    if requests.as_object().is_some_and(Map::is_empty) {
        return text("the client declared nothing to ask for");
    }
    ask(requests, Some(json!({ "round": 1 })))
}
