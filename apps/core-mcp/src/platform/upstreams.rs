//! Other MCP servers next to the native ones.

use std::{
    path::{Path, PathBuf},
    sync::{Arc, Weak},
    time::Duration,
};

use gateway::{Gateway, Recorder, Setting};
use pipeline::{Gate, seams::AuditEntry};
use policy::PolicyEngine;
use store::DataDir;

use super::{Mounts, Platform, manifest};
use crate::{config::Settings, env::Environment};

/// A server that takes longer than this is mounted when it is there; the others do not wait for it.
const PATIENCE: Duration = Duration::from_secs(3);

/// What upstreams are made with.
pub(crate) fn setting(data: &DataDir, config_files: &[PathBuf]) -> Setting {
    let own = data.root().join("upstreams");
    let files = config_files.iter().filter_map(|it| std::fs::canonicalize(it).ok());
    Setting {
        launcher: std::env::current_exe().unwrap_or_default(),
        homes: own.join("homes"),
        pins: pins(data),
        protected: std::iter::once(data.root().to_owned()).chain(files).collect(),
        lookup: Arc::new(Environment::variable),
        credentials: Arc::new(|_, config| match config.auth {
            None => Ok(None),
            Some(_) => Err("auth: this build knows no way to prove itself; use `headers`".into()),
        }),
    }
}

/// Where definitions are pinned.
fn pins(data: &DataDir) -> PathBuf {
    Path::new(data.root()).join("upstreams/pins")
}

/// A gateway whose events go into the audit log.
pub(super) fn gateway(gate: &Arc<Gate>, data: &DataDir, config_files: &[PathBuf]) -> Arc<Gateway> {
    let registry = gate.registry().clone();
    // The registry holds what is mounted, which must not hold the gate in turn.
    let gate: Weak<Gate> = Arc::downgrade(gate);
    let record: Recorder = Arc::new(move |event, detail| {
        let Some(gate) = gate.upgrade() else { return };
        if let Err(error) = gate.record(AuditEntry::event(event, detail)) {
            tracing::error!(%error, event, "an event could not be recorded");
        }
    });
    Gateway::new(registry, setting(data, config_files), record)
}

impl Platform {
    /// Makes the running upstreams those of `settings`.
    pub(crate) async fn mount_upstreams(&self, settings: &Settings, wanted: &Mounts) {
        let mut configs = settings.upstream_configs();
        configs.retain(|name, _| wanted.wants_name(name));
        let patience = match wanted {
            // Whoever asks for one server waits for it.
            Mounts::Only(_) => configs
                .values()
                .map(|it| Duration::from_secs(it.start_timeout_seconds))
                .max()
                .unwrap_or(PATIENCE),
            Mounts::All | Mounts::Nothing => PATIENCE,
        };
        self.gateway.apply(&configs, patience).await;
        if !configs.is_empty() {
            self.tell_policies();
        }
    }

    /// Policies may name servers that came while running; only their warnings depend on it.
    pub(crate) fn tell_policies(&self) {
        match manifest(self.gate.registry(), &self.identity) {
            Ok(manifest) => {
                if PolicyEngine::reload_with(&self.policy, manifest).is_err() {
                    tracing::warn!("the policies do not load; the old ones stay in force");
                }
            }
            Err(failure) => tracing::warn!(error = failure.message, "policies do not know the new servers"),
        }
    }
}
