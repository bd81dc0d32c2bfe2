//! `dependency_tree`

use std::{collections::BTreeSet, time::Duration};

use kernel::{Caching, CallContext, Effect, Meta, Resource, Tool, ToolError, Trust};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::choice::{bom, keeps, yes};
use crate::{SupplyChainSecurity, engine::graph::Graph, server::DEADLINE, summary::Summary};

/// Lists components with what each needs, breadth first from the project.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct DependencyTree {
    /// Folder, lock file, image archive or SBOM.
    #[schemars(length(min = 1, max = 4096))]
    target: String,
    /// Steps from the project: 1 is what it asks for itself.
    #[serde(default = "three")]
    #[schemars(range(min = 1, max = 64))]
    depth: u32,
    /// Also list what only builds and tests need.
    #[serde(default = "yes")]
    include_dev: bool,
    /// Components to list.
    #[serde(default = "two_hundred")]
    #[schemars(range(min = 1, max = 2000))]
    limit: u32,
}

fn three() -> u32 {
    3
}

fn two_hundred() -> u32 {
    200
}

/// The tree, flat.
#[derive(Debug, Serialize, JsonSchema)]
pub(crate) struct Tree {
    nodes: Vec<Node>,
    /// There are more nodes within the depth.
    truncated: bool,
    /// Something needs itself through others.
    has_cycle: bool,
    summary: Summary,
}

/// One component.
#[derive(Debug, Serialize, JsonSchema)]
pub(crate) struct Node {
    /// Steps from the project.
    depth: u32,
    package: String,
    /// `required`, `optional` or `dev`.
    scope: &'static str,
    /// What it needs, by name and version.
    needs: Vec<String>,
    /// No file lists what it needs.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    needs_unknown: bool,
}

impl Tool for DependencyTree {
    type Server = SupplyChainSecurity;
    type Output = Tree;

    const META: Meta = Meta {
        name: "dependency_tree",
        title: "Show the dependency tree",
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

    async fn call(self, server: &SupplyChainSecurity, cx: &CallContext) -> Result<Tree, ToolError> {
        let scanned = server.scan("target", &self.target, cx).await?;
        let graph = bom(&scanned, &self.target).graph.sorted(keeps(self.include_dev));
        let order = breadth_first(&graph, self.depth);
        let limit = self.limit as usize;
        let nodes = order.iter().take(limit).map(|(at, depth)| node(&graph, *at, *depth)).collect();
        let summary = Summary::new(&self.target, &scanned);
        Ok(Tree { nodes, truncated: order.len() > limit, has_cycle: graph.has_cycle(), summary })
    }
}

/// Each component once, at its smallest depth.
fn breadth_first(graph: &Graph, depth_max: u32) -> Vec<(usize, u32)> {
    let mut seen = BTreeSet::new();
    let mut order = Vec::new();
    let mut level: Vec<usize> = graph.starts().into_iter().collect();
    for depth in 0..=depth_max {
        let mut next = Vec::new();
        for at in level {
            if seen.insert(at) {
                order.push((at, depth));
                next.extend(graph.needs.get(&at).into_iter().flatten());
            }
        }
        level = next;
    }
    order
}

fn node(graph: &Graph, at: usize, depth: u32) -> Node {
    let it = &graph.components[at];
    let needs = graph.needs.get(&at).into_iter().flatten();
    Node {
        depth,
        package: it.label(),
        scope: it.scope.as_str(),
        needs: needs.map(|it| graph.components[*it].label()).collect(),
        needs_unknown: graph.open_ended.contains(&at),
    }
}
