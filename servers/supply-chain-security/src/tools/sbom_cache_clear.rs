//! `sbom_cache_clear`

use kernel::{Caching, CallContext, Effect, Meta, Resource, Tool, ToolError, Trust};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::SupplyChainSecurity;

/// Forgets every kept scan; the next one reads everything anew.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct SbomCacheClear {}

/// How many there were.
#[derive(Debug, Serialize, JsonSchema)]
pub(crate) struct Cleared {
    cleared: usize,
}

impl Tool for SbomCacheClear {
    type Server = SupplyChainSecurity;
    type Output = Cleared;

    const META: Meta = Meta {
        name: "sbom_cache_clear",
        title: "Forget kept scans",
        effect: Effect::Write { idempotent: true },
        caching: Caching::Never,
        trust: Trust::Own,
    };

    fn resources(&self) -> Vec<Resource> {
        Vec::new()
    }

    async fn call(self, server: &SupplyChainSecurity, _cx: &CallContext) -> Result<Cleared, ToolError> {
        Ok(Cleared { cleared: server.forget() })
    }
}
