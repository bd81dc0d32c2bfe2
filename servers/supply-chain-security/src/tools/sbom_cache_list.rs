//! `sbom_cache_list`

use kernel::{Caching, CallContext, Effect, Meta, Resource, Tool, ToolError, Trust};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::SupplyChainSecurity;

/// Lists the scans that are kept in memory and answered again while their files stay the same.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct SbomCacheList {}

/// Kept scans.
#[derive(Debug, Serialize, JsonSchema)]
pub(crate) struct Kept {
    entries: Vec<Entry>,
    /// How long an entry lives.
    ttl_seconds: u64,
}

/// One kept scan.
#[derive(Debug, Serialize, JsonSchema)]
pub(crate) struct Entry {
    target: String,
    /// SHA-256 of everything that was read.
    digest: String,
    components: usize,
    age_seconds: u64,
    /// How often it answered.
    hits: u64,
}

impl Tool for SbomCacheList {
    type Server = SupplyChainSecurity;
    type Output = Kept;

    const META: Meta = Meta {
        name: "sbom_cache_list",
        title: "List kept scans",
        effect: Effect::Read,
        caching: Caching::Never,
        trust: Trust::Untrusted,
    };

    fn resources(&self) -> Vec<Resource> {
        Vec::new()
    }

    async fn call(self, server: &SupplyChainSecurity, _cx: &CallContext) -> Result<Kept, ToolError> {
        let entry = |it: crate::engine::cache::Listed| Entry {
            target: it.target,
            digest: it.digest,
            components: it.components,
            age_seconds: it.age.as_secs(),
            hits: it.hits,
        };
        Ok(Kept {
            entries: server.kept().into_iter().map(entry).collect(),
            ttl_seconds: server.config.cache_ttl_seconds,
        })
    }
}
