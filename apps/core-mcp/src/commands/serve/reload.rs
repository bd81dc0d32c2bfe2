//! Taking up changed configuration and policies while running.

use std::{path::PathBuf, sync::Arc, time::Duration};

use gateway::Gateway;
use pipeline::{Gate, seams::AuditEntry};
use policy::{PolicyEngine, PolicyErrors, ReloadReport, Watcher};
use serde_json::json;
use transport::{AllowLists, TlsReload};

use super::changes::{changed_keys, fingerprint, needs_restart};
use crate::{
    config::{self, Loaded, Settings, Sources},
    platform::{Mounts, Platform, RunningLock, manifest},
};

/// How often the policy folder is looked at.
const POLICY_PERIOD: Duration = Duration::from_secs(1);

/// Watches the policy folder until it is dropped. What happens is logged and recorded.
pub(super) fn watch_policies(platform: &Platform) -> Watcher {
    let gate = Arc::clone(&platform.gate);
    platform.policy.watch(POLICY_PERIOD, move |result| policies_changed(&gate, result))
}

fn policies_changed(gate: &Gate, result: Result<ReloadReport, PolicyErrors>) {
    match result {
        Ok(report) => {
            tracing::info!(
                generation = report.generation,
                policies = report.policies,
                "policies are in force"
            );
            for warning in &report.warnings {
                tracing::warn!("{warning}");
            }
            gate.notify_changed();
            let detail = json!({ "generation": report.generation, "policies": report.policies });
            record(gate, "policy.reloaded", detail);
        }
        Err(errors) => {
            for finding in &errors.findings {
                tracing::error!("{finding}");
            }
            tracing::error!("the changed policies were refused; the old ones stay in force");
            record(gate, "policy.refused", json!({ "findings": errors.findings.len() }));
        }
    }
}

/// A running server goes on when an event about its configuration cannot be recorded; calls do not.
fn record(gate: &Gate, event: &str, detail: serde_json::Value) {
    if let Err(error) = gate.record(AuditEntry::event(event, detail)) {
        tracing::error!(%error, event, "an event could not be recorded");
    }
}

fn pinned(gateway: &Gateway) -> Fingerprint {
    let files = gateway.pin_files();
    fingerprint(files.iter().map(PathBuf::as_path))
}

type Fingerprint = Vec<(std::path::PathBuf, Option<(std::time::SystemTime, u64)>)>;

/// Looks at the configuration files and takes up what can be taken up.
pub(super) struct Reloader<'a> {
    platform: &'a Platform,
    sources: Sources,
    lock: RunningLock,
    lists: AllowLists,
    tls: Option<TlsReload>,
    /// As they were acted on last.
    settled: Fingerprint,
    /// As they were at the last look.
    seen: Fingerprint,
    /// The values in force where they can change, else those of the last good file.
    current: Loaded,
    /// The pinned definitions of upstreams; an approval at the command line changes them.
    pins: Fingerprint,
}

impl<'a> Reloader<'a> {
    pub(super) fn new(
        platform: &'a Platform,
        sources: Sources,
        lock: RunningLock,
        (lists, tls): (AllowLists, Option<TlsReload>),
    ) -> Self {
        let (current, pins) = (platform.config.clone(), pinned(&platform.gateway));
        let mut made = Self {
            platform,
            sources,
            lock,
            lists,
            tls,
            settled: Vec::new(),
            seen: Vec::new(),
            current,
            pins,
        };
        made.seen = made.files();
        made.settled.clone_from(&made.seen);
        made
    }

    /// Reloads when the files changed and have been the same for two looks: an editor may be half way.
    pub(super) async fn look(&mut self) {
        let now = self.files();
        let is_stable = now == self.seen;
        self.seen = now;
        if is_stable && self.seen != self.settled {
            self.settled.clone_from(&self.seen);
            self.reload_config().await;
            self.reload_tls();
        }
        let pins = pinned(&self.platform.gateway);
        if std::mem::replace(&mut self.pins, pins.clone()) != pins {
            self.platform.gateway.look_again();
        }
    }

    /// Configuration, certificates and keys.
    fn files(&self) -> Fingerprint {
        let tls = self.tls.iter().flat_map(TlsReload::files);
        fingerprint(self.sources.files().chain(tls))
    }

    /// SIGHUP: configuration, policies, and the roles policies may name.
    pub(super) async fn reload_now(&mut self) {
        self.settled = self.files();
        self.seen.clone_from(&self.settled);
        self.reload_config().await;
        self.reload_tls();
        self.reload_policies();
    }

    fn reload_policies(&self) {
        let Platform { gate, policy, identity, .. } = self.platform;
        match manifest(gate.registry(), identity) {
            Ok(manifest) => policies_changed(gate, PolicyEngine::reload_with(policy, manifest)),
            Err(failure) => tracing::error!(error = failure.message, "the policies were not looked at"),
        }
    }

    /// New connections get the new certificate; when it cannot be used, the old one.
    fn reload_tls(&self) {
        let Some(tls) = &self.tls else { return };
        match tls.reload() {
            Ok(()) => record(&self.platform.gate, "tls.reloaded", json!({})),
            Err(error) => {
                tracing::error!(%error, "the changed certificate or key was refused; the old one stays in force");
                record(&self.platform.gate, "tls.refused", json!({ "file": error.path }));
            }
        }
    }

    /// Authorization servers, and whose certificates are whose.
    fn reload_auth(&self, settings: &Settings) {
        match self.platform.oauth(settings) {
            Ok(oauth) => self.platform.authenticator.replace(oauth, &settings.server.tls.clients),
            Err(failure) => {
                tracing::error!(
                    error = failure.message,
                    "the changed [auth] was refused; the old one stays in force"
                );
            }
        }
    }

    async fn reload_config(&mut self) {
        let loaded = match config::load(&self.sources) {
            Ok(loaded) => loaded,
            Err(problems) => {
                for problem in &problems {
                    tracing::error!("{}", problem.line());
                }
                tracing::error!("the changed configuration was refused; the old one stays in force");
                return;
            }
        };
        let changed = changed_keys(&self.current.tree, &loaded.tree);
        if loaded.settings.tuning != self.current.settings.tuning {
            self.platform.gate.retune(loaded.settings.tuning.clone());
        }
        let (server, before) = (&loaded.settings.server, &self.current.settings);
        if loaded.settings.auth != before.auth || server.tls.clients != before.server.tls.clients {
            self.reload_auth(&loaded.settings);
        }
        if loaded.settings.upstreams != before.upstreams {
            self.platform.mount_upstreams(&loaded.settings, &Mounts::All).await;
        }
        self.lists.replace(&server.allowed_hosts, &server.allowed_origins);
        // Compared with the start, so that a change that is taken back needs no restart.
        let mut waiting = changed_keys(&self.platform.config.tree, &loaded.tree);
        waiting.retain(|key| needs_restart(key));
        for key in &waiting {
            tracing::warn!(key, "this change needs a restart");
        }
        if let Err(failure) = self.lock.needs_restart(waiting) {
            tracing::error!(error = failure.message, "`core-mcp doctor` will not know what needs a restart");
        }
        if !changed.is_empty() {
            tracing::info!(?changed, "configuration was read again");
            record(&self.platform.gate, "config.reloaded", json!({ "changed": changed }));
        }
        self.current = loaded;
    }
}
