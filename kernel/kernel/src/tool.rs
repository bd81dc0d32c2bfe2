//! One operation that a model can call.

use std::{fmt, future::Future, time::Duration};

use schemars::JsonSchema;
use serde::{Deserialize, Serialize, de::DeserializeOwned};

use crate::{CallContext, Server, ToolError};

/// A tool call, as a value.
///
/// The implementing struct *is* the parameter list: its doc comment becomes the tool's description
/// and each field's doc comment describes that argument. Bounds written with
/// `#[schemars(range(…), length(…), regex(…))]` are enforced before [`Tool::call`] runs.
pub trait Tool: DeserializeOwned + JsonSchema + Send + Sync + 'static {
    /// The server whose connections this tool uses.
    type Server: Server;
    /// What comes back as `structuredContent`. Must serialise to a JSON object.
    type Output: Serialize + JsonSchema + Send;

    /// Everything policy and clients must know before the first call.
    const META: Meta;

    /// Whether a call may take minutes: a client that knows tasks is then given one to poll.
    const LONG: bool = false;

    /// The things this call would touch. Pure: policy and audit rely on it.
    fn resources(&self) -> Vec<Resource>;

    /// How long this call may take by its own parameters; `None` takes the configured deadline.
    fn deadline(&self) -> Option<Duration> {
        None
    }

    /// Does the work. Runs only after the pipeline has issued a permit.
    fn call(
        self,
        server: &Self::Server,
        cx: &CallContext,
    ) -> impl Future<Output = Result<Self::Output, ToolError>> + Send;
}

/// Static facts about a tool. Has no `Default`: every field is a decision.
#[derive(Clone, Copy, Debug)]
pub struct Meta {
    /// Unique within the server; documented tools keep the documents' names.
    pub name: &'static str,
    /// What a human sees in a list.
    pub title: &'static str,
    /// What the call does to the world; becomes the MCP hints.
    pub effect: Effect,
    /// Whether a result may be answered from the cache.
    pub caching: Caching,
    /// Whether the result carries text that somebody outside wrote.
    pub trust: Trust,
}

/// What a call does to the world, from harmless to final.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", tag = "kind")]
pub enum Effect {
    /// Changes nothing.
    Read,
    /// Adds or changes things, but loses nothing.
    Write {
        /// Calling twice equals calling once.
        idempotent: bool,
    },
    /// May lose something that cannot be brought back.
    Destroy {
        /// Calling twice equals calling once.
        idempotent: bool,
    },
}

impl Effect {
    /// The word policies, limits and metrics use: `read`, `write` or `destroy`.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Read => "read",
            Self::Write { .. } => "write",
            Self::Destroy { .. } => "destroy",
        }
    }

    /// Whether repeating the call is harmless. Reads always are.
    pub fn is_idempotent(self) -> bool {
        match self {
            Self::Read => true,
            Self::Write { idempotent } | Self::Destroy { idempotent } => idempotent,
        }
    }

    /// Whether the call changes nothing.
    pub fn is_read(self) -> bool {
        matches!(self, Self::Read)
    }
}

/// Whether a result may be answered from the cache.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Caching {
    /// Every call asks the backend: local files, processes, anything that must be fresh.
    Never,
    /// A read whose result stays good for the configured time, until a write to the same server.
    UntilWrite,
}

/// Where the text in a result comes from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Trust {
    /// Only our own words and facts.
    Own,
    /// Text from outside (files, logs, pages): it is cleaned and marked as data.
    Untrusted,
}

/// A thing in the outside world, as policy and audit name it.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Resource {
    /// For example `file` or `docker.container`.
    pub kind: String,
    /// For example `/srv/app/main.rs` or `web-1`.
    pub id: String,
}

impl Resource {
    /// Names one thing.
    pub fn new(kind: &'static str, id: impl fmt::Display) -> Self {
        Self { kind: kind.to_owned(), id: id.to_string() }
    }
}
