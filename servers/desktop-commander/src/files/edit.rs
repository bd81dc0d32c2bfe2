//! Exact replacements, and the closest text when there is no exact one.

use schemars::JsonSchema;
use serde::Deserialize;

use crate::error::FileError;

/// Lines that are looked at for the closest text.
const NEAREST_LINES_MAX: usize = 20_000;

/// Lines of the wanted text that are compared.
const WANTED_LINES_MAX: usize = 100;

/// Most of the closest text that is shown, in bytes.
const NEAREST_BYTES_MAX: usize = 400;

// One replacement. Not a doc comment: the schema needs none.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct Edit {
    /// Exact text.
    #[schemars(length(min = 1))]
    pub(crate) old: String,
    /// Its replacement.
    pub(crate) new: String,
    /// Times `old` must occur.
    #[serde(default = "once")]
    #[schemars(range(min = 1))]
    pub(crate) expected_count: u32,
}

fn once() -> u32 {
    1
}

/// Applies the edits one after another; all or none.
pub(super) fn apply(text: &str, edits: &[Edit], bytes_max: u64) -> Result<String, FileError> {
    let mut text = text.to_owned();
    for (index, edit) in edits.iter().enumerate() {
        let expected = usize::try_from(edit.expected_count).unwrap_or(usize::MAX);
        // An empty text occurs everywhere; the schema refuses it before.
        let found = if edit.old.is_empty() { 0 } else { text.matches(&edit.old).count() };
        if found != expected {
            let nearest = if found == 0 { nearest(&text, &edit.old) } else { None };
            return Err(FileError::EditMissed { number: index + 1, found, expected, nearest });
        }
        let grown = text.len() as u64 + found as u64 * (edit.new.len().saturating_sub(edit.old.len())) as u64;
        if grown > bytes_max {
            return Err(too_large(bytes_max).into());
        }
        text = text.replace(&edit.old, &edit.new);
    }
    Ok(text)
}

pub(super) fn too_large(max: u64) -> guard::Refusal {
    guard::Refusal::new(
        "TOO_LARGE",
        "content",
        format!("the new content is over the limit of {max} bytes"),
        "write less at once",
    )
}

/// The span of lines most like `wanted`, with its line number; `None` when nothing is like it.
fn nearest(text: &str, wanted: &str) -> Option<String> {
    let lines: Vec<&str> = text.lines().take(NEAREST_LINES_MAX).collect();
    let wanted: Vec<&str> = wanted.lines().take(WANTED_LINES_MAX).collect();
    let first = wanted.iter().find(|line| !line.trim().is_empty())?;
    let window = wanted.len().min(lines.len());
    if window == 0 {
        return None;
    }
    let score = |start: usize| -> f32 {
        let span = &lines[start..start + window];
        let same = span.iter().zip(&wanted).filter(|(have, want)| have.trim() == want.trim()).count();
        same as f32 + likeness(span[0], first)
    };
    let starts = 0..=lines.len() - window;
    let (start, best) = starts.map(|start| (start, score(start))).max_by(|a, b| a.1.total_cmp(&b.1))?;
    if best < 0.5 {
        return None;
    }
    let mut span = lines[start..start + window].join("\n");
    span.truncate(span.floor_char_boundary(NEAREST_BYTES_MAX));
    span.retain(|letter| letter == '\n' || letter == '\t' || !letter.is_control());
    Some(format!("line {}: {span}", start + 1))
}

/// How alike two lines are, from 0 to 1: the share of neighbouring letter pairs they have in common.
fn likeness(left: &str, right: &str) -> f32 {
    const LETTERS_MAX: usize = 200;
    let pairs = |line: &str| -> Vec<(char, char)> {
        let letters: Vec<char> = line.chars().filter(|it| !it.is_whitespace()).take(LETTERS_MAX).collect();
        let mut pairs: Vec<_> = letters.windows(2).map(|pair| (pair[0], pair[1])).collect();
        pairs.sort_unstable();
        pairs
    };
    let (left, right) = (pairs(left), pairs(right));
    if left.is_empty() || right.is_empty() {
        return 0.0;
    }
    let (mut at, mut common) = (0, 0);
    for pair in &left {
        while at < right.len() && right[at] < *pair {
            at += 1;
        }
        if at < right.len() && right[at] == *pair {
            common += 1;
            at += 1;
        }
    }
    2.0 * common as f32 / (left.len() + right.len()) as f32
}

#[cfg(test)]
mod tests {
    use super::*;

    fn edit(text: &str, old: &str, new: &str, expected_count: u32) -> Result<String, String> {
        let edits = [Edit { old: old.into(), new: new.into(), expected_count }];
        apply(text, &edits, 100).map_err(|error| match error {
            FileError::EditMissed { found, nearest, .. } => {
                format!("{found} {}", nearest.unwrap_or_default())
            }
            other => other.to_string(),
        })
    }

    #[test]
    fn replaces_exactly_as_often_as_expected() {
        assert_eq!(edit("a b a", "b", "c", 1), Ok("a c a".into()));
        assert_eq!(edit("a b a", "a", "x", 2), Ok("x b x".into()));
        assert_eq!(edit("a b a", "a", "x", 1), Err("2 ".into()));
        assert_eq!(edit("aaa", "aa", "b", 1), Ok("ba".into()));
        assert_eq!(edit("a", "", "b", 1), Err("0 ".into()));
        assert!(edit("a", "a", &"b".repeat(101), 1).unwrap_err().contains("limit"));
    }

    #[test]
    fn a_near_miss_shows_the_closest_lines() {
        let text = "fn one() {\n    two();\n}\n\nfn three() {\n    four();\n}\n";
        assert_eq!(
            edit(text, "fn three() {\n  four();\n}", "", 1),
            Err("0 line 5: fn three() {\n    four();\n}".into())
        );
        assert_eq!(edit(text, "    twoo();", "", 1), Err("0 line 2:     two();".into()));
        assert_eq!(edit(text, "completely different", "", 1), Err("0 ".into()));
        assert_eq!(edit("", "x", "", 1), Err("0 ".into()));
    }
}
