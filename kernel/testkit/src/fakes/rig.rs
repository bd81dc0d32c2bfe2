//! A whole gate on stand-ins.

use std::sync::Arc;

use kernel::{PrincipalKind, Secret, ServerEntry, StartContext};
use pipeline::{Door, Gate, GateParts, Mount, Registry, Request, Tuning, Verified};
use serde_json::{Value, json};

use super::{FakeApprovals, FakeArtifacts, FakeContexts, FakeIdentity, FakeJournal, FakePolicy};

/// A gate and the stand-ins behind it, so that a test can turn each of them.
pub struct Rig {
    /// What doors talk to.
    pub gate: Arc<Gate>,
    /// Who is who. `admin` and `viewer` exist.
    pub identity: Arc<FakeIdentity>,
    /// Who may do what: everything, until a test forbids it.
    pub policy: Arc<FakePolicy>,
    /// What was recorded.
    pub journal: FakeJournal,
    /// The contexts.
    pub contexts: Arc<FakeContexts>,
    /// The approvals.
    pub approvals: Arc<FakeApprovals>,
    /// The large results.
    pub artifacts: Arc<FakeArtifacts>,
    state_dir: tempfile::TempDir,
}

/// A gate over `servers`, each connected with an empty config section, and its record.
///
/// The principals `admin` and `viewer` hold the tokens `token-of-admin` and `token-of-viewer`.
pub async fn gate(servers: &[ServerEntry]) -> (Arc<Gate>, FakeJournal) {
    let rig = Rig::new(servers, Tuning::default()).await;
    (rig.gate, rig.journal)
}

impl Rig {
    /// Connects `servers` with empty config sections and builds the standard road over them.
    pub async fn new(servers: &[ServerEntry], tuning: Tuning) -> Self {
        let state_dir = tempfile::tempdir().expect("a temporary folder");
        let mut mounts = Vec::new();
        for entry in servers {
            let start = StartContext {
                state_dir: state_dir.path().to_owned(),
                roots: vec![state_dir.path().to_owned()],
                ..StartContext::default()
            };
            let mounted = (entry.mount)(json!({}), start).await;
            mounts.push(Mount::ready(mounted.expect("the server starts with an empty config section")));
        }
        let identity = Arc::new(FakeIdentity::default());
        identity.add("admin", PrincipalKind::User, &["admin"]);
        identity.add("viewer", PrincipalKind::User, &["viewer"]);
        let policy = Arc::new(FakePolicy::default());
        let journal = FakeJournal::default();
        let contexts = Arc::new(FakeContexts::default());
        let approvals = Arc::new(FakeApprovals::default());
        let artifacts = Arc::new(FakeArtifacts::default());
        let gate = Gate::new(GateParts {
            identity: identity.clone(),
            policy: policy.clone(),
            journal: Arc::new(journal.clone()),
            contexts: contexts.clone(),
            approvals: approvals.clone(),
            artifacts: artifacts.clone(),
            registry: Registry::new(mounts),
            tuning,
        });
        Self { gate, identity, policy, journal, contexts, approvals, artifacts, state_dir }
    }

    /// The folder the servers may use; goes away with the rig.
    pub fn folder(&self) -> &std::path::Path {
        self.state_dir.path()
    }

    /// One of the principals, authenticated.
    pub fn caller(&self, id: &str) -> Verified {
        let token = Secret::new(format!("token-of-{id}"));
        self.gate.authenticate(&token, Door::Cli).expect("the principal exists")
    }

    /// A call of `admin` to `tool` (`server.tool`).
    pub fn request(&self, tool: &str, args: Value) -> Request {
        let (server, tool) = tool.split_once('.').expect("a name of the form server.tool");
        Request::new(self.caller("admin"), server, tool, args, Door::Cli)
    }

    /// Calls as `admin`; `Err` holds the error's code.
    pub async fn call(&self, tool: &str, args: Value) -> Result<Value, &'static str> {
        let outcome = self.gate.call(self.request(tool, args)).await;
        outcome.map(|answer| answer.structured).map_err(|error| error.kind.code())
    }
}
