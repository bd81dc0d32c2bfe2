//! The one thing doors talk to.

use std::{sync::Arc, time::Duration};

use kernel::{ErrorKind, Facts, Health, Secret, ToolError, ToolSpec};
use parking_lot::RwLock;
use serde::Serialize;
use serde_json::Value;
use tokio::sync::watch;

use crate::{
    Call, Door, Metrics, Operation, Outcome, Pipeline, Registry, Request, Tuning, Verified,
    redact::mask_arguments,
    registry::Mount,
    seams::{
        Action, Approvals, Artifact, ArtifactInfo, Artifacts, AuditEntry, Contexts, Credentials, Decision,
        Identity, Issuers, Journal, NotAdmitted, Obligations, Phase, Policy, PolicyQuestion,
    },
    stages::outlived,
};

mod peers;

pub use peers::{Listed, PeerView};

/// How long a server may think about suggestions.
const COMPLETION_PATIENCE: Duration = Duration::from_secs(2);

/// What a gate is made of.
#[derive(Clone)]
pub struct GateParts {
    /// Who is who.
    pub identity: Arc<dyn Identity>,
    /// Who may do what.
    pub policy: Arc<dyn Policy>,
    /// Where records go.
    pub journal: Arc<dyn Journal>,
    /// Which servers a group of calls may use.
    pub contexts: Arc<dyn Contexts>,
    /// Who said yes to what.
    pub approvals: Arc<dyn Approvals>,
    /// Large results.
    pub artifacts: Arc<dyn Artifacts>,
    /// What is mounted.
    pub registry: Registry,
    /// The knobs.
    pub tuning: Tuning,
}

/// The gate: authenticates, lists and calls. One per process; doors share it.
pub struct Gate {
    parts: GateParts,
    tuning: Arc<RwLock<Arc<Tuning>>>,
    pipeline: Pipeline,
    metrics: Arc<Metrics>,
}

/// A tool as one principal sees it.
#[derive(Clone, Debug)]
pub struct ToolView {
    /// The tool.
    pub spec: Arc<ToolSpec>,
    /// The server it belongs to.
    pub facts: Arc<Facts>,
}

/// A server as one principal sees it.
#[derive(Clone, Debug, Serialize)]
pub struct ServerView {
    /// Catalogue facts.
    #[serde(flatten)]
    pub facts: Arc<Facts>,
    /// `ready` or `unavailable`.
    pub status: &'static str,
    /// Why it is unavailable and what would help.
    pub reason: Option<String>,
}

/// Which part of the catalogue a listing is about.
#[derive(Clone, Debug, Default)]
pub struct Scope {
    /// Only this server (name or alias).
    pub server: Option<String>,
    /// Only what this context enables.
    pub context: Option<String>,
}

impl Gate {
    /// Builds the standard road over `parts`.
    pub fn new(parts: GateParts) -> Arc<Self> {
        let tuning = Arc::new(RwLock::new(Arc::new(parts.tuning.clone())));
        let metrics = Arc::new(Metrics::new());
        parts.registry.mounts().iter().for_each(|mount| metrics.begin(&mount.facts.name));
        let pipeline = Pipeline::standard(&parts, &tuning, &metrics);
        Arc::new(Self { parts, tuning, pipeline, metrics })
    }

    /// Proves who holds `token`. A refusal is recorded.
    pub fn authenticate(&self, token: &Secret<String>, door: Door) -> Result<Verified, ToolError> {
        let shown = Credentials { token: Some(token), ..Credentials::default() };
        self.admit_now(&shown, door).map_err(|refused| refused.error)
    }

    /// Proves who shows these credentials, after waiting for what judging them needs. A refusal is recorded.
    pub async fn admit(&self, shown: &Credentials<'_>, door: Door) -> Result<Verified, NotAdmitted> {
        if let Some(missing) = self.parts.identity.prepare(shown) {
            missing.await;
        }
        self.admit_now(shown, door)
    }

    /// The same without waiting.
    pub fn admit_now(&self, shown: &Credentials<'_>, door: Door) -> Result<Verified, NotAdmitted> {
        self.parts.identity.admit(shown).map(Verified).inspect_err(|NotAdmitted { error, .. }| {
            self.metrics.refused("authenticate", error.kind);
            let mut entry = AuditEntry::event("auth.refused", Value::Null);
            entry.door = door.as_str().into();
            entry.code = Some(error.kind.code().into());
            entry.message = Some(error.message.clone());
            if let Err(error) = self.parts.journal.append(entry) {
                tracing::error!(%error, "a refused login could not be recorded");
            }
        })
    }

    /// Fails when `caller`'s token has ended since: a session may outlive it. For everything but calls, which are
    /// asked on the road.
    pub fn confirm(&self, caller: &Verified) -> Result<(), ToolError> {
        if self.parts.identity.still_valid(&caller.0) { Ok(()) } else { Err(outlived()) }
    }

    /// Who issues tokens for us besides ourselves.
    pub fn issuers(&self) -> Arc<Issuers> {
        self.parts.identity.issuers()
    }

    /// The principal a run of a workflow acts as, with the roles it has now. Only for work that somebody
    /// who was authenticated started.
    pub fn on_behalf_of(&self, principal: &str) -> Result<Verified, ToolError> {
        self.parts.identity.current(principal).map(Verified).inspect_err(|error| {
            self.metrics.refused("authenticate", error.kind);
        })
    }

    /// Sends one call down the road.
    ///
    /// Dropping the future ends a read and is recorded as `abandoned`. A call that changes things goes on
    /// without its client, within its deadline, and is recorded as it ends; only `request.cancel` stops it.
    pub async fn call(self: &Arc<Self>, request: Request) -> Outcome {
        if self.only_reads(&request) {
            return self.pipeline.run(Call::new(request)).await;
        }
        let gate = Arc::clone(self);
        let running = tokio::spawn(async move { gate.pipeline.run(Call::new(request)).await });
        running.await.unwrap_or_else(|error| Err(ToolError::wrap(ErrorKind::Internal, error)))
    }

    fn only_reads(&self, request: &Request) -> bool {
        if let Operation::Method(method) = &request.operation {
            return method.action == Action::Read;
        }
        let Ok(mount) = self.parts.registry.find(&request.server) else { return true };
        mount.spec(&request.tool).is_none_or(|spec| spec.effect.is_read())
    }

    /// Finds the server and tool behind a wire name (`server__tool`, or a bare tool of `scope.server`).
    /// Returns the catalogue name and the tool part; whether the tool exists is decided on the road.
    pub fn resolve(&self, scope: &Scope, name: &str) -> Result<(String, String), ToolError> {
        if let Some(server) = &scope.server {
            let mount = self.parts.registry.find(server)?;
            if mount.spec(name).is_some() {
                return Ok((mount.facts.name.clone(), name.to_owned()));
            }
            if let Ok((other, tool)) = self.parts.registry.split(name)
                && other.facts.name == mount.facts.name
            {
                return Ok((mount.facts.name.clone(), tool.to_owned()));
            }
            return Ok((mount.facts.name.clone(), name.to_owned()));
        }
        let (mount, tool) = self.parts.registry.split(name)?;
        Ok((mount.facts.name.clone(), tool.to_owned()))
    }

    /// The tools `caller` may see, in catalogue order. Listings are a view of the same policy that
    /// decides at call time, never the only check.
    pub fn tools(&self, caller: &Verified, scope: &Scope, door: Door) -> Result<Vec<ToolView>, ToolError> {
        let mut views = Vec::new();
        for mount in self.visible(caller, scope)? {
            if mount.state.is_err() {
                continue;
            }
            for spec in &mount.specs {
                let question = PolicyQuestion {
                    tool: Some(&spec.name),
                    effect: Some(spec.effect),
                    ..question(caller, Action::List, &mount.facts, scope, door)
                };
                if self.parts.policy.decide(&question).allowed {
                    views.push(ToolView { spec: Arc::clone(spec), facts: Arc::clone(&mount.facts) });
                }
            }
        }
        Ok(views)
    }

    /// The servers `caller` may see, running or not.
    pub fn servers(
        &self,
        caller: &Verified,
        scope: &Scope,
        door: Door,
    ) -> Result<Vec<ServerView>, ToolError> {
        let visible = self.visible(caller, scope)?;
        let readable = visible.into_iter().filter(|mount| {
            self.parts.policy.decide(&question(caller, Action::Read, &mount.facts, scope, door)).allowed
        });
        Ok(readable
            .map(|mount| ServerView {
                facts: Arc::clone(&mount.facts),
                status: if mount.state.is_ok() { "ready" } else { "unavailable" },
                reason: mount.state.as_ref().err().cloned(),
            })
            .collect())
    }

    /// Asks one server whether its backend answers.
    pub async fn health(&self, server: &str) -> Result<Health, ToolError> {
        match &self.parts.registry.find(server)?.state {
            Ok(running) => Ok(running.health().await),
            Err(reason) => Ok(Health::Unavailable(reason.clone())),
        }
    }

    /// Suggests values for an argument of `server.tool`, at most 100: the server's own, or the words its schema
    /// allows. Needs `read` on the server, and the server in the context, if there is one.
    pub async fn complete(
        &self,
        caller: &Verified,
        scope: &Scope,
        (server, tool): (&str, &str),
        argument: &str,
        prefix: &str,
        door: Door,
    ) -> Result<Vec<String>, ToolError> {
        let mount = self.parts.registry.find(server)?;
        self.may(&question(caller, Action::Read, &mount.facts, scope, door))?;
        if let Some(context) = &scope.context {
            self.parts.contexts.admit(context, &caller.0, &mount.facts.name)?;
        }
        let Ok(running) = &mount.state else { return Ok(Vec::new()) };
        // A suggestion that comes late is none.
        let suggested =
            tokio::time::timeout(COMPLETION_PATIENCE, running.complete(tool, argument, prefix)).await;
        let mut values = suggested.unwrap_or_default();
        if values.is_empty() {
            values = mount.words(tool, argument, prefix);
        }
        values.truncate(100);
        Ok(values)
    }

    /// The caller's newest artifacts.
    pub async fn artifacts(&self, caller: &Verified) -> Result<Vec<ArtifactInfo>, ToolError> {
        self.parts.artifacts.list(&caller.0, 100).await
    }

    /// A piece of one of the caller's artifacts.
    pub async fn artifact(
        &self,
        caller: &Verified,
        uri: &str,
        offset: u64,
        limit: usize,
    ) -> Result<Artifact, ToolError> {
        self.parts.artifacts.get(&caller.0, uri, offset, limit).await
    }

    /// Records a human's decision about a ticket.
    pub fn decide_approval(&self, id: &str, grant: bool, by: &Verified, via: &str) -> Result<(), ToolError> {
        self.parts.approvals.decide(id, grant, &by.0, via)?;
        let detail = serde_json::json!({ "id": id, "granted": grant, "via": via });
        self.record(AuditEntry {
            principal: by.0.id.clone(),
            ..AuditEntry::event("approval.decided", detail)
        })
    }

    /// Writes one event record; the caller decides whether failing to is fatal.
    pub fn record(&self, entry: AuditEntry) -> Result<(), ToolError> {
        self.parts.journal.append(entry).map(drop).map_err(|error| {
            ToolError::wrap(ErrorKind::AuditUnavailable, error)
                .hint("free disk space or repair the data directory, then try again")
        })
    }

    /// The names of the stages every call passes, outermost first.
    pub fn stages(&self) -> Vec<&'static str> {
        self.pipeline.names()
    }

    /// Whether calls can be served at all: without a journal every one of them is refused.
    pub fn is_ready(&self) -> bool {
        self.parts.journal.is_healthy()
    }

    /// The counters and histograms of this gate.
    pub fn metrics(&self) -> &Arc<Metrics> {
        &self.metrics
    }

    /// Everything that is mounted.
    pub fn registry(&self) -> &Registry {
        &self.parts.registry
    }

    /// The decision policy would take; `policy explain` and doors use it.
    pub fn decide(&self, question: &PolicyQuestion<'_>) -> Decision {
        self.parts.policy.decide(question)
    }

    /// Puts new knobs in force. Rates, breakers and semaphores pick them up with their next call.
    pub fn retune(&self, tuning: Tuning) {
        *self.tuning.write() = Arc::new(tuning);
        self.notify_changed();
    }

    /// Tells doors that listings may have changed (policies or contexts were reloaded).
    pub fn notify_changed(&self) {
        self.parts.registry.notify_changed();
    }

    /// Wakes whenever listings may have changed.
    pub fn changes(&self) -> watch::Receiver<u64> {
        self.parts.registry.changes()
    }

    pub(crate) fn visible(&self, caller: &Verified, scope: &Scope) -> Result<Vec<Arc<Mount>>, ToolError> {
        let enabled = match &scope.context {
            Some(id) => Some(self.parts.contexts.servers(id, &caller.0)?),
            None => None,
        };
        let only = match &scope.server {
            Some(name) => Some(self.parts.registry.find(name)?),
            None => None,
        };
        let mounts = match only {
            Some(mount) => vec![mount],
            None => self.parts.registry.mounts().iter().cloned().collect(),
        };
        let in_context = |mount: &Arc<Mount>| {
            enabled.as_ref().is_none_or(|names| names.iter().any(|it| *it == mount.facts.name))
        };
        Ok(mounts.into_iter().filter(in_context).collect())
    }

    pub(crate) fn may(&self, question: &PolicyQuestion<'_>) -> Result<Obligations, ToolError> {
        let decision = self.parts.policy.decide(question);
        if decision.allowed {
            return Ok(decision.obligations);
        }
        Err(ToolError::new(
            ErrorKind::PermissionDenied,
            format!("`{}` may not {} `{}`", question.principal.id, question.action.as_str(), question.server),
        ))
    }
}

pub(crate) fn question<'a>(
    caller: &'a Verified,
    action: Action,
    facts: &'a Facts,
    scope: &'a Scope,
    door: Door,
) -> PolicyQuestion<'a> {
    PolicyQuestion {
        principal: &caller.0,
        action,
        server: &facts.name,
        category: &facts.category,
        tool: None,
        effect: None,
        resources: &[],
        door: door.as_str(),
        context: scope.context.as_deref(),
    }
}

impl AuditEntry {
    /// Something that happened besides a call, for example `token.created`.
    pub fn event(name: &str, detail: Value) -> Self {
        Self {
            phase: Phase::Event,
            call_id: kernel::CallId::random().to_string(),
            at: chrono::Utc::now().timestamp_micros(),
            principal: String::new(),
            token_id: None,
            door: "system".into(),
            server: "core-mcp".into(),
            tool: name.into(),
            effect: None,
            context: None,
            args: Value::Null,
            args_digest: None,
            resources: Vec::new(),
            policies: Vec::new(),
            code: None,
            message: None,
            duration_us: None,
            trace_id: None,
            detail: mask_arguments(&detail),
        }
    }
}
