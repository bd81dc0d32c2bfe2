//! Counters and histograms of the road, in OpenMetrics text.

use std::sync::atomic::AtomicI64;

use kernel::ErrorKind;
use prometheus_client::{
    encoding::{EncodeLabelSet, text::encode},
    metrics::{
        counter::Counter,
        family::Family,
        gauge::Gauge,
        histogram::{Histogram, exponential_buckets},
    },
    registry::Registry,
};

/// Everything the road counts. Labels hold catalogue names only, so their number is bounded.
pub struct Metrics {
    registry: Registry,
    calls: Family<CallLabels, Counter>,
    duration: Family<ToolLabels, Histogram, fn() -> Histogram>,
    refusals: Family<RefusalLabels, Counter>,
    cache: Family<CacheLabels, Counter>,
    running: Family<ServerLabels, Gauge<i64, AtomicI64>>,
    waiting: Family<ServerLabels, Gauge<i64, AtomicI64>>,
    breaker: Family<ServerLabels, Gauge<i64, AtomicI64>>,
    retries: Family<ServerLabels, Counter>,
    masked: Counter,
}

#[derive(Clone, Debug, Hash, PartialEq, Eq, EncodeLabelSet)]
struct CallLabels {
    server: String,
    tool: String,
    code: &'static str,
}

#[derive(Clone, Debug, Hash, PartialEq, Eq, EncodeLabelSet)]
struct ToolLabels {
    server: String,
    tool: String,
}

#[derive(Clone, Debug, Hash, PartialEq, Eq, EncodeLabelSet)]
struct ServerLabels {
    server: String,
}

#[derive(Clone, Debug, Hash, PartialEq, Eq, EncodeLabelSet)]
struct RefusalLabels {
    stage: &'static str,
    code: &'static str,
}

#[derive(Clone, Debug, Hash, PartialEq, Eq, EncodeLabelSet)]
struct CacheLabels {
    server: String,
    result: &'static str,
}

/// How a cacheable read was answered.
#[derive(Clone, Copy, Debug)]
pub(crate) enum CacheResult {
    Hit,
    Miss,
}

impl Metrics {
    pub(crate) fn new() -> Self {
        let buckets: fn() -> Histogram = || Histogram::new(exponential_buckets(0.000_1, 4.0, 12));
        let mut metrics = Self {
            registry: Registry::with_prefix("core_mcp"),
            calls: Family::default(),
            duration: Family::new_with_constructor(buckets),
            refusals: Family::default(),
            cache: Family::default(),
            running: Family::default(),
            waiting: Family::default(),
            breaker: Family::default(),
            retries: Family::default(),
            masked: Counter::default(),
        };
        metrics.register_all();
        metrics
    }

    fn register_all(&mut self) {
        let registry = &mut self.registry;
        registry.register("calls", "Calls by how they ended", self.calls.clone());
        registry.register("call_duration_seconds", "Wall time of calls", self.duration.clone());
        registry.register("refusals", "Refusals at the doors, by stage", self.refusals.clone());
        registry.register("cache", "Cacheable reads by how they were answered", self.cache.clone());
        registry.register("running", "Calls running now", self.running.clone());
        registry.register("waiting", "Calls waiting for a turn", self.waiting.clone());
        registry.register("breaker_state", "0 closed, 1 half open, 2 open", self.breaker.clone());
        registry.register("retries", "Repeated attempts", self.retries.clone());
        registry.register("masked_secrets", "Secrets masked in results", self.masked.clone());
    }

    /// Shows everything about a server as zero, so that an alarm can tell "never happened" from "not measured".
    pub(crate) fn begin(&self, server: &str) {
        self.breaker(server, 0);
        self.running(server);
        self.waiting(server);
        let labels = ServerLabels { server: server.to_owned() };
        drop(self.retries.get_or_create(&labels));
        for result in ["hit", "miss"] {
            drop(self.cache.get_or_create(&CacheLabels { server: server.to_owned(), result }));
        }
    }

    /// The metrics as OpenMetrics text.
    pub fn encode(&self) -> String {
        let mut text = String::new();
        encode(&mut text, &self.registry).expect("a String takes every write");
        text
    }

    pub(crate) fn finished(&self, server: &str, tool: &str, code: &'static str, seconds: f64) {
        let labels = ToolLabels { server: server.to_owned(), tool: tool.to_owned() };
        self.duration.get_or_create(&labels).observe(seconds);
        self.calls.get_or_create(&CallLabels { server: labels.server, tool: labels.tool, code }).inc();
    }

    pub(crate) fn refused(&self, stage: &'static str, kind: ErrorKind) {
        self.refusals.get_or_create(&RefusalLabels { stage, code: kind.code() }).inc();
    }

    pub(crate) fn cache(&self, server: &str, result: CacheResult) {
        let result = match result {
            CacheResult::Hit => "hit",
            CacheResult::Miss => "miss",
        };
        self.cache.get_or_create(&CacheLabels { server: server.to_owned(), result }).inc();
    }

    pub(crate) fn running(&self, server: &str) -> Gauge<i64, AtomicI64> {
        self.running.get_or_create_owned(&ServerLabels { server: server.to_owned() })
    }

    pub(crate) fn waiting(&self, server: &str) -> Gauge<i64, AtomicI64> {
        self.waiting.get_or_create_owned(&ServerLabels { server: server.to_owned() })
    }

    pub(crate) fn breaker(&self, server: &str, state: i64) {
        self.breaker.get_or_create(&ServerLabels { server: server.to_owned() }).set(state);
    }

    pub(crate) fn retried(&self, server: &str) {
        self.retries.get_or_create(&ServerLabels { server: server.to_owned() }).inc();
    }

    pub(crate) fn masked(&self, secrets: usize) {
        self.masked.inc_by(secrets as u64);
    }
}
