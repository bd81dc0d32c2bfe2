//! The workflows of this process: their journal, who makes their calls, and the tools they may name.

use std::sync::Arc;

use parking_lot::Mutex;
use pipeline::{Gate, Mount, Registry};
use store::DataDir;
use tokio::task::JoinHandle;
use workflow::{Caller, Engine, EngineOptions, GateCaller, ToolCatalog, WorkflowServer};

use crate::{config::WorkflowSection, failure::Failure, platform::Mounts};

/// The documented servers, those that this installation does not have included.
const CONTRACT: &str = include_str!("../../../../catalog/tests/contract.json");

/// Everything about workflows in one process.
pub(crate) struct Workflows {
    /// The driver.
    pub(crate) engine: Arc<Engine>,
    /// The tools workflows may name.
    pub(crate) catalog: ToolCatalog,
    caller: Arc<GateCaller>,
    taking_over: Mutex<Option<JoinHandle<()>>>,
}

/// What workflows may name: what is mounted, and what is documented.
pub(crate) fn tool_catalog(registry: &Registry) -> Result<ToolCatalog, Failure> {
    ToolCatalog::of(registry)
        .with_documented(CONTRACT)
        .map_err(|error| Failure::local("the documented contract cannot be read", error))
}

impl Workflows {
    /// Opens the journal and adds the server `workflows` to the registry where it is wanted.
    pub(crate) fn open(
        data: &DataDir,
        section: &WorkflowSection,
        registry: &Registry,
        wanted: &Mounts,
    ) -> Result<Self, Failure> {
        let options = EngineOptions { calls_max: section.calls_max, retention_days: section.retention_days };
        let engine = Engine::open(data, options)
            .map_err(|error| Failure::local("the workflow journal cannot be opened", error))?;
        let catalog = tool_catalog(registry)?;
        let caller = GateCaller::new();
        if wanted.wants_name(workflow::NAME) {
            let server = WorkflowServer::new(Arc::clone(&engine), Arc::clone(&caller), catalog.clone())?;
            registry.mount(Mount::ready(Arc::new(server)))?;
        }
        Ok(Self { engine, catalog, caller, taking_over: Mutex::new(None) })
    }

    /// From now on steps go through this gate.
    pub(crate) fn through(&self, gate: &Arc<Gate>) {
        self.caller.through(gate);
    }

    /// Makes this process the one that runs workflows, now or when the one that does has ended. Says whether it
    /// is now.
    pub(crate) async fn own_runs(&self) -> Result<bool, Failure> {
        let caller: Arc<dyn Caller> = self.caller.clone();
        let (engine, first) = (Arc::clone(&self.engine), Arc::clone(&caller));
        let owns = tokio::task::spawn_blocking(move || engine.own(&first)).await;
        let owns = owns.map_err(|error| Failure::local("the workflow driver crashed", error))?;
        let owns = owns?;
        if !owns {
            let waiting = tokio::spawn(Arc::clone(&self.engine).own_when_possible(caller));
            *self.taking_over.lock() = Some(waiting);
        }
        Ok(owns)
    }

    /// Lets go of the runs; calls under way get a few seconds.
    pub(crate) async fn close(&self) {
        if let Some(waiting) = self.taking_over.lock().take() {
            waiting.abort();
        }
        let engine = Arc::clone(&self.engine);
        if tokio::task::spawn_blocking(move || engine.close()).await.is_err() {
            tracing::error!("the workflow driver crashed while it closed");
        }
    }
}
