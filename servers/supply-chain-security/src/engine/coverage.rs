//! What was looked at, and what not.

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// Skipped files and problems named one by one; the rest are only counted.
const NAMED_MAX: usize = 50;

/// Why a file was not read.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum SkipReason {
    /// Larger than the limit.
    TooLarge,
    /// Permission or input/output error.
    Unreadable,
    /// It was named and is not there.
    Missing,
    /// A link, a device, a socket or a pipe.
    NotRegular,
    /// Deeper than the limit.
    TooDeep,
    /// A known format that cannot be read.
    Unsupported,
    /// Outside of the scanned folder.
    Outside,
}

/// A file that was not read.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, JsonSchema)]
pub struct Skipped {
    /// Relative to the target.
    pub path: String,
    /// Why.
    pub reason: SkipReason,
}

/// A file that was read and not understood, wholly or in part.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, JsonSchema)]
pub struct Problem {
    /// Relative to the target.
    pub path: String,
    /// What is wrong.
    pub what: String,
}

/// The ledger of a scan.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Coverage {
    /// Files met.
    pub files: u64,
    /// Manifests, lock files and package metadata read.
    pub parsed: u64,
    /// Bytes read.
    pub bytes: u64,
    /// How many were skipped, by reason.
    pub skipped_by_reason: BTreeMap<SkipReason, u64>,
    /// The first of them.
    pub skipped: Vec<Skipped>,
    /// How many files were not understood.
    pub problem_count: u64,
    /// The first of them.
    pub problems: Vec<Problem>,
    /// The scan stopped at a bound.
    pub truncated: bool,
}

impl Coverage {
    pub(crate) fn parsed(&mut self, bytes: u64) {
        self.parsed += 1;
        self.bytes += bytes;
    }

    pub(crate) fn skip(&mut self, path: &str, reason: SkipReason) {
        *self.skipped_by_reason.entry(reason).or_default() += 1;
        if self.skipped.len() < NAMED_MAX {
            self.skipped.push(Skipped { path: path.to_owned(), reason });
        }
    }

    pub(crate) fn problem(&mut self, path: &str, what: impl Into<String>) {
        self.problem_count += 1;
        if self.problems.len() < NAMED_MAX {
            self.problems.push(Problem { path: path.to_owned(), what: what.into() });
        }
    }

    /// Whether everything that was asked for was seen and understood. Links are never followed and hide nothing
    /// that is inside the target.
    pub(crate) fn is_complete(&self) -> bool {
        let gap = |it: &SkipReason| *it != SkipReason::NotRegular;
        !self.truncated
            && self.parsed > 0
            && self.problem_count == 0
            && !self.skipped_by_reason.keys().any(gap)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_seen_or_anything_missed_is_not_complete() {
        let mut coverage = Coverage::default();
        assert!(!coverage.is_complete());
        coverage.parsed(1);
        coverage.skip("a", SkipReason::NotRegular);
        assert!(coverage.is_complete());
        let mut missed = coverage.clone();
        missed.skip("b", SkipReason::TooLarge);
        assert!(!missed.is_complete());
        coverage.problem("c", "no JSON");
        assert!(!coverage.is_complete());
    }

    #[test]
    fn the_named_ones_are_bounded_and_all_are_counted() {
        let mut coverage = Coverage::default();
        (0..200).for_each(|at| coverage.skip(&at.to_string(), SkipReason::Missing));
        assert_eq!(coverage.skipped.len(), NAMED_MAX);
        assert_eq!(coverage.skipped_by_reason[&SkipReason::Missing], 200);
    }
}
