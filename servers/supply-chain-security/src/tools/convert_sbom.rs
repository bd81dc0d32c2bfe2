//! `convert_sbom`

use std::collections::BTreeMap;

use kernel::{Caching, CallContext, Effect, Meta, Resource, Tool, ToolError, Trust};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::choice::document;
use crate::{
    BomFormat, SupplyChainSecurity,
    engine::bom::{Bom, Stamp},
    error::SupplyError,
    server::VERSION,
};

/// Writes an SBOM in another format and lists what gets lost.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct ConvertSbom {
    /// The document, CycloneDX or SPDX in JSON.
    #[schemars(length(min = 1, max = 4096))]
    path: String,
    /// The form of the new document.
    format: BomFormat,
}

/// The new document.
#[derive(Debug, Serialize, JsonSchema)]
pub(crate) struct Converted {
    components: usize,
    edges: usize,
    /// What the old document said and the new one does not.
    losses: Vec<String>,
    /// The document itself.
    #[schemars(with = "BTreeMap<String, Value>")]
    document: Value,
}

impl Tool for ConvertSbom {
    type Server = SupplyChainSecurity;
    type Output = Converted;

    const META: Meta = Meta {
        name: "convert_sbom",
        title: "Convert an SBOM",
        effect: Effect::Read,
        caching: Caching::Never,
        trust: Trust::Untrusted,
    };

    fn resources(&self) -> Vec<Resource> {
        vec![Resource::new("file", &self.path)]
    }

    async fn call(self, server: &SupplyChainSecurity, _cx: &CallContext) -> Result<Converted, ToolError> {
        let source = document(server, "path", &self.path)?;
        let bom = Bom::read(&source).map_err(|what| SupplyError::Document("path", what))?;
        let document = bom.document(self.format, &Stamp::now(VERSION));
        Ok(Converted {
            components: bom.graph.components.len(),
            edges: bom.graph.edges(),
            losses: bom.losses,
            document,
        })
    }
}
