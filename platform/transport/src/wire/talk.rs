//! A call that may ask its client something: it runs on while a modern client is away to find the answer.

use std::{
    collections::HashMap,
    sync::Arc,
    time::{Duration, Instant},
};

use futures_util::future::BoxFuture;
use kernel::{CallId, ErrorKind, Raw, RelayedFault, ToolError};
use parking_lot::Mutex;
use pipeline::Outcome;
use protocol::Fault;
use serde_json::{Value, json};
use tokio::task::AbortHandle;
use tokio_util::sync::{CancellationToken, DropGuard};

use super::client::{Ask, WireClient};

/// How long a parked call waits for its client.
pub(super) const PATIENCE: Duration = Duration::from_secs(300);

/// Parked calls of one principal, and in all.
const PARKED_PER_PRINCIPAL: usize = 32;
const PARKED_MAX: usize = 1024;

/// A running call and its open questions. Dropping it stops the call.
pub(super) struct Talk {
    outcome: BoxFuture<'static, Outcome>,
    client: Arc<WireClient>,
    open: Vec<Ask>,
    /// Fires when nobody will come back for the call.
    _cancel: Option<DropGuard>,
    _running: Option<Abort>,
}

/// What a call did next.
pub(super) enum Step {
    /// It ended.
    Ended(Outcome),
    /// It asked its client something.
    Asked,
}

impl Talk {
    pub(super) fn new(outcome: BoxFuture<'static, Outcome>, client: Arc<WireClient>) -> Self {
        Self { outcome, client, open: Vec::new(), _cancel: None, _running: None }
    }

    /// Waits until the call ends or asks.
    pub(super) async fn step(&mut self) -> Step {
        tokio::select! {
            biased;
            outcome = &mut self.outcome => Step::Ended(outcome),
            asks = self.client.asks() => {
                self.open.extend(asks);
                Step::Asked
            }
        }
    }

    /// Lets the call run without anybody waiting; `cancel` tells it to stop when the talk is dropped.
    pub(super) fn on_its_own(mut self, cancel: CancellationToken) -> Self {
        if self._running.is_none() {
            let task = tokio::spawn(self.outcome);
            self._running = Some(Abort(task.abort_handle()));
            self.outcome = Box::pin(async {
                task.await.unwrap_or_else(|error| Err(ToolError::wrap(ErrorKind::Internal, error)))
            });
            self._cancel = Some(cancel.drop_guard());
        }
        self
    }

    /// The open questions as `inputRequests` has them.
    pub(super) fn questions(&self) -> Raw {
        let mut questions = Raw::of(&json!({}));
        for ask in &self.open {
            let question = Raw::of(&json!({ "method": ask.method, "params": ask.params }));
            questions = questions.with(&ask.key, Some(&question));
        }
        questions
    }

    pub(super) fn has_questions(&self) -> bool {
        !self.open.is_empty()
    }

    /// Hands answers to the questions they belong to. Answers to nothing are left alone.
    pub(super) fn answer(&mut self, responses: &Raw) {
        for ask in std::mem::take(&mut self.open) {
            let Some(answer) = responses.member(&ask.key) else {
                self.open.push(ask);
                continue;
            };
            if ask.reply.send(read_answer(answer.into())).is_err() {
                tracing::debug!("an answer came for a question nobody waits for any more");
            }
        }
    }

    pub(super) fn client(&self) -> &Arc<WireClient> {
        &self.client
    }
}

/// An answer is a result; a client that could not get one may send an error in its place.
fn read_answer(answer: Raw) -> Result<Raw, RelayedFault> {
    let Some(error) = answer.member("error").filter(|_| answer.member("action").is_none()) else {
        return Ok(answer);
    };
    Err(read_fault(error.get()))
}

/// A client's response to a request of ours.
pub(crate) fn reply_of(
    result: Option<&serde_json::value::RawValue>,
    error: Option<&serde_json::value::RawValue>,
) -> Result<Raw, RelayedFault> {
    match (result, error) {
        (Some(result), _) => Ok(result.into()),
        (None, error) => Err(read_fault(error.map_or("null", |it| it.get()))),
    }
}

/// An error object of the protocol as a client or a server sent it.
fn read_fault(error: &str) -> RelayedFault {
    let error: Value = serde_json::from_str(error).unwrap_or_default();
    RelayedFault {
        code: error["code"].as_i64().unwrap_or(-32603),
        message: error["message"].as_str().unwrap_or("the client refused").chars().take(500).collect(),
        data: error.get("data").map(Raw::of),
    }
}

/// Ends a task when dropped.
struct Abort(AbortHandle);

impl Drop for Abort {
    fn drop(&mut self) {
        self.0.abort();
    }
}

/// Calls whose modern client is away to find an answer.
#[derive(Default)]
pub(super) struct Parked(Mutex<HashMap<String, Waiting>>);

struct Waiting {
    talk: Talk,
    principal: String,
    /// Digest of the request; only the same request goes on with it.
    request: String,
    until: Instant,
}

impl Parked {
    /// Keeps a call until its client comes back; returns the id it comes back with.
    pub(super) fn park(
        self: &Arc<Self>,
        talk: Talk,
        principal: &str,
        request: &str,
    ) -> Result<String, Fault> {
        let id = CallId::random().to_string();
        let mut parked = self.0.lock();
        let own = parked.values().filter(|it| it.principal == principal).count();
        if own >= PARKED_PER_PRINCIPAL || parked.len() >= PARKED_MAX {
            return Err(Fault::busy("too many calls wait for answers; answer or let them expire first"));
        }
        let waiting = Waiting {
            talk,
            principal: principal.to_owned(),
            request: request.to_owned(),
            until: Instant::now() + PATIENCE,
        };
        parked.insert(id.clone(), waiting);
        drop(parked);
        let (parked, expired) = (Arc::clone(self), id.clone());
        tokio::spawn(async move {
            tokio::time::sleep(PATIENCE).await;
            parked.0.lock().remove(&expired);
        });
        Ok(id)
    }

    /// The call of this principal and request; it can be taken once.
    pub(super) fn take(&self, id: &str, principal: &str, request: &str) -> Option<Talk> {
        let mut parked = self.0.lock();
        let waiting = parked.get(id)?;
        let fits = waiting.principal == principal && waiting.request == request;
        if !fits || waiting.until < Instant::now() {
            return None;
        }
        parked.remove(id).map(|it| it.talk)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_error_in_place_of_an_answer_is_read_as_one() {
        let raw = |text: &str| Raw::parse(text.into()).unwrap();
        assert!(read_answer(raw(r#"{"action":"accept","error":1}"#)).is_ok());
        assert!(read_answer(raw(r#"{"roots":[]}"#)).is_ok());
        let fault = read_answer(raw(r#"{"error":{"code":-1,"message":"no","data":[1]}}"#)).unwrap_err();
        assert_eq!((fault.code, fault.message.as_str()), (-1, "no"));
        assert_eq!(read_fault("nonsense").code, -32603);
    }
}
