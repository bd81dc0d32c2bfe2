use std::time::Duration;

use kernel::{Caching, CallContext, Effect, Meta, Resource, Tool, ToolError, Trust};
use schemars::JsonSchema;
use serde::Deserialize;

use crate::{
    Report, ScanFormat, ScanType, SecurityScanner, Severity, baseline::Baseline,
    engine::ruleset::CONFIDENCE_DEFAULT, report::Page, server::DEADLINE, target, tools::Choice,
};

/// Scans a file or a whole folder for secrets and dangerous code.
///
/// Secrets are masked. `verdict` is `clean` only when everything was seen; `coverage` names what was not.
/// Files that `.gitignore` hides are left out unless `include_ignored` is set; `.git` always is.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct FileSecurityScan {
    /// File or folder, relative to the first root; `.` is the root itself.
    #[schemars(length(min = 1, max = 4096))]
    file_path: String,
    /// What to look for.
    scan_type: ScanType,
    /// Leave out what is less severe.
    #[serde(default)]
    min_severity: Option<Severity>,
    /// Leave out what is less certain, 0 to 1; 0.4 when unset.
    #[serde(default)]
    #[schemars(range(min = 0.0, max = 1.0))]
    min_confidence: Option<f32>,
    /// Also scan what `.gitignore` hides.
    #[serde(default)]
    include_ignored: bool,
    /// A file of baseline_update; findings in it are marked `known`.
    #[serde(default)]
    #[schemars(length(min = 1, max = 4096))]
    baseline: Option<String>,
    /// The form of the findings.
    #[serde(default)]
    format: ScanFormat,
    /// Findings per page.
    #[serde(default = "hundred")]
    #[schemars(range(min = 1, max = 1000))]
    limit: u32,
    /// `next_cursor` of the previous page.
    #[serde(default)]
    #[schemars(length(max = 64))]
    cursor: Option<String>,
}

fn hundred() -> u32 {
    100
}

impl Tool for FileSecurityScan {
    type Server = SecurityScanner;
    type Output = Report;

    const META: Meta = Meta {
        name: "file_security_scan",
        title: "Scan files for secrets and dangerous code",
        effect: Effect::Read,
        caching: Caching::Never,
        trust: Trust::Untrusted,
    };

    fn resources(&self) -> Vec<Resource> {
        let baseline = self.baseline.iter().map(|it| Resource::new("file", it));
        std::iter::once(Resource::new("file", &self.file_path)).chain(baseline).collect()
    }

    fn deadline(&self) -> Option<Duration> {
        Some(DEADLINE)
    }

    async fn call(self, server: &SecurityScanner, cx: &CallContext) -> Result<Report, ToolError> {
        let choice = Choice {
            include_ignored: self.include_ignored,
            min_severity: self.min_severity.unwrap_or(Severity::Low),
            min_confidence: self.min_confidence.unwrap_or(CONFIDENCE_DEFAULT),
            ..Choice::new(self.scan_type)
        };
        let known = self.baseline.as_deref();
        let known =
            known.map(|it| Baseline::read(&server.roots, it, &server.fingerprints.key_id())).transpose()?;
        let opened = target::open(&server.roots, "file_path", &self.file_path)?;
        let mut scanned = server.scan(opened, server.plan(choice), cx).await?;
        if let Some(known) = known {
            known.mark(&mut scanned.findings);
        }
        let page = Page {
            limit: self.limit as usize,
            cursor: self.cursor,
            as_sarif: self.format == ScanFormat::Sarif,
        };
        Ok(Report::new(&self.file_path, server.facts(), scanned, &page)?)
    }
}
