//! `merge_sbom`

use std::collections::BTreeMap;

use kernel::{Caching, CallContext, Effect, Meta, Resource, Tool, ToolError, Trust};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::choice::document;
use crate::{
    BomFormat, SupplyChainSecurity,
    engine::{
        bom::{Bom, Stamp},
        component::{Component, Ecosystem},
    },
    error::SupplyError,
    server::VERSION,
};

/// Makes one SBOM of several; equal components become one.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct MergeSbom {
    /// The documents, in JSON.
    #[schemars(length(min = 2, max = 64))]
    paths: Vec<String>,
    /// Name of the whole.
    #[schemars(length(min = 1, max = 200))]
    name: String,
    /// The form of the new document.
    #[serde(default)]
    format: BomFormat,
}

/// The new document.
#[derive(Debug, Serialize, JsonSchema)]
pub(crate) struct Merged {
    components: usize,
    edges: usize,
    /// What the old documents said and the new one does not.
    losses: Vec<String>,
    /// The document itself.
    #[schemars(with = "BTreeMap<String, Value>")]
    document: Value,
}

impl Tool for MergeSbom {
    type Server = SupplyChainSecurity;
    type Output = Merged;

    const META: Meta = Meta {
        name: "merge_sbom",
        title: "Merge SBOMs",
        effect: Effect::Read,
        caching: Caching::Never,
        trust: Trust::Untrusted,
    };

    fn resources(&self) -> Vec<Resource> {
        self.paths.iter().map(|it| Resource::new("file", it)).collect()
    }

    async fn call(self, server: &SupplyChainSecurity, _cx: &CallContext) -> Result<Merged, ToolError> {
        let mut whole = Bom { name: self.name, is_complete: true, ..Bom::default() };
        for path in &self.paths {
            let source = document(server, "paths", path)?;
            let bom = Bom::read(&source).map_err(|what| SupplyError::Document("paths", what))?;
            whole.is_complete &= bom.is_complete;
            whole.losses.extend(bom.losses.iter().map(|it| format!("{path}: {it}")));
            whole.take(bom.graph);
        }
        whole.graph.hold(Component::new(Ecosystem::Generic, &whole.name, ""), "");
        whole.graph = std::mem::take(&mut whole.graph).sorted(|_| true);
        let document = whole.document(self.format, &Stamp::now(VERSION));
        Ok(Merged {
            components: whole.graph.components.len(),
            edges: whole.graph.edges(),
            losses: whole.losses,
            document,
        })
    }
}
