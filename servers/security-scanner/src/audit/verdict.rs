//! What a caller gets of an audit.

use std::collections::{BTreeMap, BTreeSet};

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{
    advisory::Cover,
    data::{Data, Facts},
    package::{Ecosystem, Inventory, Unresolved},
};

const VULNERABILITIES_MAX: usize = 200;
const UNRESOLVED_MAX: usize = 50;

/// How bad a vulnerability is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Level {
    Low,
    Moderate,
    High,
    Critical,
}

impl Level {
    pub(crate) fn of_score(score: f64) -> Self {
        match score {
            it if it >= 9.0 => Self::Critical,
            it if it >= 7.0 => Self::High,
            it if it >= 4.0 => Self::Moderate,
            _ => Self::Low,
        }
    }
}

/// In one word.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub(crate) enum AuditVerdict {
    /// At least one package has a known flaw of the asked level, or of a level nobody has set.
    Vulnerable,
    /// Known flaws, all below the asked level.
    BelowLevel,
    /// Every package was checked against data, and none has a known flaw.
    Clean,
    /// No flaw is known, and something could not be checked: `unknown_because` says what.
    Unknown,
}

/// The result of an audit.
#[derive(Debug, Serialize, JsonSchema)]
pub(crate) struct Audit {
    pub(crate) verdict: AuditVerdict,
    /// Why the verdict is not `clean`, apart from vulnerabilities.
    unknown_because: Vec<String>,
    ecosystem: Ecosystem,
    /// Files that were read.
    pub(crate) sources: Vec<String>,
    /// Packages with a known version.
    packages: u64,
    /// Worst first, at most 200.
    pub(crate) vulnerabilities: Vec<Vulnerability>,
    /// By level, before `audit_level` counts; `unset` where no database says.
    counts: BTreeMap<String, u64>,
    /// Packages whose version is not known, at most 50.
    unresolved: Vec<Unresolved>,
    unresolved_total: u64,
    data: Facts,
}

/// One known flaw of one package.
#[derive(Debug, PartialEq, Serialize, JsonSchema)]
pub(crate) struct Vulnerability {
    package: String,
    version: String,
    /// Named by the project itself.
    direct: bool,
    id: String,
    aliases: Vec<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    severity: Option<Level>,
    summary: String,
    /// The first versions without it; empty when there is none.
    fixed_in: Vec<String>,
}

impl Audit {
    /// Checks every package of `inventory` against `data`.
    pub(crate) fn of(
        ecosystem: Ecosystem,
        sources: Vec<String>,
        mut inventory: Inventory,
        data: &Data,
        level: Level,
    ) -> Self {
        let mut all = Vec::new();
        let mut unclear = BTreeSet::new();
        for package in &inventory.packages {
            for record in data.by_name.get(&package.name).into_iter().flatten() {
                match record.covers(ecosystem, &package.name, &package.version) {
                    Cover::No => {}
                    Cover::Unclear => {
                        unclear.insert(format!("{}@{}", package.name, package.version));
                    }
                    Cover::Yes => all.push(Vulnerability {
                        package: package.name.clone(),
                        version: package.version.clone(),
                        direct: package.direct,
                        id: record.id.clone(),
                        aliases: record.aliases.iter().take(8).cloned().collect(),
                        severity: record.level(),
                        summary: record.summary.chars().filter(|it| !it.is_control()).take(200).collect(),
                        fixed_in: record.fixed_in(ecosystem, &package.name),
                    }),
                }
            }
        }
        for package in unclear {
            inventory.leave(&package, "its version cannot be compared with a record's");
        }
        Self::sum_up(ecosystem, sources, inventory, data, one_per_flaw(all), level)
    }

    fn sum_up(
        ecosystem: Ecosystem,
        sources: Vec<String>,
        inventory: Inventory,
        data: &Data,
        all: Vec<Vulnerability>,
        level: Level,
    ) -> Self {
        let mut counts = BTreeMap::new();
        for it in &all {
            let word = it.severity.map_or("unset".to_owned(), |it| format!("{it:?}").to_lowercase());
            *counts.entry(word).or_default() += 1;
        }
        let known = all.len();
        let mut kept: Vec<_> =
            all.into_iter().filter(|it| it.severity.is_none_or(|it| it >= level)).collect();
        // A level that nobody has set may be any: it stands right behind the critical ones.
        let rank = |it: &Vulnerability| it.severity.map_or(7, |it| it as u8 * 2 + 2);
        kept.sort_by(|left, right| {
            (std::cmp::Reverse(rank(left)), &left.package, &left.version, &left.id).cmp(&(
                std::cmp::Reverse(rank(right)),
                &right.package,
                &right.version,
                &right.id,
            ))
        });
        let unknown_because = doubts(ecosystem, &inventory, data);
        let verdict = match (kept.is_empty(), known, unknown_because.is_empty()) {
            (false, _, _) => AuditVerdict::Vulnerable,
            (true, 1.., true) => AuditVerdict::BelowLevel,
            (true, 0, true) => AuditVerdict::Clean,
            _ => AuditVerdict::Unknown,
        };
        kept.truncate(VULNERABILITIES_MAX);
        let unresolved_total = inventory.unresolved.len() as u64;
        Self {
            verdict,
            unknown_because,
            ecosystem,
            sources,
            packages: inventory.packages.len() as u64,
            vulnerabilities: kept,
            counts,
            unresolved: inventory.unresolved.into_iter().take(UNRESOLVED_MAX).collect(),
            unresolved_total,
            data: data.facts.clone(),
        }
    }
}

/// Everything that speaks against calling a project clean.
fn doubts(ecosystem: Ecosystem, inventory: &Inventory, data: &Data) -> Vec<String> {
    let mut doubts = Vec::new();
    if data.facts.records == 0 {
        doubts.push(format!(
            "there is no vulnerability data for {} on this machine: put OSV records into the folder that `advisories` names",
            ecosystem.word()
        ));
    }
    if data.facts.unreadable > 0 || data.is_partial {
        doubts.push("a part of the vulnerability data could not be read".into());
    }
    if !inventory.unresolved.is_empty() {
        doubts.push(format!("{} packages could not be checked", inventory.unresolved.len()));
    }
    if inventory.packages.is_empty() && inventory.unresolved.is_empty() {
        doubts.push("the files name no package".into());
    }
    doubts
}

/// Databases copy each other: of records that share a name, the first stands for all.
fn one_per_flaw(mut all: Vec<Vulnerability>) -> Vec<Vulnerability> {
    let mut seen: BTreeSet<(String, String, String)> = BTreeSet::new();
    // Records with a level first: they say more.
    all.sort_by_key(|it| (it.severity.is_none(), it.id.clone()));
    all.retain(|it| {
        let names = it.aliases.iter().chain([&it.id]);
        let keys: Vec<_> = names.map(|name| (it.package.clone(), it.version.clone(), name.clone())).collect();
        let is_new = !keys.iter().any(|key| seen.contains(key));
        seen.extend(keys);
        is_new
    });
    all
}
