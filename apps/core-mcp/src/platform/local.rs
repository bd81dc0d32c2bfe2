//! Governance on this machine: no token, because whoever owns the data directory owns what is in it.

use std::{future::Future, sync::Arc};

use audit::{AuditLog, AuditOptions, Durability};
use identity::{ADMIN_ROLE, IdentityError, IdentityStore};
use kernel::{Principal, PrincipalKind, ToolError};
use pipeline::{
    Door, Mount, Registry,
    seams::{AuditEntry, Journal, JournalError},
};
use policy::{Manifest, PolicyEngine};
use serde_json::{Value, json};
use store::{Clock, DataDir};

use super::{manifest, refused_policies};
use crate::{app::App, failure::Failure};

/// The data directory, opened by its owner. `DataDir::open` refuses everybody else.
pub(crate) struct Local {
    /// Where everything is kept.
    pub(crate) data: DataDir,
    /// Users and tokens.
    pub(crate) identity: IdentityStore,
}

impl Local {
    /// Opens an existing data directory.
    pub(crate) fn open(app: &App) -> Result<Self, Failure> {
        let data = super::open_data(&app.existing_data_root()?)?;
        let identity = IdentityStore::open(&data).map_err(super::no_identity)?;
        Ok(Self { data, identity })
    }

    /// Who the audit log says it was: the system user, who needed no token.
    pub(crate) fn operator_name() -> String {
        format!("local:uid-{}", rustix::process::getuid().as_raw())
    }

    /// The same as a principal: whoever owns the data directory is its administrator.
    pub(crate) fn operator() -> Principal {
        Principal {
            id: Self::operator_name(),
            kind: PrincipalKind::User,
            roles: vec![ADMIN_ROLE.into()],
            token_id: None,
        }
    }

    /// Makes one change and records it, before (`started`) and after. What cannot be recorded is not changed; a
    /// refused change is recorded too.
    pub(crate) async fn change<T>(
        &self,
        event: &str,
        detail: Value,
        change: impl FnOnce(&IdentityStore) -> Result<T, IdentityError>,
    ) -> Result<T, Failure> {
        self.recorded(event, detail, async { change(&self.identity).map_err(ToolError::from) }).await
    }

    /// The same for changes of other stores.
    pub(crate) async fn recorded<T>(
        &self,
        event: &str,
        detail: Value,
        change: impl Future<Output = Result<T, ToolError>>,
    ) -> Result<T, Failure> {
        let options = AuditOptions { durability: Durability::Sync, ..AuditOptions::default() };
        let journal = Arc::new(AuditLog::open(&self.data, options).map_err(super::no_journal)?);
        let entry = AuditEntry {
            principal: Self::operator_name(),
            door: Door::Cli.as_str().into(),
            code: Some("started".into()),
            ..AuditEntry::event(event, detail)
        };
        keep(&journal, entry.clone()).await.map_err(|error| super::no_journal(error.reason))?;
        let done = change.await;
        let after = AuditEntry {
            at: Clock::system().now_us(),
            code: Some(done.as_ref().err().map_or("ok", |error| error.kind.code()).into()),
            message: done.as_ref().err().map(|error| error.message.clone()),
            ..entry
        };
        let kept = keep(&journal, after).await;
        super::close_journal(journal).await?;
        kept.map_err(|error| {
            Failure::local("the change was made but how it ended could not be recorded", error)
        })?;
        Ok(done?)
    }

    /// Somebody of this installation, as policies see them.
    pub(crate) fn principal(&self, name: &str) -> Result<Principal, Failure> {
        let found = self.identity.principal(name).map_err(ToolError::from)?;
        Ok(Principal { id: found.id, kind: found.kind, roles: found.roles, token_id: None })
    }

    /// The catalogue, without starting anything.
    pub(crate) fn registry(&self) -> Registry {
        let entries = catalog::native_servers().into_iter();
        Registry::new(entries.map(|it| Mount::unavailable(it.facts, (it.specs)(), "not started")).collect())
    }

    /// What policies may name.
    pub(crate) fn manifest(&self) -> Result<Manifest, Failure> {
        manifest(&self.registry(), &self.identity)
    }

    /// The policies of the data directory.
    pub(crate) fn policy(&self) -> Result<Arc<PolicyEngine>, Failure> {
        let opened = PolicyEngine::open(self.data.policies(), self.manifest()?);
        opened.map(|(engine, _)| engine).map_err(refused_policies)
    }
}

/// Writes one record and waits until it is on the disk.
async fn keep(journal: &AuditLog, entry: AuditEntry) -> Result<(), JournalError> {
    journal.append(entry)?.await
}

/// The detail of an event about one principal.
pub(crate) fn about(principal: &str) -> Value {
    json!({ "principal": principal })
}
