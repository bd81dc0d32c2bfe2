//! `generate_sbom`

use std::{collections::BTreeMap, time::Duration};

use kernel::{Caching, CallContext, Effect, Meta, Resource, Tool, ToolError, Trust};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::{
    BomFormat, SupplyChainSecurity,
    engine::{
        bom::{Bom, Stamp},
        component::Scope,
    },
    server::{DEADLINE, VERSION},
    summary::Summary,
};

/// Lists everything a project is made of, as a CycloneDX or SPDX document with the whole dependency graph.
///
/// Reads lock files, manifests, installed packages and image archives. What no file decides is listed as unresolved.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct GenerateSbom {
    /// Folder, lock file, image archive or SBOM.
    #[schemars(length(min = 1, max = 4096))]
    target: String,
    /// The form of the document.
    #[serde(default)]
    format: BomFormat,
    /// Also list what only builds and tests need.
    #[serde(default = "yes")]
    include_dev: bool,
}

fn yes() -> bool {
    true
}

/// The document and what it holds.
#[derive(Debug, Serialize, JsonSchema)]
pub(crate) struct Sbom {
    summary: Summary,
    /// The document itself.
    #[schemars(with = "BTreeMap<String, Value>")]
    document: Value,
}

impl Tool for GenerateSbom {
    type Server = SupplyChainSecurity;
    type Output = Sbom;

    const META: Meta = Meta {
        name: "generate_sbom",
        title: "Generate an SBOM",
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

    async fn call(self, server: &SupplyChainSecurity, cx: &CallContext) -> Result<Sbom, ToolError> {
        let scanned = server.scan("target", &self.target, cx).await?;
        let bom = Bom::of(&scanned.inventory, &self.target, |it| self.include_dev || it.scope != Scope::Dev);
        let document = bom.document(self.format, &Stamp::now(VERSION));
        Ok(Sbom { summary: Summary::new(&self.target, &scanned), document })
    }
}
