//! `detect_dependency_confusion`

use std::{collections::BTreeMap, time::Duration};

use kernel::{Caching, CallContext, Effect, Meta, Resource, Tool, ToolError, Trust};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::choice::hundred;
use crate::{Coverage, Severity, SupplyChainSecurity, engine::confusion, server::DEADLINE};

/// Finds packages a stranger could serve instead of yours: names of yours that a public registry is asked for.
///
/// Reads .npmrc, pip.conf, uv, poetry, NuGet, Maven, Composer and Bundler settings. Names never leave this machine.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct DetectDependencyConfusion {
    /// Folder or lock file.
    #[schemars(length(min = 1, max = 4096))]
    target: String,
    /// Names of your own, `*` for any text: `@acme/*`. Added to the configured ones.
    #[serde(default)]
    #[schemars(length(max = 200))]
    private_patterns: Vec<String>,
    /// Findings to list.
    #[serde(default = "hundred")]
    #[schemars(range(min = 1, max = 1000))]
    limit: u32,
}

/// In one word.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Verdict {
    /// Something could be taken from a stranger.
    AtRisk,
    /// Everything was seen, your names are known, nothing was found.
    NothingFound,
    /// Nobody said which names are yours, or not everything was seen.
    Unknown,
}

/// What was found.
#[derive(Debug, Serialize, JsonSchema)]
pub(crate) struct Confusions {
    verdict: Verdict,
    findings: Vec<Confused>,
    truncated: bool,
    /// Patterns that also fit well-known public names, with how many.
    too_wide: BTreeMap<String, usize>,
    coverage: Coverage,
}

/// One package or setting.
#[derive(Debug, Serialize, JsonSchema)]
pub(crate) struct Confused {
    rule: &'static str,
    severity: Severity,
    package: String,
    why: String,
    fix: &'static str,
    /// How the package manager would look for it.
    trace: Vec<String>,
    evidence: Vec<String>,
}

impl Tool for DetectDependencyConfusion {
    type Server = SupplyChainSecurity;
    type Output = Confusions;

    const META: Meta = Meta {
        name: "detect_dependency_confusion",
        title: "Detect dependency confusion",
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

    async fn call(self, server: &SupplyChainSecurity, cx: &CallContext) -> Result<Confusions, ToolError> {
        let is_all = |it: &String| it.trim_matches('*').is_empty() || it.len() > 200;
        if let Some(at) = self.private_patterns.iter().position(is_all) {
            return Err(ToolError::invalid(
                format!("private_patterns/{at}"),
                "a pattern has text beside `*`, and at most 200 characters",
            )
            .hint("write the part that all your names share, for example `@acme/*`"));
        }
        let scanned = server.scan("target", &self.target, cx).await?;
        let private: Vec<String> =
            server.config.private_packages.iter().cloned().chain(self.private_patterns).collect();
        let mut found = confusion::judge(&scanned.inventory, &private);
        let coverage = scanned.inventory.coverage.clone();
        let verdict = match (found.is_empty(), private.is_empty() || !coverage.is_complete()) {
            (false, _) => Verdict::AtRisk,
            (true, false) => Verdict::NothingFound,
            (true, true) => Verdict::Unknown,
        };
        let truncated = found.len() > self.limit as usize;
        found.truncate(self.limit as usize);
        let findings = found.into_iter().map(|it| Confused {
            rule: it.rule,
            severity: it.severity,
            package: it.package,
            why: it.why,
            fix: it.fix,
            trace: it.trace,
            evidence: it.evidence,
        });
        let too_wide = confusion::too_wide(&private).into_iter().map(|it| (it.0.to_owned(), it.1)).collect();
        Ok(Confusions { verdict, findings: findings.collect(), truncated, too_wide, coverage })
    }
}
