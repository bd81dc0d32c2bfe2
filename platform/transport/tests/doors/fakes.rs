//! What stands behind the gate in these tests: who is who, what is allowed, and where records go.

use std::{
    collections::HashMap,
    sync::{Arc, Mutex},
};

use kernel::{
    ApprovalTicket, BoxFuture, ErrorKind, Principal, PrincipalKind, Secret, ServerEntry, StartContext,
    ToolError,
};
use pipeline::{
    Gate, GateParts, LimitOverrides, Mount, Registry, Tuning,
    seams::{
        Action, ApprovalRequest, Approvals, Artifact, ArtifactInfo, Artifacts, AuditEntry, Contexts,
        Credentials, Decision, Durable, HistoryEntry, Identity, Issuers, Journal, JournalError, NotAdmitted,
        Obligations, Policy, PolicyQuestion,
    },
};
use tokio::sync::oneshot;

use crate::server::{Bench, Other};

/// The state a test can look at or change while the server runs.
#[derive(Default)]
pub(crate) struct Fakes {
    /// Tokens that no longer work.
    pub(crate) revoked: Mutex<Vec<String>>,
    /// Every audit record.
    pub(crate) records: Mutex<Vec<AuditEntry>>,
    granted: Mutex<HashMap<String, bool>>,
}

/// A gate with the servers `bench` and `other`; the token `ann` belongs to ann, and so on.
pub(crate) async fn gate() -> (Arc<Gate>, Arc<Fakes>) {
    let fakes = Arc::new(Fakes::default());
    let mut mounts = Vec::new();
    for entry in [ServerEntry::of::<Bench>(), ServerEntry::of::<Other>()] {
        let mounted = (entry.mount)(serde_json::json!({}), StartContext::default()).await.unwrap();
        mounts.push(Mount::ready(mounted));
    }
    let tuning = Tuning {
        defaults: LimitOverrides {
            rate_per_minute: Some(1_000_000),
            semaphore: Some(64),
            ..LimitOverrides::default()
        },
        beyond_documented: true,
        ..Tuning::default()
    };
    let gate = Gate::new(GateParts {
        identity: fakes.clone(),
        policy: fakes.clone(),
        journal: fakes.clone(),
        contexts: fakes.clone(),
        approvals: fakes.clone(),
        artifacts: fakes.clone(),
        registry: Registry::new(mounts),
        tuning,
    });
    (gate, fakes)
}

impl Fakes {
    /// How the finished calls of `tool` ended, in order.
    pub(crate) fn outcomes(&self, tool: &str) -> Vec<String> {
        let records = self.records.lock().unwrap();
        records.iter().filter(|it| it.tool == tool).filter_map(|it| it.code.clone()).collect()
    }
}

impl Identity for Fakes {
    fn authenticate(&self, token: &Secret<String>) -> Result<Arc<Principal>, ToolError> {
        let id = token.expose();
        let known = ["ann", "bob", "eve"].contains(&id.as_str());
        if !known || self.revoked.lock().unwrap().contains(id) {
            return Err(ToolError::new(ErrorKind::AuthenticationFailed, "the token is not valid"));
        }
        let (kind, roles) = (PrincipalKind::Agent, vec!["operator".into()]);
        Ok(Arc::new(Principal { id: id.clone(), kind, roles, token_id: Some(format!("t-{id}")) }))
    }

    fn still_valid(&self, principal: &Principal) -> bool {
        !self.revoked.lock().unwrap().contains(&principal.id)
    }

    /// Certificates for `spiffe://test/…` belong to the principal of that name.
    fn admit(&self, shown: &Credentials<'_>) -> Result<Arc<Principal>, NotAdmitted> {
        let token = match (shown.token, shown.certificate) {
            (Some(token), _) => token.clone(),
            (None, certificate) => {
                let mut names = certificate.into_iter().flat_map(|it| &it.names);
                let name = names.find_map(|it| it.strip_prefix("uri:spiffe://test/")).unwrap_or_default();
                Secret::new(name.to_owned())
            }
        };
        Ok(self.authenticate(&token)?)
    }

    /// With the scope `write`, `eve` would be ann.
    fn with_more_scope(&self, principal: &Principal) -> Vec<(String, Principal)> {
        let ann = Principal { id: "ann".into(), ..principal.clone() };
        if principal.id == "eve" { vec![("write".into(), ann)] } else { Vec::new() }
    }

    fn issuers(&self) -> Arc<Issuers> {
        let (authorization_servers, first_scopes) =
            (vec!["https://id.example.com".into()], vec!["read".into()]);
        Arc::new(Issuers { authorization_servers, scopes: vec!["read".into(), "write".into()], first_scopes })
    }
}

impl Policy for Fakes {
    /// `eve` may see `other` and call nothing; `danger` needs a human.
    fn decide(&self, question: &PolicyQuestion<'_>) -> Decision {
        let eve = question.principal.id == "eve";
        let allowed = !eve || (question.action != Action::Execute && question.server == "other");
        let danger = question.action == Action::Execute && question.tool == Some("danger");
        let obligations =
            Obligations { approval: danger.then(|| "it is dangerous".into()), ..Obligations::default() };
        Decision { allowed, policies: vec!["fake".into()], obligations }
    }

    fn generation(&self) -> u64 {
        0
    }
}

impl Journal for Fakes {
    fn append(&self, entry: AuditEntry) -> Result<Durable, JournalError> {
        let mut records = self.records.lock().unwrap();
        // A benchmark makes millions; no test needs more than these.
        if records.len() < 10_000 {
            records.push(entry);
        }
        drop(records);
        let (done, durable) = oneshot::channel();
        done.send(Ok(())).map_err(|_| JournalError { reason: "gone".into() })?;
        Ok(Durable::pending(durable))
    }

    fn is_healthy(&self) -> bool {
        true
    }
}

impl Contexts for Fakes {
    fn admit(&self, id: &str, principal: &Principal, server: &str) -> Result<(), ToolError> {
        if self.servers(id, principal)?.iter().any(|it| it == server) {
            return Ok(());
        }
        Err(ToolError::new(ErrorKind::PermissionDenied, format!("context `{id}` does not enable `{server}`")))
    }

    fn servers(&self, id: &str, principal: &Principal) -> Result<Vec<String>, ToolError> {
        match (id, principal.id.as_str()) {
            ("c-ann", "ann") => Ok(vec!["other".into()]),
            _ => Err(ToolError::new(ErrorKind::NotFound, "no such context")),
        }
    }

    fn remember(&self, _id: &str, _call: HistoryEntry) {}
}

impl Approvals for Fakes {
    fn open(&self, request: ApprovalRequest) -> Result<ApprovalTicket, ToolError> {
        let id = format!("ap-{}", &request.digest[..8]);
        let ticket =
            ApprovalTicket { id, digest: request.digest, question: request.question, expires_at: i64::MAX };
        self.granted.lock().unwrap().insert(ticket.id.clone(), false);
        Ok(ticket)
    }

    fn consume(&self, _principal: &str, digest: &str) -> Result<bool, ToolError> {
        let id = format!("ap-{}", &digest[..8]);
        Ok(self.granted.lock().unwrap().remove(&id).unwrap_or(false))
    }

    fn decide(&self, id: &str, grant: bool, _by: &kernel::Principal, _via: &str) -> Result<(), ToolError> {
        self.granted.lock().unwrap().insert(id.to_owned(), grant);
        Ok(())
    }
}

impl Artifacts for Fakes {
    fn put<'a>(
        &'a self,
        _owner: &'a Principal,
        _mime: &'a str,
        _bytes: Vec<u8>,
    ) -> BoxFuture<'a, Result<String, ToolError>> {
        Box::pin(async { Ok("artifact://ann-1".into()) })
    }

    fn get<'a>(
        &'a self,
        owner: &'a Principal,
        uri: &'a str,
        offset: u64,
        limit: usize,
    ) -> BoxFuture<'a, Result<Artifact, ToolError>> {
        Box::pin(async move {
            if uri != "artifact://ann-1" || owner.id != "ann" {
                return Err(ToolError::new(ErrorKind::NotFound, "no such artifact"));
            }
            let whole = "x".repeat(300_000).into_bytes();
            let from = usize::try_from(offset).unwrap().min(whole.len());
            let bytes = whole[from..whole.len().min(from + limit)].to_vec();
            Ok(Artifact { mime: "text/plain".into(), bytes, total: whole.len() as u64 })
        })
    }

    fn list<'a>(
        &'a self,
        owner: &'a Principal,
        _limit: usize,
    ) -> BoxFuture<'a, Result<Vec<ArtifactInfo>, ToolError>> {
        let own = ArtifactInfo {
            uri: "artifact://ann-1".into(),
            mime: "text/plain".into(),
            size: 300_000,
            created_at: 0,
        };
        Box::pin(async move { Ok(if owner.id == "ann" { vec![own] } else { vec![] }) })
    }
}
