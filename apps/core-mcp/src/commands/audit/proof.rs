//! Proving the log, and removing old records without losing the proof.

use audit::{Keep, PublicKey, VerifyReport, VerifySources};
use kernel::{ErrorKind, Progress, ToolError};
use store::Clock;

use super::broken;
use crate::{app::App, failure::Failure, platform::Local, progress::ProgressView};

/// Prints the report; exit code 1 when something is wrong.
pub(super) async fn verify(app: &App, local: &Local, key: Option<&str>) -> Result<(), Failure> {
    let mut sources = VerifySources::of(&local.data).map_err(broken)?;
    if let Some(key) = key {
        sources.public_key = PublicKey::from_hex(key)
            .ok_or_else(|| Failure::usage("--key takes the public key as 64 hex digits"))?;
    }
    let view = ProgressView::new("verifying", app.common.no_progress);
    let progress = view.progress();
    let report = blocking(move || audit::verify(&sources, |done, total| tell(&progress, done, total)))
        .await?
        .map_err(broken)?;
    drop(view);
    app.output.one(&report, || describe(&report))?;
    if report.ok {
        return Ok(());
    }
    Err(Failure::new(ErrorKind::ToolExecutionFailed, "the audit log is not what was written")
        .hint("keep a copy of audit.db and audit/checkpoints.jsonl before anything else, and compare with your exports"))
}

fn describe(report: &VerifyReport) -> String {
    match &report.first_bad {
        None => format!("ok: {} records, complete and in order", report.records),
        Some(fault) => format!(
            "NOT OK: record {}: {} ({} records before it are good)",
            fault.seq, fault.detail, report.records
        ),
    }
}

/// Keeps what the flags or the configuration say.
pub(super) async fn retain(
    app: &App,
    local: &Local,
    days: Option<u32>,
    records: Option<u32>,
) -> Result<(), Failure> {
    let keep = match (days, records) {
        (_, Some(records)) => Keep::Records(records),
        (Some(days), None) => Keep::Days(days),
        (None, None) => {
            Keep::Days(app.load_config(&app.sources(local.data.root()))?.settings.audit.retention_days)
        }
    };
    let detail = match keep {
        Keep::Records(count) => serde_json::json!({ "keep_records": count }),
        Keep::Days(days) => serde_json::json!({ "keep_days": days }),
    };
    let view = ProgressView::new("verifying", app.common.no_progress);
    let (data, progress) = (local.data.clone(), view.progress());
    let done = local
        .recorded("audit.trimmed", detail, async {
            let retained = blocking(move || {
                audit::retain(&data, keep, &Clock::system(), |done, total| tell(&progress, done, total))
            });
            let retained =
                retained.await.map_err(|failure| ToolError::new(ErrorKind::Internal, failure.message))?;
            retained.map_err(|error| ToolError::wrap(ErrorKind::ToolExecutionFailed, error))
        })
        .await?;
    drop(view);
    app.output.one(&done, || match done.removed {
        0 => "nothing to remove".to_owned(),
        removed => format!("removed {removed} records, up to number {}", done.removed_to),
    })
}

fn tell(progress: &Progress, done: u64, total: u64) {
    progress.report(done as f64, Some(total as f64), "records");
}

async fn blocking<T: Send + 'static>(work: impl FnOnce() -> T + Send + 'static) -> Result<T, Failure> {
    tokio::task::spawn_blocking(work).await.map_err(|error| Failure::local("the work did not finish", error))
}
