//! Findings as SARIF 2.1.0, for code hosts and editors.

use std::collections::BTreeMap;

use serde_json::{Value, json};

use crate::{
    engine::{
        coverage::{Coverage, Skipped},
        finding::{Finding, Status},
        rule::Severity,
    },
    report::EngineFacts,
};

/// One run with one result per finding. Secrets are masked here too.
pub(crate) fn document(engine: &EngineFacts, coverage: &Coverage, findings: &[Finding]) -> Value {
    let mut rules: BTreeMap<&str, Value> = BTreeMap::new();
    for finding in findings {
        rules.entry(&finding.rule).or_insert_with(|| rule(finding));
    }
    let order: Vec<&str> = rules.keys().copied().collect();
    let results: Vec<Value> = findings.iter().map(|it| result(it, &order)).collect();
    json!({
        "$schema": "https://json.schemastore.org/sarif-2.1.0.json",
        "version": "2.1.0",
        "runs": [{
            "tool": { "driver": {
                "name": engine.name,
                "semanticVersion": engine.version,
                "rules": rules.into_values().collect::<Vec<_>>(),
            }},
            "columnKind": "unicodeCodePoints",
            "invocations": [{
                "executionSuccessful": coverage.is_complete(),
                "toolExecutionNotifications": coverage.skipped.iter().map(notice).collect::<Vec<_>>(),
            }],
            "results": results,
        }],
    })
}

/// A file that was not scanned.
fn notice(skipped: &Skipped) -> Value {
    let reason = serde_json::to_value(skipped.reason).expect("a reason is a word");
    json!({
        "level": if skipped.reason.is_gap() { "warning" } else { "note" },
        "message": { "text": format!("not scanned: {}", reason.as_str().unwrap_or_default()) },
        "locations": [{ "physicalLocation": {
            "artifactLocation": { "uri": uri(&skipped.path), "uriBaseId": "%SRCROOT%" },
        }}],
    })
}

fn rule(finding: &Finding) -> Value {
    json!({
        "id": finding.rule,
        "shortDescription": { "text": finding.title },
        "fullDescription": { "text": finding.message },
        "defaultConfiguration": { "level": level(finding.severity) },
        "properties": {
            "tags": ["security", format!("external/cwe/{}", finding.cwe.to_ascii_lowercase())],
            "security-severity": score(finding.severity),
        },
    })
}

fn result(finding: &Finding, order: &[&str]) -> Value {
    let place = &finding.location;
    let mut result = json!({
        "ruleId": finding.rule,
        "ruleIndex": order.binary_search(&finding.rule.as_str()).unwrap_or_default(),
        "level": level(finding.severity),
        "message": { "text": format!("{}: {}", finding.title, finding.evidence) },
        "partialFingerprints": { "coreMcpFinding/v1": finding.id },
        "baselineState": if finding.status == Status::Known { "unchanged" } else { "new" },
        "locations": [{ "physicalLocation": {
            "artifactLocation": { "uri": uri(&place.path), "uriBaseId": "%SRCROOT%" },
            "region": {
                "startLine": place.line,
                "startColumn": place.column,
                "endLine": place.end_line,
                "endColumn": place.end_column,
            },
        }}],
        "rank": finding.confidence * 100.0,
    });
    if finding.status == Status::Suppressed {
        result["suppressions"] = json!([{ "kind": "inSource" }]);
    }
    result
}

/// Percent-encodes what a URI reference may not hold.
fn uri(path: &str) -> String {
    let mut out = String::with_capacity(path.len());
    for byte in path.bytes() {
        match byte {
            b'A'..=b'Z' | b'a'..=b'z' | b'0'..=b'9' | b'-' | b'.' | b'_' | b'~' | b'/' => {
                out.push(char::from(byte))
            }
            other => out.push_str(&format!("%{other:02X}")),
        }
    }
    out
}

fn level(severity: Severity) -> &'static str {
    match severity {
        Severity::Low => "note",
        Severity::Medium => "warning",
        Severity::High | Severity::Critical => "error",
    }
}

fn score(severity: Severity) -> &'static str {
    match severity {
        Severity::Low => "3.0",
        Severity::Medium => "5.5",
        Severity::High => "8.0",
        Severity::Critical => "9.5",
    }
}
