//! The engine without a server: for benchmarks and evaluations.

use std::{fs::File, io, os::unix::fs::MetadataExt, path::Path};

use tokio_util::sync::CancellationToken;

use crate::{
    Coverage, Finding, ScanType, ScannerConfig, Severity,
    engine::{
        fingerprint::Fingerprints,
        ruleset::RuleSet,
        scan::{Job, Plan, Target},
        source::Root,
    },
    tools::Choice,
};

/// What [`scan_path`] found.
#[derive(Debug)]
pub struct Direct {
    /// What was seen.
    pub coverage: Coverage,
    /// Worst first.
    pub findings: Vec<Finding>,
    /// Number of rules.
    pub rules: usize,
}

/// Scans `path` with the built-in rules and `workers` threads.
///
/// Applies no roots: the caller answers for what is read. `include_ignored` also reads what `.gitignore` hides.
///
/// # Errors
/// When `path` cannot be opened, or an embedded rule file is broken.
pub fn scan_path(path: &Path, scan: ScanType, workers: usize, include_ignored: bool) -> io::Result<Direct> {
    let rules = RuleSet::load(&[]).map_err(io::Error::other)?;
    let choice = Choice::new(scan);
    let bounds = ScannerConfig::default();
    let plan = Plan {
        wanted: choice.wanted,
        ignored: include_ignored,
        min_severity: Severity::Low,
        min_confidence: choice.min_confidence,
        file_bytes_max: bounds.file_bytes_max,
        files_max: bounds.files_max,
        findings_max: 100_000,
        workers,
        protected: Vec::new(),
    };
    let path = path.canonicalize()?;
    let facts = path.metadata()?;
    let target = if facts.is_dir() {
        Target::Folder { root: Root::open(&path, (facts.dev(), facts.ino()))?, path }
    } else {
        Target::File { file: File::open(&path)?, path: path.to_string_lossy().into_owned() }
    };
    let fingerprints = Fingerprints::shared(b"evaluation, not a secret");
    let cancel = CancellationToken::new();
    let job =
        Job { rules: &rules, fingerprints: &fingerprints, plan: &plan, cancel: &cancel, report: &|_, _| {} };
    let scanned = job.run(target);
    Ok(Direct { coverage: scanned.coverage, findings: scanned.findings, rules: rules.rules.len() })
}
