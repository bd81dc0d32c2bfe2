//! The security audit of quickstart, for people: worst first, bounded, nothing unmasked.

use std::{fmt::Write, time::Duration};

use serde_json::Value;

use crate::output::{Table, plain};

/// Findings shown; the rest are counted.
const FINDINGS_SHOWN: usize = 20;

/// The findings table, what was covered, and how long it took. The tool has masked and sorted already.
pub(super) fn render(report: &Value, took: Duration) -> String {
    let empty = Vec::new();
    let findings = report["findings"].as_array().unwrap_or(&empty);
    let mut table = Table::new(&["severity", "what", "where", "evidence"]);
    for finding in findings.iter().take(FINDINGS_SHOWN) {
        let location = &finding["location"];
        let place = format!("{}:{}", text(&location["path"]), location["line"]);
        table.row([text(&finding["severity"]), text(&finding["title"]), &place, text(&finding["evidence"])]);
    }
    let mut shown = table.render("no findings");
    if findings.len() > FINDINGS_SHOWN {
        let more = findings.len() - FINDINGS_SHOWN;
        write!(shown, "\n… and {more} more; --output json has them all").expect("a String takes every write");
    }
    format!("{shown}\n\n{}", coverage(&report["coverage"], took))
}

fn text(value: &Value) -> &str {
    value.as_str().unwrap_or_default()
}

fn coverage(coverage: &Value, took: Duration) -> String {
    let count = |key: &str| coverage[key].as_u64().unwrap_or(0);
    let mut line = format!(
        "scanned {} of {} files, {}, in {:.1} s",
        count("scanned"),
        count("files"),
        indicatif::HumanBytes(count("bytes")),
        took.as_secs_f64()
    );
    let skipped = coverage["skipped_by_reason"].as_object().into_iter().flatten();
    let reasons: Vec<String> = skipped.map(|(reason, count)| format!("{count} {}", plain(reason))).collect();
    if !reasons.is_empty() {
        write!(line, "; skipped: {}", reasons.join(", ")).expect("a String takes every write");
    }
    if coverage["truncated"] == true {
        line.push_str("; stopped early at its bounds");
    }
    line
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn report(findings: usize) -> Value {
        let finding = json!({"severity": "high", "title": "AWS key\u{1b}[2J", "evidence": "AKIA…7Q",
            "location": {"path": "src/a.rs", "line": 3}});
        json!({
            "findings": vec![finding; findings],
            "coverage": {"files": 10, "scanned": 9, "bytes": 2048, "skipped_by_reason": {"binary": 1}, "truncated": false},
        })
    }

    #[test]
    fn findings_coverage_and_time_are_shown_and_nothing_a_terminal_would_obey() {
        let shown = render(&report(2), Duration::from_millis(1250));
        assert!(shown.contains("src/a.rs:3") && shown.contains("AKIA…7Q"), "{shown}");
        assert!(shown.ends_with("scanned 9 of 10 files, 2.00 KiB, in 1.2 s; skipped: 1 binary"), "{shown}");
        assert!(!shown.contains("\u{1b}[2J"));
    }

    #[test]
    fn a_long_list_is_cut_and_says_so() {
        let shown = render(&report(FINDINGS_SHOWN + 5), Duration::ZERO);
        assert_eq!(shown.matches("src/a.rs:3").count(), FINDINGS_SHOWN);
        assert!(shown.contains("and 5 more"));
    }

    #[test]
    fn a_clean_folder_says_so() {
        assert!(render(&report(0), Duration::ZERO).starts_with("no findings"));
    }
}
