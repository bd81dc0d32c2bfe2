//! `diff_sbom`

use std::time::Duration;

use kernel::{Caching, CallContext, Effect, Meta, Resource, Tool, ToolError, Trust};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::{SupplyChainSecurity, engine::diff, server::DEADLINE};

/// Entries of each list in a result.
const LISTED_MAX: usize = 500;

/// Tells what changed between two SBOMs, lock files or folders.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct DiffSbom {
    /// The older one.
    #[schemars(length(min = 1, max = 4096))]
    before: String,
    /// The newer one.
    #[schemars(length(min = 1, max = 4096))]
    after: String,
}

/// Changes, by name.
#[derive(Debug, Serialize, JsonSchema)]
pub(crate) struct Diff {
    is_equal: bool,
    /// Whether both sides were seen as a whole; otherwise something may be missing.
    is_complete: bool,
    added: Vec<String>,
    removed: Vec<String>,
    changed: Vec<Changed>,
    /// Same version, other licence.
    relicensed: Vec<Changed>,
    /// Same version, other digest: what is behind the name was replaced.
    replaced: Vec<String>,
    /// A list was cut at 500 entries.
    truncated: bool,
}

/// One component that is different now.
#[derive(Debug, Serialize, JsonSchema)]
pub(crate) struct Changed {
    package: String,
    before: String,
    after: String,
    /// The later version is the older one.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    downgrade: bool,
}

impl Tool for DiffSbom {
    type Server = SupplyChainSecurity;
    type Output = Diff;

    const META: Meta = Meta {
        name: "diff_sbom",
        title: "Compare two SBOMs",
        effect: Effect::Read,
        caching: Caching::Never,
        trust: Trust::Untrusted,
    };

    fn resources(&self) -> Vec<Resource> {
        vec![Resource::new("file", &self.before), Resource::new("file", &self.after)]
    }

    fn deadline(&self) -> Option<Duration> {
        Some(DEADLINE)
    }

    async fn call(self, server: &SupplyChainSecurity, cx: &CallContext) -> Result<Diff, ToolError> {
        let before = server.scan("before", &self.before, cx).await?;
        let after = server.scan("after", &self.after, cx).await?;
        let mut changes = diff::between(&before.inventory.graph, &after.inventory.graph);
        let is_equal = changes == diff::Changes::default();
        let longest =
            [changes.added.len(), changes.removed.len(), changes.changed.len(), changes.relicensed.len()];
        let truncated = longest.into_iter().chain([changes.replaced.len()]).any(|it| it > LISTED_MAX);
        changes.added.truncate(LISTED_MAX);
        changes.removed.truncate(LISTED_MAX);
        changes.replaced.truncate(LISTED_MAX);
        let changed = changes.changed.into_iter().take(LISTED_MAX);
        let relicensed = changes.relicensed.into_iter().take(LISTED_MAX);
        Ok(Diff {
            is_equal,
            is_complete: before.inventory.coverage.is_complete() && after.inventory.coverage.is_complete(),
            added: changes.added,
            removed: changes.removed,
            changed: changed
                .map(|(package, before, after, is_newer)| Changed {
                    package,
                    before,
                    after,
                    downgrade: !is_newer,
                })
                .collect(),
            relicensed: relicensed
                .map(|(package, before, after)| Changed { package, before, after, downgrade: false })
                .collect(),
            replaced: changes.replaced,
            truncated,
        })
    }
}
