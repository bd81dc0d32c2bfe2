//! From the outcome of a call to the answer on the wire.

use std::{sync::Arc, time::Duration};

use kernel::{ErrorKind, Raw, RelayedFault, ToolError};
use pipeline::{Answer, Outcome};
use protocol::{
    AnswerView, Approval, Fault, Id, Purpose, RelayedView, Revision, failure_detail, result_type,
    write_answer, write_failure, write_relayed,
};
use serde_json::json;
use tokio_util::sync::CancellationToken;

use super::{
    Refusal, Reply, Wire,
    listing::refused,
    resources::LEGACY_NOT_FOUND,
    talk::{PATIENCE, Step, Talk},
    unix_now,
};

/// A long tool that answers within this is answered directly: a task would cost its client a second request.
const QUICK: Duration = Duration::from_millis(50);

/// How long a relayed server's state may be carried.
const CARRIED_SECONDS: i64 = 900;

/// What sort of result is due.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    /// A tool's: failures are results too.
    Tool,
    /// One that says how long it is good.
    Cacheable,
    /// Any other.
    Plain,
}

/// What is needed again when the outcome is known.
pub(super) struct Pending {
    pub(super) id: Id,
    pub(super) revision: Revision,
    pub(super) principal: String,
    pub(super) kind: Kind,
    /// False when no such tool is mounted or the arguments are no object: the protocol has its own answer.
    pub(super) well_formed: bool,
    /// Whether the client could be asked to approve it in a second round.
    pub(super) can_approve: bool,
    /// Digest of the request, when the client could come back to it.
    pub(super) request: Option<String>,
    /// The server it is for.
    pub(super) server: String,
    /// Whether the client declared the tasks extension on this request.
    pub(super) declared_tasks: bool,
    /// Whether a task is the answer when the call takes long.
    pub(super) offers_task: bool,
}

impl Wire {
    /// Waits for the call; what it asks meanwhile is put to a modern client with the answer.
    pub(super) async fn converse(
        self: Arc<Self>,
        pending: Pending,
        mut talk: Talk,
        cancel: CancellationToken,
    ) -> Reply {
        if talk.has_questions() {
            return self.ask(&pending, talk, cancel);
        }
        if pending.offers_task {
            match tokio::time::timeout(QUICK, talk.step()).await {
                Ok(Step::Ended(outcome)) => return self.finish(&pending, outcome),
                // It asks, or it takes long: from here on the client polls.
                Ok(Step::Asked) | Err(_) => return self.make_task(pending, talk, cancel),
            }
        }
        match talk.step().await {
            Step::Ended(outcome) => self.finish(&pending, outcome),
            Step::Asked => self.ask(&pending, talk, cancel),
        }
    }

    /// Parks the call and answers with its questions.
    fn ask(&self, pending: &Pending, talk: Talk, cancel: CancellationToken) -> Reply {
        let questions = talk.questions();
        let request = pending.request.as_deref().unwrap_or_default();
        let parked = self.parked.park(talk.on_its_own(cancel), &pending.principal, request);
        let id = match parked {
            Ok(id) => id,
            Err(fault) => return Reply::fault(Some(&pending.id), &fault, pending.revision),
        };
        let until = unix_now() + i64::try_from(PATIENCE.as_secs()).unwrap_or(i64::MAX);
        let state = self.sealer.seal(Purpose::Parked, &pending.principal, id.as_bytes(), until);
        let result = Raw::of(&json!({
            "resultType": "input_required", "inputRequests": questions, "requestState": state,
        }));
        self.relayed(pending, &result, RelayedView::default())
    }

    pub(super) fn finish(&self, pending: &Pending, outcome: Outcome) -> Reply {
        match outcome {
            Ok(answer) => self.answered(pending, answer),
            Err(error) => self.failed(pending, &error),
        }
    }

    fn answered(&self, pending: &Pending, answer: Answer) -> Reply {
        let Some(raw) = &answer.raw else {
            let view = AnswerView {
                structured: &answer.structured,
                untrusted: answer.untrusted,
                truncated: answer.truncated,
                artifact_uri: answer.artifact_uri.as_deref(),
                masked: answer.masked,
                cached: answer.cached,
            };
            return Reply::fine(write_answer(&pending.id, view, pending.revision, &self.config.server));
        };
        let kind = result_type(raw);
        let complete = matches!(kind.as_deref(), None | Some("complete"));
        let view = RelayedView {
            untrusted: answer.untrusted && pending.kind == Kind::Tool && complete,
            artifact_uri: answer.artifact_uri.as_deref(),
            masked: answer.masked,
            cacheable: pending.kind == Kind::Cacheable && complete,
        };
        match kind.as_deref() {
            Some("input_required") => self.relayed(pending, &self.carried(pending, raw), view),
            Some("task") if pending.declared_tasks => {
                self.relayed(pending, &self.seal_task(&pending.principal, &pending.server, raw), view)
            }
            Some("task") => {
                let error = ToolError::new(
                    ErrorKind::ToolExecutionFailed,
                    "the server answered with a task, which this client did not ask for",
                );
                self.failed(pending, &error)
            }
            _ => self.relayed(pending, raw, view),
        }
    }

    /// The result with its `requestState` sealed: it comes back from a client, for this request only.
    fn carried(&self, pending: &Pending, raw: &Raw) -> Raw {
        let (Some(state), Some(request)) = (raw.member("requestState"), &pending.request) else {
            return raw.clone();
        };
        let state = Raw::from(state).to_value();
        let carried = json!({ "server": pending.server, "request": request, "state": state });
        let until = unix_now() + CARRIED_SECONDS;
        let sealed =
            self.sealer.seal(Purpose::Relayed, &pending.principal, carried.to_string().as_bytes(), until);
        raw.with("requestState", Some(&Raw::of(&sealed)))
    }

    pub(super) fn relayed(&self, pending: &Pending, result: &Raw, view: RelayedView<'_>) -> Reply {
        Reply::fine(write_relayed(&pending.id, result, view, pending.revision, &self.config.server))
    }

    fn failed(&self, pending: &Pending, error: &ToolError) -> Reply {
        let (refusal, scope) = (Refusal::of(error.kind), error.scope.clone());
        Reply { refusal, scope, ..self.worded(pending, error) }
    }

    fn worded(&self, pending: &Pending, error: &ToolError) -> Reply {
        let (id, revision, server) = (&pending.id, pending.revision, &self.config.server);
        if let (ErrorKind::NeedsApproval, Some(ticket), Some(digest), true) =
            (error.kind, &error.approval, &pending.request, pending.can_approve && revision.is_modern())
        {
            let approval = Approval { id: ticket.id.clone(), request: digest.clone() };
            let body = approval.write_question(id, ticket, &pending.principal, &self.sealer, server);
            return Reply::fine(body);
        }
        if let Some(result) = &error.result {
            let view = RelayedView { untrusted: error.untrusted, ..RelayedView::default() };
            return self.relayed(pending, result, view);
        }
        if let Some(fault) = &error.fault {
            return Reply::fault(Some(id), &Fault::relayed(&in_revision(fault, revision)), revision);
        }
        if pending.kind != Kind::Tool {
            return Reply::fault(Some(id), &refused(error), revision);
        }
        let malformed = matches!(error.kind, ErrorKind::NotFound | ErrorKind::ValidationFailed);
        if malformed && !pending.well_formed {
            return Reply::fault(Some(id), &unknown(error), revision);
        }
        Reply::fine(write_failure(id, error, revision, server))
    }
}

/// A missing resource has another code in older revisions.
fn in_revision(fault: &RelayedFault, revision: Revision) -> RelayedFault {
    let mut fault = fault.clone();
    if revision.is_modern() && fault.code == i64::from(LEGACY_NOT_FOUND) {
        fault.code = i64::from(Fault::INVALID_PARAMS);
    }
    fault
}

fn unknown(error: &ToolError) -> Fault {
    let detail = failure_detail(error);
    Fault::invalid_params(error.message.clone())
        .with_data(json!({ "hints": error.hints, "core-mcp/error": detail }))
}
