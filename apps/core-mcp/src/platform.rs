//! How the parts become one gate.
//!
//! [`Platform`] is everything a door needs; [`Local`] is what governance commands need of the data
//! directory. `mounts` starts the servers, `set_up` makes a data directory, `running` is the lock of the
//! serving process.

use std::{path::PathBuf, sync::Arc};

use audit::{AuditLog, AuditOptions};
use gateway::Gateway;
use identity::{ADMIN_ROLE, Authenticator, IdentityError, IdentityStore, OAuth, TokenOptions};
use kernel::{ErrorKind, Principal, PrincipalKind, Secret, ToolError};
use pipeline::{
    Door, Gate, GateParts, Registry, Verified,
    seams::{AuditEntry, Credentials},
};
use policy::{Manifest, PolicyEngine, PolicyErrors};
use serde_json::{Value, json};
use store::{Clock, DataDir, State, StateOptions};
use vault::Vault;

use crate::{
    app::App,
    config::{Loaded, Settings, Sources},
    failure::Failure,
};

mod descriptors;
mod local;
mod mounts;
mod running;
mod set_up;
mod upstreams;
mod wire;
mod workflows;

pub(crate) use descriptors::connections_that_fit;
pub(crate) use local::{Local, about};
pub(crate) use mounts::{Mounts, mount};
pub(crate) use running::{Running, RunningLock};
pub(crate) use set_up::{SetUp, set_up};
pub(crate) use upstreams::setting;
pub(crate) use wire::wire;
pub(crate) use workflows::{Workflows, tool_catalog};

/// The whole of core-mcp in one process: what doors talk to, and what keeps it going.
pub(crate) struct Platform {
    /// The gate every call goes through.
    pub(crate) gate: Arc<Gate>,
    /// Where everything is kept.
    pub(crate) data: DataDir,
    /// The configuration it was started with.
    pub(crate) config: Loaded,
    /// The policies in force.
    pub(crate) policy: Arc<PolicyEngine>,
    /// Users and tokens.
    pub(crate) identity: Arc<IdentityStore>,
    /// Every way to prove who calls.
    pub(crate) authenticator: Arc<Authenticator>,
    /// Secrets at rest.
    pub(crate) vault: Arc<Vault>,
    /// Contexts, approvals and artifacts.
    pub(crate) state: State,
    /// Workflows and their runs.
    pub(crate) workflows: Workflows,
    /// Other MCP servers.
    pub(crate) gateway: Arc<Gateway>,
    journal: Arc<AuditLog>,
}

impl Platform {
    /// Opens the data directory, the stores and the wanted servers. Fails when any part that calls rely on
    /// cannot be used; a server that does not start is listed with its reason instead.
    pub(crate) async fn open(app: &App, sources: &Sources, wanted: Mounts) -> Result<Self, Failure> {
        let config = app.load_config(sources)?;
        let data = open_data(&app.existing_data_root()?)?;
        let identity = Arc::new(IdentityStore::open(&data).map_err(no_identity)?);
        let vault = Arc::new(Vault::open(&data).map_err(ToolError::from)?);
        let oauth = oauth(&config.settings, &vault)?;
        let clients = &config.settings.server.tls.clients;
        let authenticator = Arc::new(Authenticator::new(identity.clone(), oauth, clients));
        let options =
            AuditOptions { durability: config.settings.audit.durability, ..AuditOptions::default() };
        let journal = Arc::new(AuditLog::open(&data, options).map_err(no_journal)?);
        let state = State::open(&data, StateOptions::default()).map_err(|error| {
            Failure::local("the state cannot be opened", error).hint("run `core-mcp doctor`")
        })?;
        let files: Vec<PathBuf> = sources.files().map(Into::into).collect();
        let registry = mount(&wanted, &config.settings, (&data, &vault), &files).await;
        let workflows = Workflows::open(&data, &config.settings.workflow, &registry, &wanted)?;
        let (policy, _) =
            PolicyEngine::open(data.policies(), manifest(&registry, &identity)?).map_err(refused_policies)?;
        let gate = Gate::new(GateParts {
            identity: authenticator.clone(),
            policy: policy.clone(),
            journal: journal.clone(),
            contexts: state.contexts.clone(),
            approvals: state.approvals.clone(),
            artifacts: state.artifacts.clone(),
            registry,
            tuning: config.settings.tuning.clone(),
        });
        workflows.through(&gate);
        let gateway = upstreams::gateway(&gate, &data, &files);
        let platform = Self {
            gate,
            data,
            config,
            policy,
            identity,
            authenticator,
            vault,
            state,
            workflows,
            gateway,
            journal,
        };
        platform.mount_upstreams(&platform.config.settings, &wanted).await;
        Ok(platform)
    }

    /// The configuration it was started with.
    pub(crate) fn settings(&self) -> &Settings {
        &self.config.settings
    }

    /// Judges tokens by changed settings.
    pub(crate) fn oauth(&self, settings: &Settings) -> Result<OAuth, Failure> {
        oauth(settings, &self.vault)
    }

    /// Ends everything in order: servers first, then the last audit records reach the disk.
    pub(crate) async fn close(self) -> Result<(), Failure> {
        let Self { gate, journal, state, workflows, gateway, .. } = self;
        workflows.close().await;
        gateway.close().await;
        drop((workflows, gateway, gate, state));
        close_journal(journal).await
    }

    /// Proves who holds a token of ours, or one of a configured authorization server.
    pub(crate) async fn admit(&self, token: &Secret<String>, door: Door) -> Result<Verified, Failure> {
        let shown = Credentials { token: Some(token), ..Credentials::default() };
        Ok(self.gate.admit(&shown, door).await.map_err(|refused| refused.error)?)
    }

    /// A fresh token for the first administrator, who is made when missing. Somebody whom the operator
    /// disabled, or took the role from, stays so.
    pub(crate) fn first_token(&self, name: &str) -> Result<Secret<String>, Failure> {
        match self.identity.principal(name) {
            Err(IdentityError::Unknown { .. }) => {
                self.identity.create_principal(name, PrincipalKind::User).map_err(ToolError::from)?;
                self.identity.grant_role(name, ADMIN_ROLE).map_err(ToolError::from)?;
                self.event("user.created", json!({ "principal": name, "roles": [ADMIN_ROLE] }))?;
            }
            known => drop(known.map_err(ToolError::from)?),
        }
        let options = TokenOptions { label: "quickstart".into(), ..TokenOptions::default() };
        let made = self.identity.create_token(name, &options).map_err(ToolError::from)?;
        self.event("token.created", json!({ "principal": name, "token_id": made.info.id }))?;
        Ok(made.secret)
    }

    /// Records something the system's owner did at this machine.
    fn event(&self, name: &str, detail: Value) -> Result<(), Failure> {
        self.event_by(&Local::operator(), name, detail)
    }

    /// Records something `who` did at the command line besides calling tools.
    pub(crate) fn event_by(&self, who: &Principal, name: &str, detail: Value) -> Result<(), Failure> {
        let entry = AuditEntry {
            principal: who.id.clone(),
            token_id: who.token_id.clone(),
            door: Door::Cli.as_str().into(),
            ..AuditEntry::event(name, detail)
        };
        Ok(self.gate.record(entry)?)
    }
}

/// Opens a data directory that exists, and refuses one that is not ours alone.
pub(crate) fn open_data(root: &std::path::Path) -> Result<DataDir, Failure> {
    DataDir::open(root).map_err(|error| Failure::local("the data directory cannot be used", error))
}

/// Judges tokens of the configured authorization servers.
pub(crate) fn oauth(settings: &Settings, vault: &Vault) -> Result<OAuth, Failure> {
    let look_up = |reference: &str| vault.resolve(reference).map_err(|error| error.to_string());
    OAuth::new(&settings.auth.oauth, settings.server.public_url(), &look_up, Clock::system())
        .map_err(|reason| Failure::usage(format!("[auth.oauth] cannot be used: {reason}")))
}

/// What policies may name: every server of the catalogue and every role.
pub(crate) fn manifest(registry: &Registry, identity: &IdentityStore) -> Result<Manifest, Failure> {
    let roles = identity.list_roles().map_err(ToolError::from)?;
    Ok(Manifest::of(registry).roles(roles.into_iter().map(|it| it.name)))
}

/// Said to whoever owns the machine: with the file's name, which callers from outside are not told.
pub(crate) fn no_identity(error: IdentityError) -> Failure {
    let what = "the identities cannot be opened";
    match error {
        IdentityError::Store(error) => Failure::local(what, error).hint("run `core-mcp doctor`"),
        IdentityError::Database(error) => {
            Failure::local(what, format!("identity.db: {error}")).hint("run `core-mcp doctor`")
        }
        other => ToolError::from(other).into(),
    }
}

fn no_journal(error: impl std::fmt::Display) -> Failure {
    Failure::new(ErrorKind::AuditUnavailable, format!("nothing runs without its audit log: {error}"))
        .hint("run `core-mcp doctor`")
}

/// Nothing runs without a valid policy set.
fn refused_policies(errors: PolicyErrors) -> Failure {
    let failure = Failure::usage("the policies were refused, so nothing would be allowed");
    errors.findings.iter().take(20).fold(failure, |failure, finding| failure.hint(finding.to_string()))
}

async fn close_journal(journal: Arc<AuditLog>) -> Result<(), Failure> {
    match tokio::task::spawn_blocking(move || journal.shutdown()).await {
        Ok(Ok(())) => Ok(()),
        Ok(Err(error)) => Err(Failure::local("the last audit records could not be written", error)),
        Err(error) => Err(Failure::local("the audit log did not close", error)),
    }
}
