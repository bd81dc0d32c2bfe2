use kernel::{Caching, CallContext, Effect, Meta, Resource, Tool, ToolError, Trust};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::{
    Finding, ScanType, SecurityScanner,
    engine::{file_scan::FileScan, scan::Job, scan::findings},
    error::ScanError,
    tools::Choice,
};

/// Scans a piece of text, for example before it is sent, committed or logged.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct ScanText {
    /// The text; it is neither kept nor logged.
    #[schemars(length(min = 1, max = 1_048_576))]
    text: String,
    /// A file name that says how to read the text, for example `app.py`.
    #[serde(default = "plain")]
    #[schemars(length(min = 1, max = 255))]
    file_name: String,
    /// What to look for.
    #[serde(default = "secrets")]
    scan_type: ScanType,
}

fn plain() -> String {
    "text.txt".into()
}

fn secrets() -> ScanType {
    ScanType::Secrets
}

/// What was found in a text.
#[derive(Debug, Serialize, JsonSchema)]
pub(crate) struct TextReport {
    /// Whether there is anything to look at.
    is_clean: bool,
    /// In the order of the text, at most 100.
    findings: Vec<Finding>,
    /// There are more.
    truncated: bool,
}

impl Tool for ScanText {
    type Server = SecurityScanner;
    type Output = TextReport;

    const META: Meta = Meta {
        name: "scan_text",
        title: "Scan a text for secrets",
        effect: Effect::Read,
        caching: Caching::Never,
        trust: Trust::Untrusted,
    };

    fn resources(&self) -> Vec<Resource> {
        Vec::new()
    }

    async fn call(self, server: &SecurityScanner, cx: &CallContext) -> Result<TextReport, ToolError> {
        let rules = server.rules.clone();
        let fingerprints = server.fingerprints.clone();
        let plan = server.plan(Choice::new(self.scan_type));
        let cancel = cx.cancel.clone();
        let work = move || {
            let mut scan = FileScan::new(&rules, plan.wanted);
            let hits = scan.scan(&self.file_name, self.text.as_bytes());
            let report = |_, _| {};
            let job = Job {
                rules: &rules,
                fingerprints: &fingerprints,
                plan: &plan,
                cancel: &cancel,
                report: &report,
            };
            (findings(&job, &self.file_name, self.text.as_bytes(), &hits), scan.was_cut)
        };
        let (mut findings, was_cut) = tokio::task::spawn_blocking(work).await.map_err(ScanError::Worker)?;
        let truncated = was_cut || findings.len() > 100;
        findings.truncate(100);
        Ok(TextReport { is_clean: findings.is_empty() && !truncated, findings, truncated })
    }
}
