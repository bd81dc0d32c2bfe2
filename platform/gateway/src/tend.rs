//! Keeps one upstream mounted: fetches its lists, hears its changes, comes back when it was away.

use std::{
    sync::Arc,
    time::{Duration, Instant},
};

use kernel::{Listing, Raw};
use pipeline::{Mount, Registry};
use serde::Serialize;
use serde_json::{Value, json};
use tokio::sync::watch;
use tokio_util::sync::CancellationToken;

use crate::{
    HeldTool, Pins, Setting, UpstreamConfig,
    ear::Ambient,
    error::UpstreamError,
    hear::Hear,
    listed::{Listed, definitions, fetch},
    order::Order,
    relay::{Relay, Shared},
    upstream::Upstream,
};

/// An upstream that announces changes all the time makes us fetch its lists no more often than this.
const AT_MOST_EVERY: Duration = Duration::from_millis(250);

/// First wait after a failure; doubles up to the longest.
const FIRST_WAIT: Duration = Duration::from_millis(500);
const LONGEST_WAIT: Duration = Duration::from_secs(60);

/// How soon an upstream without a stream of changes is asked for one again.
const NO_STREAM: Duration = Duration::from_secs(600);

/// How an upstream is doing.
#[derive(Clone, Debug, Default, Serialize)]
pub struct UpstreamStatus {
    /// `starting`, `ready` or `unavailable`.
    pub status: &'static str,
    /// Why it is unavailable.
    pub reason: Option<String>,
    /// Which era it speaks.
    pub era: Option<&'static str>,
    /// Tools that are served.
    pub tools: usize,
    /// Tools that wait to be approved.
    pub held: Vec<HeldTool>,
    /// Tools that cannot be offered, and why.
    pub refused: Vec<String>,
}

/// Records an event: its name and details.
pub type Recorder = Arc<dyn Fn(&str, Value) + Send + Sync>;

/// Whoever keeps one upstream mounted.
pub(crate) struct Tender {
    pub(crate) name: String,
    pub(crate) shared: Arc<Shared>,
    pub(crate) registry: Registry,
    pub(crate) setting: Setting,
    pub(crate) record: Recorder,
    pub(crate) status: watch::Sender<UpstreamStatus>,
    pub(crate) stop: CancellationToken,
    /// What is mounted now.
    listed: parking_lot::Mutex<Option<Arc<Listed>>>,
}

impl Tender {
    pub(crate) fn new(
        name: &str,
        config: &UpstreamConfig,
        setting: &Setting,
        registry: &Registry,
        record: &Recorder,
    ) -> Result<Arc<Self>, String> {
        let ambient = Ambient::new(name, registry.notices().clone());
        let hear: Arc<dyn Hear> = ambient.clone();
        let upstream = Upstream::new(name, config, setting, &hear)?;
        Ok(Arc::new(Self {
            name: name.to_owned(),
            shared: Shared::new(upstream, ambient),
            registry: registry.clone(),
            setting: setting.clone(),
            record: Arc::clone(record),
            status: watch::Sender::new(UpstreamStatus { status: "starting", ..UpstreamStatus::default() }),
            stop: CancellationToken::new(),
            listed: parking_lot::Mutex::default(),
        }))
    }

    /// Works until stopped; then ends the upstream's sessions and children.
    pub(crate) async fn run(self: Arc<Self>) {
        let listening = tokio::spawn(Arc::clone(&self).listen());
        tokio::select! {
            () = self.keep_mounted() => {}
            () = self.stop.cancelled() => {}
        }
        listening.abort();
        self.shared.upstream.close().await;
    }

    async fn keep_mounted(&self) {
        let mut wait = FIRST_WAIT;
        loop {
            let next = match self.refresh().await {
                Ok(good_for) => {
                    wait = FIRST_WAIT;
                    good_for
                }
                Err(error) => {
                    self.unavailable(&error.to_string());
                    wait = (wait * 2).min(LONGEST_WAIT);
                    wait
                }
            };
            tokio::select! {
                () = self.shared.ambient.stale.notified() => tokio::time::sleep(AT_MOST_EVERY).await,
                () = tokio::time::sleep(next) => {}
            }
        }
    }

    /// Fetches what may have changed and mounts what is new. Returns how long it is good.
    async fn refresh(&self) -> Result<Duration, UpstreamError> {
        let changed = std::mem::take(&mut *self.shared.ambient.changed.lock());
        if changed.resources {
            self.shared.forget(Listing::Resources);
            self.shared.forget(Listing::Templates);
        }
        if changed.prompts {
            self.shared.forget(Listing::Prompts);
        }
        let is_first = self.listed.lock().is_none();
        if !is_first {
            self.shared.ambient.publish(changed);
        }
        let upstream = &self.shared.upstream;
        let hello = upstream.hello().await?;
        let (items, ttl_ms) = match fetch(upstream, "tools/list", "tools").await {
            Ok(fetched) => fetched,
            Err(UpstreamError::Rpc { code: -32601, .. }) => (Vec::new(), None),
            Err(error) => {
                // The news must not be lost with the failure.
                let mut lost = self.shared.ambient.changed.lock();
                lost.tools |= changed.tools;
                return Err(error);
            }
        };
        let era = if hello.is_modern { "modern" } else { "legacy" };
        let listed = self.judge(Some(&hello), &items)?;
        self.mount(listed, Some(era));
        let usual = Duration::from_secs(upstream.config.refresh_seconds);
        let own_word = ttl_ms.map(Duration::from_millis).map(|it| it.max(Duration::from_secs(5)));
        Ok(own_word.map_or(usual, |it| it.min(usual)))
    }

    /// Which of the definitions are served, and what is recorded about the others.
    fn judge(&self, hello: Option<&crate::link::Hello>, items: &[Raw]) -> Result<Judged, UpstreamError> {
        let config = &self.shared.upstream.config;
        let (mut tools, refused) = definitions(&self.name, config, items);
        let pins =
            Pins::open(&self.setting.pins, &self.name).and_then(|mut pins| pins.judge(&tools, config.trust));
        let verdict = pins.map_err(|error| {
            UpstreamError::unreachable(&self.name, format!("its pinned definitions cannot be used: {error}"))
        })?;
        tools.retain(|it| verdict.served.contains(&it.name));
        if !verdict.pinned.is_empty() {
            (self.record)("upstream.pinned", json!({ "upstream": self.name, "tools": verdict.pinned }));
        }
        let listed = Listed::new(&self.name, config, hello, tools, refused);
        Ok(Judged { listed, held: verdict.held })
    }

    fn mount(&self, judged: Judged, era: Option<&'static str>) {
        let Judged { listed, held } = judged;
        let known: Vec<String> =
            self.status.borrow().held.iter().map(|it| it.tool.clone() + &it.diff).collect();
        for tool in held.iter().filter(|it| !known.contains(&(it.tool.clone() + &it.diff))) {
            tracing::warn!(upstream = self.name, tool = tool.tool, why = ?tool.why, "a tool waits to be approved");
            let codes: Vec<&str> = tool.findings.iter().map(|it| it.code.as_str()).collect();
            let detail =
                json!({ "upstream": self.name, "tool": tool.tool, "why": tool.why, "findings": codes });
            (self.record)("upstream.held", detail);
        }
        let status = UpstreamStatus {
            status: "ready",
            reason: None,
            era,
            tools: listed.specs.len(),
            held,
            refused: listed.refused.clone(),
        };
        let is_same = self.listed.lock().as_ref().is_some_and(|it| it.looks_like(&listed));
        if !is_same {
            let listed = Arc::new(listed);
            let relay = Relay { shared: Arc::clone(&self.shared), listed: Arc::clone(&listed) };
            if let Err(error) = self.registry.mount(Mount::ready(Arc::new(relay))) {
                self.status.send_replace(UpstreamStatus {
                    status: "unavailable",
                    reason: Some(error.message),
                    ..UpstreamStatus::default()
                });
                return;
            }
            *self.listed.lock() = Some(listed);
            tracing::info!(upstream = self.name, tools = status.tools, "the upstream is mounted");
        }
        self.status.send_replace(status);
    }

    /// An upstream that was there stays listed: its calls fail one by one, and its tools do not come and go with
    /// every hiccup. One that never answered is listed with its reason, or with the tools it had last time.
    fn unavailable(&self, reason: &str) {
        tracing::warn!(upstream = self.name, reason, "the upstream is not available");
        if self.listed.lock().is_none() {
            let pinned = Pins::open(&self.setting.pins, &self.name).map(|it| it.served()).unwrap_or_default();
            let config = &self.shared.upstream.config;
            let (tools, _) = definitions(&self.name, config, &pinned);
            let listed = Arc::new(Listed::new(&self.name, config, None, tools, Vec::new()));
            let mount = if listed.specs.is_empty() {
                Mount::unavailable((*listed.facts).clone(), Vec::new(), reason)
            } else {
                let relay = Relay { shared: Arc::clone(&self.shared), listed: Arc::clone(&listed) };
                Mount::ready(Arc::new(relay))
            };
            let is_new = self.status.borrow().reason.as_deref() != Some(reason);
            if is_new && let Err(error) = self.registry.mount(mount) {
                tracing::error!(upstream = self.name, %error, "the upstream cannot be mounted");
            }
        }
        self.status.send_modify(|status| {
            status.status = "unavailable";
            status.reason = Some(reason.to_owned());
        });
    }

    /// An old upstream forgot with its session what we follow.
    async fn follow_again(&self, followed: &[String]) {
        if self.status.borrow().era == Some("modern") {
            return;
        }
        for uri in followed {
            let params = json!({ "uri": uri }).to_string();
            let order = Order::own("resources/subscribe", params, Instant::now() + FIRST_WAIT * 4);
            if let Err(error) = self.shared.upstream.request(&order).await {
                tracing::debug!(upstream = self.name, %error, "a resource is not followed");
            }
        }
    }

    /// Hears the upstream for as long as it has a stream for that.
    async fn listen(self: Arc<Self>) {
        let mut wait = FIRST_WAIT;
        let mut status = self.status.subscribe();
        loop {
            // Nobody is heard who cannot be reached; whoever keeps the lists finds out when that changes.
            if status.wait_for(|it| it.status == "ready").await.is_err() {
                return;
            }
            let begun = Instant::now();
            let followed = self.shared.followed();
            self.follow_again(&followed).await;
            let ended = tokio::select! {
                ended = self.shared.upstream.listen(&followed, &self.shared.hear) => ended,
                () = self.shared.refollow.notified() => continue,
            };
            wait = if begun.elapsed() > LONGEST_WAIT { FIRST_WAIT } else { (wait * 2).min(LONGEST_WAIT) };
            match ended {
                Err(
                    UpstreamError::Odd { status: 400..=499, .. }
                    | UpstreamError::Rpc { .. }
                    | UpstreamError::Garbage { .. },
                ) => {
                    tokio::select! {
                        () = tokio::time::sleep(NO_STREAM) => {}
                        () = self.shared.refollow.notified() => {}
                    }
                }
                Ok(()) | Err(_) => {
                    // What was said meanwhile was not heard.
                    self.shared.ambient.all_changed();
                    tokio::time::sleep(wait).await;
                }
            }
        }
    }
}

struct Judged {
    listed: Listed,
    held: Vec<HeldTool>,
}
