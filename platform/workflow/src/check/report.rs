//! Collecting problems with their places.

use std::fmt::Write;

use crate::{
    bounds::PROBLEMS_MAX,
    problem::{Problem, ProblemClass},
    source::Node,
};

/// The way to a value: keys and positions from the root.
#[derive(Clone, Debug, Default)]
pub(crate) struct Path(Vec<String>);

impl Path {
    /// One step further.
    pub(crate) fn with(&self, part: impl ToString) -> Self {
        let mut parts = self.0.clone();
        parts.push(part.to_string());
        Self(parts)
    }

    /// From a JSON pointer.
    pub(crate) fn from_pointer(pointer: &str) -> Self {
        let parts = pointer.split('/').skip(1).map(|it| it.replace("~1", "/").replace("~0", "~"));
        Self(parts.collect())
    }

    /// `steps[2].with.file_path`.
    fn shown(&self) -> String {
        let mut text = String::new();
        for part in &self.0 {
            if part.bytes().all(|it| it.is_ascii_digit()) {
                write!(text, "[{part}]").expect("a String takes every write");
            } else {
                if !text.is_empty() {
                    text.push('.');
                }
                text.push_str(part);
            }
        }
        text
    }
}

/// The problems of one file.
pub(crate) struct Report<'a> {
    file: &'a str,
    node: &'a Node,
    problems: Vec<Problem>,
}

impl<'a> Report<'a> {
    pub(crate) fn new(file: &'a str, node: &'a Node) -> Self {
        Self { file, node, problems: Vec::new() }
    }

    /// Adds one, up to a bound.
    pub(crate) fn add(
        &mut self,
        class: ProblemClass,
        path: &Path,
        message: impl Into<String>,
        suggestion: impl Into<String>,
    ) {
        if self.problems.len() >= PROBLEMS_MAX {
            return;
        }
        let place = self.node.place_at(path.0.iter().map(String::as_str));
        self.problems.push(Problem {
            file: self.file.to_owned(),
            line: place.line,
            column: place.column,
            class,
            path: path.shown(),
            message: message.into(),
            suggestion: suggestion.into(),
        });
    }

    /// Adds what another file's check found.
    pub(crate) fn extend(&mut self, more: Vec<Problem>) {
        let room = PROBLEMS_MAX.saturating_sub(self.problems.len());
        self.problems.extend(more.into_iter().take(room));
    }

    pub(crate) fn has_faults(&self) -> bool {
        self.problems.iter().any(|it| it.class.is_fault())
    }

    /// In the order of the file; other files' after it.
    pub(crate) fn into_problems(mut self) -> Vec<Problem> {
        let own = self.file;
        self.problems.sort_by(|a, b| {
            (a.file != own, &a.file, a.line, a.column).cmp(&(b.file != own, &b.file, b.line, b.column))
        });
        self.problems.dedup();
        self.problems
    }
}
