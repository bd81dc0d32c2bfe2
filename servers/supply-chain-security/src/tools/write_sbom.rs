//! `write_sbom`

use std::time::Duration;

use guard::path::Existing;
use kernel::{Caching, CallContext, Effect, Meta, Resource, Tool, ToolError, Trust};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::choice::{bom, keeps, yes};
use crate::{
    BomFormat, SupplyChainSecurity,
    engine::{bom::Stamp, digest},
    server::{DEADLINE, VERSION},
    summary::Summary,
};

/// Writes the SBOM of a target to a file.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct WriteSbom {
    /// Folder, lock file, image archive or SBOM.
    #[schemars(length(min = 1, max = 4096))]
    target: String,
    /// The file to write; its folder must exist.
    #[schemars(length(min = 1, max = 4096))]
    output_path: String,
    /// The form of the document.
    #[serde(default)]
    format: BomFormat,
    /// Also list what only builds and tests need.
    #[serde(default = "yes")]
    include_dev: bool,
    /// Replace a file that is there.
    #[serde(default)]
    overwrite: bool,
}

/// What was written.
#[derive(Debug, Serialize, JsonSchema)]
pub(crate) struct Written {
    output_path: String,
    bytes: usize,
    /// SHA-256 of the file.
    sha256: String,
    summary: Summary,
}

impl Tool for WriteSbom {
    type Server = SupplyChainSecurity;
    type Output = Written;

    const META: Meta = Meta {
        name: "write_sbom",
        title: "Write an SBOM to a file",
        effect: Effect::Write { idempotent: true },
        caching: Caching::Never,
        trust: Trust::Untrusted,
    };

    fn resources(&self) -> Vec<Resource> {
        vec![Resource::new("file", &self.target), Resource::new("file", &self.output_path)]
    }

    fn deadline(&self) -> Option<Duration> {
        Some(DEADLINE)
    }

    async fn call(self, server: &SupplyChainSecurity, cx: &CallContext) -> Result<Written, ToolError> {
        // The place is checked first: nobody should wait for a scan that cannot be kept.
        let place = server.roots.place("output_path", &self.output_path)?;
        place.refuse_unchangeable()?;
        let scanned = server.scan("target", &self.target, cx).await?;
        let mut bom = bom(&scanned, &self.target);
        bom.graph = bom.graph.sorted(keeps(self.include_dev));
        let text = format!("{}\n", bom.document(self.format, &Stamp::now(VERSION)));
        let existing = if self.overwrite { Existing::Replace } else { Existing::Keep };
        place.write(text.as_bytes(), existing)?;
        Ok(Written {
            output_path: self.output_path,
            bytes: text.len(),
            sha256: digest::sha256(text.as_bytes()),
            summary: Summary::new(&self.target, &scanned),
        })
    }
}
