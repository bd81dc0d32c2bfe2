//! The base score of a CVSS 3 vector, as the specification computes it.

/// Between 0 and 10; `None` when `vector` is no complete CVSS 3.0 or 3.1 vector.
pub(crate) fn base_score(vector: &str) -> Option<f64> {
    let rest = vector.strip_prefix("CVSS:3.0/").or_else(|| vector.strip_prefix("CVSS:3.1/"))?;
    let value = |metric: &str| {
        rest.split('/').find_map(|it| it.strip_prefix(metric)?.strip_prefix(':')?.chars().next())
    };
    let changed = value("S")? == 'C';
    let distance = match value("AV")? {
        'N' => 0.85,
        'A' => 0.62,
        'L' => 0.55,
        'P' => 0.2,
        _ => return None,
    };
    let complexity = if value("AC")? == 'L' { 0.77 } else { 0.44 };
    let privileges = match (value("PR")?, changed) {
        ('N', _) => 0.85,
        ('L', false) => 0.62,
        ('L', true) => 0.68,
        ('H', false) => 0.27,
        ('H', true) => 0.5,
        _ => return None,
    };
    let interaction = if value("UI")? == 'N' { 0.85 } else { 0.62 };
    let loss = |metric: &str| {
        Some(match value(metric)? {
            'H' => 0.56,
            'L' => 0.22,
            'N' => 0.0,
            _ => return None,
        })
    };
    let (confidentiality, integrity, availability): (f64, f64, f64) = (loss("C")?, loss("I")?, loss("A")?);
    let lost = 1.0 - (1.0 - confidentiality) * (1.0 - integrity) * (1.0 - availability);
    let impact = if changed { 7.52 * (lost - 0.029) - 3.25 * (lost - 0.02).powi(15) } else { 6.42 * lost };
    if impact <= 0.0 {
        return Some(0.0);
    }
    let reach = 8.22 * distance * complexity * privileges * interaction;
    let sum = if changed { 1.08 * (impact + reach) } else { impact + reach };
    Some(round_up(sum.min(10.0)))
}

/// The smallest number with one decimal that is not below `score`, free of floating-point dust.
fn round_up(score: f64) -> f64 {
    let whole = (score * 100_000.0).round() as i64;
    if whole % 10_000 == 0 { whole as f64 / 100_000.0 } else { ((whole / 10_000) + 1) as f64 / 10.0 }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn published_scores_are_reproduced() {
        for (vector, score) in [
            ("CVSS:3.1/AV:N/AC:L/PR:N/UI:N/S:U/C:H/I:H/A:H", Some(9.8)),
            ("CVSS:3.1/AV:N/AC:L/PR:N/UI:N/S:C/C:H/I:H/A:H", Some(10.0)),
            ("CVSS:3.0/AV:N/AC:L/PR:N/UI:R/S:C/C:L/I:L/A:N", Some(6.1)),
            ("CVSS:3.1/AV:N/AC:L/PR:N/UI:N/S:U/C:N/I:N/A:H", Some(7.5)),
            ("CVSS:3.1/AV:L/AC:L/PR:L/UI:N/S:U/C:H/I:N/A:N", Some(5.5)),
            ("CVSS:3.1/AV:N/AC:L/PR:N/UI:N/S:U/C:N/I:N/A:N", Some(0.0)),
            ("CVSS:3.1/AV:N/AC:L", None),
            ("CVSS:4.0/AV:N/AC:L/AT:N/PR:N/UI:N/VC:H/VI:H/VA:H/SC:N/SI:N/SA:N", None),
            ("", None),
        ] {
            assert_eq!(base_score(vector), score, "{vector}");
        }
    }
}
