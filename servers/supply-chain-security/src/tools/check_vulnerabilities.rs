//! `check_vulnerabilities`

use std::{
    collections::{BTreeMap, BTreeSet},
    time::Duration,
};

use kernel::{Caching, CallContext, Effect, Meta, Resource, Tool, ToolError, Trust};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::choice::{document, hundred, yes};
use crate::{
    Coverage, Severity, SupplyChainSecurity,
    engine::{
        advisory_data::Loaded,
        component::{Component, Ecosystem, Kind, Scope},
        scan::Scanned,
        vex::{self, Statement},
    },
    error::SupplyError,
    server::DEADLINE,
};

/// Ways named with each finding.
const PATHS_MAX: usize = 3;
const UNDECIDED_MAX: usize = 50;

/// Matches every component against the local vulnerability data (OSV, RustSec), offline.
///
/// `verdict` is `none_known` only when there is data for every ecosystem and everything was seen; `unknown` without data.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct CheckVulnerabilities {
    /// Folder, lock file, image archive or SBOM.
    #[schemars(length(min = 1, max = 4096))]
    target: String,
    /// Leave out what is less severe; what nobody rated stays.
    #[serde(default)]
    min_severity: Option<Severity>,
    /// Also check what only builds and tests need.
    #[serde(default = "yes")]
    include_dev: bool,
    /// VEX documents to apply: OpenVEX or CycloneDX.
    #[serde(default)]
    #[schemars(length(max = 32))]
    vex: Vec<String>,
    /// Findings to list, worst first.
    #[serde(default = "hundred")]
    #[schemars(range(min = 1, max = 1000))]
    limit: u32,
}

/// In one word.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Verdict {
    /// Something is open.
    Vulnerable,
    /// Everything was seen, there is data for it, nothing is open.
    NoneKnown,
    /// Not everything was seen, or there is no data for a part of it.
    Unknown,
}

/// What is known of the target's components.
#[derive(Debug, Serialize, JsonSchema)]
pub(crate) struct Vulnerabilities {
    verdict: Verdict,
    /// Why the verdict is not a clear one.
    reasons: Vec<String>,
    /// Open findings by severity.
    counts: BTreeMap<Severity, u64>,
    findings: Vec<Finding>,
    /// There are more findings.
    truncated: bool,
    /// Components with advisories and without a version to judge by.
    undecided: Vec<String>,
    /// What it was matched against.
    data: Data,
    coverage: Coverage,
}

/// The local data.
#[derive(Debug, Serialize, JsonSchema)]
pub(crate) struct Data {
    /// Records by ecosystem.
    records: BTreeMap<&'static str, usize>,
    /// The newest change of a record.
    newest: String,
    /// Records that could not be read.
    unreadable: u64,
}

/// One vulnerability in one component.
#[derive(Debug, Serialize, JsonSchema)]
pub(crate) struct Finding {
    /// Stays the same between scans.
    fingerprint: String,
    id: String,
    aliases: Vec<String>,
    /// `vulnerability`, `malicious`, `unmaintained` or `unsound`.
    kind: &'static str,
    severity: Severity,
    #[serde(skip_serializing_if = "Option::is_none")]
    score: Option<f64>,
    package: String,
    scope: &'static str,
    summary: String,
    /// The lowest version that mends it.
    #[serde(skip_serializing_if = "Option::is_none")]
    fixed_in: Option<String>,
    /// From the project to the package.
    paths: Vec<Vec<String>>,
    /// What a VEX document says of it.
    #[serde(skip_serializing_if = "Option::is_none")]
    vex: Option<vex::VexStatus>,
    #[serde(skip_serializing_if = "String::is_empty")]
    vex_reason: String,
}

impl Tool for CheckVulnerabilities {
    type Server = SupplyChainSecurity;
    type Output = Vulnerabilities;

    const META: Meta = Meta {
        name: "check_vulnerabilities",
        title: "Check for known vulnerabilities",
        effect: Effect::Read,
        caching: Caching::Never,
        trust: Trust::Untrusted,
    };

    fn resources(&self) -> Vec<Resource> {
        std::iter::once(&self.target).chain(&self.vex).map(|it| Resource::new("file", it)).collect()
    }

    fn deadline(&self) -> Option<Duration> {
        Some(DEADLINE)
    }

    async fn call(
        self,
        server: &SupplyChainSecurity,
        cx: &CallContext,
    ) -> Result<Vulnerabilities, ToolError> {
        let mut statements = Vec::new();
        for path in &self.vex {
            let source = document(server, "vex", path)?;
            statements.extend(vex::read(&source).map_err(|what| SupplyError::Document("vex", what))?);
        }
        let scanned = server.scan("target", &self.target, cx).await?;
        let loaded = server.advisories(cx).await?;
        Ok(self.judge(&scanned, &loaded, &statements))
    }
}

impl CheckVulnerabilities {
    fn judge(&self, scanned: &Scanned, loaded: &Loaded, statements: &[Statement]) -> Vulnerabilities {
        let graph = &scanned.inventory.graph;
        let is_meant = |it: &&(usize, &Component)| {
            it.1.kind != Kind::Project && (self.include_dev || it.1.scope != Scope::Dev)
        };
        let all: Vec<(usize, &Component)> = graph.components.iter().enumerate().collect();
        let (mut findings, mut undecided, mut seen) = (Vec::new(), Vec::new(), BTreeSet::new());
        for (at, it) in all.iter().filter(is_meant) {
            seen.insert(it.ecosystem);
            if it.version.is_none() && !loaded.advisories.about(it).is_empty() {
                undecided.push(it.label());
            }
            for (advisory, affected) in loaded.advisories.concerning(it) {
                let is_low = advisory.severity != Severity::Unknown
                    && self.min_severity.is_some_and(|min| advisory.severity < min);
                if !is_low {
                    findings.push((*at, finding(it, advisory, affected, statements)));
                }
            }
        }
        let is_open = |it: &Finding| !it.vex.is_some_and(vex::VexStatus::settles);
        findings.sort_by(|(_, left), (_, right)| {
            is_open(right)
                .cmp(&is_open(left))
                .then(right.severity.cmp(&left.severity))
                .then_with(|| (&left.package, &left.id).cmp(&(&right.package, &right.id)))
        });
        let mut counts: BTreeMap<Severity, u64> = BTreeMap::new();
        for (_, it) in findings.iter().filter(|it| is_open(&it.1)) {
            *counts.entry(it.severity).or_default() += 1;
        }
        let truncated = findings.len() > self.limit as usize;
        let label = |path: Vec<usize>| path.into_iter().map(|it| graph.components[it].label()).collect();
        let listed = findings.into_iter().take(self.limit as usize).map(|(at, it)| Finding {
            paths: graph.paths_to(at, PATHS_MAX).into_iter().map(label).collect(),
            ..it
        });
        let findings = listed.collect();
        let reasons = reasons(&seen, &undecided, scanned, loaded);
        let verdict = match (counts.is_empty(), reasons.is_empty()) {
            (false, _) => Verdict::Vulnerable,
            (true, true) => Verdict::NoneKnown,
            (true, false) => Verdict::Unknown,
        };
        undecided.truncate(UNDECIDED_MAX);
        let coverage = scanned.inventory.coverage.clone();
        Vulnerabilities {
            verdict,
            reasons,
            counts,
            findings,
            truncated,
            undecided,
            data: data(loaded),
            coverage,
        }
    }
}

fn finding(
    it: &Component,
    advisory: &crate::engine::advisory::Advisory,
    affected: &crate::engine::advisory::Affected,
    statements: &[Statement],
) -> Finding {
    let ids: Vec<&str> = std::iter::once(&advisory.id).chain(&advisory.aliases).map(String::as_str).collect();
    let said = statements.iter().rev().find(|statement| statement.fits(&ids, it));
    let version = it.version.as_deref().unwrap_or_default();
    let identity = format!("{}\0{}\0{}", advisory.id, it.ecosystem.purl_type(), it.label());
    Finding {
        fingerprint: crate::engine::digest::sha256(identity.as_bytes())[..32].to_owned(),
        id: advisory.id.clone(),
        aliases: advisory.aliases.clone(),
        kind: advisory.matter.as_str(),
        severity: advisory.severity,
        score: advisory.score,
        package: it.label(),
        scope: it.scope.as_str(),
        summary: advisory.summary.clone(),
        fixed_in: affected.fixed_in(version.trim_start_matches('v')),
        paths: Vec::new(),
        vex: said.map(|it| it.status),
        vex_reason: said.map(|it| it.why.clone()).unwrap_or_default(),
    }
}

/// What keeps the verdict from being a clear one.
fn reasons(
    seen: &BTreeSet<Ecosystem>,
    undecided: &[String],
    scanned: &Scanned,
    loaded: &Loaded,
) -> Vec<String> {
    let mut reasons = Vec::new();
    for it in seen.iter().filter(|it| !loaded.advisories.counts.contains_key(it)) {
        let name = if it.osv_name().is_empty() { "unnamed ecosystems" } else { it.osv_name() };
        reasons.push(format!("there is no local data for {name}; set `advisories` in the configuration"));
    }
    if seen.is_empty() {
        reasons.push("no components were found".to_owned());
    }
    if !undecided.is_empty() {
        reasons.push(format!("{} components with advisories have no exact version", undecided.len()));
    }
    if !scanned.inventory.coverage.is_complete() {
        reasons.push("not everything was seen; see coverage".to_owned());
    }
    if loaded.coverage.truncated
        || loaded.coverage.problem_count > 0
        || !loaded.coverage.skipped_by_reason.is_empty()
    {
        reasons.push("a part of the local data could not be read".to_owned());
    }
    reasons
}

fn data(loaded: &Loaded) -> Data {
    let counts = &loaded.advisories.counts;
    Data {
        records: counts.iter().map(|(ecosystem, count)| (ecosystem.osv_name(), *count)).collect(),
        newest: loaded.advisories.newest.clone(),
        unreadable: loaded.coverage.problem_count + loaded.coverage.skipped_by_reason.values().sum::<u64>(),
    }
}
