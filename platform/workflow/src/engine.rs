//! The embedded driver: one thread that owns the runs of a data directory, and tasks that make their calls.
//!
//! The owner holds a lock on `workflows.lock`. Other processes leave what they ask for in the inbox and watch the
//! journal; when the owner dies, one of them takes over. Reading order: [`Engine`] (what everybody uses), `core`
//! (the thread: gather, commit, dispatch), `batch` (one transaction), `recover` (what a crash leaves).

mod batch;
mod core;
mod gate;
mod job;
mod recover;

use std::{
    fs::{File, OpenOptions, TryLockError},
    os::unix::fs::OpenOptionsExt,
    sync::{
        Arc,
        mpsc::{SyncSender, TrySendError, sync_channel},
    },
    thread::{self, JoinHandle},
    time::Duration,
};

use kernel::{CallId, ErrorKind, Principal, PrincipalKind, ToolError};
use parking_lot::Mutex;
use serde_json::Value;
use store::{DataDir, StoreError};
use tokio::sync::{oneshot, watch};

use self::core::{Core, Input};
pub use self::{
    gate::GateCaller,
    job::{Caller, Job, Note},
};
use crate::{
    interpreter::{EventKind, Resolution, RunStatus, may_decide, retry_refusal},
    journal::{Ask, Journal, NewRun, decider, sees_all, unknown},
    program::Program,
};

/// Things asked of the owner that may wait.
const QUEUE_MAX: usize = 10_000;
/// Bytes of one event.
const EVENT_BYTES_MAX: usize = 64 << 10;
/// How often a process that does not own the runs looks whether it can.
const TAKE_OVER_EVERY: Duration = Duration::from_millis(500);
/// How often somebody who asked looks whether it was heard.
const HEARD_EVERY: Duration = Duration::from_millis(20);
/// How often somebody who waits looks at the journal when nothing is heard.
const LOOK_EVERY: Duration = Duration::from_millis(100);

/// How the driver works.
#[derive(Clone, Debug)]
pub struct EngineOptions {
    /// Calls made at the same time.
    pub calls_max: usize,
    /// Days a run that is over is kept.
    pub retention_days: u32,
}

impl Default for EngineOptions {
    fn default() -> Self {
        Self { calls_max: 64, retention_days: 30 }
    }
}

/// The runs of one data directory, as one process sees them.
pub struct Engine {
    /// Looking at runs and versions.
    pub journal: Arc<Journal>,
    data: DataDir,
    options: EngineOptions,
    owner: Mutex<Option<Owner>>,
    changed: watch::Sender<u64>,
}

/// What a run is started with.
#[derive(Clone, Debug)]
pub struct Order<'a> {
    /// What was asked for: `name`, `name@alias` or a file.
    pub reference: &'a str,
    /// Whom it acts for.
    pub principal: &'a str,
    /// The context its calls belong to.
    pub context: Option<&'a str>,
    /// Checked here.
    pub inputs: Value,
}

struct Owner {
    queue: SyncSender<Input>,
    thread: JoinHandle<()>,
    _lock: File,
}

impl Engine {
    /// Opens the journal. Nothing runs until [`Self::own`]. Blocks on the disk.
    ///
    /// # Errors
    /// When the journal cannot be used.
    pub fn open(data: &DataDir, options: EngineOptions) -> Result<Arc<Self>, StoreError> {
        let journal = Journal::open(data)?;
        let changed = watch::Sender::new(0);
        Ok(Arc::new(Self { journal, data: data.clone(), options, owner: Mutex::new(None), changed }))
    }

    /// Takes the runs over, unless another process has them. Goes on with what a crash interrupted. Blocks.
    ///
    /// # Errors
    /// When the journal or the lock cannot be used.
    pub fn own(&self, caller: &Arc<dyn Caller>) -> Result<bool, ToolError> {
        let mut owner = self.owner.lock();
        if owner.is_some() {
            return Ok(true);
        }
        let Some(lock) = take_lock(&self.data)? else { return Ok(false) };
        let (queue, receiver) = sync_channel(QUEUE_MAX);
        let core = Core::open(
            &self.data,
            self.options.clone(),
            Arc::clone(caller),
            queue.clone(),
            self.changed.clone(),
        )?;
        let thread = thread::Builder::new()
            .name("workflow-driver".into())
            .spawn(move || core.run(&receiver))
            .map_err(|error| ToolError::wrap(ErrorKind::Unavailable, error))?;
        *owner = Some(Owner { queue, thread, _lock: lock });
        Ok(true)
    }

    /// Keeps trying to own the runs until it does; drop or abort the task to stop.
    pub async fn own_when_possible(self: Arc<Self>, caller: Arc<dyn Caller>) {
        loop {
            let (engine, caller) = (Arc::clone(&self), Arc::clone(&caller));
            match tokio::task::spawn_blocking(move || engine.own(&caller)).await {
                Ok(Ok(true)) => return,
                Ok(Ok(false)) => {}
                Ok(Err(error)) => tracing::error!(%error, "the workflow runs cannot be taken over"),
                Err(error) => tracing::error!(%error, "taking over the workflow runs crashed"),
            }
            tokio::time::sleep(TAKE_OVER_EVERY).await;
        }
    }

    /// Lets go of the runs. Calls under way get a few seconds. Blocks.
    pub fn close(&self) {
        let Some(Owner { queue, thread, _lock }) = self.owner.lock().take() else { return };
        // Full or gone: either way the thread hears it when the last sender goes.
        if queue.send(Input::Stop).is_err() || thread.join().is_err() {
            tracing::error!("the workflow driver ended early");
        }
    }

    /// Begins a run and returns its id once that is durable.
    pub async fn start(&self, program: &Program, order: Order<'_>) -> Result<String, ToolError> {
        let Order { reference, principal, context, inputs } = order;
        let inputs = program.complete_inputs(inputs).map_err(|wrong| {
            let error = ToolError::new(ErrorKind::ValidationFailed, wrong.join("; "));
            error.hint("compare the inputs with the workflow's `inputs`")
        })?;
        self.journal.keep(program)?;
        let run = NewRun {
            id: CallId::random().to_string(),
            hash: program.hash.clone(),
            workflow: program.definition.workflow.clone(),
            reference: reference.to_owned(),
            principal: principal.to_owned(),
            context: context.map(str::to_owned),
            inputs,
        };
        let id = run.id.clone();
        self.ask(Ask::Start(run)).await?;
        Ok(id)
    }

    /// Cancels a run of `who`.
    pub async fn cancel(&self, who: &Principal, run: &str) -> Result<(), ToolError> {
        let (state, _) = self.owned_by(who, run)?;
        if state.status().is_over() {
            return Err(over(state.status()));
        }
        self.event(run, EventKind::Cancel { by: who.id.clone() }).await
    }

    /// Lets stuck calls of a run go on: all that wait for a yes, or one step whose outcome is unknown.
    pub async fn resume(
        &self,
        who: &Principal,
        run: &str,
        step: Option<(String, Resolution)>,
    ) -> Result<(), ToolError> {
        let (state, _) = self.owned_by(who, run)?;
        let stuck = state.stuck();
        let kind = match step {
            Some((step, resolution)) => {
                if !stuck.iter().any(|it| it.step == step) {
                    let steps: Vec<&str> = stuck.iter().map(|it| it.step.as_str()).collect();
                    let message = format!("step `{step}` does not wait for anybody");
                    return Err(ToolError::new(ErrorKind::NotFound, message).hint(format!(
                        "steps that do: {}",
                        if steps.is_empty() { "none".into() } else { steps.join(", ") }
                    )));
                }
                EventKind::Resolve { step, resolution }
            }
            None if state.status() == RunStatus::NeedsAttention => EventKind::Resume,
            None if stuck.iter().any(|it| !it.is_unknown) => EventKind::Resume,
            None if stuck.is_empty() => {
                return Err(ToolError::new(
                    ErrorKind::ValidationFailed,
                    "nothing in this run waits to be resumed",
                ));
            }
            None => {
                let step = stuck.first().map(|it| it.step.clone()).unwrap_or_default();
                return Err(ToolError::new(
                    ErrorKind::ValidationFailed,
                    format!("nobody knows whether `{step}` happened"),
                )
                .hint(format!("look, then say so: --step {step} --as done, failed or retry")));
            }
        };
        self.event(run, kind).await
    }

    /// Repeats a failed run from one of its outermost steps.
    pub async fn retry(&self, who: &Principal, run: &str, from: &str) -> Result<(), ToolError> {
        let (state, info) = self.owned_by(who, run)?;
        let program = self.journal.program(&info.hash)?;
        if let Some(refusal) = retry_refusal(&program, &state, from) {
            return Err(ToolError::new(ErrorKind::ValidationFailed, refusal));
        }
        self.event(run, EventKind::Retry { from: from.to_owned() }).await
    }

    /// Decides about an approval. Nobody approves their own run, unless they are an admin.
    pub async fn decide(
        &self,
        who: &Principal,
        run: &str,
        step: &str,
        grant: bool,
        form: Value,
    ) -> Result<(), ToolError> {
        let (state, info) = self.journal.state(run)?;
        let questions = state.questions();
        let sees = sees_all(who) || info.principal == who.id;
        let question = questions.iter().find(|it| it.step == step);
        let mine = question.is_some_and(|it| may_decide(&it.by, &decider(who)));
        if !sees && !mine {
            return Err(unknown());
        }
        let Some(question) = question else {
            let steps: Vec<&str> = questions.iter().map(|it| it.step.as_str()).collect();
            return Err(ToolError::new(ErrorKind::NotFound, format!("step `{step}` asks nothing now")).hint(
                format!("steps that do: {}", if steps.is_empty() { "none".into() } else { steps.join(", ") }),
            ));
        };
        if !mine {
            return Err(ToolError::new(
                ErrorKind::PermissionDenied,
                format!("`{}` may not decide about `{step}`", who.id),
            )
            .hint(format!("it asks {}", question.by.join(", "))));
        }
        if who.kind != PrincipalKind::User && !sees_all(who) {
            return Err(ToolError::new(ErrorKind::PermissionDenied, "only people decide about approvals"));
        }
        if info.principal == who.id && !sees_all(who) {
            return Err(ToolError::new(ErrorKind::PermissionDenied, "nobody approves their own run")
                .reason("SELF_APPROVAL"));
        }
        if grant {
            self.check_form(run, step, &form)?;
        }
        let (by, step) = (decider(who), step.to_owned());
        self.event(run, EventKind::Decision { step, by, grant, form }).await
    }

    /// The schema of what people fill in when they decide about a step.
    pub fn form_schema(&self, run: &str, step: &str) -> Result<Value, ToolError> {
        let (_, info) = self.journal.state(run)?;
        let program = self.journal.program(&info.hash)?;
        let id = step.rsplit('.').next().unwrap_or(step);
        let fields = program.form_of(id).into_iter().flatten();
        Ok(crate::schema::inputs_schema(fields))
    }

    /// A yes comes with the form filled in.
    fn check_form(&self, run: &str, step: &str, form: &Value) -> Result<(), ToolError> {
        let schema = self.form_schema(run, step)?;
        let given = if form.is_null() { Value::Object(Default::default()) } else { form.clone() };
        let validator = jsonschema::validator_for(&schema)
            .map_err(|error| ToolError::new(ErrorKind::Internal, error.to_string()))?;
        match validator.iter_errors(&given).next() {
            None => Ok(()),
            Some(error) => {
                Err(ToolError::invalid("form", format!("the form is not right: {}", error.masked()))
                    .hint(format!("fields: {}", schema["properties"])))
            }
        }
    }

    /// Brings an event to the runs that wait for its type: an admin's to everybody's, others' to their own.
    /// Returns its id.
    pub async fn emit(&self, who: &Principal, kind: &str, data: Value) -> Result<String, ToolError> {
        let is_type = |it: &str| {
            let is_plain = |it: u8| it.is_ascii_alphanumeric() || b"._-".contains(&it);
            (1..=128).contains(&it.len()) && it.bytes().all(is_plain)
        };
        if !is_type(kind) {
            return Err(ToolError::invalid(
                "type",
                "a type is 1 to 128 of letters, digits, `.`, `_` and `-`",
            ));
        }
        if crate::interpreter::size_of(&data) > EVENT_BYTES_MAX {
            return Err(ToolError::invalid(
                "data",
                format!("an event holds at most {} KiB", EVENT_BYTES_MAX >> 10),
            ));
        }
        let id = CallId::random().to_string();
        // As CloudEvents has it.
        let body = serde_json::json!({
            "specversion": "1.0", "id": id, "type": kind, "source": format!("/principals/{}", who.id), "data": data,
        });
        let only = (!sees_all(who)).then(|| who.id.clone());
        self.ask(Ask::Emit { kind: kind.to_owned(), body, only }).await?;
        Ok(id)
    }

    /// Waits until a run is over or waits for people, at most until `until`. Returns how it stands then.
    pub async fn settled(&self, run: &str, until: tokio::time::Instant) -> Result<RunStatus, ToolError> {
        let mut changed = self.changed.subscribe();
        loop {
            let status = self.journal.status(run)?;
            match status {
                Some(status) if status.is_over() => return Ok(status),
                Some(status) if status == RunStatus::Waiting && self.waits_for_people(run)? => {
                    return Ok(status);
                }
                // Asked of another process, and not begun yet.
                Some(_) | None => {}
            }
            if tokio::time::Instant::now() >= until {
                return Ok(status.unwrap_or_default());
            }
            let look = (tokio::time::Instant::now() + LOOK_EVERY).min(until);
            tokio::select! {
                heard = changed.changed() => {
                    if heard.is_err() {
                        tokio::time::sleep_until(look).await;
                    }
                }
                () = tokio::time::sleep_until(look) => {}
            }
        }
    }

    /// Waits until the owner of the runs has taken up what was asked; not longer than `limit`.
    pub async fn heard(&self, limit: Duration) -> Result<(), ToolError> {
        let until = tokio::time::Instant::now() + limit;
        while self.journal.has_open_asks()? && tokio::time::Instant::now() < until {
            tokio::time::sleep(HEARD_EVERY).await;
        }
        Ok(())
    }

    fn waits_for_people(&self, run: &str) -> Result<bool, ToolError> {
        let (state, _) = self.journal.state(run)?;
        Ok(!state.questions().is_empty() || !state.stuck().is_empty())
    }

    fn owned_by(
        &self,
        who: &Principal,
        run: &str,
    ) -> Result<(crate::State, crate::journal::RunInfo), ToolError> {
        let (state, info) = self.journal.state(run)?;
        if info.principal != who.id && !sees_all(who) {
            return Err(unknown());
        }
        Ok((state, info))
    }

    async fn event(&self, run: &str, kind: EventKind) -> Result<(), ToolError> {
        self.ask(Ask::Event { run: run.to_owned(), kind }).await
    }

    /// Asks the owner, here or in another process; returns when it is durable that it was asked.
    async fn ask(&self, ask: Ask) -> Result<(), ToolError> {
        let queue = self.owner.lock().as_ref().map(|it| it.queue.clone());
        let Some(queue) = queue else {
            let journal = Arc::clone(&self.journal);
            let asked = tokio::task::spawn_blocking(move || journal.ask(&ask)).await;
            return asked.unwrap_or_else(|error| Err(ToolError::wrap(ErrorKind::Internal, error)));
        };
        let (reply, answer) = oneshot::channel();
        queue.try_send(Input::Ask { ask, reply: Some(reply) }).map_err(|error| match error {
            TrySendError::Full(_) => ToolError::new(ErrorKind::Overloaded, "too many workflow events wait")
                .before_send()
                .after(Duration::from_secs(1)),
            TrySendError::Disconnected(_) => stopped(),
        })?;
        answer.await.unwrap_or_else(|_| Err(stopped()))
    }
}

impl Drop for Engine {
    fn drop(&mut self) {
        self.close();
    }
}

fn stopped() -> ToolError {
    ToolError::new(ErrorKind::Unavailable, "the workflow driver has stopped").before_send()
}

fn over(status: RunStatus) -> ToolError {
    ToolError::new(ErrorKind::ValidationFailed, format!("the run is over already: {}", status.as_str()))
}

/// `None`: another process has it. The system lets go of it however a process ends.
fn take_lock(data: &DataDir) -> Result<Option<File>, ToolError> {
    let failed = |error: std::io::Error| ToolError::wrap(ErrorKind::Unavailable, error);
    let path = data.root().join("workflows.lock");
    let file = OpenOptions::new()
        .read(true)
        .write(true)
        .create(true)
        .truncate(false)
        .mode(0o600)
        .open(path)
        .map_err(failed)?;
    match file.try_lock() {
        Ok(()) => Ok(Some(file)),
        Err(TryLockError::WouldBlock) => Ok(None),
        Err(TryLockError::Error(error)) => Err(failed(error)),
    }
}
