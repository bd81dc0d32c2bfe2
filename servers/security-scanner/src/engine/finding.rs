//! What a scan reports.

use schemars::JsonSchema;
use serde::Serialize;

use super::rule::Severity;

/// One place that needs a look.
#[derive(Clone, Debug, PartialEq, Serialize, JsonSchema)]
pub struct Finding {
    /// Same rule and same secret give the same id, on this installation, wherever they stand.
    pub id: String,
    /// The rule; `explain_finding` says more.
    pub rule: String,
    /// What was found.
    pub title: String,
    /// How bad it is if real.
    pub severity: Severity,
    /// How likely it is real, 0 to 1.
    pub confidence: f64,
    /// For example `CWE-798`.
    pub cwe: String,
    /// Where.
    pub location: Location,
    /// What it means.
    pub message: String,
    /// The masked value, or the code for a pattern.
    pub evidence: String,
    /// Whether it is new.
    pub status: Status,
}

/// A range of characters in a file, counted from 1; the end is exclusive.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, JsonSchema)]
pub struct Location {
    /// Relative to the scanned folder.
    pub path: String,
    /// First line.
    pub line: u32,
    /// First column, in characters.
    pub column: u32,
    /// Last line.
    pub end_line: u32,
    /// Column after the last character.
    pub end_column: u32,
}

/// Whether a finding needs attention.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Status {
    /// Not in the baseline.
    New,
    /// In the baseline.
    Known,
    /// Allowed by a comment in the file.
    Suppressed,
}

impl Finding {
    /// Worst first, then most certain, then by place: a total order.
    pub(crate) fn order(&self, other: &Self) -> std::cmp::Ordering {
        other
            .severity
            .cmp(&self.severity)
            .then(other.confidence.total_cmp(&self.confidence))
            .then_with(|| self.location.cmp(&other.location))
            .then_with(|| self.rule.cmp(&other.rule))
    }
}

/// Shows enough of a secret to recognise it and too little to use it: at most the first four and the last
/// two characters, and fewer of a short one.
pub(crate) fn mask(secret: &[u8]) -> String {
    let shown: Vec<char> = String::from_utf8_lossy(secret).chars().collect();
    let safe = |it: &char| if it.is_ascii_graphic() { *it } else { '?' };
    let (head, tail) = match shown.len() {
        0..8 => (0, 0),
        8..16 => (2, 0),
        _ => (4, 2),
    };
    let start: String = shown[..head].iter().map(safe).collect();
    let end: String = shown[shown.len() - tail..].iter().map(safe).collect();
    format!("{start}…{end} ({} characters)", shown.len())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_mask_never_shows_most_of_a_secret() {
        for (secret, masked) in [
            ("", "… (0 characters)"),
            ("hunter2", "… (7 characters)"),
            ("hunter22", "hu… (8 characters)"),
            ("abcdefghijklmnop", "abcd…op (16 characters)"),
        ] {
            assert_eq!(mask(secret.as_bytes()), masked);
        }
    }
}
