//! The tools: what each is called, what it takes, and where it is.

mod asking;
mod content;
mod long;
mod rounds;

use kernel::{CallContext, Raw, ToolError};
use serde_json::{Value, json};

use crate::server::Shared;

/// One tool as the listing shows it.
pub(crate) struct Definition {
    pub(crate) name: &'static str,
    pub(crate) description: &'static str,
    pub(crate) input_schema: Value,
    /// Whether it may answer with a task.
    pub(crate) long: bool,
}

/// Every tool, in the order of the listing.
pub(crate) fn all() -> Vec<Definition> {
    let mut all = Vec::new();
    all.extend(content::definitions());
    all.extend(asking::definitions());
    all.extend(rounds::definitions());
    all.extend(long::definitions());
    all
}

/// Runs one tool.
pub(crate) async fn run(
    tool: &str,
    args: &Value,
    cx: &CallContext,
    shared: &Shared,
) -> Result<Raw, ToolError> {
    if let Some(result) = content::run(tool, args, cx, shared).await {
        return result;
    }
    if let Some(result) = asking::run(tool, args, cx).await {
        return result;
    }
    if let Some(result) = rounds::run(tool, cx) {
        return result;
    }
    long::run(tool, args, cx).await
}

/// The prompt that asks in a round before it is made.
pub(crate) fn rounds_of_prompts(cx: &CallContext, said: impl Fn(&str) -> Value) -> Raw {
    match rounds::Came::with(cx).field("user_context", "context") {
        Some(context) => Raw::of(&json!({ "messages": [said(&format!("Prompt with context: {context}"))] })),
        None => rounds::ask(
            json!({ "user_context": rounds::form("In which context?", "context", "string") }),
            None,
        ),
    }
}

/// A tool without parameters.
fn plain(name: &'static str, description: &'static str) -> Definition {
    taking(name, description, json!({ "type": "object", "properties": {} }))
}

fn taking(name: &'static str, description: &'static str, input_schema: Value) -> Definition {
    Definition { name, description, input_schema, long: false }
}

/// A result of one text.
fn text(text: impl Into<String>) -> Raw {
    Raw::of(&json!({ "content": [{ "type": "text", "text": text.into() }] }))
}

/// A text argument; empty when it is not there.
fn argument<'a>(args: &'a Value, name: &str) -> &'a str {
    args[name].as_str().unwrap_or_default()
}
