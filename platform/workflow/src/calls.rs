//! Many calls at once, each with an outcome of its own.

use std::{sync::Arc, time::Duration};

use kernel::{ErrorKind, Progress, ToolError};
use parking_lot::Mutex;
use pipeline::{Door, Gate, Request, Verified};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value, json};
use tokio::{sync::Semaphore, task::JoinSet};
use tokio_util::sync::CancellationToken;

use crate::interpreter::size_of;

/// Calls of one batch.
pub const BATCH_MAX: usize = 1000;
/// Calls at the same time at most.
const PARALLEL_MAX: usize = 64;
/// Bytes of all results together.
const RESULTS_MAX: usize = 16 << 20;
/// How often a call that is refused for a moment is repeated.
const THROTTLED_MAX: u32 = 20;

/// Many calls.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct CallList {
    /// The calls. They begin in this order; none waits for another.
    #[schemars(length(min = 1, max = 1000))]
    pub calls: Vec<ListedCall>,
    /// Calls at the same time.
    #[serde(default = "five")]
    #[schemars(range(min = 1, max = 64))]
    pub max_parallel: usize,
}

/// One call of many.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct ListedCall {
    /// The tool, as `server.tool`.
    pub tool: String,
    /// Its arguments.
    #[serde(default)]
    pub args: Map<String, Value>,
    /// A name for the result; its position otherwise.
    #[serde(default)]
    #[schemars(length(max = 64))]
    pub id: Option<String>,
}

/// How one call ended.
#[derive(Clone, Debug, Serialize, JsonSchema)]
pub struct CallOutcome {
    /// Its name or position.
    pub id: String,
    /// The tool.
    pub tool: String,
    /// `ok` or an error code.
    pub code: String,
    /// The tool's result.
    #[serde(skip_serializing_if = "Value::is_null")]
    pub result: Value,
    /// One sentence, when it failed.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub message: Option<String>,
    /// What would help.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub hints: Vec<String>,
    /// Wall time.
    pub duration_ms: u64,
}

/// How all of them ended.
#[derive(Clone, Debug, Serialize, JsonSchema)]
pub struct BatchReport {
    /// Calls that succeeded.
    pub succeeded: usize,
    /// Calls that did not.
    pub failed: usize,
    /// Each, in the order of the list.
    pub items: Vec<CallOutcome>,
}

/// Who makes the calls, and how they are told about them.
#[derive(Clone)]
pub struct BatchCaller {
    /// Whose rights count.
    pub caller: Verified,
    /// Which way the calls come in.
    pub door: Door,
    /// The context of every call.
    pub context: Option<String>,
    /// Hears how far it is.
    pub progress: Progress,
    /// Fires when nobody wants the rest.
    pub cancel: CancellationToken,
}

fn five() -> usize {
    5
}

/// Makes all calls; a failure of one is its own.
///
/// # Errors
/// Only when the list itself is out of bounds.
pub async fn call_all(gate: &Arc<Gate>, list: CallList, who: BatchCaller) -> Result<BatchReport, ToolError> {
    let total = list.calls.len();
    if total == 0 || total > BATCH_MAX {
        return Err(ToolError::invalid(
            "calls",
            format!("a batch has 1 to {BATCH_MAX} calls, and this one has {total}"),
        ));
    }
    let turns = Arc::new(Semaphore::new(list.max_parallel.clamp(1, PARALLEL_MAX)));
    let (done, room) = (Arc::new(Mutex::new(0_usize)), Arc::new(Mutex::new(RESULTS_MAX)));
    let mut running = JoinSet::new();
    for (index, call) in list.calls.into_iter().enumerate() {
        let (gate, who, turns) = (Arc::clone(gate), who.clone(), Arc::clone(&turns));
        let (done, room) = (Arc::clone(&done), Arc::clone(&room));
        running.spawn(async move {
            let turn = turns.acquire().await;
            let outcome = one(&gate, &who, index, call, &room).await;
            drop(turn);
            let count = {
                let mut done = done.lock();
                *done += 1;
                *done
            };
            who.progress.report(
                count as f64,
                Some(total as f64),
                format!("{} {}", outcome.tool, outcome.code),
            );
            (index, outcome)
        });
    }
    let mut items = Vec::with_capacity(total);
    while let Some(ended) = running.join_next().await {
        items.push(ended.map_err(|error| ToolError::wrap(ErrorKind::Internal, error))?);
    }
    items.sort_by_key(|(index, _)| *index);
    let items: Vec<CallOutcome> = items.into_iter().map(|(_, it)| it).collect();
    let succeeded = items.iter().filter(|it| it.code == "ok").count();
    Ok(BatchReport { succeeded, failed: items.len() - succeeded, items })
}

async fn one(
    gate: &Arc<Gate>,
    who: &BatchCaller,
    index: usize,
    call: ListedCall,
    room: &Mutex<usize>,
) -> CallOutcome {
    let started = std::time::Instant::now();
    let outcome = attempt(gate, who, &call).await;
    let id = call.id.unwrap_or_else(|| index.to_string());
    let duration_ms = u64::try_from(started.elapsed().as_millis()).unwrap_or(u64::MAX);
    let (code, result, message, hints) = match outcome {
        Ok(result) => {
            let size = size_of(&result);
            let mut room = room.lock();
            match room.checked_sub(size) {
                Some(left) => {
                    *room = left;
                    ("ok", result, None, Vec::new())
                }
                None => {
                    let message = "the results are too large together; this one was left out";
                    (
                        "ok",
                        json!({ "omitted": true }),
                        Some(message.to_owned()),
                        vec!["make smaller batches".into()],
                    )
                }
            }
        }
        Err(error) => (error.kind.code(), Value::Null, Some(error.message.clone()), error.hints.clone()),
    };
    CallOutcome { id, tool: call.tool, code: code.to_owned(), result, message, hints, duration_ms }
}

async fn attempt(gate: &Arc<Gate>, who: &BatchCaller, call: &ListedCall) -> Result<Value, ToolError> {
    let parts = call.tool.split_once("__").or_else(|| call.tool.split_once('.'));
    let (server, tool) = parts.ok_or_else(|| {
        ToolError::invalid("tool", "a tool is named as server.tool").hint("`core-mcp tools` lists the tools")
    })?;
    if server == crate::tools::NAME && tool == crate::tools::BATCH {
        return Err(ToolError::invalid("tool", "a batch holds no batch").hint("put its calls into this list"));
    }
    let mut throttled = 0;
    loop {
        if who.cancel.is_cancelled() {
            return Err(ToolError::new(
                ErrorKind::Cancelled,
                "the batch was cancelled before this call was made",
            ));
        }
        let args = Value::Object(call.args.clone());
        let mut request = Request::new(who.caller.clone(), server, tool, args, who.door);
        request.context_id.clone_from(&who.context);
        request.cancel = who.cancel.child_token();
        let error = match gate.call(request).await {
            Ok(answer) => return Ok(answer.structured),
            Err(error) => error,
        };
        throttled += 1;
        if !matches!(error.kind, ErrorKind::RateLimited | ErrorKind::Overloaded) || throttled > THROTTLED_MAX
        {
            return Err(error);
        }
        let wait = error.retry_after.unwrap_or(Duration::from_secs(1)).min(Duration::from_secs(60));
        tokio::select! {
            () = tokio::time::sleep(wait) => {}
            () = who.cancel.cancelled() => {}
        }
    }
}
