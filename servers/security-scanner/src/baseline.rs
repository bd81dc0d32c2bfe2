//! A list of findings somebody has looked at.

use std::collections::BTreeSet;

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
            serde_json::from_slice(&bytes).map_err(|error| ScanError::BadBaseline(error.to_string()))?;
        if read.version != VERSION {
            return Err(ScanError::BadBaseline(format!("version {} is not {VERSION}", read.version)).into());
        }
        if read.key_id != key_id {
            return Err(ScanError::ForeignBaseline.into());
        }
        Ok(read)
    }

    /// Marks what is in the baseline. Moving a line changes nothing; another file or another secret does.
    pub(crate) fn mark(&self, findings: &mut [Finding]) {
        let known: BTreeSet<(&str, &str)> =
            self.findings.iter().map(|it| (it.id.as_str(), it.path.as_str())).collect();
        for finding in findings.iter_mut().filter(|it| it.status == Status::New) {
            if known.contains(&(finding.id.as_str(), finding.location.path.as_str())) {
                finding.status = Status::Known;
            }
        }
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
