//! `scan_package_behavior`

use std::{collections::BTreeMap, time::Duration};

use kernel::{Caching, CallContext, Effect, Meta, Resource, Tool, ToolError, Trust};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::choice::{hundred, yes};
use crate::{
    Coverage, Severity, SupplyChainSecurity,
    engine::{
        component::{Kind, Scope},
        signals::{self, Signal},
    },
    server::DEADLINE,
};

/// Collects what local data says against packages: install scripts, deprecation, known malice, no maintenance, no digest, odd sources.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct ScanPackageBehavior {
    /// Folder, lock file, image archive or SBOM.
    #[schemars(length(min = 1, max = 4096))]
    target: String,
    /// Leave out what is less severe.
    #[serde(default)]
    min_severity: Option<Severity>,
    /// Also look at what only builds and tests need.
    #[serde(default = "yes")]
    include_dev: bool,
    /// Signals to list, worst first.
    #[serde(default = "hundred")]
    #[schemars(range(min = 1, max = 1000))]
    limit: u32,
}

/// Everything worth a look.
#[derive(Debug, Serialize, JsonSchema)]
pub(crate) struct Behaviour {
    signals: Vec<Observed>,
    truncated: bool,
    /// How often each signal was seen.
    counts: BTreeMap<&'static str, usize>,
    /// Records of local data that malice and maintenance were looked up in.
    records: usize,
    coverage: Coverage,
}

/// One thing that speaks against one package.
#[derive(Debug, Serialize, JsonSchema)]
pub(crate) struct Observed {
    signal: &'static str,
    severity: Severity,
    package: String,
    why: String,
    evidence: Vec<String>,
}

impl Tool for ScanPackageBehavior {
    type Server = SupplyChainSecurity;
    type Output = Behaviour;

    const META: Meta = Meta {
        name: "scan_package_behavior",
        title: "Collect signals against packages",
        effect: Effect::Read,
        caching: Caching::Never,
        trust: Trust::Untrusted,
    };

    fn resources(&self) -> Vec<Resource> {
        vec![Resource::new("file", &self.target)]
    }

    fn deadline(&self) -> Option<Duration> {
        Some(DEADLINE)
    }

    async fn call(self, server: &SupplyChainSecurity, cx: &CallContext) -> Result<Behaviour, ToolError> {
        let scanned = server.scan("target", &self.target, cx).await?;
        let loaded = server.advisories(cx).await?;
        let graph = &scanned.inventory.graph;
        let wanted = graph
            .components
            .iter()
            .filter(|it| it.kind != Kind::Project && (self.include_dev || it.scope != Scope::Dev));
        let mut found: Vec<Signal> = wanted.flat_map(|it| signals::of(it, &loaded.advisories)).collect();
        found.retain(|it| self.min_severity.is_none_or(|min| it.severity >= min));
        found.sort_by(|left, right| {
            right
                .severity
                .cmp(&left.severity)
                .then_with(|| (&left.package, left.signal).cmp(&(&right.package, right.signal)))
        });
        let mut counts: BTreeMap<&'static str, usize> = BTreeMap::new();
        found.iter().for_each(|it| *counts.entry(it.signal).or_default() += 1);
        let truncated = found.len() > self.limit as usize;
        found.truncate(self.limit as usize);
        let observed = found.into_iter().map(|it| Observed {
            signal: it.signal,
            severity: it.severity,
            package: it.package,
            why: it.why,
            evidence: it.evidence,
        });
        let coverage = scanned.inventory.coverage.clone();
        Ok(Behaviour {
            signals: observed.collect(),
            truncated,
            counts,
            records: loaded.advisories.len(),
            coverage,
        })
    }
}
