//! The knobs of the road, with the requirement documents' default and maximum values.

use std::{collections::BTreeMap, time::Duration};

use kernel::Facts;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// Limits for every server, with overrides per server and per tool (`server.tool`).
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Tuning {
    /// Applies to every server. An unset key takes the documented default.
    #[serde(default, flatten)]
    pub defaults: LimitOverrides,
    /// By catalogue name; wins over the values for every server.
    #[serde(default)]
    pub server: BTreeMap<String, LimitOverrides>,
    /// By `server.tool`; wins over the server's.
    #[serde(default)]
    pub tool: BTreeMap<String, LimitOverrides>,
    /// Accept values above the documents' maximum column.
    #[serde(default)]
    pub beyond_documented: bool,
}

/// Any subset of the knobs.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(default)]
pub struct LimitOverrides {
    /// Calls of one server that run at the same time, reads and changes apart (documents: scan semaphore 3,
    /// at most 10).
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 1))]
    pub semaphore: Option<u32>,
    /// Calls of one server that may wait for a turn (1000, at most 10000).
    #[serde(skip_serializing_if = "Option::is_none")]
    pub queue: Option<u32>,
    /// How long a cacheable read stays good (600, at most 3600). 0 turns the cache off.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub cache_ttl_seconds: Option<u64>,
    /// Failures in a row that open the breaker (5, at most 20).
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 1))]
    pub breaker_threshold: Option<u32>,
    /// How long an open breaker refuses before it probes (30).
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 1, max = 3600))]
    pub breaker_open_seconds: Option<u64>,
    /// Calls per minute, principal and tool class (20, at most 120). Set for a tool, it counts that tool alone.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 1))]
    pub rate_per_minute: Option<u32>,
    /// Attempts for calls that may be repeated, the first included (3, at most 10).
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 1, max = 10))]
    pub retry_attempts: Option<u32>,
    /// Deadline of a call whose tool sets none (30, at most 3600).
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 1, max = 3600))]
    pub deadline_seconds: Option<u64>,
    /// Largest result sent inline; the rest becomes an artifact (262144).
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 1024, max = 16_777_216))]
    pub result_bytes_max: Option<usize>,
}

impl LimitOverrides {
    fn or(self, outer: Self) -> Self {
        Self {
            semaphore: self.semaphore.or(outer.semaphore),
            queue: self.queue.or(outer.queue),
            cache_ttl_seconds: self.cache_ttl_seconds.or(outer.cache_ttl_seconds),
            breaker_threshold: self.breaker_threshold.or(outer.breaker_threshold),
            breaker_open_seconds: self.breaker_open_seconds.or(outer.breaker_open_seconds),
            rate_per_minute: self.rate_per_minute.or(outer.rate_per_minute),
            retry_attempts: self.retry_attempts.or(outer.retry_attempts),
            deadline_seconds: self.deadline_seconds.or(outer.deadline_seconds),
            result_bytes_max: self.result_bytes_max.or(outer.result_bytes_max),
        }
    }
}

/// The values in force for one call.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limits {
    /// Calls at the same time.
    pub semaphore: u32,
    /// Calls that may wait.
    pub queue: u32,
    /// How long a cached read stays good; zero means no cache.
    pub cache_ttl: Duration,
    /// Failures in a row that open the breaker.
    pub breaker_threshold: u32,
    /// How long it stays open.
    pub breaker_open: Duration,
    /// Calls per minute.
    pub rate_per_minute: u32,
    /// Attempts, the first included.
    pub retry_attempts: u32,
    /// Deadline of a call whose tool sets none.
    pub deadline: Duration,
    /// Largest inline result in bytes.
    pub result_bytes_max: usize,
}

impl Tuning {
    /// Resolves the knobs for one tool: tool over server over everything over the documents' defaults.
    pub fn limits(&self, facts: &Facts, tool: &str) -> Limits {
        let by_tool = self.of_tool(facts, tool).unwrap_or_default();
        let by_server = self.server.get(&facts.name).copied().unwrap_or_default();
        let chosen = by_tool.or(by_server).or(self.defaults);
        Limits {
            semaphore: chosen.semaphore.unwrap_or(facts.concurrency),
            queue: chosen.queue.unwrap_or(1000),
            cache_ttl: Duration::from_secs(chosen.cache_ttl_seconds.unwrap_or(600)),
            breaker_threshold: chosen.breaker_threshold.unwrap_or(5),
            breaker_open: Duration::from_secs(chosen.breaker_open_seconds.unwrap_or(30)),
            rate_per_minute: chosen.rate_per_minute.unwrap_or(20),
            retry_attempts: chosen.retry_attempts.unwrap_or(3),
            deadline: Duration::from_secs(chosen.deadline_seconds.unwrap_or(30)),
            result_bytes_max: chosen.result_bytes_max.unwrap_or(256 * 1024),
        }
    }

    /// Whether a tool takes its turns apart from its server's other tools.
    pub(crate) fn has_own_turns(&self, facts: &Facts, tool: &str) -> bool {
        self.of_tool(facts, tool).is_some_and(|it| it.semaphore.is_some() || it.queue.is_some())
    }

    /// Whether a tool's calls are counted apart from those of its server's other tools.
    pub(crate) fn has_own_rate(&self, facts: &Facts, tool: &str) -> bool {
        self.of_tool(facts, tool).is_some_and(|it| it.rate_per_minute.is_some())
    }

    fn of_tool(&self, facts: &Facts, tool: &str) -> Option<LimitOverrides> {
        // Most installations have none: then not even the name is put together.
        if self.tool.is_empty() { None } else { self.tool.get(&format!("{}.{tool}", facts.name)).copied() }
    }

    /// The documents' *recommended* column, as `quickstart` and `config init` write it.
    pub fn recommended() -> Self {
        Self {
            defaults: LimitOverrides {
                semaphore: Some(5),
                queue: Some(5000),
                cache_ttl_seconds: Some(1800),
                breaker_threshold: Some(10),
                rate_per_minute: Some(60),
                ..LimitOverrides::default()
            },
            ..Self::default()
        }
    }

    /// Every value that is above the documents' maximum, as `key: value is above max`. Empty when all
    /// are within it or the operator accepted more with `beyond_documented = true`.
    pub fn violations(&self) -> Vec<String> {
        if self.beyond_documented {
            return Vec::new();
        }
        let sections = std::iter::once(("tuning".to_owned(), self.defaults))
            .chain(self.server.iter().map(|(name, limits)| (format!("tuning.server.{name}"), *limits)))
            .chain(self.tool.iter().map(|(name, limits)| (format!("tuning.tool.\"{name}\""), *limits)));
        sections.flat_map(|(section, limits)| limits.violations(&section)).collect()
    }
}

impl LimitOverrides {
    fn violations(self, section: &str) -> Vec<String> {
        let over = |key: &str, value: Option<u64>, max: u64| {
            value
                .filter(|value| *value > max)
                .map(|value| format!("{section}.{key}: {value} is above the documented maximum {max}"))
        };
        [
            over("semaphore", self.semaphore.map(u64::from), 10),
            over("queue", self.queue.map(u64::from), 10_000),
            over("cache_ttl_seconds", self.cache_ttl_seconds, 3600),
            over("breaker_threshold", self.breaker_threshold.map(u64::from), 20),
            over("rate_per_minute", self.rate_per_minute.map(u64::from), 120),
            over("breaker_open_seconds", self.breaker_open_seconds, 3600),
            over("retry_attempts", self.retry_attempts.map(u64::from), 10),
            over("deadline_seconds", self.deadline_seconds, 3600),
            over("result_bytes_max", self.result_bytes_max.map(|it| it as u64), 16 << 20),
        ]
        .into_iter()
        .flatten()
        .collect()
    }
}
