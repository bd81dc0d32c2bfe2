//! Did you mean?

/// Longest text compared; longer ones are no typing mistakes.
const LENGTH_MAX: usize = 96;

/// Single-character edits between two texts.
pub(crate) fn distance(left: &str, right: &str) -> usize {
    if left.len() > LENGTH_MAX || right.len() > LENGTH_MAX {
        return usize::MAX;
    }
    let right: Vec<char> = right.chars().collect();
    let mut row: Vec<usize> = (0..=right.len()).collect();
    for (above, from) in left.chars().enumerate() {
        let mut diagonal = above;
        row[0] = above + 1;
        for (index, to) in right.iter().enumerate() {
            let replaced = diagonal + usize::from(from != *to);
            diagonal = row[index + 1];
            row[index + 1] = replaced.min(diagonal + 1).min(row[index] + 1);
        }
    }
    row[right.len()]
}

/// The candidate nearest to `wanted`, if it is near enough to be what was meant.
pub(crate) fn nearest<'a>(wanted: &str, candidates: impl Iterator<Item = &'a str>) -> Option<&'a str> {
    let limit = 1 + wanted.chars().count() / 5;
    candidates
        .map(|candidate| (distance(wanted, candidate), candidate))
        .filter(|(distance, _)| *distance <= limit)
        .min()
        .map(|(_, candidate)| candidate)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn counts_edits_and_offers_only_what_is_near() {
        assert_eq!(distance("approval", "aproval"), 1);
        assert_eq!(distance("", "abc"), 3);
        assert_eq!(distance("kitten", "sitting"), 3);
        assert_eq!(
            nearest("docker-manger", ["docker-manager", "brave-search"].into_iter()),
            Some("docker-manager")
        );
        assert_eq!(nearest("x", ["docker-manager"].into_iter()), None);
    }
}
