//! One backend and the tools that work on it.

use std::{future::Future, path::PathBuf};

use schemars::JsonSchema;
use serde::{Serialize, de::DeserializeOwned};

use crate::{Tool, erased::Entry};

/// A connection to one backend, and the tools that use it.
pub trait Server: Sized + Send + Sync + 'static {
    /// Folder, crate suffix, config key and tool prefix share `FACTS.name`.
    const FACTS: ServerFacts;
    /// Typed and documented; unknown keys are errors; an empty section must be a usable default.
    type Config: DeserializeOwned + JsonSchema + Send;

    /// The tools, in the order a reader should meet them.
    ///
    /// Static, so that `tools/list` and the docs work while the backend is down.
    fn tools() -> Toolbox<Self>;

    /// Opens connections. The only place where a server learns its config.
    fn connect(
        config: Self::Config,
        start: StartContext,
    ) -> impl Future<Output = Result<Self, StartError>> + Send;

    /// Whether the backend answers. Bounded: must return within a few seconds.
    fn health(&self) -> impl Future<Output = Health> + Send {
        async { Health::Ready }
    }

    /// Suggests values for one argument, best first; at most 100 are shown.
    fn complete(&self, tool: &str, argument: &str, prefix: &str) -> impl Future<Output = Vec<String>> + Send {
        let _ = (tool, argument, prefix);
        async { Vec::new() }
    }
}

/// What a catalogue shows of a server.
#[derive(Clone, Copy, Debug, Serialize)]
pub struct ServerFacts {
    /// For example `desktop-commander`.
    pub name: &'static str,
    /// Semantic version.
    pub version: &'static str,
    /// For example `Infrastructure`.
    pub category: &'static str,
    /// Other names under which the same server is addressed.
    pub aliases: &'static [&'static str],
    /// One or two sentences for people and models.
    pub description: &'static str,
    /// Calls that may run at the same time unless configured (scanners: 3).
    pub concurrency: u32,
    /// Whether tools reach systems beyond this machine; becomes `openWorldHint`.
    pub open_world: bool,
}

/// What a server gets besides its own config when it starts.
#[derive(Clone, Debug, Default)]
pub struct StartContext {
    /// A private folder for the server's own state. Exists.
    pub state_dir: PathBuf,
    /// Folders the operator opened to tools that touch files. Empty means nothing is allowed.
    pub roots: Vec<PathBuf>,
    /// Paths no tool may change even inside a root: our config, data directory and policies.
    pub protected: Vec<PathBuf>,
    /// The program that confines children: run as `launcher __sandbox …`. `None`: nothing can be confined.
    pub launcher: Option<PathBuf>,
}

/// Whether a backend can be used.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Health {
    /// It answers.
    Ready,
    /// It does not; the sentence says why and what would help.
    Unavailable(String),
}

/// Why a server did not start.
#[derive(Debug, thiserror::Error)]
#[error("server `{server}` did not start: {reason}")]
pub struct StartError {
    /// Which one.
    pub server: String,
    /// In one sentence, with the way to mend it.
    pub reason: String,
}

impl StartError {
    /// A start failure of `server`.
    pub fn new(server: impl Into<String>, reason: impl Into<String>) -> Self {
        Self { server: server.into(), reason: reason.into() }
    }
}

/// An ordered list of tools of one server.
pub struct Toolbox<S> {
    pub(crate) entries: Vec<Entry<S>>,
}

impl<S: Server> Toolbox<S> {
    /// An empty box.
    #[expect(clippy::new_without_default, reason = "an empty toolbox is only a starting point")]
    pub fn new() -> Self {
        Self { entries: Vec::new() }
    }

    /// Adds one tool.
    #[must_use]
    pub fn with<T: Tool<Server = S>>(mut self) -> Self {
        self.entries.push(Entry::of::<T>());
        self
    }
}
