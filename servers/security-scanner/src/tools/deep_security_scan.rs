use std::{collections::BTreeMap, path::Path, time::Duration};

use kernel::{Caching, CallContext, Effect, Meta, Resource, Tool, ToolError, Trust};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::{
    Finding, Report, ScanType, SecurityScanner, Severity, Verdict,
    audit::{Audit, AuditVerdict, Level},
    engine::{
        coverage::Coverage,
        walk::{Met, walk},
    },
    error::ScanError,
    manifests,
    report::Page,
    server::DEADLINE,
    target,
    tools::Choice,
};

/// Manifests audited in one call.
const MANIFESTS_MAX: usize = 200;
/// Findings shown; `file_security_scan` pages through all.
const FINDINGS_SHOWN: usize = 100;

/// Scans a project for secrets, dangerous code and packages with known vulnerabilities.
///
/// `verdict` is `clean` only when every part saw everything; `file_security_scan` and the audits say more about one part.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct DeepSecurityScan {
    /// Folder or file, relative to the first root.
    #[schemars(length(min = 1, max = 4096))]
    target: String,
    /// `full`, `files`, `secrets`, `patterns` or `dependencies`.
    #[serde(default = "full")]
    #[schemars(length(min = 1, max = 32))]
    scan_type: String,
}

fn full() -> String {
    "full".into()
}

/// The parts of a deep scan.
#[derive(Debug, Serialize, JsonSchema)]
pub(crate) struct DeepReport {
    /// The worst of all parts; `incomplete` covers audits that are `unknown`.
    verdict: Verdict,
    /// What was seen of the files; absent when they were not asked for.
    #[serde(skip_serializing_if = "Option::is_none")]
    coverage: Option<Coverage>,
    /// Findings by severity.
    counts: BTreeMap<Severity, u64>,
    /// Worst first, at most 100.
    findings: Vec<Finding>,
    /// There are more findings: page through them with file_security_scan.
    more_findings: bool,
    /// One audit per project, as npm_audit and python_safety_check give them.
    #[schemars(with = "Vec<BTreeMap<String, Value>>")]
    audits: Vec<Audit>,
    /// Manifests that could not be read, and why.
    unread_manifests: BTreeMap<String, String>,
}

/// Which parts a scan type asks for.
fn parts(scan_type: &str) -> Result<(Option<ScanType>, bool), ScanError> {
    Ok(match scan_type {
        "full" | "all" => (Some(ScanType::All), true),
        "files" => (Some(ScanType::All), false),
        "secrets" => (Some(ScanType::Secrets), false),
        "patterns" => (Some(ScanType::Patterns), false),
        "dependencies" => (None, true),
        _ => return Err(ScanError::UnknownScan),
    })
}

impl Tool for DeepSecurityScan {
    type Server = SecurityScanner;
    type Output = DeepReport;

    const META: Meta = Meta {
        name: "deep_security_scan",
        title: "Scan a project in depth",
        effect: Effect::Read,
        caching: Caching::Never,
        trust: Trust::Untrusted,
    };

    fn resources(&self) -> Vec<Resource> {
        vec![Resource::new("file", &self.target)]
    }

    fn deadline(&self) -> Option<Duration> {
        Some(DEADLINE)
    }

    async fn call(self, server: &SecurityScanner, cx: &CallContext) -> Result<DeepReport, ToolError> {
        let (files, dependencies) = parts(&self.scan_type)?;
        let mut report = DeepReport {
            verdict: Verdict::Clean,
            coverage: None,
            counts: BTreeMap::new(),
            findings: Vec::new(),
            more_findings: false,
            audits: Vec::new(),
            unread_manifests: BTreeMap::new(),
        };
        if let Some(scan) = files {
            report.files(server, &self.target, scan, cx).await?;
        }
        if dependencies {
            report.dependencies(server, &self.target, cx).await?;
        }
        report.judge(files.is_none());
        Ok(report)
    }
}

impl DeepReport {
    async fn files(
        &mut self,
        server: &SecurityScanner,
        target: &str,
        scan: ScanType,
        cx: &CallContext,
    ) -> Result<(), ToolError> {
        let opened = target::open(&server.roots, "target", target)?;
        let scanned = server.scan(opened, server.plan(Choice::new(scan)), cx).await?;
        let page = Page { limit: FINDINGS_SHOWN, cursor: None, as_sarif: false };
        let report = Report::new(target, server.facts(), scanned, &page)?;
        self.verdict = report.verdict;
        self.coverage = Some(report.coverage);
        self.counts = report.counts;
        self.findings = report.findings;
        self.more_findings = report.next_cursor.is_some();
        Ok(())
    }

    async fn dependencies(
        &mut self,
        server: &SecurityScanner,
        target: &str,
        cx: &CallContext,
    ) -> Result<(), ToolError> {
        for path in server.manifests(target, cx).await? {
            if self.audits.len() + self.unread_manifests.len() >= MANIFESTS_MAX {
                self.unread_manifests.insert(path, format!("more than {MANIFESTS_MAX} manifests"));
                break;
            }
            match manifests::any(&server.roots, "target", &path) {
                Some(Ok(named)) => {
                    let audit =
                        server.audit(named.ecosystem, named.sources, named.inventory, Level::Low, cx).await?;
                    self.audits.push(audit);
                }
                Some(Err(error)) => {
                    self.unread_manifests.insert(path, error.to_string());
                }
                None => {}
            }
        }
        Ok(())
    }

    /// The worst part decides.
    fn judge(&mut self, files_unasked: bool) {
        let has = |verdict| self.audits.iter().any(|it| it.verdict == verdict);
        let is_vulnerable = has(AuditVerdict::Vulnerable) || has(AuditVerdict::BelowLevel);
        let is_unknown = has(AuditVerdict::Unknown)
            || !self.unread_manifests.is_empty()
            || files_unasked && self.audits.is_empty();
        if is_vulnerable {
            self.verdict = Verdict::Findings;
        } else if is_unknown && self.verdict == Verdict::Clean {
            self.verdict = Verdict::Incomplete;
        }
    }
}

impl SecurityScanner {
    /// Every manifest below `target` that stands for a project, in the order of paths.
    async fn manifests(&self, target: &str, cx: &CallContext) -> Result<Vec<String>, ToolError> {
        let found = self.roots.resolve_readable("target", target)?;
        let absolute = found.absolute().to_owned();
        if found.facts().kind != guard::path::Kind::Folder {
            return Ok(if is_manifest(&absolute) { vec![target.to_owned()] } else { Vec::new() });
        }
        let (plan, cancel, target) =
            (self.plan(Choice::new(ScanType::All)), cx.cancel.clone(), target.to_owned());
        let work = move || {
            let paths = walk(&absolute, false, plan.protected)
                .take_while(|_| !cancel.is_cancelled())
                .take(usize::try_from(plan.files_max).unwrap_or(usize::MAX))
                .filter_map(|it| match it {
                    Met::File(path) if is_manifest(&path) => Some(path.to_string_lossy().into_owned()),
                    _ => None,
                })
                // What is installed is named by the lock file of the project.
                .filter(|it| !it.split('/').any(|part| part == "node_modules" || part == "site-packages"))
                .take(MANIFESTS_MAX + 1)
                .map(|it| format!("{}/{it}", target.trim_end_matches('/')))
                .collect();
            without_locked(paths)
        };
        Ok(tokio::task::spawn_blocking(work).await.map_err(ScanError::Worker)?)
    }
}

fn is_manifest(path: &Path) -> bool {
    let name = path.file_name().and_then(|it| it.to_str()).unwrap_or_default();
    let lower = name.to_ascii_lowercase();
    matches!(
        name,
        "package-lock.json"
            | "npm-shrinkwrap.json"
            | "package.json"
            | "Cargo.lock"
            | "poetry.lock"
            | "uv.lock"
            | "pdm.lock"
            | "Pipfile.lock"
    ) || lower.starts_with("requirements") && lower.ends_with(".txt")
}

/// `package.json` is read together with the lock file beside it.
fn without_locked(mut paths: Vec<String>) -> Vec<String> {
    let locked: Vec<String> = paths
        .iter()
        .filter_map(|it| it.strip_suffix("package-lock.json").or(it.strip_suffix("npm-shrinkwrap.json")))
        .map(str::to_owned)
        .collect();
    paths.retain(|it| {
        it.strip_suffix("package.json").is_none_or(|folder| !locked.iter().any(|it| it == folder))
    });
    paths
}
