//! Results that say `input_required`: passed on to a modern client, worked off with an older one.

use std::sync::Arc;

use kernel::{ErrorKind, Raw, ToolError};
use pipeline::{Gate, Outcome, Request};
use protocol::result_type;
use serde::Deserialize;
use serde_json::json;

use super::client::{WireClient, not_declared, undeclared};

/// Rounds of one call with an older client.
const ROUNDS_MAX: usize = 8;

/// Questions of one round.
const QUESTIONS_MAX: usize = 16;

/// One entry of `inputRequests`.
#[derive(Deserialize)]
pub(super) struct Question {
    method: String,
    #[serde(default)]
    params: Option<Raw>,
}

/// Runs a call to its end. With an older client, each round of questions is asked and the call made again.
pub(super) async fn run(gate: Arc<Gate>, mut request: Request, client: Arc<WireClient>) -> Outcome {
    for _ in 0..ROUNDS_MAX {
        let outcome = gate.call(request.clone()).await;
        let raw = outcome.as_ref().ok().and_then(|answer| answer.raw.clone());
        let Some(raw) = raw.filter(|it| result_type(it).as_deref() == Some("input_required")) else {
            return outcome;
        };
        let questions = questions(&raw)?;
        check(&questions, &client)?;
        if kernel::ClientChannel::is_modern(&*client) {
            return outcome;
        }
        let mut responses = Raw::of(&json!({}));
        for (key, question) in questions {
            let params = question.params.unwrap_or_else(|| Raw::of(&json!({})));
            let answer = kernel::ClientChannel::ask(&*client, &question.method, params).await?;
            responses = responses.with(&key, Some(&answer));
        }
        let params = request.params.take().unwrap_or_else(|| Raw::of(&json!({})));
        let state = raw.member("requestState").map(Raw::from);
        request.params =
            Some(params.with("inputResponses", Some(&responses)).with("requestState", state.as_ref()));
    }
    Err(ToolError::new(
        ErrorKind::ToolExecutionFailed,
        format!("the tool asked more than {ROUNDS_MAX} times"),
    )
    .hint("the server behind this tool does not come to an end; tell its operator"))
}

/// The questions of a round, bounded and well formed.
fn questions(result: &Raw) -> Result<Vec<(String, Question)>, ToolError> {
    let wrong =
        |why: &str| ToolError::new(ErrorKind::ToolExecutionFailed, format!("the server's questions {why}"));
    let Some(requests) = result.member("inputRequests") else { return Ok(Vec::new()) };
    let requests = Raw::from(requests);
    let members = requests.members().ok_or_else(|| wrong("are no object"))?;
    if members.len() > QUESTIONS_MAX {
        return Err(wrong("are too many for one round"));
    }
    let read = |raw: &str| serde_json::from_str(raw).map_err(|_| wrong("have no method"));
    members.into_iter().map(|(key, raw)| Ok((key, read(raw.get())?))).collect()
}

/// A server may ask only for what the caller declared.
fn check(questions: &[(String, Question)], client: &WireClient) -> Result<(), ToolError> {
    let capabilities = kernel::ClientChannel::capabilities(client);
    for (_, question) in questions {
        let params = question.params.clone().unwrap_or_else(|| Raw::of(&json!({})));
        if let Some(missing) = undeclared(&question.method, &params, &capabilities)? {
            return Err(not_declared(&missing, kernel::ClientChannel::is_modern(client)));
        }
    }
    Ok(())
}
