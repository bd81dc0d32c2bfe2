//! The server: what it offers and what it opens at start.

use std::sync::Arc;

use guard::path::{Roots, RootsError};
use kernel::{
    ErrorKind, Health, Server, ServerEntry, ServerFacts, StartContext, StartError, ToolError, Toolbox,
};

use crate::{
    DesktopConfig,
    error::FileError,
    exec::{Commands, Engine},
    files::Files,
    tools,
};

/// This machine's files and programs, as far as the operator opened them.
pub struct DesktopCommander {
    files: Arc<Files>,
    pub(crate) commands: Commands,
}

/// What the catalogue mounts.
pub fn entry() -> ServerEntry {
    ServerEntry::of::<DesktopCommander>()
}

impl Server for DesktopCommander {
    const FACTS: ServerFacts = ServerFacts {
        name: "desktop-commander",
        version: "1.0.0",
        category: "Infrastructure",
        aliases: &[],
        description: "Reads and changes files, runs allowed programs, git and sqlite, all beneath the operator's roots.",
        concurrency: 16,
        open_world: false,
    };
    type Config = DesktopConfig;

    fn tools() -> Toolbox<Self> {
        tools::exec(tools::files(Toolbox::new()))
    }

    async fn connect(config: DesktopConfig, start: StartContext) -> Result<Self, StartError> {
        let refuse = |error: RootsError| StartError::new(Self::FACTS.name, error.to_string());
        let mut protected = start.protected.clone();
        // The journal holds earlier versions of files, and the trash; neither is a place for tools.
        protected.push(start.state_dir.clone());
        let roots = Roots::open(&start.roots, &protected).map_err(refuse)?;
        let roots = roots.narrowed(&config.roots).map_err(refuse)?;
        let (exec, for_commands) = (config.exec, roots.clone());
        let files = Files::open(roots, config.files, &start.state_dir)?;
        let engine = tokio::task::spawn_blocking(move || Engine::open(exec, for_commands, &start)).await;
        let engine =
            engine.map_err(|_| StartError::new(Self::FACTS.name, "the sandbox could not be measured"))?;
        Ok(Self { files: Arc::new(files), commands: Commands::new(engine) })
    }

    async fn health(&self) -> Health {
        if self.files.roots().first().is_some() {
            return Health::Ready;
        }
        Health::Unavailable("no folder is open to tools; add one to `roots`".into())
    }

    async fn complete(&self, _tool: &str, argument: &str, prefix: &str) -> Vec<String> {
        if !argument.ends_with("path") && argument != "working_directory" {
            return Vec::new();
        }
        let prefix = prefix.to_owned();
        self.with_files(move |files| Ok(files.suggest(&prefix))).await.unwrap_or_default()
    }
}

impl DesktopCommander {
    /// Does file work where it may block.
    pub(crate) async fn with_files<T: Send + 'static>(
        &self,
        work: impl FnOnce(&Files) -> Result<T, FileError> + Send + 'static,
    ) -> Result<T, ToolError> {
        let files = Arc::clone(&self.files);
        let done = tokio::task::spawn_blocking(move || work(&files)).await;
        done.map_err(|error| ToolError::wrap(ErrorKind::Internal, error))?.map_err(ToolError::from)
    }
}
