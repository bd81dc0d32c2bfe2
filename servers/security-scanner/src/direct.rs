//! The engine without a server: for benchmarks and evaluations.

use std::{fs::File, io, os::unix::fs::MetadataExt, path::Path};

use tokio_util::sync::CancellationToken;

use crate::{
    Coverage, Finding, ScanType, ScannerConfig, Severity,
    engine::{
        file_scan::FileScan,
        fingerprint::Fingerprints,
        ruleset::{RuleSet, Wanted},
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

/// One place where the model is asked: its line, counted from 1, and the buckets of what can be seen there.
#[derive(Debug)]
pub struct Candidate {
    /// Of the value.
    pub line: u64,
    /// Distinct, each below [`BUCKETS`].
    pub buckets: Vec<u16>,
}

/// Size of the model's table.
pub const BUCKETS: usize = crate::engine::clues::BUCKETS;

/// What the model is asked about in a file: for training it.
pub struct Questions(RuleSet);

impl Questions {
    /// With the built-in rules.
    ///
    /// # Errors
    /// When an embedded rule file is broken.
    pub fn new() -> io::Result<Self> {
        Ok(Self(RuleSet::load(&[]).map_err(io::Error::other)?))
    }

    /// Every question about `text` under the name `path`.
    pub fn of(&self, path: &str, text: &[u8]) -> Vec<Candidate> {
        let mut scan = FileScan::new(&self.0, Wanted::Secrets);
        scan.candidates = Some(Vec::new());
        scan.scan(path, text);
        let line = |offset: usize| 1 + memchr::memchr_iter(b'\n', &text[..offset]).count() as u64;
        let asked = scan.candidates.take().unwrap_or_default();
        asked.into_iter().map(|(at, clues)| Candidate { line: line(at), buckets: clues.buckets }).collect()
    }
}
