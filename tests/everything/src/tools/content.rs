//! Tools that show one kind of content or one kind of notice.

use std::time::Duration;

use base64::{Engine, prelude::BASE64_STANDARD};
use kernel::{CallContext, Notice, Raw, ToolError};
use pipeline::Mount;
use serde_json::{Value, json};

use super::{Definition, argument, plain, taking, text};
use crate::{
    peer::PICTURE,
    server::{Handle, NAME, Shared},
};

pub(super) fn definitions() -> Vec<Definition> {
    let header = json!({
        "type": "object",
        "properties": { "region": { "type": "string", "description": "Where.", "x-mcp-header": "Region" } },
        "required": ["region"],
    });
    vec![
        plain("test_simple_text", "Answers with one text."),
        plain("test_image_content", "Answers with an image."),
        plain("test_audio_content", "Answers with a sound."),
        plain("test_embedded_resource", "Answers with a resource in the result."),
        plain("test_multiple_content_types", "Answers with a text, an image and a resource."),
        plain("test_error_handling", "Always fails."),
        plain("test_tool_with_progress", "Reports 0, 50 and 100 of 100."),
        plain("test_tool_with_logging", "Sends three log messages while it works."),
        plain("test_logging_tool", "Sends a log message to a client that asked for them."),
        plain("test_streaming_elicitation", "Reports progress before it answers."),
        plain("test_trigger_tool_change", "Says that the list of tools changed."),
        plain("test_trigger_prompt_change", "Says that the list of prompts changed."),
        taking("test_custom_header", "Says where it was called for.", header),
        taking("json_schema_2020_12_tool", "Takes what the newest schema dialect can say.", dialect()),
        plain("test_reconnection", "Answers after a moment."),
    ]
}

/// The schema the suite looks for, keyword by keyword.
fn dialect() -> Value {
    let one_of_two = |name: &str| json!({ "required": [name] });
    json!({
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "type": "object",
        "$defs": {
            "address": {
                "$anchor": "addressDef",
                "type": "object",
                "properties": { "street": { "type": "string" }, "city": { "type": "string" } },
            },
        },
        "properties": {
            "name": { "type": "string" },
            "address": { "$ref": "#/$defs/address" },
            "contactMethod": { "type": "string", "enum": ["phone", "email"] },
            "phone": { "type": "string" },
            "email": { "type": "string" },
        },
        "allOf": [{ "anyOf": [one_of_two("phone"), one_of_two("email")] }],
        "if": { "properties": { "contactMethod": { "const": "phone" } }, "required": ["contactMethod"] },
        "then": one_of_two("phone"),
        "else": one_of_two("email"),
        "additionalProperties": false,
    })
}

pub(super) async fn run(
    tool: &str,
    args: &Value,
    cx: &CallContext,
    shared: &Shared,
) -> Option<Result<Raw, ToolError>> {
    Some(Ok(match tool {
        "test_simple_text" => text("This is a simple text response for testing."),
        "test_image_content" => Raw::of(&json!({ "content": [image()] })),
        "test_audio_content" => {
            Raw::of(&json!({ "content": [{ "type": "audio", "data": silence(), "mimeType": "audio/wav" }] }))
        }
        "test_embedded_resource" => Raw::of(&json!({ "content": [embedded("test://embedded-resource")] })),
        "test_multiple_content_types" => {
            let first = json!({ "type": "text", "text": "A text, an image and a resource:" });
            Raw::of(&json!({ "content": [first, image(), embedded("test://mixed-content-resource")] }))
        }
        "test_error_handling" => Raw::of(&json!({
            "content": [{ "type": "text", "text": "This tool intentionally returns an error for testing" }],
            "isError": true,
        })),
        "test_tool_with_progress" | "test_streaming_elicitation" => {
            for done in [0, 50, 100] {
                cx.progress.report(f64::from(done), Some(100.0), format!("{done} of 100"));
                tokio::time::sleep(Duration::from_millis(20)).await;
            }
            text("done")
        }
        "test_tool_with_logging" => {
            for step in ["Tool execution started", "Tool processing data", "Tool execution completed"] {
                log(cx, step);
                tokio::time::sleep(Duration::from_millis(20)).await;
            }
            text("logged")
        }
        "test_logging_tool" => {
            log(cx, "Logging was asked for");
            text("logged what was asked for")
        }
        "test_trigger_tool_change" => return Some(shared.mount_anew().map(|()| text("the tools changed"))),
        "test_trigger_prompt_change" => {
            shared.0.registry.notices().publish(Notice::PromptsChanged { server: NAME.into() });
            text("the prompts changed")
        }
        "test_custom_header" => text(format!("called for {}", argument(args, "region"))),
        "json_schema_2020_12_tool" => text(format!("called with {args}")),
        "test_reconnection" => {
            tokio::time::sleep(Duration::from_millis(100)).await;
            text("still there")
        }
        _ => return None,
    }))
}

impl Shared {
    /// Puts the server in its own place, as one whose tools changed would be.
    fn mount_anew(&self) -> Result<(), ToolError> {
        let handle = Handle { shared: self.clone() };
        self.0.registry.mount(Mount::ready(std::sync::Arc::new(handle)))
    }
}

fn log(cx: &CallContext, words: &str) {
    let params = json!({ "level": "info", "logger": NAME, "data": words });
    cx.client.notify("notifications/message", Raw::of(&params));
}

fn image() -> Value {
    json!({ "type": "image", "data": PICTURE, "mimeType": "image/png" })
}

fn embedded(uri: &str) -> Value {
    let resource = json!({ "uri": uri, "mimeType": "text/plain", "text": "This is an embedded resource." });
    json!({ "type": "resource", "resource": resource })
}

/// A sound file without a sample in it.
fn silence() -> String {
    let mut wav =
        b"RIFF\x24\0\0\0WAVEfmt \x10\0\0\0\x01\0\x01\0\x40\x1f\0\0\x40\x1f\0\0\x01\0\x08\0".to_vec();
    wav.extend_from_slice(b"data\0\0\0\0");
    BASE64_STANDARD.encode(wav)
}
