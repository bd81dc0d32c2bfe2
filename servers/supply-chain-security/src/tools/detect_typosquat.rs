//! `detect_typosquat`

use std::{
    collections::{BTreeMap, BTreeSet},
    time::Duration,
};

use kernel::{Caching, CallContext, Effect, Meta, Resource, Tool, ToolError, Trust};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::choice::hundred;
use crate::{
    SupplyChainSecurity,
    engine::{
        component::{Ecosystem, Kind},
        typosquat,
    },
    server::DEADLINE,
};

/// Finds names that look like well-known packages: letters missing, swapped, changed or from other alphabets, words added.
///
/// Compares with shipped lists of well-known names; `sources` tells their origin and date. Give a target or names.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct DetectTyposquat {
    /// Folder, lock file or SBOM whose packages are judged.
    #[serde(default)]
    #[schemars(length(min = 1, max = 4096))]
    target: Option<String>,
    /// Names to judge instead.
    #[serde(default)]
    #[schemars(length(max = 1000))]
    names: Vec<String>,
    /// Where `names` are meant.
    #[serde(default)]
    ecosystem: NamedEcosystem,
    /// Leave out what is less certain, 0 to 1.
    #[serde(default = "half")]
    #[schemars(range(min = 0.0, max = 1.0))]
    min_confidence: f64,
    /// Findings to list.
    #[serde(default = "hundred")]
    #[schemars(range(min = 1, max = 1000))]
    limit: u32,
}

fn half() -> f64 {
    0.5
}

/// An ecosystem with a list of well-known names.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub(crate) enum NamedEcosystem {
    #[default]
    Npm,
    Pypi,
    Cargo,
    Maven,
    Nuget,
    Composer,
    Gem,
    Golang,
}

impl From<NamedEcosystem> for Ecosystem {
    fn from(it: NamedEcosystem) -> Self {
        match it {
            NamedEcosystem::Npm => Self::Npm,
            NamedEcosystem::Pypi => Self::Pypi,
            NamedEcosystem::Cargo => Self::Cargo,
            NamedEcosystem::Maven => Self::Maven,
            NamedEcosystem::Nuget => Self::Nuget,
            NamedEcosystem::Composer => Self::Composer,
            NamedEcosystem::Gem => Self::Gem,
            NamedEcosystem::Golang => Self::Go,
        }
    }
}

/// What looks like something else.
#[derive(Debug, Serialize, JsonSchema)]
pub(crate) struct Lookalikes {
    findings: Vec<Doubtful>,
    truncated: bool,
    /// Names that were judged.
    judged: usize,
    /// The lists that were compared with.
    sources: BTreeMap<&'static str, &'static str>,
    /// Whether everything that was asked for was seen.
    is_complete: bool,
}

/// One doubtful name.
#[derive(Debug, Serialize, JsonSchema)]
pub(crate) struct Doubtful {
    ecosystem: &'static str,
    name: String,
    /// The well-known name it looks like.
    looks_like: &'static str,
    likeness: &'static str,
    /// Letters that differ.
    distance: usize,
    confidence: f64,
    evidence: Vec<String>,
}

impl Tool for DetectTyposquat {
    type Server = SupplyChainSecurity;
    type Output = Lookalikes;

    const META: Meta = Meta {
        name: "detect_typosquat",
        title: "Detect lookalike package names",
        effect: Effect::Read,
        caching: Caching::Never,
        trust: Trust::Untrusted,
    };

    fn resources(&self) -> Vec<Resource> {
        self.target.iter().map(|it| Resource::new("file", it)).collect()
    }

    fn deadline(&self) -> Option<Duration> {
        Some(DEADLINE)
    }

    async fn call(self, server: &SupplyChainSecurity, cx: &CallContext) -> Result<Lookalikes, ToolError> {
        let mut names: BTreeMap<(Ecosystem, String), BTreeSet<String>> = BTreeMap::new();
        let mut is_complete = true;
        match (&self.target, self.names.is_empty()) {
            (Some(target), true) => {
                let scanned = server.scan("target", target, cx).await?;
                is_complete = scanned.inventory.coverage.is_complete();
                for it in scanned.inventory.graph.components.iter().filter(|it| it.kind != Kind::Project) {
                    names
                        .entry((it.ecosystem, it.name.clone()))
                        .or_default()
                        .extend(it.evidence.iter().cloned());
                }
            }
            (None, false) => {
                let ecosystem = Ecosystem::from(self.ecosystem);
                names.extend(self.names.iter().map(|it| ((ecosystem, it.clone()), BTreeSet::new())));
            }
            _ => {
                return Err(ToolError::invalid("target", "give either `target` or `names`")
                    .hint("leave one of them out"));
            }
        }
        let sources = typosquat::sources(names.keys().map(|it| &it.0));
        let judged = names.len();
        let min = self.min_confidence;
        let work = move || {
            let doubt = |((ecosystem, name), evidence): ((Ecosystem, String), BTreeSet<String>)| {
                let found = typosquat::lookalike(ecosystem, &name)?;
                let confidence = found.likeness.confidence();
                (confidence >= min).then(|| Doubtful {
                    ecosystem: ecosystem.purl_type(),
                    name: crate::engine::component::clean(&name),
                    looks_like: found.popular,
                    likeness: found.likeness.as_str(),
                    distance: found.distance,
                    confidence,
                    evidence: evidence.into_iter().take(5).collect(),
                })
            };
            names.into_iter().filter_map(doubt).collect::<Vec<_>>()
        };
        let mut findings =
            tokio::task::spawn_blocking(work).await.map_err(crate::error::SupplyError::Worker)?;
        findings.sort_by(|left, right| right.confidence.total_cmp(&left.confidence));
        let truncated = findings.len() > self.limit as usize;
        findings.truncate(self.limit as usize);
        Ok(Lookalikes { findings, truncated, judged, sources, is_complete })
    }
}
