//! `create_vex`

use std::collections::BTreeMap;

use kernel::{Caching, CallContext, Effect, Meta, Resource, Tool, ToolError, Trust};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::choice::products;
use crate::{
    SupplyChainSecurity,
    engine::{
        bom::Stamp,
        vex::{Draft, Justification, VexStatus},
    },
    server::VERSION,
};

/// Writes a VEX document: what you say about vulnerabilities in products. check_vulnerabilities takes it in `vex`.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct CreateVex {
    /// Ids, such as CVE-2024-1234.
    #[schemars(length(min = 1, max = 100))]
    vulnerabilities: Vec<String>,
    /// Package URLs; without a version, all versions are meant.
    #[schemars(length(min = 1, max = 100))]
    products: Vec<String>,
    status: VexStatus,
    /// Needed for `not_affected`, unless `statement` says why.
    #[serde(default)]
    justification: Option<Justification>,
    /// In your words; for `affected`, what to do.
    #[serde(default)]
    #[schemars(length(max = 2000))]
    statement: String,
    /// Who says so.
    #[schemars(length(min = 1, max = 200))]
    author: String,
    /// The form of the document.
    #[serde(default)]
    format: VexFormat,
}

/// The form of a VEX document.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub(crate) enum VexFormat {
    #[default]
    Openvex,
    Cyclonedx,
}

/// The document.
#[derive(Debug, Serialize, JsonSchema)]
pub(crate) struct VexDocument {
    #[schemars(with = "BTreeMap<String, Value>")]
    document: Value,
}

impl Tool for CreateVex {
    type Server = SupplyChainSecurity;
    type Output = VexDocument;

    const META: Meta = Meta {
        name: "create_vex",
        title: "Create a VEX document",
        effect: Effect::Read,
        caching: Caching::Never,
        trust: Trust::Own,
    };

    fn resources(&self) -> Vec<Resource> {
        Vec::new()
    }

    async fn call(self, _server: &SupplyChainSecurity, _cx: &CallContext) -> Result<VexDocument, ToolError> {
        let is_id = |it: &String| {
            !it.is_empty()
                && it.len() <= 100
                && it.bytes().all(|it| it.is_ascii_alphanumeric() || b"-_.:".contains(&it))
        };
        if let Some(at) = self.vulnerabilities.iter().position(|it| !is_id(it)) {
            return Err(ToolError::invalid(
                format!("vulnerabilities/{at}"),
                "an id has letters, digits, `-`, `_`, `.` and `:` only",
            )
            .hint("write the id as its database does, for example CVE-2024-1234"));
        }
        if self.status == VexStatus::NotAffected && self.justification.is_none() && self.statement.is_empty()
        {
            return Err(ToolError::invalid("justification", "`not_affected` needs a reason")
                .hint("set justification, or say why in statement"));
        }
        if self.status != VexStatus::NotAffected && self.justification.is_some() {
            return Err(ToolError::invalid("justification", "only `not_affected` has a justification")
                .hint("leave it out, or set status to not_affected"));
        }
        let draft = Draft {
            vulnerabilities: self.vulnerabilities,
            products: products("products", &self.products)?,
            status: self.status,
            justification: self.justification,
            statement: self.statement,
            author: self.author,
        };
        let stamp = Stamp::now(VERSION);
        Ok(VexDocument {
            document: match self.format {
                VexFormat::Openvex => draft.openvex(&stamp),
                VexFormat::Cyclonedx => draft.cyclonedx(&stamp),
            },
        })
    }
}
