//! `propose_upgrades`

use std::{collections::BTreeMap, time::Duration};

use kernel::{Caching, CallContext, Effect, Meta, Resource, Tool, ToolError, Trust};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::choice::yes;
use crate::{
    SupplyChainSecurity,
    engine::{advisory::Matter, component::Scope, version::compare},
    server::DEADLINE,
};

const LISTED_MAX: usize = 200;

/// Plans upgrades that mend known vulnerabilities, from local data only. Changes nothing and runs no package scripts.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct ProposeUpgrades {
    /// Folder, lock file or SBOM.
    #[schemars(length(min = 1, max = 4096))]
    target: String,
    /// Also plan for what only builds and tests need.
    #[serde(default = "yes")]
    include_dev: bool,
}

/// The plan.
#[derive(Debug, Serialize, JsonSchema)]
pub(crate) struct Plan {
    upgrades: Vec<Upgrade>,
    /// Vulnerable, and no mended version is known.
    unfixable: Vec<String>,
    /// There are more upgrades.
    truncated: bool,
    /// Records the plan was made from; without any it says nothing.
    records: usize,
}

/// One step.
#[derive(Debug, Serialize, JsonSchema)]
pub(crate) struct Upgrade {
    package: String,
    /// The lowest version that mends everything known.
    to: String,
    mends: Vec<String>,
    /// The major version changes.
    is_major: bool,
    /// What of the project's own list leads there; the package itself when it is direct.
    through: Vec<String>,
}

impl Tool for ProposeUpgrades {
    type Server = SupplyChainSecurity;
    type Output = Plan;

    const META: Meta = Meta {
        name: "propose_upgrades",
        title: "Plan upgrades",
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

    async fn call(self, server: &SupplyChainSecurity, cx: &CallContext) -> Result<Plan, ToolError> {
        let scanned = server.scan("target", &self.target, cx).await?;
        let loaded = server.advisories(cx).await?;
        let graph = &scanned.inventory.graph;
        let (mut upgrades, mut unfixable) = (Vec::new(), Vec::new());
        let wanted =
            graph.components.iter().enumerate().filter(|it| self.include_dev || it.1.scope != Scope::Dev);
        for (at, it) in wanted {
            let Some(version) = it.version.as_deref().map(|it| it.trim_start_matches('v')) else { continue };
            let mut fixes: BTreeMap<&str, Option<String>> = BTreeMap::new();
            for (advisory, affected) in loaded.advisories.concerning(it) {
                if matches!(advisory.matter, Matter::Vulnerability | Matter::Malicious) {
                    fixes.insert(&advisory.id, affected.fixed_in(version));
                }
            }
            let highest = fixes.values().flatten().max_by(|left, right| compare(it.ecosystem, left, right));
            match highest {
                Some(to) if fixes.values().all(Option::is_some) => upgrades.push(Upgrade {
                    package: it.label(),
                    to: to.clone(),
                    mends: fixes.keys().map(ToString::to_string).collect(),
                    is_major: major(to) != major(version),
                    through: through(graph, at),
                }),
                _ if !fixes.is_empty() => unfixable.push(it.label()),
                _ => {}
            }
        }
        let truncated = upgrades.len() > LISTED_MAX || unfixable.len() > LISTED_MAX;
        upgrades.truncate(LISTED_MAX);
        unfixable.truncate(LISTED_MAX);
        Ok(Plan { upgrades, unfixable, truncated, records: loaded.advisories.len() })
    }
}

fn major(version: &str) -> &str {
    version.split('.').next().unwrap_or(version)
}

/// The second step of each way: what the project asks for itself.
fn through(graph: &crate::engine::graph::Graph, at: usize) -> Vec<String> {
    let paths = graph.paths_to(at, 5);
    let mut all: Vec<String> = paths
        .iter()
        .filter_map(|path| path.get(1).or(path.first()))
        .map(|it| graph.components[*it].label())
        .collect();
    all.sort();
    all.dedup();
    all
}
