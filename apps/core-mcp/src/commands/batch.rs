//! `core-mcp batch`.

use std::{
    fs,
    io::Read,
    path::{Path, PathBuf},
};

use clap::Args;
use kernel::ErrorKind;
use pipeline::Door;
use serde::Deserialize;
use serde_json::Value;
use tokio_util::sync::CancellationToken;
use workflow::{BATCH_MAX, BatchCaller, BatchReport, CallList, ListedCall, call_all};

use crate::{
    app::App,
    failure::Failure,
    output::{Table, plain},
    platform::{Mounts, Platform},
    progress::ProgressView,
};

/// Largest file of calls.
const FILE_BYTES_MAX: u64 = 4 << 20;

/// Make many calls at once
///
/// The file is YAML or JSON: `calls`, a list of `{tool, args, id, when_file}`, and `max_parallel`. A call with
/// `when_file` is left out when that file does not exist. One call that fails does not stop the others; the
/// exit code is 1 when any failed.
#[derive(Debug, Args)]
#[command(
    after_help = "Examples:\n  core-mcp batch scans.yaml\n  core-mcp batch - --output json < calls.json\n\n\
    scans.yaml:\n  calls:\n    - tool: security-scanner.file_security_scan\n      args: { file_path: ., scan_type: all }\n    \
    - tool: desktop-commander.read_file\n      args: { file_path: package.json }\n      when_file: package.json"
)]
pub(crate) struct Batch {
    /// The calls, or `-` for stdin
    #[arg(value_name = "FILE")]
    file: PathBuf,
    /// Calls at the same time, up to 64 [default: `max_parallel` of the file, else 5]
    #[arg(long, value_name = "N")]
    max_parallel: Option<usize>,
    /// The context every call belongs to
    #[arg(long, value_name = "ID")]
    context: Option<String>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct BatchFile {
    calls: Vec<FileCall>,
    max_parallel: Option<usize>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct FileCall {
    tool: String,
    #[serde(default)]
    args: serde_json::Map<String, Value>,
    id: Option<String>,
    when_file: Option<PathBuf>,
}

impl Batch {
    pub(crate) async fn run(self, app: &App) -> Result<(), Failure> {
        let token = app.token()?;
        let list = self.list()?;
        let platform = Platform::open(app, &app.sources(&app.existing_data_root()?), Mounts::All).await?;
        let view = ProgressView::new("batch", app.common.no_progress);
        let done = match platform.admit(&token, Door::Cli).await {
            Ok(caller) => {
                let cancel = CancellationToken::new();
                let who = BatchCaller {
                    caller,
                    door: Door::Cli,
                    context: self.context.clone(),
                    progress: view.progress(),
                    cancel: cancel.clone(),
                };
                let mut work = std::pin::pin!(call_all(&platform.gate, list, who));
                let done = tokio::select! {
                    done = &mut work => done,
                    // What runs ends in order and is recorded; the rest is not begun.
                    _ = tokio::signal::ctrl_c() => {
                        cancel.cancel();
                        work.await
                    }
                };
                done.map_err(Failure::from)
            }
            Err(failure) => Err(failure),
        };
        platform.close().await?;
        drop(view);
        let report = done?;
        app.output.one(&report, || table(&report))?;
        match report.failed {
            0 => Ok(()),
            failed => Err(Failure::new(
                ErrorKind::ToolExecutionFailed,
                format!("{failed} of {} calls failed", report.items.len()),
            )),
        }
    }

    fn list(&self) -> Result<CallList, Failure> {
        let text = text_of(&self.file)?;
        let file: BatchFile = serde_saphyr::from_str(&text).map_err(|error| {
            let first = error.to_string();
            Failure::usage(format!("{}: {}", self.file.display(), first.lines().next().unwrap_or_default()))
                .hint("see `core-mcp batch --help` for the form")
        })?;
        let wanted =
            file.calls.into_iter().filter(|it| it.when_file.as_ref().is_none_or(|path| path.exists()));
        let calls: Vec<ListedCall> =
            wanted.map(|it| ListedCall { tool: it.tool, args: it.args, id: it.id }).collect();
        let max_parallel = self.max_parallel.or(file.max_parallel).unwrap_or(5);
        if calls.is_empty() || calls.len() > BATCH_MAX {
            return Err(Failure::usage(format!(
                "a batch has 1 to {BATCH_MAX} calls, and this one has {}",
                calls.len()
            )));
        }
        if !(1..=64).contains(&max_parallel) {
            return Err(Failure::usage("max_parallel is from 1 to 64"));
        }
        Ok(CallList { calls, max_parallel })
    }
}

fn text_of(path: &Path) -> Result<String, Failure> {
    let mut text = String::new();
    let limit = FILE_BYTES_MAX + 1;
    let read = if path == Path::new("-") {
        std::io::stdin().lock().take(limit).read_to_string(&mut text)
    } else {
        fs::File::open(path).and_then(|file| file.take(limit).read_to_string(&mut text))
    };
    match read {
        Ok(size) if size as u64 > FILE_BYTES_MAX => {
            Err(Failure::usage(format!("{} is larger than 4 MiB", path.display())))
        }
        Ok(_) => Ok(text),
        Err(error) => Err(Failure::usage(format!("{} cannot be read: {error}", path.display()))),
    }
}

fn table(report: &BatchReport) -> String {
    let mut table = Table::new(&["call", "tool", "outcome", "ms", "message"]);
    for it in &report.items {
        let message = plain(it.message.as_deref().unwrap_or_default());
        table.row([&it.id, &it.tool, &it.code, &it.duration_ms.to_string(), &message]);
    }
    format!("{}\n\n{} succeeded, {} failed", table.render(""), report.succeeded, report.failed)
}
