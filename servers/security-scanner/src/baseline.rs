//! A list of findings somebody has looked at.

use std::collections::{BTreeMap, BTreeSet};

use guard::path::Roots;
use kernel::ToolError;
use serde::{Deserialize, Serialize};

use crate::{
    engine::finding::{Finding, Status},
    error::ScanError,
};

const VERSION: u32 = 1;
const BYTES_MAX: u64 = 16 << 20;

/// The file: ids and places, never a secret.
#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Baseline {
    version: u32,
    /// Names the key the ids were made with.
    key_id: String,
    findings: BTreeSet<Known>,
}

#[derive(Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Known {
    id: String,
    rule: String,
    path: String,
}

impl Baseline {
    /// Everything in `findings` that is not suppressed anyway.
    pub(crate) fn of(key_id: String, findings: &[Finding]) -> Self {
        let known =
            |it: &Finding| Known { id: it.id.clone(), rule: it.rule.clone(), path: it.location.path.clone() };
        let findings = findings.iter().filter(|it| it.status != Status::Suppressed).map(known).collect();
        Self { version: VERSION, key_id, findings }
    }

    /// Reads the file at `path`, which must have been made with the same key.
    pub(crate) fn read(roots: &Roots, path: &str, key_id: &str) -> Result<Self, ToolError> {
        let bytes = roots.resolve_readable("baseline", path)?.read(BYTES_MAX)?;
        let read: Self =
            serde_json::from_slice(&bytes).map_err(|error| ScanError::BadBaseline(place(&error)))?;
        if read.version != VERSION {
            return Err(ScanError::BadBaseline(format!("version {} is not {VERSION}", read.version)).into());
        }
        if read.key_id != key_id {
            return Err(ScanError::ForeignBaseline.into());
        }
        Ok(read)
    }

    /// Marks what is in the baseline. A line that moves and a file that is renamed change nothing; another secret
    /// does, and so does a further copy of a known one.
    pub(crate) fn mark(&self, findings: &mut [Finding]) {
        let mut gone: BTreeMap<&str, BTreeSet<&str>> = BTreeMap::new();
        for known in &self.findings {
            gone.entry(&known.id).or_default().insert(&known.path);
        }
        for finding in findings.iter_mut().filter(|it| it.status == Status::New) {
            if gone.get(finding.id.as_str()).is_some_and(|it| it.contains(finding.location.path.as_str())) {
                finding.status = Status::Known;
            }
        }
        for finding in findings.iter().filter(|it| it.status != Status::New) {
            if let Some(paths) = gone.get_mut(finding.id.as_str()) {
                paths.remove(finding.location.path.as_str());
            }
        }
        mark_renamed(gone, findings);
    }

    pub(crate) fn len(&self) -> usize {
        self.findings.len()
    }

    /// The same findings give the same bytes.
    pub(crate) fn to_bytes(&self) -> Vec<u8> {
        let mut bytes = serde_json::to_vec_pretty(self).expect("strings are JSON");
        bytes.push(b'\n');
        bytes
    }
}

/// What is left of the baseline stood in files that are gone or hold it no more: each such place vouches for one
/// other file with the same finding, in the order of paths.
fn mark_renamed(gone: BTreeMap<&str, BTreeSet<&str>>, findings: &mut [Finding]) {
    let mut moved: BTreeMap<String, BTreeSet<String>> = BTreeMap::new();
    for finding in findings.iter().filter(|it| it.status == Status::New) {
        if gone.contains_key(finding.id.as_str()) {
            moved.entry(finding.id.clone()).or_default().insert(finding.location.path.clone());
        }
    }
    for (id, paths) in &mut moved {
        let left = gone.get(id.as_str()).map_or(0, BTreeSet::len);
        *paths = std::mem::take(paths).into_iter().take(left).collect();
    }
    for finding in findings.iter_mut().filter(|it| it.status == Status::New) {
        if moved.get(&finding.id).is_some_and(|it| it.contains(&finding.location.path)) {
            finding.status = Status::Known;
        }
    }
}

/// Where a file stops being a baseline. What stands there is not repeated: the path may name anything.
fn place(error: &serde_json::Error) -> String {
    format!("line {}, column {} is not what a baseline holds", error.line(), error.column())
}
