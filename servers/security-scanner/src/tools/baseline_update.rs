use std::time::Duration;

use guard::path::Existing;
use kernel::{Caching, CallContext, Effect, ErrorKind, Meta, Resource, Tool, ToolError, Trust};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::{ScanType, SecurityScanner, baseline::Baseline, server::DEADLINE, target, tools::Choice};

/// Writes what a scan finds now to a baseline file, so that later scans tell new findings from known ones.
///
/// The file holds ids, rules and paths, and no secret.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct BaselineUpdate {
    /// File or folder to scan, relative to the first root.
    #[schemars(length(min = 1, max = 4096))]
    file_path: String,
    /// The baseline to write; its folder must exist.
    #[schemars(length(min = 1, max = 4096))]
    baseline_path: String,
    /// What to look for.
    #[serde(default = "all")]
    scan_type: ScanType,
}

fn all() -> ScanType {
    ScanType::All
}

/// What was written.
#[derive(Debug, Serialize, JsonSchema)]
pub(crate) struct BaselineWritten {
    baseline_path: String,
    /// Distinct findings in it.
    findings: usize,
}

impl Tool for BaselineUpdate {
    type Server = SecurityScanner;
    type Output = BaselineWritten;

    const META: Meta = Meta {
        name: "baseline_update",
        title: "Write a baseline of known findings",
        effect: Effect::Write { idempotent: true },
        caching: Caching::Never,
        trust: Trust::Own,
    };

    fn resources(&self) -> Vec<Resource> {
        vec![Resource::new("file", &self.file_path), Resource::new("file", &self.baseline_path)]
    }

    fn deadline(&self) -> Option<Duration> {
        Some(DEADLINE)
    }

    async fn call(self, server: &SecurityScanner, cx: &CallContext) -> Result<BaselineWritten, ToolError> {
        // The place is checked first: nobody should wait for a scan that cannot be kept.
        let place = server.roots.place("baseline_path", &self.baseline_path)?;
        let key_id = server.fingerprints.key_id();
        if place.existing().is_some() {
            // Only a baseline is replaced by a baseline.
            Baseline::read(&server.roots, &self.baseline_path, &key_id)?;
        }
        let opened = target::open(&server.roots, "file_path", &self.file_path)?;
        let scanned = server.scan(opened, server.plan(Choice::new(self.scan_type)), cx).await?;
        if scanned.coverage.truncated {
            return Err(ToolError::new(
                ErrorKind::ToolExecutionFailed,
                "the scan hit a bound, so a baseline of it would hide findings",
            )
            .hint("scan a smaller folder, or raise findings_max or files_max in the configuration"));
        }
        let baseline = Baseline::of(key_id, &scanned.findings);
        place.write(&baseline.to_bytes(), Existing::Replace)?;
        Ok(BaselineWritten { baseline_path: self.baseline_path, findings: baseline.len() })
    }
}
