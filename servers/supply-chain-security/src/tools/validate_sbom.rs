//! `validate_sbom`

use kernel::{Caching, CallContext, Effect, Meta, Resource, Tool, ToolError, Trust};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::choice::document;
use crate::{SupplyChainSecurity, engine::validate_bom};

/// Checks the rules of CycloneDX and SPDX documents that matter to readers.
///
/// Names, ids, references, purls, digests, licence expressions and times; not every rule of the schemas.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct ValidateSbom {
    /// The document, in JSON.
    #[schemars(length(min = 1, max = 4096))]
    path: String,
}

/// The verdict.
#[derive(Debug, Serialize, JsonSchema)]
pub(crate) struct Validated {
    /// For example `CycloneDX 1.6`.
    format: String,
    is_valid: bool,
    /// At most 200.
    problems: Vec<BrokenRule>,
}

/// One broken rule.
#[derive(Debug, Serialize, JsonSchema)]
pub(crate) struct BrokenRule {
    /// In the document.
    place: String,
    /// What should hold there.
    rule: String,
}

impl Tool for ValidateSbom {
    type Server = SupplyChainSecurity;
    type Output = Validated;

    const META: Meta = Meta {
        name: "validate_sbom",
        title: "Check an SBOM document",
        effect: Effect::Read,
        caching: Caching::Never,
        trust: Trust::Untrusted,
    };

    fn resources(&self) -> Vec<Resource> {
        vec![Resource::new("file", &self.path)]
    }

    async fn call(self, server: &SupplyChainSecurity, _cx: &CallContext) -> Result<Validated, ToolError> {
        let document = document(server, "path", &self.path)?;
        let verdict = validate_bom::check(&document);
        let problems: Vec<BrokenRule> =
            verdict.problems.into_iter().map(|(place, rule)| BrokenRule { place, rule }).collect();
        Ok(Validated { format: verdict.format, is_valid: problems.is_empty(), problems })
    }
}
