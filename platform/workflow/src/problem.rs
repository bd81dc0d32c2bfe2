//! What is wrong with a workflow file, one entry per thing to mend.

use std::fmt;

use serde::Serialize;

/// One thing to mend.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Problem {
    /// Which file, as it was named.
    pub file: String,
    /// Counted from 1.
    pub line: usize,
    /// Counted from 1.
    pub column: usize,
    /// What sort of problem; scripts branch on it.
    pub class: ProblemClass,
    /// The key or step it is about, for example `steps[2].with.file_path`.
    pub path: String,
    /// What is wrong.
    pub message: String,
    /// What to do.
    pub suggestion: String,
}

/// What sort of problem.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum ProblemClass {
    /// The file is no YAML, or beyond the bounds.
    Syntax,
    /// A key is unknown, missing, or has the wrong type.
    Structure,
    /// A rule of the language is broken.
    Meaning,
    /// An expression does not parse, or names something that is not there.
    Expression,
    /// No server or tool is called like this.
    UnknownTool,
    /// The tool would refuse these arguments.
    Arguments,
    /// The server is documented and not part of this installation. The arguments were checked against
    /// its documentation; the workflow cannot run here yet.
    ServerNotInstalled,
    /// A workflow that is named is not there, or includes itself.
    Nested,
}

impl ProblemClass {
    /// Whether the file itself is wrong; otherwise it is this installation that lacks something.
    pub fn is_fault(self) -> bool {
        self != Self::ServerNotInstalled
    }
}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { file, line, column, path, message, suggestion, .. } = self;
        let path = if path.is_empty() { String::new() } else { format!("{path}: ") };
        write!(f, "{file}:{line}:{column}: {path}{message} ({suggestion})")
    }
}

/// The name among `known` that `wrong` most likely means.
pub(crate) fn nearest<'a>(wrong: &str, known: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
    let limit = 1 + wrong.chars().count() / 4;
    known
        .into_iter()
        .map(|it| (distance(wrong, it), it))
        .filter(|(distance, _)| *distance <= limit)
        .min_by_key(|(distance, _)| *distance)
        .map(|(_, it)| it)
}

/// Edits between two short names (Levenshtein); long ones are far apart.
fn distance(left: &str, right: &str) -> usize {
    let (left, right): (Vec<char>, Vec<char>) = (left.chars().collect(), right.chars().collect());
    if left.len().max(right.len()) > 100 {
        return usize::MAX;
    }
    let mut row: Vec<usize> = (0..=right.len()).collect();
    for (i, a) in left.iter().enumerate() {
        let mut corner = i;
        row[0] = i + 1;
        for (j, b) in right.iter().enumerate() {
            let replaced = corner + usize::from(a != b);
            corner = row[j + 1];
            row[j + 1] = replaced.min(row[j] + 1).min(corner + 1);
        }
    }
    row[right.len()]
}

/// `did you mean` when something is near, else `otherwise`.
pub(crate) fn suggest<'a>(
    wrong: &str,
    known: impl IntoIterator<Item = &'a str>,
    otherwise: impl Into<String>,
) -> String {
    nearest(wrong, known).map_or_else(|| otherwise.into(), |near| format!("did you mean `{near}`?"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_near_name_is_found_and_a_far_one_is_not() {
        let known = ["security-scanner", "docker-manager"];
        assert_eq!(nearest("security-scaner", known), Some("security-scanner"));
        assert_eq!(nearest("prometheus", known), None);
        assert_eq!(nearest(&"x".repeat(200), known), None);
    }
}
