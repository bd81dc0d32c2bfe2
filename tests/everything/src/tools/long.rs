//! Tools that take long enough for a task.

use std::time::Duration;

use kernel::{CallContext, ErrorKind, Raw, ToolError};
use serde_json::{Value, json};

use super::{
    Definition, argument,
    rounds::{Came, ask, form},
    taking, text,
};

/// Longer than the door waits before it makes a task of a call.
const A_WHILE: Duration = Duration::from_millis(400);

const TASKS: &str = "io.modelcontextprotocol/tasks";

pub(super) fn definitions() -> Vec<Definition> {
    let object = |properties: Value| json!({ "type": "object", "properties": properties });
    let long = |name, description, properties| Definition {
        long: true,
        ..taking(name, description, object(properties))
    };
    vec![
        taking("greet", "Greets at once.", object(json!({ "name": { "type": "string" } }))),
        long(
            "slow_compute",
            "Works for some seconds.",
            json!({ "seconds": { "type": "number" }, "label": { "type": "string" } }),
        ),
        long("failing_job", "Works for a while and fails. Needs a client that knows tasks.", json!({})),
        long("protocol_error_job", "Works for a while and breaks.", json!({})),
        long("confirm_delete", "Asks before it goes on.", json!({ "filename": { "type": "string" } })),
        long("multi_input", "Asks two things at once.", json!({})),
        long("test_tool_with_task", "Asks first, then works for a while.", json!({})),
    ]
}

pub(super) async fn run(tool: &str, args: &Value, cx: &CallContext) -> Result<Raw, ToolError> {
    match tool {
        "greet" => Ok(text(format!("Hello, {}!", argument(args, "name")))),
        "slow_compute" => {
            let seconds = args["seconds"].as_f64().unwrap_or(0.0).clamp(0.0, 300.0);
            work(Duration::from_secs_f64(seconds), cx).await?;
            Ok(text(format!("computed {} for {seconds} s", argument(args, "label"))))
        }
        "failing_job" => {
            needs_tasks(cx)?;
            work(A_WHILE, cx).await?;
            let content = json!([{ "type": "text", "text": "the job failed" }]);
            Ok(Raw::of(&json!({ "content": content, "isError": true })))
        }
        "protocol_error_job" => {
            work(A_WHILE, cx).await?;
            Err(ToolError::relayed(-32603, "the job broke", None))
        }
        "confirm_delete" => {
            let answer =
                cx.client.ask("elicitation/create", Raw::of(&form("Sure?", "confirm", "boolean")["params"]));
            let answer = answer.await?.to_value();
            let words = if answer["content"]["confirm"] == true { "deleted" } else { "kept" };
            Ok(text(format!("{words} {}", argument(args, "filename"))))
        }
        "multi_input" => {
            let one = |field: &str| Raw::of(&form("Please fill in", field, "string")["params"]);
            let (first, second) = tokio::join!(
                cx.client.ask("elicitation/create", one("first")),
                cx.client.ask("elicitation/create", one("second")),
            );
            Ok(text(format!("{} and {}", first?.get(), second?.get())))
        }
        "test_tool_with_task" => match Came::with(cx).field("user_name", "name") {
            Some(name) => {
                work(A_WHILE, cx).await?;
                Ok(text(format!("worked for {name}")))
            }
            None => {
                needs_tasks(cx)?;
                Ok(ask(json!({ "user_name": form("What is your name?", "name", "string") }), None))
            }
        },
        _ => Err(ToolError::new(ErrorKind::NotFound, format!("no tool `{tool}`"))),
    }
}

async fn work(time: Duration, cx: &CallContext) -> Result<(), ToolError> {
    tokio::select! {
        () = tokio::time::sleep(time) => Ok(()),
        () = cx.cancel.cancelled() => Err(ToolError::new(ErrorKind::Cancelled, "the work was cancelled")),
    }
}

/// For tools that can only be run as tasks.
fn needs_tasks(cx: &CallContext) -> Result<(), ToolError> {
    if cx.client.declares_extension(TASKS) {
        return Ok(());
    }
    let missing = json!({ "requiredCapabilities": { "extensions": { TASKS: {} } } });
    Err(ToolError::relayed(-32021, "this tool needs a client that knows tasks", Some(Raw::of(&missing))))
}
