//! What the results of several tools share.

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::Serialize;

use crate::{
    Coverage,
    engine::{collect::Inventory, component::Kind, scan::Scanned},
};

/// Unresolved components named in a summary.
const NAMED_MAX: usize = 50;

/// What a target is made of, in numbers.
#[derive(Debug, Serialize, JsonSchema)]
pub(crate) struct Summary {
    /// As the caller named it.
    target: String,
    /// SHA-256 of everything that was read.
    digest: String,
    /// Packages, known and unresolved; the target's own projects are not counted.
    components: usize,
    /// Who-needs-whom pairs.
    edges: usize,
    /// Own projects found.
    projects: usize,
    /// Packages by ecosystem.
    by_ecosystem: BTreeMap<&'static str, usize>,
    /// Packages whose licence is known as an SPDX expression.
    with_licence: usize,
    /// Packages whose version nothing on disk decides, at most 50.
    unresolved: Vec<String>,
    /// Installed, but not what the lock file says.
    disagreements: Vec<String>,
    /// Age of the kept scan that answered, in seconds.
    #[serde(skip_serializing_if = "Option::is_none")]
    cached_seconds: Option<u64>,
    /// Whether everything that was asked for was seen.
    is_complete: bool,
    /// What was seen and what not.
    coverage: Coverage,
}

impl Summary {
    pub(crate) fn new(target: &str, scanned: &Scanned) -> Self {
        let Inventory { graph, coverage, disagreements, digest, .. } = &*scanned.inventory;
        let packages = || graph.components.iter().filter(|it| it.kind != Kind::Project);
        let mut by_ecosystem = BTreeMap::new();
        for it in packages() {
            *by_ecosystem.entry(it.ecosystem.purl_type()).or_default() += 1;
        }
        let has_licence = |it: &&_| crate::engine::component::has_expression(it);
        let unresolved = packages().filter(|it| it.kind == Kind::Unresolved).map(|it| it.label());
        Self {
            target: target.to_owned(),
            digest: digest.clone(),
            components: packages().count(),
            edges: graph.edges(),
            projects: graph.projects.len(),
            by_ecosystem,
            with_licence: packages().filter(has_licence).count(),
            unresolved: unresolved.take(NAMED_MAX).collect(),
            disagreements: disagreements.clone(),
            cached_seconds: scanned.age.map(|it| it.as_secs()),
            is_complete: coverage.is_complete(),
            coverage: coverage.clone(),
        }
    }
}
