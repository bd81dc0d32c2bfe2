//! The known name a wrong one probably meant.

/// The closest candidate, when it is close enough to be a slip of the finger.
pub(crate) fn nearest<'a>(wrong: &str, candidates: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
    let tolerance = (wrong.chars().count() / 3).clamp(1, 3);
    let scored = candidates.into_iter().map(|it| (distance(wrong, it), it));
    scored.filter(|(distance, _)| *distance <= tolerance).min().map(|(_, it)| it)
}

/// Edits between two names: insertions, removals and replacements.
fn distance(a: &str, b: &str) -> usize {
    let b: Vec<char> = b.chars().take(128).collect();
    let mut row: Vec<usize> = (0..=b.len()).collect();
    for (i, left) in a.chars().take(128).enumerate() {
        let mut diagonal = std::mem::replace(&mut row[0], i + 1);
        for (j, right) in b.iter().enumerate() {
            let replaced = diagonal + usize::from(left != *right);
            diagonal = row[j + 1];
            row[j + 1] = replaced.min(row[j] + 1).min(diagonal + 1);
        }
    }
    row[b.len()]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_slip_finds_its_name_and_a_stranger_finds_none() {
        let known = ["listen", "allowed_hosts", "allowed_origins", "queue"];
        let check =
            |wrong: &str, expected: Option<&str>| assert_eq!(nearest(wrong, known), expected, "{wrong}");
        check("listn", Some("listen"));
        check("allowed_host", Some("allowed_hosts"));
        check("alowed-hosts", Some("allowed_hosts"));
        check("queue", Some("queue"));
        check("database", None);
        check("", None);
    }
}
