//! `why_dependency`

use std::time::Duration;

use kernel::{Caching, CallContext, Effect, Meta, Resource, Tool, ToolError, Trust};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::{SupplyChainSecurity, engine::component::Component, error::SupplyError, server::DEADLINE};

/// Components of one name that are explained.
const MATCHES_MAX: usize = 20;

/// Explains why a package is there: the shortest ways from the project to it, and the files that name it.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct WhyDependency {
    /// Folder, lock file, image archive or SBOM.
    #[schemars(length(min = 1, max = 4096))]
    target: String,
    /// Name, or name@version.
    #[schemars(length(min = 1, max = 512))]
    package: String,
    /// Ways per component.
    #[serde(default = "five")]
    #[schemars(range(min = 1, max = 50))]
    limit: u32,
}

fn five() -> u32 {
    5
}

/// Every component of that name.
#[derive(Debug, Serialize, JsonSchema)]
pub(crate) struct Reasons {
    matches: Vec<Reason>,
    /// Whether everything that was asked for was seen.
    is_complete: bool,
}

/// One component and the ways to it.
#[derive(Debug, Serialize, JsonSchema)]
pub(crate) struct Reason {
    package: String,
    /// `required`, `optional` or `dev`.
    scope: &'static str,
    /// The project asks for it itself.
    is_direct: bool,
    /// Each from the project to the package.
    paths: Vec<Vec<String>>,
    /// Files that name it.
    evidence: Vec<String>,
}

impl Tool for WhyDependency {
    type Server = SupplyChainSecurity;
    type Output = Reasons;

    const META: Meta = Meta {
        name: "why_dependency",
        title: "Explain why a package is there",
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

    async fn call(self, server: &SupplyChainSecurity, cx: &CallContext) -> Result<Reasons, ToolError> {
        let scanned = server.scan("target", &self.target, cx).await?;
        let graph = &scanned.inventory.graph;
        let direct = graph.direct();
        let is_meant = |it: &Component| {
            let canonical = it.ecosystem.canonical(&self.package);
            it.name == canonical || it.label() == self.package || it.label() == canonical
        };
        let found = graph.components.iter().enumerate().filter(|it| is_meant(it.1)).take(MATCHES_MAX);
        let reason = |(at, it): (usize, &Component)| {
            let label = |path: Vec<usize>| path.into_iter().map(|it| graph.components[it].label()).collect();
            Reason {
                package: it.label(),
                scope: it.scope.as_str(),
                is_direct: direct.contains(&at),
                paths: graph.paths_to(at, self.limit as usize).into_iter().map(label).collect(),
                evidence: it.evidence.iter().cloned().collect(),
            }
        };
        let matches: Vec<Reason> = found.map(reason).collect();
        if matches.is_empty() {
            return Err(SupplyError::UnknownPackage(crate::engine::component::clean(&self.package)).into());
        }
        Ok(Reasons { matches, is_complete: scanned.inventory.coverage.is_complete() })
    }
}
