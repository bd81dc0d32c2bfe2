//! What a mounted server may offer beyond typed tools: resources, prompts, completion, tasks, extensions.
//!
//! Everything here is the protocol's own JSON, in and out, so that what we do not know passes unharmed.

use std::sync::Arc;

use serde_json::{Map, Value};
use tokio::sync::broadcast;

use crate::{BoxFuture, CallContext, Principal, Raw, ToolError};

/// Notices that wait for a stream that does not read. A stream that lags further hears "everything changed".
const NOTICES_MAX: usize = 256;

/// A server that speaks the protocol's own JSON.
pub trait Peer: Send + Sync {
    /// What it offers. No I/O: it is asked for every handshake.
    fn offers(&self) -> Offers;

    /// Every item of a listing, in order, as the peer wrote them; from memory where that is possible.
    ///
    /// The caller bounds how many it takes and how long it waits, and lists the others without this one.
    fn list(
        self: Arc<Self>,
        what: Listing,
        principal: Arc<Principal>,
    ) -> BoxFuture<'static, Result<Vec<Raw>, ToolError>>;

    /// Answers one request with the result object.
    ///
    /// `cx.params` are the parameters as the client wrote them, with names and ids as this server knows
    /// them. The methods: `resources/read`, `resources/subscribe`, `resources/unsubscribe`, `prompts/get`,
    /// `completion/complete`, `tasks/get`, `tasks/update`, `tasks/cancel`, and those it [`Peer::handles`].
    fn request(
        self: Arc<Self>,
        method: String,
        cx: CallContext,
    ) -> BoxFuture<'static, Result<Raw, ToolError>>;

    /// Whether it answers a method that the protocol's core does not have.
    fn handles(&self, method: &str) -> bool {
        let _ = method;
        false
    }
}

/// A list that a peer has. Tools are not among them: see `Mounted::specs`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Listing {
    /// `resources/list`.
    Resources,
    /// `resources/templates/list`.
    Templates,
    /// `prompts/list`.
    Prompts,
}

impl Listing {
    /// The member of the result that holds the items.
    pub fn member(self) -> &'static str {
        match self {
            Self::Resources => "resources",
            Self::Templates => "resourceTemplates",
            Self::Prompts => "prompts",
        }
    }

    /// The method that asks for it.
    pub fn method(self) -> &'static str {
        match self {
            Self::Resources => "resources/list",
            Self::Templates => "resources/templates/list",
            Self::Prompts => "prompts/list",
        }
    }
}

/// What a peer offers, as `capabilities` will say it.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Offers {
    /// Resources and templates.
    pub resources: bool,
    /// Subscriptions to single resources.
    pub subscribe: bool,
    /// Prompts.
    pub prompts: bool,
    /// Completion for prompts and templates.
    pub completions: bool,
    /// Log messages.
    pub logging: bool,
    /// Tasks for tool calls.
    pub tasks: bool,
    /// Extensions by their id, with their settings.
    pub extensions: Map<String, Value>,
    /// Whether its words are ours: then they are neither cleaned nor marked.
    pub trusted: bool,
    /// What a model should know; shown on the route of this server alone.
    pub instructions: Option<String>,
}

/// Something that happened at a mounted server and that listening clients may want to hear.
#[derive(Clone, Debug, PartialEq)]
pub enum Notice {
    /// `resources/list` or the templates differ now.
    ResourcesChanged {
        /// Catalogue name.
        server: String,
    },
    /// `prompts/list` differs now.
    PromptsChanged {
        /// Catalogue name.
        server: String,
    },
    /// A resource has another content.
    ResourceUpdated {
        /// Catalogue name.
        server: String,
        /// Which resource.
        uri: String,
        /// The parameters of the notification as the peer wrote them.
        params: Raw,
    },
    /// A task moved on.
    Task {
        /// Catalogue name.
        server: String,
        /// The peer's own id of the task.
        task: String,
        /// The parameters of the notification as the peer wrote them.
        params: Raw,
    },
}

impl Notice {
    /// Whose notice it is.
    pub fn server(&self) -> &str {
        match self {
            Self::ResourcesChanged { server }
            | Self::PromptsChanged { server }
            | Self::ResourceUpdated { server, .. }
            | Self::Task { server, .. } => server,
        }
    }
}

/// Carries notices from mounted servers to whoever listens. Publishing never blocks.
#[derive(Clone, Debug)]
pub struct Notices(broadcast::Sender<Arc<Notice>>);

impl Default for Notices {
    fn default() -> Self {
        Self(broadcast::Sender::new(NOTICES_MAX))
    }
}

impl Notices {
    /// Tells everybody who listens; nobody listening is fine.
    pub fn publish(&self, notice: Notice) {
        // The error only says that nobody listens.
        self.0.send(Arc::new(notice)).ok();
    }

    /// Listens from now on.
    pub fn subscribe(&self) -> broadcast::Receiver<Arc<Notice>> {
        self.0.subscribe()
    }
}
