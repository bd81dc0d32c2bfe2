//! What the road needs from the platform. Declared where it is used, implemented in `platform/*`.

use std::{
    future::Future,
    pin::Pin,
    sync::Arc,
    task::{Context, Poll},
};

use kernel::{ApprovalTicket, BoxFuture, Effect, ErrorKind, Principal, Resource, Secret, ToolError};
use serde::{Deserialize, Serialize};
use serde_json::Value;
use tokio::sync::oneshot;

/// Turns credentials into principals.
pub trait Identity: Send + Sync + 'static {
    /// Who holds this token? Expired, revoked and unknown tokens fail alike with `AuthenticationFailed`.
    ///
    /// Called on every request, so it must be fast (microseconds) and must notice a revocation made by
    /// another process within 100 ms.
    fn authenticate(&self, token: &Secret<String>) -> Result<Arc<Principal>, ToolError>;

    /// The same for everything a caller can show at a door.
    fn admit(&self, shown: &Credentials<'_>) -> Result<Arc<Principal>, NotAdmitted> {
        match shown.token {
            Some(token) => Ok(self.authenticate(token)?),
            None => Err(ToolError::new(ErrorKind::AuthenticationFailed, "no token was shown").into()),
        }
    }

    /// Brings in what judging these credentials needs and is not here yet: keys of an issuer, an answer of
    /// it. `None`: nothing is missing. Doors that can wait do so before they ask [`Identity::admit`].
    fn prepare<'a>(&'a self, _shown: &'a Credentials<'a>) -> Option<BoxFuture<'a, ()>> {
        None
    }

    /// Whether a principal authenticated earlier (a long session) is still good.
    fn still_valid(&self, principal: &Principal) -> bool;

    /// A principal as it is now, for work it started earlier: a run of a workflow outlives its token.
    /// Unknown and disabled ones are refused, and everybody by who cannot tell.
    fn current(&self, id: &str) -> Result<Arc<Principal>, ToolError> {
        let message = format!("`{id}` cannot be looked up here");
        Err(ToolError::new(kernel::ErrorKind::AuthenticationFailed, message))
    }

    /// Who the caller would be with one more scope each, for scopes that their token lacks.
    fn with_more_scope(&self, _principal: &Principal) -> Vec<(String, Principal)> {
        Vec::new()
    }

    /// Who issues tokens for us besides ourselves, for the protected-resource document.
    fn issuers(&self) -> Arc<Issuers> {
        Arc::default()
    }
}

/// What a caller shows at a door.
#[derive(Clone, Copy, Debug, Default)]
pub struct Credentials<'a> {
    /// A bearer token.
    pub token: Option<&'a Secret<String>>,
    /// The URL that was asked for, as tokens name their audience; never taken from the request's own words
    /// about its host. `None` at doors that have no URL.
    pub resource: Option<&'a str>,
    /// The certificate the connection was opened with, after TLS verified it.
    pub certificate: Option<&'a ClientCertificate>,
}

/// A client certificate whose chain and possession of the key TLS has verified.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ClientCertificate {
    /// SHA-256 of its DER form.
    pub sha256: [u8; 32],
    /// Alternative names: `dns:…` and `uri:…`; and `cn:…` when the subject has exactly one common name.
    pub names: Vec<String>,
}

/// Why somebody was not let in.
#[derive(Debug)]
pub struct NotAdmitted {
    /// `AuthenticationFailed`, or `PermissionDenied` when the token is good and gives nothing here.
    pub error: ToolError,
    /// Scopes that would help, for the `WWW-Authenticate` header.
    pub scopes: Vec<String>,
}

impl From<ToolError> for NotAdmitted {
    fn from(error: ToolError) -> Self {
        Self { error, scopes: Vec::new() }
    }
}

/// Who issues tokens for us.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Issuers {
    /// Issuer URLs, as RFC 9728 lists authorization servers.
    pub authorization_servers: Vec<String>,
    /// Scopes that mean something here.
    pub scopes: Vec<String>,
    /// Scopes a client should ask for first.
    pub first_scopes: Vec<String>,
}

/// The three actions of `mcp.{server}:{action}`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Action {
    /// See that a tool exists.
    List,
    /// Call a tool.
    Execute,
    /// See a server's information, health, resources and completions.
    Read,
}

impl Action {
    /// `list`, `execute` or `read`.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::List => "list",
            Self::Execute => "execute",
            Self::Read => "read",
        }
    }
}

/// One question to the policy set. Borrowed, so that asking costs no allocation.
#[derive(Clone, Copy, Debug)]
pub struct PolicyQuestion<'a> {
    /// Who asks.
    pub principal: &'a Principal,
    /// To do what.
    pub action: Action,
    /// On which server (catalogue name).
    pub server: &'a str,
    /// Its category, for example `Infrastructure`.
    pub category: &'a str,
    /// Which tool; `None` when the server itself is meant.
    pub tool: Option<&'a str>,
    /// What the tool does to the world; `None` with `tool`.
    pub effect: Option<Effect>,
    /// What the call names. Empty in listings.
    pub resources: &'a [Resource],
    /// `http`, `stdio`, `cli` or `workflow`.
    pub door: &'a str,
    /// The context id, if any.
    pub context: Option<&'a str>,
}

/// What the policy set says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Decision {
    /// Whether the call may go on.
    pub allowed: bool,
    /// Ids of the policies that decided. Empty when nothing matched (default deny).
    pub policies: Vec<String>,
    /// Duties that come with a permit. An obligation holds only if every permit that matched carries it.
    pub obligations: Obligations,
}

/// Duties that come with a permit, written as Cedar annotations on it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Obligations {
    /// `@approval("…")`: a human must say yes first; the text says why.
    pub approval: Option<String>,
    /// `@redact("a,b")`: names of result fields to mask.
    pub redact: Vec<String>,
    /// `@rate_class("name")`: counts against this class instead of the tool's own.
    pub rate_class: Option<String>,
}

/// Decides, from policies that are compiled once and swapped atomically.
pub trait Policy: Send + Sync + 'static {
    /// Decides one question. Pure within one generation.
    fn decide(&self, question: &PolicyQuestion<'_>) -> Decision;
    /// Grows with every successful reload.
    fn generation(&self) -> u64;
}

/// Which half of a call a record is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Phase {
    /// Before anything happened.
    Intent,
    /// How it ended. Written even when the caller hung up or the tool panicked.
    Outcome,
    /// Not a call: a token made, a policy reloaded, a breaker moved, a login refused.
    Event,
}

/// One audit record, before the journal gives it a number and a hash. Holds no secret: arguments are masked.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct AuditEntry {
    /// Which half of the call.
    pub phase: Phase,
    /// Joins intent and outcome.
    pub call_id: String,
    /// Unix time in microseconds.
    pub at: i64,
    /// Empty when the caller was not recognised.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub principal: String,
    /// Public id of the token used.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub token_id: Option<String>,
    /// `http`, `stdio`, `cli`, `workflow` or `system`.
    pub door: String,
    /// Catalogue name as far as it was resolved, else as sent.
    pub server: String,
    /// Tool name as sent; for events, the event's name such as `token.created`.
    pub tool: String,
    /// `read`, `write` or `destroy`, once known.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub effect: Option<String>,
    /// The context id.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub context: Option<String>,
    /// Masked arguments, bounded; on intents only.
    #[serde(default, skip_serializing_if = "Value::is_null")]
    pub args: Value,
    /// SHA-256 of the canonical arguments.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub args_digest: Option<String>,
    /// What the call names.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub resources: Vec<Resource>,
    /// Policies that decided.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub policies: Vec<String>,
    /// `ok`, an error code, or `abandoned`; on outcomes only.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub code: Option<String>,
    /// One sentence, when it failed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub message: Option<String>,
    /// Wall time of the call in microseconds; on outcomes only.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub duration_us: Option<u64>,
    /// W3C trace id.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub trace_id: Option<String>,
    /// Facts of an event.
    #[serde(default, skip_serializing_if = "Value::is_null")]
    pub detail: Value,
}

/// Why a record could not be kept.
#[derive(Clone, Debug, thiserror::Error)]
#[error("the audit journal cannot be written: {reason}")]
pub struct JournalError {
    /// In a few words, for the operator.
    pub reason: String,
}

/// Resolves when a record is durable in the sense of `audit.durability`.
pub struct Durable(oneshot::Receiver<Result<(), JournalError>>);

impl Durable {
    /// Waits for what `receiver` reports.
    pub fn pending(receiver: oneshot::Receiver<Result<(), JournalError>>) -> Self {
        Self(receiver)
    }
}

impl Future for Durable {
    type Output = Result<(), JournalError>;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        Pin::new(&mut self.0)
            .poll(cx)
            .map(|reply| reply.unwrap_or_else(|_| Err(JournalError { reason: "the journal stopped".into() })))
    }
}

/// The append-only record.
pub trait Journal: Send + Sync + 'static {
    /// Queues one record in call order and returns at once; the queue is bounded and a full or broken
    /// journal refuses. Dropping the [`Durable`] does not drop the record.
    fn append(&self, entry: AuditEntry) -> Result<Durable, JournalError>;

    /// False while records cannot be kept, and so calls are refused. It turns true again by itself.
    fn is_healthy(&self) -> bool;
}

/// Contexts: which servers a group of calls may use, and what it did so far.
pub trait Contexts: Send + Sync + 'static {
    /// Refuses when the context does not exist, has expired, belongs to somebody else, or does not
    /// enable `server`.
    fn admit(&self, id: &str, principal: &Principal, server: &str) -> Result<(), ToolError>;
    /// The servers the context enables, for listings.
    fn servers(&self, id: &str, principal: &Principal) -> Result<Vec<String>, ToolError>;
    /// Adds one finished call to the bounded history. Must not block.
    fn remember(&self, id: &str, call: HistoryEntry);
}

/// One line of a context's history.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct HistoryEntry {
    /// Joins the audit records.
    pub call_id: String,
    /// `server.tool`.
    pub tool: String,
    /// `ok` or an error code.
    pub code: String,
    /// Unix time in microseconds.
    pub at: i64,
    /// Wall time in microseconds.
    pub duration_us: u64,
}

/// Pending and granted approvals. A grant is bound to one principal and one digest, works once, and expires.
pub trait Approvals: Send + Sync + 'static {
    /// Opens a request, or returns the open one of the same principal and digest.
    fn open(&self, request: ApprovalRequest) -> Result<ApprovalTicket, ToolError>;
    /// Uses up a grant. `Ok(false)`: none. Decided atomically: two callers cannot both get `true`.
    fn consume(&self, principal: &str, digest: &str) -> Result<bool, ToolError>;
    /// Records a decision of `by`, given `via` `cli`, `console`, `elicitation` or `input_required`. Refuses
    /// who may not decide: at the caller's own client only the caller, in the queue nobody about themselves.
    fn decide(&self, id: &str, grant: bool, by: &Principal, via: &str) -> Result<(), ToolError>;
}

/// What a human is asked.
#[derive(Clone, Debug)]
pub struct ApprovalRequest {
    /// Whose call.
    pub principal: String,
    /// `server.tool`.
    pub tool: String,
    /// SHA-256 of server, tool and canonical arguments.
    pub digest: String,
    /// What a human reads; one argument per line, secrets masked.
    pub question: String,
    /// Why policy asks.
    pub reason: String,
}

/// Results too large to send, kept readable as MCP resources for their owner.
pub trait Artifacts: Send + Sync + 'static {
    /// Keeps `bytes` for `owner` and returns `artifact://…`.
    fn put<'a>(
        &'a self,
        owner: &'a Principal,
        mime: &'a str,
        bytes: Vec<u8>,
    ) -> BoxFuture<'a, Result<String, ToolError>>;
    /// Reads it back; somebody else's is not found. At most `limit` bytes from `offset`.
    fn get<'a>(
        &'a self,
        owner: &'a Principal,
        uri: &'a str,
        offset: u64,
        limit: usize,
    ) -> BoxFuture<'a, Result<Artifact, ToolError>>;
    /// The newest artifacts of `owner`, at most `limit`.
    fn list<'a>(
        &'a self,
        owner: &'a Principal,
        limit: usize,
    ) -> BoxFuture<'a, Result<Vec<ArtifactInfo>, ToolError>>;
}

/// A piece of an artifact.
#[derive(Clone, Debug)]
pub struct Artifact {
    /// Media type.
    pub mime: String,
    /// The bytes asked for.
    pub bytes: Vec<u8>,
    /// Size of the whole.
    pub total: u64,
}

/// An artifact in a listing.
#[derive(Clone, Debug, Serialize)]
pub struct ArtifactInfo {
    /// `artifact://…`.
    pub uri: String,
    /// Media type.
    pub mime: String,
    /// Bytes.
    pub size: u64,
    /// Unix seconds.
    pub created_at: i64,
}
