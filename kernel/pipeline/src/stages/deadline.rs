use std::time::Duration;

use async_trait::async_trait;
use kernel::{Client, Effect, ErrorKind, ToolError};
use tokio::time::Instant;

use crate::{Call, Next, Outcome, Stage};

/// Ends a call when its budget is spent or its client cancels, and tells the tool to stop.
pub(crate) struct Deadline;

impl Deadline {
    pub(crate) fn new() -> Self {
        Self
    }
}

#[async_trait]
impl Stage for Deadline {
    fn name(&self) -> &'static str {
        "deadline"
    }

    async fn handle(&self, call: Call, next: Next<'_>) -> Outcome {
        let Some(deadline) = call.deadline else { return next.run(call).await };
        let effect = call.spec()?.effect;
        let (cancel, started) = (call.request.cancel.clone(), call.started);
        let client = call.request.client.clone();
        let mut run = std::pin::pin!(next.run(call));
        let gave_up = tokio::select! {
            biased;
            outcome = &mut run => return outcome,
            () = cancel.cancelled() => GaveUp::Client,
            () = passed(deadline, &client) => GaveUp::Clock,
        };
        cancel.cancel();
        // A tool that watches its token stops its own children and says how far it got.
        if let Ok(outcome) = tokio::time::timeout(GRACE, run).await {
            return outcome;
        }
        Err(gave_up.error(effect, started.elapsed()))
    }
}

/// Waits until the budget is spent. Time in which the call waits for its client's answer does not count;
/// the door bounds how long a client may take.
async fn passed(deadline: std::time::Instant, client: &Client) {
    loop {
        let until = deadline + client.waited();
        tokio::time::sleep_until(Instant::from_std(until)).await;
        if deadline + client.waited() <= until {
            return;
        }
    }
}

/// How long a tool may take to stop in good order.
const GRACE: Duration = Duration::from_secs(3);

/// Who ended the call.
enum GaveUp {
    Client,
    Clock,
}

impl GaveUp {
    fn error(&self, effect: Effect, waited: Duration) -> ToolError {
        let waited = waited.as_secs();
        match (self, effect.is_read()) {
            (Self::Client, true) => ToolError::new(ErrorKind::Cancelled, "the client cancelled the call"),
            (Self::Client, false) => interrupted("the client cancelled a call that had started"),
            (Self::Clock, true) => ToolError::new(ErrorKind::Timeout, format!("no answer within {waited} s"))
                .hint("narrow the call, or raise the tool's timeout or `deadline_seconds`"),
            (Self::Clock, false) => interrupted(&format!("no answer within {waited} s")),
        }
    }
}

/// A change that was under way may or may not have happened; saying "failed" would invite a repetition.
fn interrupted(what: &str) -> ToolError {
    ToolError::new(ErrorKind::OutcomeUnknown, format!("{what}; it may or may not have taken effect"))
        .hint("look at the current state before calling again")
}
