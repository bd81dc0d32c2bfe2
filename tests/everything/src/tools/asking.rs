//! Tools that ask their client while they run.

use kernel::{CallContext, Raw, ToolError};
use serde_json::{Value, json};

use super::{Definition, argument, plain, taking, text};

pub(super) fn definitions() -> Vec<Definition> {
    let one = |name: &str| json!({ "type": "object", "properties": { name: { "type": "string" } }, "required": [name] });
    vec![
        taking("test_sampling", "Asks the client's model.", one("prompt")),
        taking("test_elicitation", "Asks the person at the client.", one("message")),
        plain("test_elicitation_sep1034_defaults", "Asks with a default for every kind of field."),
        plain("test_elicitation_sep1330_enums", "Asks with every kind of choice."),
        plain("test_roots", "Asks which folders the client opened."),
        plain("test_missing_capability", "Needs a client with a model."),
    ]
}

pub(super) async fn run(tool: &str, args: &Value, cx: &CallContext) -> Option<Result<Raw, ToolError>> {
    let asked = match tool {
        "test_sampling" => {
            let message =
                json!({ "role": "user", "content": { "type": "text", "text": argument(args, "prompt") } });
            let params = json!({ "messages": [message], "maxTokens": 100 });
            cx.client.ask("sampling/createMessage", Raw::of(&params)).await.map(|answer| {
                format!("LLM response: {}", answer.to_value()["content"]["text"].as_str().unwrap_or("none"))
            })
        }
        "test_elicitation" => {
            let schema = json!({
                "type": "object", "properties": { "response": { "type": "string" } }, "required": ["response"],
            });
            elicit(cx, argument(args, "message"), schema).await.map(|it| format!("User response: {it}"))
        }
        "test_elicitation_sep1034_defaults" => elicit(cx, "Check the defaults", defaults()).await,
        "test_elicitation_sep1330_enums" => elicit(cx, "Choose", choices()).await,
        "test_roots" => cx
            .client
            .ask("roots/list", Raw::of(&json!({})))
            .await
            .map(|answer| format!("{} roots", answer.to_value()["roots"].as_array().map_or(0, Vec::len))),
        "test_missing_capability" => {
            let missing = json!({ "requiredCapabilities": { "sampling": {} } });
            if cx.client.declares("sampling") {
                Ok("the client has a model".to_owned())
            } else {
                Err(ToolError::relayed(
                    -32021,
                    "this tool needs a client with a model",
                    Some(Raw::of(&missing)),
                ))
            }
        }
        _ => return None,
    };
    Some(asked.map(text))
}

async fn elicit(cx: &CallContext, message: &str, schema: Value) -> Result<String, ToolError> {
    let params = json!({ "mode": "form", "message": message, "requestedSchema": schema });
    let answer = cx.client.ask("elicitation/create", Raw::of(&params)).await?.to_value();
    Ok(format!("action={} content={}", answer["action"].as_str().unwrap_or("none"), answer["content"]))
}

fn defaults() -> Value {
    json!({
        "type": "object",
        "properties": {
            "name": { "type": "string", "default": "John Doe" },
            "age": { "type": "integer", "default": 30 },
            "score": { "type": "number", "default": 95.5 },
            "status": { "type": "string", "enum": ["active", "inactive", "pending"], "default": "active" },
            "verified": { "type": "boolean", "default": true },
        },
        "required": [],
    })
}

fn choices() -> Value {
    let titled = |names: [&str; 3]| -> Vec<Value> {
        let values = (1..).map(|index| format!("value{index}"));
        values.zip(names).map(|(value, title)| json!({ "const": value, "title": title })).collect()
    };
    let untitled = json!(["option1", "option2", "option3"]);
    json!({
        "type": "object",
        "properties": {
            "untitledSingle": { "type": "string", "enum": untitled },
            "titledSingle": { "type": "string", "oneOf": titled(["First", "Second", "Third"]) },
            "legacyEnum": {
                "type": "string", "enum": ["opt1", "opt2", "opt3"], "enumNames": ["One", "Two", "Three"],
            },
            "untitledMulti": {
                "type": "array", "minItems": 1, "maxItems": 3, "items": { "type": "string", "enum": untitled },
            },
            "titledMulti": {
                "type": "array", "minItems": 1, "maxItems": 3,
                "items": { "anyOf": titled(["First", "Second", "Third"]) },
            },
        },
        "required": [],
    })
}
