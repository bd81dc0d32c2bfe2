//! `check_licenses`

use std::{collections::BTreeMap, time::Duration};

use kernel::{Caching, CallContext, Effect, Meta, Resource, Tool, ToolError, Trust};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::choice::{hundred, yes};
use crate::{
    Coverage, SupplyChainSecurity,
    engine::{
        component::{Component, Kind, Scope},
        licence::{self, Policy, Ruling},
    },
    server::DEADLINE,
};

/// Reads the licence of every component and holds it against a policy.
///
/// A choice (`OR`) is fine when one side is. Entries are SPDX ids, or `copyleft`, `gnu`, `osi-approved`, `not-osi-approved`.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct CheckLicenses {
    /// Folder, lock file, image archive or SBOM.
    #[schemars(length(min = 1, max = 4096))]
    target: String,
    /// Licences that are fine; empty: all that are not denied.
    #[serde(default)]
    #[schemars(length(max = 200))]
    allow: Vec<String>,
    /// Licences that are not.
    #[serde(default)]
    #[schemars(length(max = 200))]
    deny: Vec<String>,
    /// Also check what only builds and tests need.
    #[serde(default = "yes")]
    include_dev: bool,
    /// Violations and unknowns to list.
    #[serde(default = "hundred")]
    #[schemars(range(min = 1, max = 1000))]
    limit: u32,
}

/// In one word.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Verdict {
    /// Something is denied.
    Violations,
    /// Everything was seen and is allowed.
    Compliant,
    /// A licence is not known, or not everything was seen.
    Unknown,
}

/// Licences and what the policy says.
#[derive(Debug, Serialize, JsonSchema)]
pub(crate) struct Licences {
    verdict: Verdict,
    /// Components by licence.
    counts: BTreeMap<String, usize>,
    violations: Vec<Licensed>,
    /// Components whose licence nothing on disk says in a way that can be judged.
    unknown: Vec<Licensed>,
    unknown_count: usize,
    /// What the allowed licences ask for, with how many components do.
    obligations: BTreeMap<&'static str, usize>,
    /// A list was cut.
    truncated: bool,
    coverage: Coverage,
}

/// A component and what is known of its licence.
#[derive(Debug, Serialize, JsonSchema)]
pub(crate) struct Licensed {
    package: String,
    /// As an SPDX expression, else as it is written.
    licence: String,
    /// The file that says so.
    evidence: String,
}

impl Tool for CheckLicenses {
    type Server = SupplyChainSecurity;
    type Output = Licences;

    const META: Meta = Meta {
        name: "check_licenses",
        title: "Check licences",
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

    async fn call(self, server: &SupplyChainSecurity, cx: &CallContext) -> Result<Licences, ToolError> {
        for (field, list) in [("allow", &self.allow), ("deny", &self.deny)] {
            if let Some(at) = list.iter().position(|it| !licence::is_policy_entry(it)) {
                return Err(ToolError::invalid(format!("{field}/{at}"), "an entry is an SPDX licence id or a group")
                    .hint("write `MIT`, `GPL-3.0`, `LicenseRef-…`, or one of copyleft, gnu, osi-approved, not-osi-approved"));
            }
        }
        let scanned = server.scan("target", &self.target, cx).await?;
        let policy = Policy { allow: self.allow, deny: self.deny };
        let limit = self.limit as usize;
        let (mut violations, mut unknown, mut counts, mut obligations) =
            (Vec::new(), Vec::new(), BTreeMap::new(), BTreeMap::new());
        let mut checked = 0;
        for it in scanned.inventory.graph.components.iter().filter(|it| it.kind != Kind::Project) {
            if !self.include_dev && it.scope == Scope::Dev {
                continue;
            }
            checked += 1;
            let expression = it.licence.as_ref().and_then(|it| it.expression.as_deref());
            *counts.entry(expression.unwrap_or("unknown").to_owned()).or_default() += 1;
            match policy.rule(expression) {
                Ruling::Denied => violations.push(licensed(it)),
                Ruling::Unknown => unknown.push(licensed(it)),
                Ruling::Allowed => {
                    for word in licence::obligations(expression.unwrap_or_default()) {
                        *obligations.entry(word).or_default() += 1;
                    }
                }
            }
        }
        let coverage = scanned.inventory.coverage.clone();
        let is_clear = unknown.is_empty() && coverage.is_complete() && checked > 0;
        let verdict = match (violations.is_empty(), is_clear) {
            (false, _) => Verdict::Violations,
            (true, true) => Verdict::Compliant,
            (true, false) => Verdict::Unknown,
        };
        let truncated = violations.len() > limit || unknown.len() > limit;
        let unknown_count = unknown.len();
        violations.truncate(limit);
        unknown.truncate(limit);
        Ok(Licences { verdict, counts, violations, unknown, unknown_count, obligations, truncated, coverage })
    }
}

fn licensed(it: &Component) -> Licensed {
    let licence = it.licence.as_ref();
    Licensed {
        package: it.label(),
        licence: licence
            .map(|it| it.expression.clone().unwrap_or_else(|| it.raw.clone()))
            .unwrap_or_default(),
        evidence: licence.map(|it| it.evidence.clone()).unwrap_or_default(),
    }
}
