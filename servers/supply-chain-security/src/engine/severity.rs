//! How bad a vulnerability is.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// From bad to worst.
#[derive(
    Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema,
)]
#[serde(rename_all = "snake_case")]
pub enum Severity {
    /// The data does not say.
    #[default]
    Unknown,
    /// Below 4.
    Low,
    /// Below 7.
    Medium,
    /// Below 9.
    High,
    /// 9 and above.
    Critical,
}

impl Severity {
    /// From a word of a database.
    pub(crate) fn of_word(word: &str) -> Self {
        match word.to_ascii_lowercase().as_str() {
            "low" => Self::Low,
            "moderate" | "medium" => Self::Medium,
            "high" | "important" => Self::High,
            "critical" => Self::Critical,
            _ => Self::Unknown,
        }
    }

    /// From a score between 0 and 10.
    pub(crate) fn of_score(score: f64) -> Self {
        match score {
            it if it >= 9.0 => Self::Critical,
            it if it >= 7.0 => Self::High,
            it if it >= 4.0 => Self::Medium,
            it if it > 0.0 => Self::Low,
            _ => Self::Unknown,
        }
    }
}

/// The base score of a CVSS 3 vector.
pub(crate) fn cvss3(vector: &str) -> Option<f64> {
    let rest = vector.strip_prefix("CVSS:3.")?.split_once('/')?.1;
    let value = |key: &str| rest.split('/').find_map(|it| it.strip_prefix(key)?.strip_prefix(':'));
    let changed = value("S")? == "C";
    let attack = match value("AV")? {
        "N" => 0.85,
        "A" => 0.62,
        "L" => 0.55,
        "P" => 0.2,
        _ => return None,
    };
    let complexity = if value("AC")? == "L" { 0.77 } else { 0.44 };
    let privileges = match (value("PR")?, changed) {
        ("N", _) => 0.85,
        ("L", true) => 0.68,
        ("L", false) => 0.62,
        ("H", true) => 0.5,
        ("H", false) => 0.27,
        _ => return None,
    };
    let interaction = if value("UI")? == "N" { 0.85 } else { 0.62 };
    let harm = |key: &str| match value(key)? {
        "H" => Some(0.56),
        "L" => Some(0.22),
        "N" => Some(0.0),
        _ => None,
    };
    let whole: f64 = 1.0 - (1.0 - harm("C")?) * (1.0 - harm("I")?) * (1.0 - harm("A")?);
    let impact = if changed { 7.52 * (whole - 0.029) - 3.25 * (whole - 0.02).powi(15) } else { 6.42 * whole };
    if impact <= 0.0 {
        return Some(0.0);
    }
    let ease = 8.22 * attack * complexity * privileges * interaction;
    let sum = if changed { 1.08 * (impact + ease) } else { impact + ease };
    // Rounded up to one digit, as the specification does it.
    let whole = (sum.min(10.0) * 100_000.0).round() as i64;
    let tenths = if whole % 10_000 == 0 { whole / 10_000 } else { whole / 10_000 + 1 };
    Some(tenths as f64 / 10.0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn vectors_score_as_published() {
        for (vector, score) in [
            ("CVSS:3.1/AV:N/AC:L/PR:N/UI:N/S:U/C:H/I:H/A:H", Some(9.8)),
            ("CVSS:3.1/AV:N/AC:L/PR:N/UI:N/S:C/C:H/I:H/A:H", Some(10.0)),
            ("CVSS:3.0/AV:N/AC:L/PR:N/UI:R/S:C/C:L/I:L/A:N", Some(6.1)),
            ("CVSS:3.1/AV:L/AC:H/PR:L/UI:N/S:U/C:N/I:N/A:N", Some(0.0)),
            ("CVSS:3.1/AV:N/AC:L/PR:N/UI:N/S:U/C:N/I:N/A:H", Some(7.5)),
            ("CVSS:3.1/AV:X", None),
            ("AV:N/AC:L", None),
        ] {
            assert_eq!(cvss3(vector), score, "{vector}");
        }
    }
}
