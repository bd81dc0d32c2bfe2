use std::{sync::Arc, time::Duration};

use async_trait::async_trait;
use kernel::{ApprovalTicket, ErrorKind, ToolError, digest_hex};

use crate::{
    Call, Next, Outcome, Question, Stage,
    redact::describe_arguments,
    seams::{ApprovalRequest, Approvals},
};

/// How long a human may take while the call waits.
const PATIENCE: Duration = Duration::from_secs(300);

/// Gets a human's yes when policy obliges to, by the first way that works: a grant given earlier
/// (command line queue), the answer that came with a repeated call (protocol 2026-07-28), or asking the
/// client now (elicitation, a terminal). No way to ask means refused, with a ticket that can be approved.
///
/// A grant is bound to the principal and to the digest of the exact call, works once, and expires.
pub(crate) struct Approve {
    approvals: Arc<dyn Approvals>,
}

impl Approve {
    pub(crate) fn new(approvals: Arc<dyn Approvals>) -> Self {
        Self { approvals }
    }

    /// Approvals wait for the disk, and for other processes that write: not on a thread that serves calls.
    async fn off_thread<T: Send + 'static>(
        &self,
        work: impl FnOnce(&dyn Approvals) -> Result<T, ToolError> + Send + 'static,
    ) -> Result<T, ToolError> {
        let approvals = Arc::clone(&self.approvals);
        let done = tokio::task::spawn_blocking(move || work(approvals.as_ref())).await;
        done.unwrap_or_else(|error| Err(ToolError::wrap(ErrorKind::Internal, error)))
    }

    /// Uses up a grant given earlier.
    async fn consume(&self, principal: &str, digest: &str) -> Result<bool, ToolError> {
        let (principal, digest) = (principal.to_owned(), digest.to_owned());
        self.off_thread(move |approvals| approvals.consume(&principal, &digest)).await
    }

    async fn obtain(&self, call: &Call, reason: &str) -> Result<(), ToolError> {
        let (tool, principal) = (call.spec()?.qualified_name(), &call.request.caller.0.id);
        let digest = digest_hex(format!("{tool}\0{}", call.args_digest).as_bytes());
        if self.consume(principal, &digest).await? {
            return Ok(());
        }
        let request = ApprovalRequest {
            principal: principal.clone(),
            tool: tool.clone(),
            digest: digest.clone(),
            question: format!("{principal} wants to call {tool}\n{}", describe_arguments(&call.request.args)),
            reason: reason.to_owned(),
        };
        let ticket = self.off_thread(move |approvals| approvals.open(request)).await?;
        let (answer, via) = match (&call.request.approval, &call.request.asker) {
            // Only an answer to this very ticket counts; anything else is asked anew.
            (Some(reply), _) if reply.id == ticket.id => {
                (if reply.granted { Question::Granted } else { Question::Declined }, "input_required")
            }
            (_, Some(asker)) => {
                let asked = tokio::time::timeout(PATIENCE, asker.ask(&ticket));
                tokio::select! {
                    answer = asked => (answer.unwrap_or(Question::Declined), "elicitation"),
                    () = call.request.cancel.cancelled() => (Question::Declined, "elicitation"),
                }
            }
            (_, None) => (Question::Impossible, "queue"),
        };
        if answer == Question::Impossible {
            return Err(pending(ticket, &tool, reason));
        }
        let (granted, by) = (answer == Question::Granted, Arc::clone(&call.request.caller.0));
        self.off_thread(move |approvals| approvals.decide(&ticket.id, granted, &by, via)).await?;
        if granted && self.consume(principal, &digest).await? {
            return Ok(());
        }
        Err(ToolError::new(ErrorKind::PermissionDenied, format!("a human declined the call of {tool}"))
            .hint("ask the person what they would accept instead"))
    }
}

#[async_trait]
impl Stage for Approve {
    fn name(&self) -> &'static str {
        "approve"
    }

    async fn handle(&self, call: Call, next: Next<'_>) -> Outcome {
        if let Some(reason) = call.obligations.approval.clone() {
            self.obtain(&call, &reason).await?;
        }
        next.run(call).await
    }
}

fn pending(ticket: ApprovalTicket, tool: &str, reason: &str) -> ToolError {
    let id = ticket.id.clone();
    let mut error =
        ToolError::new(ErrorKind::NeedsApproval, format!("{tool} needs a human's approval: {reason}")).hint(
            format!("`core-mcp approval approve {id}`, then repeat exactly the same call within its time"),
        );
    error.approval = Some(Box::new(ticket));
    error
}
