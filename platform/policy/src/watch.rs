//! Notices edits of the folder.

use std::{sync::Arc, time::Duration};

use tokio::{
    task::{JoinHandle, spawn_blocking},
    time::{MissedTickBehavior, interval},
};

use crate::{PolicyEngine, PolicyErrors, ReloadReport, folder};

/// Watches until it is dropped.
#[derive(Debug)]
pub struct Watcher(JoinHandle<()>);

impl Drop for Watcher {
    fn drop(&mut self) {
        self.0.abort();
    }
}

impl PolicyEngine {
    /// Looks at the folder every `period` and reloads when its contents changed; `report` hears how that went.
    ///
    /// A change is loaded once it has been the same for two looks, so that a file caught half-written is
    /// not taken for a policy set with fewer forbids. A refused set is reported once, not at every look.
    pub fn watch(
        self: &Arc<Self>,
        period: Duration,
        report: impl Fn(Result<ReloadReport, PolicyErrors>) + Send + Sync + 'static,
    ) -> Watcher {
        let engine = Arc::clone(self);
        let report = Arc::new(report);
        Watcher(tokio::spawn(async move {
            let mut ticks = interval(period);
            ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
            let mut look = Look::default();
            loop {
                ticks.tick().await;
                let (engine, report) = (Arc::clone(&engine), Arc::clone(&report));
                let looked = spawn_blocking(move || {
                    look.once(&engine, report.as_ref());
                    look
                });
                match looked.await {
                    Ok(next) => look = next,
                    Err(error) => {
                        tracing::error!(%error, "the policy watcher failed and starts over");
                        look = Look::default();
                    }
                }
            }
        }))
    }
}

/// What the last looks saw.
#[derive(Default)]
struct Look {
    /// The contents that were last acted on.
    settled: Option<String>,
    /// The contents seen at the last look.
    seen: Option<String>,
}

impl Look {
    fn once(&mut self, engine: &PolicyEngine, report: &dyn Fn(Result<ReloadReport, PolicyErrors>)) {
        let read = folder::read(engine.dir(), ".cedar");
        let now = match &read {
            Ok(sources) => folder::digest(sources),
            Err(errors) => errors.to_string(),
        };
        // The first look may come after an edit that followed the start, so it compares with what is loaded.
        if self.settled.is_none() && read.as_ref().is_ok_and(|it| engine.is_loaded(it)) {
            self.settled = Some(now.clone());
        }
        let stable = self.seen.replace(now.clone()).as_ref() == Some(&now);
        if !stable || self.settled.as_ref() == Some(&now) {
            return;
        }
        self.settled = Some(now);
        report(read.and_then(|sources| engine.reload_from(&sources)));
    }
}
