//! All upstreams of one process.

use std::{
    collections::BTreeMap,
    path::PathBuf,
    sync::Arc,
    time::{Duration, Instant},
};

use kernel::Facts;
use parking_lot::Mutex;
use pipeline::{Mount, Registry};
use serde_json::json;
use tokio::task::JoinHandle;

use crate::{
    Held, HeldTool, Pins, Setting, UpstreamConfig,
    ear::Ambient,
    hear::Hear,
    listed::{definitions, fetch},
    name_problem,
    tend::{Recorder, Tender, UpstreamStatus},
    upstream::Upstream,
};

/// Mounts upstreams, keeps them mounted, and takes up changes of their sections.
pub struct Gateway {
    registry: Registry,
    setting: Setting,
    record: Recorder,
    running: Mutex<BTreeMap<String, Running>>,
}

struct Running {
    config: UpstreamConfig,
    /// `None`: its section is wrong, and it is mounted as unavailable.
    tender: Option<Arc<Tender>>,
    task: Option<JoinHandle<()>>,
}

/// What a look at one upstream found.
#[derive(Clone, Debug, serde::Serialize)]
pub struct CheckReport {
    /// Which one.
    pub name: String,
    /// `modern` or `legacy`.
    pub era: &'static str,
    /// What it says it is.
    pub server: String,
    /// Tools that would be served now.
    pub served: Vec<String>,
    /// Tools that wait to be approved.
    pub held: Vec<HeldTool>,
    /// Tools that cannot be offered, and why.
    pub refused: Vec<String>,
    /// Wall time of all of it.
    pub millis: u64,
}

impl Gateway {
    /// A gateway without upstreams. `record` hears what belongs into the audit log.
    pub fn new(registry: Registry, setting: Setting, record: Recorder) -> Arc<Self> {
        Arc::new(Self { registry, setting, record, running: Mutex::default() })
    }

    /// Makes the running upstreams those of `configs`: new ones are started, changed ones started anew, others
    /// stopped. Waits until every new one answered or failed, but no longer than `patience`.
    pub async fn apply(&self, configs: &BTreeMap<String, UpstreamConfig>, patience: Duration) {
        let wanted = |name: &str| configs.get(name).filter(|it| it.enabled);
        let gone: Vec<(String, Running)> = {
            let mut running = self.running.lock();
            let names: Vec<String> = running
                .iter()
                .filter(|(name, it)| wanted(name) != Some(&it.config))
                .map(|(name, _)| name.clone())
                .collect();
            names.into_iter().filter_map(|name| running.remove(&name).map(|it| (name, it))).collect()
        };
        let mut ours = Vec::new();
        for (name, old) in gone {
            stop(old).await;
            ours.push(name.clone());
            if wanted(&name).is_none() {
                self.registry.unmount(&name);
                (self.record)("upstream.stopped", json!({ "upstream": name }));
            }
        }
        let mut fresh = Vec::new();
        for (name, config) in configs.iter().filter(|(_, it)| it.enabled) {
            if !self.running.lock().contains_key(name) {
                let running = self.start(name, config, ours.contains(name));
                fresh.extend(running.tender.clone());
                self.running.lock().insert(name.clone(), running);
            }
        }
        let deadline = tokio::time::Instant::now() + patience;
        for tender in fresh {
            let mut status = tender.status.subscribe();
            let settled = status.wait_for(|it| it.status != "starting");
            if tokio::time::timeout_at(deadline, settled).await.is_err() {
                tracing::warn!(upstream = tender.name, "it takes long to start; nobody waits for it");
            }
        }
    }

    fn start(&self, name: &str, config: &UpstreamConfig, had_it: bool) -> Running {
        let made = match name_problem(name) {
            Some(problem) => Err(problem.to_owned()),
            None if !had_it && self.registry.find(name).is_ok() => {
                Err("another server has this name already; rename the upstream".into())
            }
            None => Tender::new(name, config, &self.setting, &self.registry, &self.record),
        };
        match made {
            Ok(tender) => {
                if !had_it {
                    // Its place in the lists is that in the configuration, whoever answers first.
                    let waiting = Mount::unavailable(facts(name, config), Vec::new(), "it is being started");
                    if let Err(error) = self.registry.mount(waiting) {
                        tracing::error!(upstream = name, %error, "the upstream cannot be mounted");
                    }
                }
                (self.record)("upstream.started", json!({ "upstream": name }));
                let task = tokio::spawn(Arc::clone(&tender).run());
                Running { config: config.clone(), tender: Some(tender), task: Some(task) }
            }
            Err(reason) => {
                tracing::error!(upstream = name, reason, "the upstream is not started");
                let facts = facts(name, config);
                if let Err(error) = self.registry.mount(Mount::unavailable(facts, Vec::new(), reason)) {
                    tracing::error!(upstream = name, %error, "the upstream is not listed either");
                }
                Running { config: config.clone(), tender: None, task: None }
            }
        }
    }

    /// How every upstream is doing, by name.
    pub fn status(&self) -> BTreeMap<String, UpstreamStatus> {
        let running = self.running.lock();
        running
            .iter()
            .map(|(name, it)| {
                let status = it.tender.as_ref().map(|it| it.status.borrow().clone());
                let wrong = || UpstreamStatus {
                    status: "unavailable",
                    reason: Some("its section is wrong; the log says how".into()),
                    ..UpstreamStatus::default()
                };
                (name.clone(), status.unwrap_or_else(wrong))
            })
            .collect()
    }

    /// The files that hold the pins of running upstreams.
    pub fn pin_files(&self) -> Vec<PathBuf> {
        let running = self.running.lock();
        running.keys().map(|name| self.setting.pins.join(format!("{name}.json"))).collect()
    }

    /// Looks at the pins again, as after an approval at the command line.
    pub fn look_again(&self) {
        for running in self.running.lock().values() {
            if let Some(tender) = &running.tender {
                tender.shared.ambient.all_changed();
            }
        }
    }

    /// Stops every upstream and waits until nothing is left of them.
    pub async fn close(&self) {
        let all = std::mem::take(&mut *self.running.lock());
        for (_, running) in all {
            stop(running).await;
        }
    }
}

async fn stop(running: Running) {
    if let Some(tender) = running.tender {
        tender.stop.cancel();
    }
    if let Some(task) = running.task
        && let Err(error) = task.await
    {
        tracing::error!(%error, "whoever kept an upstream crashed");
    }
}

fn facts(name: &str, config: &UpstreamConfig) -> Facts {
    Facts {
        name: name.to_owned(),
        version: "0.0.0".into(),
        category: config.category.clone(),
        aliases: Vec::new(),
        description: config.description.clone().unwrap_or_else(|| "An upstream that is not running.".into()),
        concurrency: config.concurrency,
        open_world: true,
    }
}

/// Connects to one upstream, looks at what it offers, and leaves nothing running. Definitions are judged and, on
/// first sight, pinned; the reason of a failure is for the operator.
pub async fn check(name: &str, config: &UpstreamConfig, setting: &Setting) -> Result<CheckReport, String> {
    let begun = Instant::now();
    let ambient: Arc<dyn Hear> = Ambient::new(name, kernel::Notices::default());
    let upstream = Upstream::new(name, config, setting, &ambient)?;
    let found = look(&upstream).await;
    upstream.close().await;
    let (era, server, items) = found.map_err(|error| error.to_string())?;
    let (tools, refused) = definitions(name, config, &items);
    let mut pins = Pins::open(&setting.pins, name).map_err(|error| format!("its pins: {error}"))?;
    let verdict = pins.judge(&tools, config.trust).map_err(|error| format!("its pins: {error}"))?;
    let millis = u64::try_from(begun.elapsed().as_millis()).unwrap_or(u64::MAX);
    Ok(CheckReport {
        name: name.to_owned(),
        era,
        server,
        served: verdict.served,
        held: verdict.held,
        refused,
        millis,
    })
}

async fn look(
    upstream: &Upstream,
) -> Result<(&'static str, String, Vec<kernel::Raw>), crate::error::UpstreamError> {
    let hello = upstream.hello().await?;
    let listed = fetch(upstream, "tools/list", "tools").await;
    let items = match listed {
        Ok((items, _)) => items,
        Err(crate::error::UpstreamError::Rpc { code: -32601, .. }) => Vec::new(),
        Err(error) => return Err(error),
    };
    let listed =
        crate::listed::Listed::new(&upstream.name, &upstream.config, Some(&hello), Vec::new(), Vec::new());
    let server = format!("{} {}", listed.facts.description, listed.facts.version);
    Ok((if hello.is_modern { "modern" } else { "legacy" }, server, items))
}

impl Held {
    /// In a few words.
    pub fn words(self) -> &'static str {
        match self {
            Self::Changed => "changed since it was approved",
            Self::New => "new",
            Self::Suspicious => "reads like instructions",
        }
    }
}
