//! Everything in `state.db` at once, and the thread that tidies it.

use std::{
    sync::{
        Arc,
        mpsc::{Receiver, RecvTimeoutError, SyncSender, sync_channel},
    },
    thread::{self, JoinHandle},
    time::Duration,
};

use kernel::ToolError;

use crate::{
    ApprovalOptions, ApprovalStore, ArtifactOptions, ArtifactStore, ContextOptions, ContextStore, DataDir,
    StoreError,
};

/// Time between two rounds of the sweeper.
const ROUND: Duration = Duration::from_secs(60);

/// How the state is kept.
#[derive(Clone, Debug, Default)]
pub struct StateOptions {
    /// Contexts.
    pub contexts: ContextOptions,
    /// Approvals.
    pub approvals: ApprovalOptions,
    /// Artifacts.
    pub artifacts: ArtifactOptions,
}

/// Contexts, approvals and artifacts of one data directory. Dropping it ends the sweeper; what was
/// handed out goes on working.
pub struct State {
    /// Groups of calls.
    pub contexts: Arc<ContextStore>,
    /// Who said yes to what.
    pub approvals: Arc<ApprovalStore>,
    /// Large results.
    pub artifacts: Arc<ArtifactStore>,
    stop: Option<SyncSender<()>>,
    sweeper: Option<JoinHandle<()>>,
}

impl State {
    /// Opens all three and tidies them now and every minute. Blocks on the disk.
    pub fn open(dir: &DataDir, options: StateOptions) -> Result<Self, StoreError> {
        let path = dir.state_db();
        let contexts = Arc::new(ContextStore::open(&path, options.contexts)?);
        let approvals = Arc::new(ApprovalStore::open(&path, options.approvals)?);
        let artifacts = Arc::new(ArtifactStore::open(dir, options.artifacts)?);
        let (stop, stopped) = sync_channel(0);
        let parts = (Arc::clone(&contexts), Arc::clone(&approvals), Arc::clone(&artifacts));
        let sweeper = thread::Builder::new()
            .name("state-sweeper".into())
            .spawn(move || sweep_until(&stopped, &parts.0, &parts.1, &parts.2))
            .map_err(StoreError::io(&path))?;
        Ok(Self { contexts, approvals, artifacts, stop: Some(stop), sweeper: Some(sweeper) })
    }
}

impl Drop for State {
    fn drop(&mut self) {
        drop(self.stop.take());
        if self.sweeper.take().is_some_and(|it| it.join().is_err()) {
            tracing::error!("the sweeper of the state panicked");
        }
    }
}

fn sweep_until(
    stopped: &Receiver<()>,
    contexts: &ContextStore,
    approvals: &ApprovalStore,
    artifacts: &ArtifactStore,
) {
    while stopped.recv_timeout(ROUND) == Err(RecvTimeoutError::Timeout) {
        report("contexts", contexts.sweep());
        report("approvals", approvals.sweep());
        report("artifacts", artifacts.sweep());
    }
}

fn report(what: &str, removed: Result<usize, ToolError>) {
    match removed {
        Ok(0) => {}
        Ok(count) => tracing::debug!(what, count, "removed what expired"),
        Err(error) => tracing::warn!(what, %error, "what expired could not be removed"),
    }
}
