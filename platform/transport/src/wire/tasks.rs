//! The tasks extension: calls that take long are polled instead of waited for.
//!
//! A task of ours lives in this process, for a bounded time, and belongs to the principal that made it. A
//! relayed server's task stays there; its id is sealed, so that it comes back from its principal only.

use std::{
    collections::HashMap,
    sync::Arc,
    time::{Duration, Instant},
};

use kernel::{CallId, ErrorKind, Raw, Resource};
use parking_lot::Mutex;
use pipeline::{Method, Outcome, seams::Action};
use protocol::{Fault, Id, Params, Purpose, RelayedView, write_relayed};
use serde_json::{Value, json};
use tokio::sync::{Notify, watch};
use tokio_util::sync::CancellationToken;

use super::{
    Exchange, Later, Reply, Wire,
    handshake::TASKS,
    outcome::{Kind, Pending},
    relay::{Order, later},
    talk::{Step, Talk},
};

/// How long a task can be asked for after it was made.
const TTL: Duration = Duration::from_secs(3600);

/// How often a client should ask.
const POLL_MS: u64 = 1000;

/// Tasks of one principal, and in all.
const TASKS_PER_PRINCIPAL: usize = 64;
const TASKS_MAX: usize = 4096;

/// A sealed id has to be the same each time it is made, so it does not expire; the task behind it does.
const NEVER: i64 = i64::MAX;

/// The tasks of this process.
pub(crate) struct Tasks {
    kept: Mutex<HashMap<String, Arc<Task>>>,
    /// The id of the task that moved on last, for those who listen.
    moved: watch::Sender<u64>,
}

impl Default for Tasks {
    fn default() -> Self {
        Self { kept: Mutex::default(), moved: watch::Sender::new(0) }
    }
}

struct Task {
    principal: String,
    made: Instant,
    created_at: String,
    state: Mutex<State>,
    /// Answers to open questions.
    answers: Mutex<Vec<Raw>>,
    answered: Notify,
    cancel: CancellationToken,
}

struct State {
    status: &'static str,
    /// `result`, `error` or `inputRequests`, as the status has it.
    more: Option<(&'static str, Raw)>,
    updated_at: String,
}

impl Task {
    fn set(&self, status: &'static str, more: Option<(&'static str, Raw)>) {
        let mut state = self.state.lock();
        if is_final(state.status) {
            return;
        }
        *state = State { status, more, updated_at: now() };
    }

    /// The task as `tasks/get` and notifications show it.
    fn detail(&self, id: &str) -> Raw {
        let state = self.state.lock();
        let mut detail = Raw::of(&json!({
            "taskId": id, "status": state.status, "createdAt": self.created_at, "lastUpdatedAt": state.updated_at,
            "ttlMs": TTL.as_millis() as u64, "pollIntervalMs": POLL_MS,
        }));
        if let Some((name, value)) = &state.more {
            detail = detail.with(name, Some(value));
        }
        detail
    }
}

fn is_final(status: &str) -> bool {
    matches!(status, "completed" | "failed" | "cancelled")
}

impl Wire {
    /// Lets a call run as a task and answers with it. The task can be found before its client hears of it.
    pub(super) fn make_task(
        self: &Arc<Self>,
        pending: Pending,
        talk: Talk,
        cancel: CancellationToken,
    ) -> Reply {
        let (id, revision) = (pending.id.clone(), pending.revision);
        let task = Arc::new(Task {
            principal: pending.principal.clone(),
            made: Instant::now(),
            created_at: now(),
            state: Mutex::new(State { status: "working", more: None, updated_at: now() }),
            answers: Mutex::default(),
            answered: Notify::new(),
            cancel: cancel.clone(),
        });
        let name = CallId::random().to_string();
        if let Err(fault) = self.tasks.keep(&name, &task) {
            return Reply::fault(Some(&id), &fault, revision);
        }
        let sealed = self.task_id(&pending.principal, "", &name);
        let result = task.detail(&sealed).with("resultType", Some(&Raw::of(&"task")));
        tokio::spawn(drive(Arc::clone(self), Arc::clone(&task), talk.on_its_own(cancel), pending));
        Reply::fine(write_relayed(&id, &result, RelayedView::default(), revision, &self.config.server))
    }

    /// `tasks/get`, `tasks/update` and `tasks/cancel`.
    pub(super) fn task_method(
        self: &Arc<Self>,
        id: &Id,
        method: &str,
        params: &Params<'_>,
        exchange: Exchange,
    ) -> Result<Later, Fault> {
        let caller = self.caller(id, params, exchange)?;
        let client = kernel::Client::behind(caller.incoming.client.clone());
        if !client.declares_extension(TASKS) {
            return Err(Fault::missing_capability(json!({ "extensions": { TASKS: {} } })));
        }
        let sealed = params.text("taskId", params.task_id)?.into_owned();
        let principal = caller.exchange.caller.principal().id.clone();
        let (server, name) = self.open_task(&principal, &sealed).ok_or_else(no_task)?;
        let responses = params.input_responses.map(Raw::from);
        if server.is_empty() {
            let task = self.tasks.find(&name, &principal).ok_or_else(no_task)?;
            let result = task_result(&task, method, &sealed, responses)?;
            let body = write_relayed(
                id,
                &result,
                RelayedView::default(),
                caller.exchange.revision,
                &self.config.server,
            );
            return Ok(later(std::future::ready(Reply::fine(body))));
        }
        if caller.exchange.scope.server.as_ref().is_some_and(|route| !self.is_same(route, &server)) {
            return Err(no_task());
        }
        let action = if method == "tasks/get" { Action::Read } else { Action::Execute };
        let resources = vec![Resource::new("mcp.task", &name)];
        let order = Order {
            method: Method { name: method.to_owned(), action, resources },
            args: json!({ "taskId": name }),
            params: caller.incoming.whole.as_ref().map(|it| it.with("taskId", Some(&Raw::of(&name)))),
            kind: Kind::Plain,
            server: server.clone(),
        };
        let wire = Arc::clone(self);
        let (task, sealed) = (Raw::of(&name), Raw::of(&sealed));
        Ok(later(async move {
            let mut reply = wire.send(caller, order).await;
            rename(&mut reply.body, &task, &sealed);
            reply
        }))
    }

    fn is_same(&self, route: &str, server: &str) -> bool {
        self.gate.registry().find(route).is_ok_and(|mount| mount.facts.name == server)
    }

    /// A relayed result with its task's id made fit to come back.
    pub(super) fn seal_task(&self, principal: &str, server: &str, result: &Raw) -> Raw {
        let Some(task) = super::relay::text_of(result, "taskId") else { return result.clone() };
        result.with("taskId", Some(&Raw::of(&self.task_id(principal, server, &task))))
    }

    /// `server` is empty for a task of our own.
    pub(super) fn task_id(&self, principal: &str, server: &str, task: &str) -> String {
        let payload = json!([server, task]).to_string();
        self.sealer.seal(Purpose::Task, principal, payload.as_bytes(), NEVER)
    }

    pub(super) fn open_task(&self, principal: &str, sealed: &str) -> Option<(String, String)> {
        let payload = self.sealer.open(Purpose::Task, principal, sealed, 0).ok()?;
        serde_json::from_slice(&payload).ok()
    }

    /// The result of a finished call, as an answer would carry it.
    fn inlined(&self, pending: &Pending, outcome: Outcome) -> (&'static str, Option<(&'static str, Raw)>) {
        let cancelled = matches!(&outcome, Err(error) if error.kind == ErrorKind::Cancelled);
        if cancelled {
            return ("cancelled", None);
        }
        let broken = matches!(&outcome, Err(error) if error.kind == ErrorKind::Internal);
        let reply = self.finish(pending, outcome);
        let body = String::from_utf8(reply.body).ok().and_then(Raw::parse);
        let member = |name: &str| body.as_ref().and_then(|it| it.member(name)).map(Raw::from);
        match (member("result"), member("error")) {
            (_, Some(error)) => ("failed", Some(("error", error))),
            (Some(_), None) if broken => {
                let error =
                    json!({ "code": Fault::INTERNAL, "message": "the call broke; the log says more" });
                ("failed", Some(("error", Raw::of(&error))))
            }
            (Some(result), None) => ("completed", Some(("result", result))),
            (None, None) => ("failed", None),
        }
    }
}

impl Tasks {
    fn keep(&self, name: &str, task: &Arc<Task>) -> Result<(), Fault> {
        let mut kept = self.kept.lock();
        kept.retain(|_, it| it.made.elapsed() < TTL);
        let own = kept.values().filter(|it| it.principal == task.principal);
        let running = own.filter(|it| !is_final(it.state.lock().status)).count();
        if running >= TASKS_PER_PRINCIPAL {
            return Err(Fault::busy(format!(
                "more than {TASKS_PER_PRINCIPAL} tasks run; wait or cancel some"
            )));
        }
        let own = kept.iter().filter(|(_, it)| it.principal == task.principal);
        if own.clone().count() >= TASKS_PER_PRINCIPAL {
            let ended = own.filter(|(_, it)| is_final(it.state.lock().status));
            let oldest = ended.min_by_key(|(_, it)| it.made).map(|(name, _)| name.clone());
            kept.remove(&oldest.unwrap_or_default());
        }
        if kept.len() >= TASKS_MAX {
            return Err(Fault::busy("too many tasks are kept; try again later"));
        }
        kept.insert(name.to_owned(), Arc::clone(task));
        Ok(())
    }

    fn find(&self, name: &str, principal: &str) -> Option<Arc<Task>> {
        let kept = self.kept.lock();
        kept.get(name).filter(|it| it.principal == principal && it.made.elapsed() < TTL).cloned()
    }

    /// Wakes whenever a task moved on.
    pub(super) fn moved(&self) -> watch::Receiver<u64> {
        self.moved.subscribe()
    }

    /// A task of `principal` as notifications show it, and when it moved on last.
    pub(super) fn shown(&self, name: &str, principal: &str, sealed: &str) -> Option<(String, Raw)> {
        let task = self.find(name, principal)?;
        let detail = task.detail(sealed);
        let status = task.state.lock().status.to_owned();
        Some((status, detail))
    }
}

/// Runs a task to its end.
async fn drive(wire: Arc<Wire>, task: Arc<Task>, mut talk: Talk, pending: Pending) {
    loop {
        if talk.has_questions() {
            task.set("input_required", Some(("inputRequests", talk.questions())));
        } else {
            task.set("working", None);
        }
        wire.tasks.moved.send_modify(|it| *it += 1);
        tokio::select! {
            biased;
            step = talk.step() => if let Step::Ended(outcome) = step {
                let (status, more) = wire.inlined(&pending, outcome);
                task.set(status, more);
                break;
            },
            () = task.answered.notified() => {
                for responses in std::mem::take(&mut *task.answers.lock()) {
                    talk.answer(&responses);
                }
            }
        }
    }
    wire.tasks.moved.send_modify(|it| *it += 1);
}

fn task_result(task: &Task, method: &str, id: &str, responses: Option<Raw>) -> Result<Raw, Fault> {
    match method {
        "tasks/get" => return Ok(task.detail(id)),
        "tasks/cancel" => {
            task.set("cancelled", None);
            task.cancel.cancel();
        }
        _ => {
            let responses = responses.filter(|it| it.get().starts_with('{'));
            let responses =
                responses.ok_or_else(|| Fault::invalid_params("`inputResponses` must be an object"))?;
            task.take_answers(&responses);
        }
    }
    Ok(Raw::of(&json!({})))
}

impl Task {
    /// Hands answers to the call, and stops showing the questions they are for at once.
    fn take_answers(&self, responses: &Raw) {
        let mut state = self.state.lock();
        let Some(("inputRequests", open)) = &state.more else { return };
        let mut left = open.clone();
        for (key, _) in responses.members().unwrap_or_default() {
            left = left.with(&key, None);
        }
        if left.get() == open.get() {
            return;
        }
        let done = left.members().is_none_or(|it| it.is_empty());
        state.status = if done { "working" } else { "input_required" };
        state.more = (!done).then_some(("inputRequests", left));
        state.updated_at = now();
        drop(state);
        self.answers.lock().push(responses.clone());
        self.answered.notify_one();
    }
}

/// Puts our id of a task in place of the server's in an answer.
fn rename(body: &mut Vec<u8>, theirs: &Raw, ours: &Raw) {
    let Some(answer) = String::from_utf8(body.clone()).ok().and_then(Raw::parse) else { return };
    let Some(result) = answer.member("result").map(Raw::from) else { return };
    if result.member("taskId").is_some_and(|it| it.get() == theirs.get()) {
        let renamed = answer.with("result", Some(&result.with("taskId", Some(ours))));
        *body = renamed.get().as_bytes().to_vec();
    }
}

fn no_task() -> Fault {
    Fault::invalid_params("no such task; it may have expired").with_data(Value::Null)
}

fn now() -> String {
    chrono::Utc::now().to_rfc3339_opts(chrono::SecondsFormat::Millis, true)
}
