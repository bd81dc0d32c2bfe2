//! One call on its way to a tool.

use std::{sync::Arc, time::Instant};

use kernel::{
    ApprovalTicket, BoxFuture, CallId, Client, ErrorKind, Facts, Prepared, Principal, Progress, Raw,
    Resource, ToolError, ToolSpec,
};
use parking_lot::Mutex;
use serde::Serialize;
use serde_json::Value;
use tokio_util::sync::CancellationToken;

use crate::{
    Permit,
    registry::printable,
    seams::{Action, Durable, Obligations},
};

/// What a call ends with.
pub type Outcome = Result<Answer, ToolError>;

/// A successful result, shaped for the caller.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Answer {
    /// The tool's typed result: a JSON object. Of a relayed result, what programs will want of it.
    pub structured: Value,
    /// A relayed result in the protocol's own form, which doors pass on instead.
    pub raw: Option<Raw>,
    /// True when text from outside is in it; doors mark it as data, not instructions.
    pub untrusted: bool,
    /// True when the result was cut to fit.
    pub truncated: bool,
    /// Where the whole result can be read, when it was cut.
    pub artifact_uri: Option<String>,
    /// Secrets masked in the result.
    pub masked: usize,
    /// True when the cache answered.
    pub cached: bool,
}

impl Answer {
    /// A plain result.
    pub fn new(structured: Value) -> Self {
        Self {
            structured,
            raw: None,
            untrusted: false,
            truncated: false,
            artifact_uri: None,
            masked: 0,
            cached: false,
        }
    }
}

/// Which way a call came in.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Door {
    /// Streamable HTTP.
    Http,
    /// MCP over stdio.
    Stdio,
    /// `core-mcp call`.
    Cli,
    /// A workflow step.
    Workflow,
}

impl Door {
    /// The word policies and audit use.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Http => "http",
            Self::Stdio => "stdio",
            Self::Cli => "cli",
            Self::Workflow => "workflow",
        }
    }
}

/// A principal that [`crate::Gate::authenticate`] has seen proof of. Nothing else can make one.
#[derive(Clone, Debug)]
pub struct Verified(pub(crate) Arc<Principal>);

impl Verified {
    /// Who it is.
    pub fn principal(&self) -> &Arc<Principal> {
        &self.0
    }
}

/// What a request is about.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Operation {
    /// `tools/call`.
    Tool,
    /// Another method of the protocol, answered by the server's `Peer`.
    Method(Method),
}

/// A request to a `Peer` that is no tool call.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Method {
    /// For example `resources/read`.
    pub name: String,
    /// What policy is asked: to `read` the server, or to `execute` something there.
    pub action: Action,
    /// What it names, for policy and audit.
    pub resources: Vec<Resource>,
}

/// A `tools/call` or another request to one server, still untyped.
#[derive(Clone)]
pub struct Request {
    /// Who calls; proven at the door.
    pub caller: Verified,
    /// Catalogue name or alias.
    pub server: String,
    /// Tool name within the server.
    pub tool: String,
    /// As sent. Anything but an object is refused.
    pub args: Value,
    /// A tool call, unless it says otherwise. Then `tool` is the method's name.
    pub operation: Operation,
    /// The parameters as the client wrote them, with names and ids as the server knows them.
    pub params: Option<Raw>,
    /// The client, for servers that tell or ask it something.
    pub client: Client,
    /// Which way it came.
    pub door: Door,
    /// The context it belongs to.
    pub context_id: Option<String>,
    /// `traceparent` of the client.
    pub trace_parent: Option<String>,
    /// Same key, same call.
    pub idempotency_key: Option<String>,
    /// The id the call gets, when its door has to know it before. Must be fresh.
    pub call_id: Option<CallId>,
    /// Fires when the client cancels.
    pub cancel: CancellationToken,
    /// Where progress goes.
    pub progress: Progress,
    /// How a human at the client can be asked while the call waits, if at all.
    pub asker: Option<Arc<dyn Asker>>,
    /// The human's answer to an earlier ticket of the same call (protocol 2026-07-28).
    pub approval: Option<ApprovalReply>,
}

impl Request {
    /// A request with nothing but the essentials.
    pub fn new(caller: Verified, server: &str, tool: &str, args: Value, door: Door) -> Self {
        Self {
            caller,
            server: server.to_owned(),
            tool: tool.to_owned(),
            args,
            operation: Operation::Tool,
            params: None,
            client: Client::nobody(),
            door,
            context_id: None,
            trace_parent: None,
            idempotency_key: None,
            call_id: None,
            cancel: CancellationToken::new(),
            progress: Progress::silent(),
            asker: None,
            approval: None,
        }
    }
}

/// The answer to a ticket, carried by a repeated call.
#[derive(Clone, Debug)]
pub struct ApprovalReply {
    /// The ticket's id.
    pub id: String,
    /// What the human said.
    pub granted: bool,
}

/// Asks the human at the client while the call waits (elicitation, a terminal prompt).
pub trait Asker: Send + Sync {
    /// Asks once. The road bounds how long it waits.
    fn ask<'a>(&'a self, ticket: &'a ApprovalTicket) -> BoxFuture<'a, Question>;
}

/// What came of asking.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Question {
    /// Yes.
    Granted,
    /// No, or closed without an answer.
    Declined,
    /// This client cannot ask anybody.
    Impossible,
}

/// One call on its way. Stages fill it in.
pub struct Call {
    /// What the client sent.
    pub request: Arc<Request>,
    /// Names the call.
    pub id: CallId,
    /// When it arrived.
    pub started: Instant,
    /// What the audit line will say. Shared, because the stages that know things stand further in.
    pub record: Arc<Mutex<Record>>,
    /// Resolves when the intent record is durable; `execute` waits for it before it changes anything.
    pub(crate) intent: Arc<Mutex<Option<Durable>>>,
    /// SHA-256 of the canonical arguments, after `audit`.
    pub(crate) args_digest: String,
    /// Facts about the server, after `decode`.
    pub(crate) facts: Option<Arc<Facts>>,
    /// Facts about the tool, after `decode`.
    pub(crate) spec: Option<Arc<ToolSpec>>,
    /// The typed call, after `decode`.
    pub(crate) prepared: Option<Box<dyn Prepared>>,
    /// Duties that came with the permit, after `authorize`.
    pub(crate) obligations: Obligations,
    /// When the caller stops waiting, after `bulkhead`.
    pub(crate) deadline: Option<Instant>,
    /// Proof that policy allowed this call, after `authorize`.
    pub(crate) permit: Option<Permit>,
}

/// One audit line in the making.
#[derive(Clone, Debug, Default)]
pub struct Record {
    /// Catalogue name as far as resolved.
    pub server: String,
    /// Tool as sent.
    pub tool: String,
    /// Who.
    pub principal: String,
    /// By which token.
    pub token_id: Option<String>,
    /// `read`, `write` or `destroy`.
    pub effect: Option<&'static str>,
    /// What the call names.
    pub resources: Vec<Resource>,
    /// Policies that decided.
    pub policies: Vec<String>,
    /// W3C trace id.
    pub trace_id: Option<String>,
}

impl Call {
    /// A call that nothing has looked at yet.
    pub(crate) fn new(mut request: Request) -> Self {
        if request.args.is_null() {
            request.args = Value::Object(serde_json::Map::new());
        }
        let record = Record {
            server: printable(&request.server),
            tool: printable(&request.tool),
            principal: request.caller.0.id.clone(),
            token_id: request.caller.0.token_id.clone(),
            ..Record::default()
        };
        let id = request.call_id.clone().unwrap_or_else(CallId::random);
        Self {
            request: Arc::new(request),
            id,
            started: Instant::now(),
            record: Arc::new(Mutex::new(record)),
            intent: Arc::default(),
            args_digest: String::new(),
            facts: None,
            spec: None,
            prepared: None,
            obligations: Obligations::default(),
            deadline: None,
            permit: None,
        }
    }

    /// A second copy for another attempt, without the typed call, which an attempt uses up.
    pub(crate) fn spare(&self) -> Self {
        Self {
            request: Arc::clone(&self.request),
            id: self.id.clone(),
            started: self.started,
            record: Arc::clone(&self.record),
            intent: Arc::clone(&self.intent),
            args_digest: self.args_digest.clone(),
            facts: self.facts.clone(),
            spec: self.spec.clone(),
            prepared: None,
            obligations: self.obligations.clone(),
            deadline: self.deadline,
            permit: self.permit,
        }
    }

    /// Facts about the server. Fails if no `decode` stands further out.
    pub(crate) fn facts(&self) -> Result<&Arc<Facts>, ToolError> {
        self.facts.as_ref().ok_or_else(|| misbuilt("decoded"))
    }

    /// Facts about the tool. Fails if no `decode` stands further out.
    pub(crate) fn spec(&self) -> Result<&Arc<ToolSpec>, ToolError> {
        self.spec.as_ref().ok_or_else(|| misbuilt("decoded"))
    }

    /// The typed call. Fails if no `decode` stands further out.
    pub(crate) fn prepared(&self) -> Result<&dyn Prepared, ToolError> {
        self.prepared.as_deref().ok_or_else(|| misbuilt("decoded"))
    }
}

/// The road was put together wrongly; refusing is the only safe answer.
pub(crate) fn misbuilt(verb: &str) -> ToolError {
    ToolError::new(ErrorKind::Internal, format!("no stage {verb} this call"))
}
