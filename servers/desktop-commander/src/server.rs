//! The server: what it offers and what it opens at start.

use guard::path::Roots;
use kernel::{Server, ServerEntry, ServerFacts, StartContext, StartError, Toolbox};

use crate::{DesktopConfig, tools};

/// This machine's files and programs, as far as the operator opened them.
pub struct DesktopCommander {
    /// The folders every path must be beneath.
    pub(crate) roots: Roots,
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
        let toolbox = Toolbox::new();
        let toolbox = tools::files(toolbox);
        tools::exec(toolbox)
    }

    async fn connect(config: DesktopConfig, start: StartContext) -> Result<Self, StartError> {
        let refuse = |error: guard::path::RootsError| StartError::new(Self::FACTS.name, error.to_string());
        let roots = Roots::open(&start.roots, &start.protected).map_err(refuse)?;
        let roots = roots.narrowed(&config.roots).map_err(refuse)?;
        Ok(Self { roots })
    }
}
