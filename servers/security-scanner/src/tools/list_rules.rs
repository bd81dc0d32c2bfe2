use kernel::{Caching, CallContext, Effect, Meta, Resource, Tool, ToolError, Trust};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::{SecurityScanner, Severity, engine::rule::Family, error::ScanError};

/// Lists the rules, by id.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct ListRules {
    /// Only rules whose id or title holds this text.
    #[serde(default)]
    #[schemars(length(max = 100))]
    filter: Option<String>,
    /// Rules per page.
    #[serde(default = "hundred")]
    #[schemars(range(min = 1, max = 500))]
    limit: u32,
    /// `next_cursor` of the previous page.
    #[serde(default)]
    #[schemars(length(max = 16))]
    cursor: Option<String>,
}

fn hundred() -> u32 {
    100
}

/// One page of rules.
#[derive(Debug, Serialize, JsonSchema)]
pub(crate) struct RuleList {
    /// Rules that match the filter.
    total: usize,
    rules: Vec<RuleLine>,
    #[serde(skip_serializing_if = "Option::is_none")]
    next_cursor: Option<String>,
}

#[derive(Debug, Serialize, JsonSchema)]
struct RuleLine {
    id: String,
    title: String,
    family: Family,
    severity: Severity,
}

impl Tool for ListRules {
    type Server = SecurityScanner;
    type Output = RuleList;

    const META: Meta = Meta {
        name: "list_rules",
        title: "List the rules",
        effect: Effect::Read,
        caching: Caching::Never,
        trust: Trust::Own,
    };

    fn resources(&self) -> Vec<Resource> {
        Vec::new()
    }

    async fn call(self, server: &SecurityScanner, _cx: &CallContext) -> Result<RuleList, ToolError> {
        let filter = self.filter.unwrap_or_default().to_lowercase();
        let mut all: Vec<_> = (server.rules.rules.iter())
            .filter(|it| it.id.contains(&filter) || it.title.to_lowercase().contains(&filter))
            .collect();
        all.sort_by(|left, right| left.id.cmp(&right.id));
        let from = self.cursor.map_or(Ok(0), |it| it.parse::<usize>()).map_err(|_| ScanError::BadCursor)?;
        let to = from.saturating_add(self.limit as usize);
        let rules = all.iter().skip(from).take(self.limit as usize);
        let rules = rules.map(|it| RuleLine {
            id: it.id.clone(),
            title: it.title.clone(),
            family: it.family,
            severity: it.severity,
        });
        let next_cursor = (to < all.len()).then(|| to.to_string());
        Ok(RuleList { total: all.len(), rules: rules.collect(), next_cursor })
    }
}
