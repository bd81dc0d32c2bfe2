//! What a scan has seen, and what not.

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::Serialize;

use super::source::SkipReason;

/// Skipped files named one by one; the rest are only counted.
const NAMED_MAX: usize = 50;

/// The ledger of a scan.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, JsonSchema)]
pub struct Coverage {
    /// Files met.
    pub files: u64,
    /// Files whose text was scanned.
    pub scanned: u64,
    /// Bytes scanned.
    pub bytes: u64,
    /// How many were skipped, by reason.
    pub skipped_by_reason: BTreeMap<SkipReason, u64>,
    /// The first of them; gaps before links within the target.
    pub skipped: Vec<Skipped>,
    /// A `.gitignore` in the target was obeyed: what it hides is neither scanned nor counted.
    pub gitignore_obeyed: bool,
    /// The scan stopped early: more files or findings than its bounds allow.
    pub truncated: bool,
}

/// A file that was not scanned.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, JsonSchema)]
pub struct Skipped {
    /// Relative to the target.
    pub path: String,
    /// Why.
    pub reason: SkipReason,
}

impl Coverage {
    pub(crate) fn scanned(&mut self, bytes: u64) {
        self.files += 1;
        self.scanned += 1;
        self.bytes += bytes;
    }

    pub(crate) fn skip(&mut self, path: String, reason: SkipReason) {
        self.files += 1;
        *self.skipped_by_reason.entry(reason).or_default() += 1;
        self.skipped.push(Skipped { path, reason });
        if self.skipped.len() > NAMED_MAX * 4 {
            self.shorten();
        }
    }

    pub(crate) fn join(&mut self, other: Self) {
        self.files += other.files;
        self.scanned += other.scanned;
        self.bytes += other.bytes;
        self.truncated |= other.truncated;
        self.gitignore_obeyed |= other.gitignore_obeyed;
        for (reason, count) in other.skipped_by_reason {
            *self.skipped_by_reason.entry(reason).or_default() += count;
        }
        self.skipped.extend(other.skipped);
        self.shorten();
    }

    /// The same names whatever the order in which workers met them.
    fn shorten(&mut self) {
        self.skipped.sort_unstable_by(|left, right| {
            (!left.reason.is_gap(), &left.path, left.reason).cmp(&(
                !right.reason.is_gap(),
                &right.path,
                right.reason,
            ))
        });
        self.skipped.truncate(NAMED_MAX);
    }

    /// Whether everything that was asked for was seen.
    pub(crate) fn is_complete(&self) -> bool {
        !self.truncated && self.scanned > 0 && self.skipped_by_reason.keys().all(|it| !it.is_gap())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_scan_of_nothing_or_with_a_gap_is_not_complete() {
        let mut coverage = Coverage::default();
        assert!(!coverage.is_complete());
        coverage.scanned(1);
        coverage.skip("a.png".into(), SkipReason::Binary);
        assert!(coverage.is_complete());
        coverage.skip("b".into(), SkipReason::Vanished);
        assert!(!coverage.is_complete());
    }

    #[test]
    fn the_named_skips_are_bounded_and_do_not_depend_on_the_order() {
        let ledger = |order: &mut dyn Iterator<Item = usize>| {
            let mut coverage = Coverage::default();
            order.for_each(|at| {
                coverage.skip(
                    format!("{at:04}"),
                    if at % 7 == 0 { SkipReason::TooLarge } else { SkipReason::Binary },
                )
            });
            coverage.join(Coverage::default());
            coverage
        };
        let (up, down) = (ledger(&mut (0..900)), ledger(&mut (0..900).rev()));
        assert_eq!(up, down);
        assert_eq!((up.skipped.len(), up.files), (NAMED_MAX, 900));
    }
}
