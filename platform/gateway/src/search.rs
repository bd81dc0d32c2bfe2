//! Ranked search over tools, in memory: BM25 on names and descriptions.

use std::collections::HashMap;

/// Longest query that is read.
const QUERY_BYTES_MAX: usize = 1000;

/// How soon repeating a word stops helping.
const K1: f64 = 1.2;
/// How much long texts are discounted.
const B: f64 = 0.75;
/// A word of the name says more than one of the description.
const NAME_WEIGHT: u32 = 4;

/// An index over texts, by their position.
#[derive(Debug, Default)]
pub struct Index {
    /// Per word: which documents have it, and how often.
    words: HashMap<String, Vec<(u32, u32)>>,
    lengths: Vec<u32>,
    average: f64,
}

impl Index {
    /// Indexes `(name, description)` pairs.
    pub fn new<'a>(documents: impl IntoIterator<Item = (&'a str, &'a str)>) -> Self {
        let mut index = Self::default();
        for (name, description) in documents {
            let number = u32::try_from(index.lengths.len()).unwrap_or(u32::MAX);
            let mut counts: HashMap<String, u32> = HashMap::new();
            let mut length = 0;
            for word in words(name) {
                *counts.entry(word).or_default() += NAME_WEIGHT;
                length += NAME_WEIGHT;
            }
            for word in words(description) {
                *counts.entry(word).or_default() += 1;
                length += 1;
            }
            for (word, count) in counts {
                index.words.entry(word).or_default().push((number, count));
            }
            index.lengths.push(length);
        }
        let total: f64 = index.lengths.iter().map(|it| f64::from(*it)).sum();
        index.average = total / (index.lengths.len().max(1) as f64);
        index
    }

    /// The best matches, best first; equal ones in their order. Empty when no word is known.
    pub fn search(&self, query: &str, limit: usize) -> Vec<usize> {
        let query = &query[..query.floor_char_boundary(QUERY_BYTES_MAX)];
        let mut scores: HashMap<u32, f64> = HashMap::new();
        let mut asked: Vec<String> = words(query).collect();
        asked.sort_unstable();
        asked.dedup();
        for word in &asked {
            let Some(found) = self.words.get(word) else { continue };
            let (with, all) = (found.len() as f64, self.lengths.len() as f64);
            let rarity = (1.0 + (all - with + 0.5) / (with + 0.5)).ln();
            for (number, count) in found {
                let (count, length) = (f64::from(*count), f64::from(self.lengths[*number as usize]));
                let weight =
                    count * (K1 + 1.0) / (count + K1 * (1.0 - B + B * length / self.average.max(1.0)));
                *scores.entry(*number).or_default() += rarity * weight;
            }
        }
        let mut ranked: Vec<(u32, f64)> = scores.into_iter().collect();
        ranked.sort_by(|left, right| right.1.total_cmp(&left.1).then(left.0.cmp(&right.0)));
        ranked.into_iter().take(limit).map(|(number, _)| number as usize).collect()
    }
}

/// Words as people and programs write them: `listIssues`, `list_issues` and `List issues` are alike.
fn words(text: &str) -> impl Iterator<Item = String> + '_ {
    let mut pieces = Vec::new();
    let mut current = String::new();
    let mut was_lower = false;
    for char in text.chars() {
        if !char.is_alphanumeric() {
            was_lower = false;
            if !current.is_empty() {
                pieces.push(std::mem::take(&mut current));
            }
            continue;
        }
        if char.is_uppercase() && was_lower && !current.is_empty() {
            pieces.push(std::mem::take(&mut current));
        }
        was_lower = char.is_lowercase() || char.is_numeric();
        current.extend(char.to_lowercase());
    }
    if !current.is_empty() {
        pieces.push(current);
    }
    pieces.into_iter().map(stem).filter(|it| !is_filler(it))
}

/// Plurals and the commonest endings go; both sides go through it, so it need not be right, only the same.
fn stem(word: String) -> String {
    for (ending, least) in [("ing", 6), ("ies", 5), ("es", 5), ("ed", 5), ("s", 4)] {
        if word.len() >= least
            && let Some(rest) = word.strip_suffix(ending)
            && !rest.ends_with('s')
        {
            return if ending == "ies" { format!("{rest}y") } else { rest.trim_end_matches('e').to_owned() };
        }
    }
    if word.len() > 3 { word.trim_end_matches('e').to_owned() } else { word }
}

fn is_filler(word: &str) -> bool {
    const FILLERS: [&str; 18] = [
        "a", "an", "and", "for", "from", "in", "is", "it", "of", "on", "or", "that", "th", "the", "this",
        "to", "with", "by",
    ];
    FILLERS.contains(&word)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_meant_is_found_first() {
        let tools = [
            ("docker_container_list", "Lists containers, running ones first."),
            ("docker_stop", "Stops one container and waits until it is down."),
            ("create_issue", "Opens an issue in a repository."),
            ("listIssues", "Issues of a repository, newest first."),
            ("weather", "Weather of a place for the next days."),
        ];
        let index = Index::new(tools);
        let first = |query: &str| index.search(query, 3).first().map(|it| tools[*it].0);
        assert_eq!(first("stop a container"), Some("docker_stop"));
        assert_eq!(first("show running containers"), Some("docker_container_list"));
        assert_eq!(first("list issues"), Some("listIssues"));
        assert_eq!(first("opening issues"), Some("create_issue"));
        assert_eq!(first("WEATHER"), Some("weather"));
        assert_eq!(first("quantum chess"), None);
        assert_eq!(first(""), None);
        assert!(index.search("issue container weather", 2).len() == 2);
        assert!(Index::default().search("x", 5).is_empty());
    }

    #[test]
    fn a_huge_query_is_cut_where_a_character_ends() {
        let index = Index::new([("é", "é")]);
        assert_eq!(index.search(&"é ".repeat(10_000), 5), [0]);
    }
}
