//! What a caller gets of a scan.

use std::collections::BTreeMap;

use kernel::{canonical_json, digest_hex};
use schemars::JsonSchema;
use serde::Serialize;
use serde_json::{Value, json};

use crate::{
    engine::{
        coverage::Coverage,
        finding::{Finding, Status},
        rule::Severity,
        scan::Scanned,
    },
    error::ScanError,
    sarif,
};

/// One page of a scan's result.
#[derive(Debug, Serialize, JsonSchema)]
pub struct Report {
    /// Equal scans of equal files have equal ids.
    pub scan_id: String,
    /// As the caller named it.
    pub target: String,
    /// What scanned.
    pub engine: EngineFacts,
    /// What was seen and what not.
    pub coverage: Coverage,
    /// Findings by severity, suppressed ones not counted.
    pub counts: BTreeMap<Severity, u64>,
    /// `new`, `known` and `suppressed` findings.
    pub statuses: BTreeMap<String, u64>,
    /// `clean` is only said when everything was seen and nothing new or known was found.
    pub verdict: Verdict,
    /// Worst first.
    pub findings: Vec<Finding>,
    /// More findings: pass it as `cursor`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub next_cursor: Option<String>,
    /// A SARIF 2.1.0 document of this page, in place of `findings`, when asked for.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(with = "Option<BTreeMap<String, Value>>")]
    pub sarif: Option<Value>,
}

/// Who scanned, with what.
#[derive(Clone, Debug, Serialize, JsonSchema)]
pub struct EngineFacts {
    /// Always the same.
    pub name: &'static str,
    /// Of this server.
    pub version: &'static str,
    /// Number of rules.
    pub rules: usize,
    /// SHA-256 of all rule files, first 16 digits.
    pub rules_digest: String,
}

/// In one word.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Verdict {
    /// There is something to look at.
    Findings,
    /// Everything was seen, nothing was found.
    Clean,
    /// Nothing was found in what could be seen, which is not everything.
    Incomplete,
}

/// Which part of a result is wanted, and in which form.
#[derive(Debug)]
pub(crate) struct Page {
    pub(crate) limit: usize,
    pub(crate) cursor: Option<String>,
    pub(crate) as_sarif: bool,
}

impl Report {
    pub(crate) fn new(
        target: &str,
        engine: EngineFacts,
        scanned: Scanned,
        page: &Page,
    ) -> Result<Self, ScanError> {
        let Scanned { coverage, findings, counts, suppressed: _, cancelled: _ } = scanned;
        let scan_id = scan_id(target, &engine, &coverage, &findings);
        let from = page.start(&scan_id)?;
        let to = (from + page.limit).min(findings.len());
        let next_cursor = (to < findings.len()).then(|| format!("{scan_id}:{to}"));
        let statuses = statuses(&findings);
        let open = findings.iter().any(|it| it.status != Status::Suppressed);
        let verdict = match (open, coverage.is_complete()) {
            (true, _) => Verdict::Findings,
            (false, true) => Verdict::Clean,
            (false, false) => Verdict::Incomplete,
        };
        let mut findings: Vec<Finding> =
            findings.into_iter().skip(from).take(to.saturating_sub(from)).collect();
        let sarif =
            page.as_sarif.then(|| sarif::document(&engine, &coverage, &std::mem::take(&mut findings)));
        let target = target.to_owned();
        Ok(Self {
            scan_id,
            target,
            engine,
            coverage,
            counts,
            statuses,
            verdict,
            findings,
            next_cursor,
            sarif,
        })
    }
}

impl Page {
    fn start(&self, scan_id: &str) -> Result<usize, ScanError> {
        let Some(cursor) = &self.cursor else { return Ok(0) };
        let (id, offset) = cursor.split_once(':').ok_or(ScanError::BadCursor)?;
        let offset = offset.parse().map_err(|_| ScanError::BadCursor)?;
        if id == scan_id { Ok(offset) } else { Err(ScanError::StaleCursor) }
    }
}

fn statuses(findings: &[Finding]) -> BTreeMap<String, u64> {
    let mut statuses = BTreeMap::new();
    for finding in findings {
        let word = match finding.status {
            Status::New => "new",
            Status::Known => "known",
            Status::Suppressed => "suppressed",
        };
        *statuses.entry(word.to_owned()).or_default() += 1;
    }
    statuses
}

/// No clock and no randomness: what was scanned with what, and what came out.
fn scan_id(target: &str, engine: &EngineFacts, coverage: &Coverage, findings: &[Finding]) -> String {
    let places: Vec<_> =
        findings.iter().map(|it| json!([it.id, it.rule, it.location, it.confidence])).collect();
    let all = json!([target, engine.version, engine.rules_digest, coverage, places]);
    digest_hex(&canonical_json(&all))[..16].to_owned()
}
