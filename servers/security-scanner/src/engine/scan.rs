//! Scans a file or a tree with several workers and joins what they found.

use std::{
    collections::{BTreeMap, BinaryHeap},
    fs::File,
    ops::Range,
    path::{Path, PathBuf},
    sync::{
        Mutex,
        atomic::{AtomicU64, Ordering},
        mpsc::{Receiver, SyncSender, sync_channel},
    },
    time::{Duration, Instant},
};

use tokio_util::sync::CancellationToken;

use super::{
    coverage::Coverage,
    file_scan::{FileScan, Hit},
    finding::{Finding, Location, Status, mask},
    fingerprint::Fingerprints,
    rule::{Family, Severity},
    ruleset::{RuleSet, Wanted},
    source::{Content, Root, SkipReason, read_whole},
    suppress::is_allowed,
    walk::{Met, walk},
};

/// Paths handed to a worker at once, and batches waiting: the walk is never far ahead.
const BATCH: usize = 64;
const BATCHES: usize = 16;
/// A snippet's line is searched for secrets this far beyond the snippet.
const SNIPPET_MARGIN: usize = 1_024;
/// Between two reports of progress.
const REPORT_EVERY: Duration = Duration::from_millis(100);

/// What to scan for and within which bounds.
#[derive(Clone, Debug)]
pub(crate) struct Plan {
    pub(crate) wanted: Wanted,
    pub(crate) ignored: bool,
    pub(crate) min_severity: Severity,
    pub(crate) min_confidence: f32,
    pub(crate) file_bytes_max: u64,
    pub(crate) files_max: u64,
    pub(crate) findings_max: usize,
    pub(crate) workers: usize,
    /// Absolute paths that no tool reads.
    pub(crate) protected: Vec<PathBuf>,
}

/// What came out.
#[derive(Debug, Default)]
pub(crate) struct Scanned {
    pub(crate) coverage: Coverage,
    /// Worst first.
    pub(crate) findings: Vec<Finding>,
    /// Of all findings, also those beyond `findings_max`.
    pub(crate) counts: BTreeMap<Severity, u64>,
    pub(crate) suppressed: u64,
    pub(crate) cancelled: bool,
}

/// What to scan, already opened.
#[derive(Debug)]
pub(crate) enum Target {
    /// One file, and the path that rules and findings know it by.
    File { file: File, path: String },
    /// A folder, and where it was when it was opened.
    Folder { root: Root, path: PathBuf },
}

/// Everything a worker reads.
pub(crate) struct Job<'a> {
    pub(crate) rules: &'a RuleSet,
    pub(crate) fingerprints: &'a Fingerprints,
    pub(crate) plan: &'a Plan,
    pub(crate) cancel: &'a CancellationToken,
    /// Called at most ten times a second with files and bytes done.
    pub(crate) report: &'a (dyn Fn(u64, u64) + Sync),
}

/// One finding in a heap whose top is the one to let go first.
struct Ranked(Finding);

impl PartialEq for Ranked {
    fn eq(&self, other: &Self) -> bool {
        self.cmp(other).is_eq()
    }
}
impl Eq for Ranked {}
impl PartialOrd for Ranked {
    fn partial_cmp(&self, other: &Self) -> Option<std::cmp::Ordering> {
        Some(self.cmp(other))
    }
}
impl Ord for Ranked {
    fn cmp(&self, other: &Self) -> std::cmp::Ordering {
        self.0.order(&other.0)
    }
}

/// One worker's share of the result.
#[derive(Default)]
struct Share {
    coverage: Coverage,
    kept: BinaryHeap<Ranked>,
    counts: BTreeMap<Severity, u64>,
    suppressed: u64,
}

impl Share {
    fn add(&mut self, finding: Finding, limit: usize) {
        if finding.status == Status::Suppressed {
            self.suppressed += 1;
        } else {
            *self.counts.entry(finding.severity).or_default() += 1;
        }
        self.kept.push(Ranked(finding));
        if self.kept.len() > limit {
            self.kept.pop();
            self.coverage.truncated = true;
        }
    }
}

struct Clock {
    files: AtomicU64,
    bytes: AtomicU64,
    last: Mutex<Instant>,
}

impl Clock {
    fn tick(&self, bytes: u64, report: &(dyn Fn(u64, u64) + Sync)) {
        let files = self.files.fetch_add(1, Ordering::Relaxed) + 1;
        let bytes = self.bytes.fetch_add(bytes, Ordering::Relaxed) + bytes;
        // Whoever finds the clock taken leaves the report to the other worker.
        if files.is_multiple_of(32)
            && let Ok(mut last) = self.last.try_lock()
            && last.elapsed() >= REPORT_EVERY
        {
            *last = Instant::now();
            report(files, bytes);
        }
    }
}

impl Job<'_> {
    /// Scans `target`. Blocks; runs its workers to the end before it returns.
    pub(crate) fn run(&self, target: Target) -> Scanned {
        let clock = Clock { files: 0.into(), bytes: 0.into(), last: Mutex::new(Instant::now()) };
        match target {
            Target::File { file, path } => {
                let mut worker = Worker::new(self, &clock);
                let outcome = read_whole(file, self.plan.file_bytes_max, &mut worker.buffer);
                worker.outcome(Path::new(&path), outcome);
                self.join(vec![worker.share])
            }
            Target::Folder { root, path } => self.tree(&path, &root, &clock),
        }
    }

    fn tree(&self, target: &Path, root: &Root, clock: &Clock) -> Scanned {
        let (send, receive) = sync_channel::<Vec<PathBuf>>(BATCHES);
        let receive = Mutex::new(receive);
        let shares = std::thread::scope(|scope| {
            let workers: Vec<_> = (0..self.plan.workers.max(1))
                .map(|_| scope.spawn(|| Worker::new(self, clock).drain(root, &receive)))
                .collect();
            let mut shares = vec![self.walk(target, send)];
            for worker in workers {
                match worker.join() {
                    Ok(share) => shares.push(share),
                    // A worker that died has files on its conscience that nobody saw.
                    Err(_) => shares.push(Share {
                        coverage: Coverage { truncated: true, ..Default::default() },
                        ..Default::default()
                    }),
                }
            }
            shares
        });
        self.join(shares)
    }

    fn walk(&self, target: &Path, send: SyncSender<Vec<PathBuf>>) -> Share {
        let mut share = Share::default();
        let mut batch = Vec::with_capacity(BATCH);
        let mut files = 0;
        for met in walk(target, self.plan.ignored, self.plan.protected.clone()) {
            if self.cancel.is_cancelled() {
                break;
            }
            match met {
                Met::Skipped(path, reason) => share.coverage.skip(shown(&path), reason),
                Met::File(path) => {
                    files += 1;
                    let obeys = !self.plan.ignored && path.file_name().is_some_and(|it| it == ".gitignore");
                    share.coverage.gitignore_obeyed |= obeys;
                    if files > self.plan.files_max {
                        share.coverage.truncated = true;
                        break;
                    }
                    batch.push(path);
                }
            }
            if batch.len() == BATCH
                && send.send(std::mem::replace(&mut batch, Vec::with_capacity(BATCH))).is_err()
            {
                break;
            }
        }
        // Nobody listens only when every worker has died, which their join reports.
        if send.send(batch).is_err() {
            share.coverage.truncated = true;
        }
        share
    }

    fn join(&self, shares: Vec<Share>) -> Scanned {
        let mut out = Scanned { cancelled: self.cancel.is_cancelled(), ..Default::default() };
        let mut findings = Vec::new();
        for share in shares {
            out.coverage.join(share.coverage);
            out.suppressed += share.suppressed;
            for (severity, count) in share.counts {
                *out.counts.entry(severity).or_default() += count;
            }
            findings.extend(share.kept.into_iter().map(|it| it.0));
        }
        findings.sort_by(Finding::order);
        if findings.len() > self.plan.findings_max {
            findings.truncate(self.plan.findings_max);
            out.coverage.truncated = true;
        }
        out.coverage.truncated |= out.cancelled;
        out.findings = findings;
        out
    }
}

struct Worker<'a> {
    job: &'a Job<'a>,
    clock: &'a Clock,
    scan: FileScan<'a>,
    buffer: Vec<u8>,
    share: Share,
}

impl<'a> Worker<'a> {
    fn new(job: &'a Job<'a>, clock: &'a Clock) -> Self {
        let scan = FileScan::new(job.rules, job.plan.wanted);
        Self { job, clock, scan, buffer: Vec::new(), share: Share::default() }
    }

    fn drain(mut self, root: &Root, batches: &Mutex<Receiver<Vec<PathBuf>>>) -> Share {
        loop {
            let batch = batches.lock().expect("no worker panics while it waits").recv();
            let Ok(batch) = batch else { return self.share };
            for path in batch {
                // After a cancel the queue is emptied without work, so that the walk can end.
                if !self.job.cancel.is_cancelled() {
                    let outcome = root.read(&path, self.job.plan.file_bytes_max, &mut self.buffer);
                    self.outcome(&path, outcome);
                }
            }
        }
    }

    fn outcome(&mut self, path: &Path, outcome: Result<Content, SkipReason>) {
        let bytes = self.buffer.len() as u64;
        match outcome {
            Ok(Content::Binary) if self.job.plan.wanted == Wanted::Patterns => {
                self.share.coverage.skip(shown(path), SkipReason::Binary);
            }
            Ok(content) => self.content(&shown(path), bytes, content),
            Err(reason) => {
                self.share.coverage.skip(shown(path), reason);
                if reason == SkipReason::Changed {
                    // It still was a file, and what was read of it may hold something.
                    self.hits(&shown(path), Content::Text);
                }
            }
        }
        self.clock.tick(bytes, self.job.report);
        // One giant must not pin its memory for the rest of the scan.
        if self.buffer.capacity() > 4 << 20 {
            self.buffer = Vec::new();
        }
    }

    fn content(&mut self, path: &str, bytes: u64, content: Content) {
        self.share.coverage.scanned(bytes);
        self.hits(path, content);
    }

    fn hits(&mut self, path: &str, content: Content) {
        let hits = match content {
            Content::Text => self.scan.scan(path, &self.buffer),
            Content::Binary => self.scan.scan_binary(path, &self.buffer),
        };
        if self.scan.was_cut {
            self.share.coverage.truncated = true;
        }
        for finding in findings(self.job, path, &self.buffer, &hits) {
            self.share.add(finding, self.job.plan.findings_max);
        }
    }
}

/// Makes findings of hits, dropping what the plan does not ask for.
pub(crate) fn findings(job: &Job<'_>, path: &str, text: &[u8], hits: &[Hit]) -> Vec<Finding> {
    let mut lines = Lines { text, offset: 0, line: 1, column: 1 };
    let mut out = Vec::with_capacity(hits.len());
    for hit in hits {
        let rule = &job.rules.rules[usize::from(hit.rule)];
        if rule.severity < job.plan.min_severity || hit.confidence < job.plan.min_confidence {
            continue;
        }
        let secret = &text[hit.span.clone()];
        let (line, column) = lines.place(hit.span.start);
        let (end_line, end_column) = lines.clone().place(hit.span.end);
        let status =
            if is_allowed(text, hit.span.start, &rule.id) { Status::Suppressed } else { Status::New };
        out.push(Finding {
            id: job.fingerprints.of(&rule.id, secret),
            rule: rule.id.clone(),
            title: rule.title.clone(),
            severity: rule.severity,
            confidence: (f64::from(hit.confidence) * 100.0).round() / 100.0,
            cwe: format!("CWE-{}", rule.cwe),
            location: Location { path: path.to_owned(), line, column, end_line, end_column },
            message: rule.description.clone(),
            evidence: if rule.family == Family::Secrets {
                mask(secret)
            } else {
                snippet(job, path, text, &hit.span)
            },
            status,
        });
    }
    out
}

/// The matched code, short, with every secret on its lines masked.
fn snippet(job: &Job<'_>, path: &str, text: &[u8], span: &Range<usize>) -> String {
    let floor = span.start.saturating_sub(SNIPPET_MARGIN);
    let from = memchr::memrchr(b'\n', &text[floor..span.start]).map_or(floor, |at| floor + at + 1);
    let roof = (span.end + SNIPPET_MARGIN).min(text.len());
    let to = memchr::memchr(b'\n', &text[span.end..roof]).map_or(roof, |at| span.end + at);
    let mut code = text[span.clone()].to_vec();
    for hit in FileScan::new(job.rules, Wanted::Secrets).scan(path, &text[from..to]) {
        let start = (from + hit.span.start).clamp(span.start, span.end) - span.start;
        let end = (from + hit.span.end).clamp(span.start, span.end) - span.start;
        code[start..end].fill(b'*');
    }
    let shown: String =
        String::from_utf8_lossy(&code).chars().filter(|it| !it.is_control()).take(60).collect();
    shown.trim().to_owned()
}

/// Counts lines and characters forward from the last place asked for, so that a file is counted once.
#[derive(Clone)]
struct Lines<'t> {
    text: &'t [u8],
    offset: usize,
    line: u32,
    column: u32,
}

impl Lines<'_> {
    fn place(&mut self, offset: usize) -> (u32, u32) {
        let mut rest = &self.text[self.offset..offset];
        if let Some(last) = memchr::memrchr(b'\n', rest) {
            self.line += count(memchr::memchr_iter(b'\n', rest).count());
            self.column = 1;
            rest = &rest[last + 1..];
        }
        // Every byte but the following ones of a UTF-8 character begins one.
        self.column = self.column.saturating_add(count(rest.iter().filter(|it| *it & 0xc0 != 0x80).count()));
        self.offset = offset;
        (self.line, self.column)
    }
}

fn count(many: usize) -> u32 {
    u32::try_from(many).unwrap_or(u32::MAX)
}

/// A path for people and JSON, with forward slashes and nothing that could be taken for control text.
fn shown(path: &Path) -> String {
    path.to_string_lossy().chars().map(|it| if it.is_control() { '\u{fffd}' } else { it }).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn places_count_lines_and_characters() {
        let text = "a\n\u{e9}\u{4e16}b\n\nc".as_bytes();
        let mut lines = Lines { text, offset: 0, line: 1, column: 1 };
        for (offset, place) in [(0, (1, 1)), (2, (2, 1)), (7, (2, 3)), (8, (2, 4)), (10, (4, 1))] {
            assert_eq!(lines.place(offset), place, "{offset}");
        }
    }
}
