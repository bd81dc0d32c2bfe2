//! `core-mcp audit`.

use std::path::PathBuf;

use audit::{AuditError, AuditReader, ExportFormat, StoredRecord};
use clap::{Args, Subcommand, ValueEnum};
use kernel::ErrorKind;
use serde_json::json;

use crate::{
    app::App,
    failure::Failure,
    output::{Output, Table, say, write_out},
    platform::Local,
};

mod export;
mod filter;
mod proof;

use filter::FilterArgs;

/// Read, verify, export and trim the audit log
#[derive(Debug, Args)]
#[command(after_help = "Examples:\n  core-mcp audit tail --follow\n  \
    core-mcp audit search --principal alice --code permission_denied --since 24h\n  core-mcp audit verify\n  \
    core-mcp audit export --format ocsf --since 7d > audit.ocsf.jsonl\n  core-mcp audit retain --days 90")]
pub(crate) struct Audit {
    #[command(subcommand)]
    action: AuditAction,
}

#[derive(Debug, Subcommand)]
enum AuditAction {
    /// Show the newest records, oldest of them first
    Tail {
        #[command(flatten)]
        filter: FilterArgs,
        /// How many
        #[arg(short = 'n', long, default_value_t = 20, value_name = "N")]
        lines: usize,
        /// Go on showing records as they come
        #[arg(short, long)]
        follow: bool,
    },
    /// Find records, newest first
    Search {
        #[command(flatten)]
        filter: FilterArgs,
        /// At most this many, up to 1000
        #[arg(long, default_value_t = 100, value_name = "N")]
        limit: usize,
        /// Go on where an earlier search ended
        #[arg(long, value_name = "CURSOR")]
        cursor: Option<i64>,
    },
    /// Prove that no record was changed, removed or reordered
    Verify {
        /// The public key, 64 hex digits, from a place the log's owner cannot write to
        #[arg(long, value_name = "HEX")]
        key: Option<String>,
    },
    /// Write records for other programs, oldest first
    Export {
        #[command(flatten)]
        filter: FilterArgs,
        /// Our own lines, or OCSF API Activity
        #[arg(long, value_enum, default_value_t = Format::Jsonl)]
        format: Format,
        /// A new file [default: stdout]
        #[arg(long, value_name = "FILE")]
        to: Option<PathBuf>,
    },
    /// Remove the oldest records; the rest still verifies
    Retain {
        /// Keep this many days [default: audit.retention_days]
        #[arg(long, value_name = "N", conflicts_with = "records")]
        days: Option<u32>,
        /// Keep this many records
        #[arg(long, value_name = "N")]
        records: Option<u32>,
    },
}

#[derive(Clone, Copy, Debug, ValueEnum)]
enum Format {
    Jsonl,
    Ocsf,
}

impl Audit {
    pub(crate) async fn run(self, app: &App) -> Result<(), Failure> {
        let local = Local::open(app)?;
        match self.action {
            AuditAction::Tail { filter, lines, follow } => {
                tail(app.output, &local, filter, lines, follow).await
            }
            AuditAction::Search { filter, limit, cursor } => {
                search(app.output, &local, filter, limit, cursor)
            }
            AuditAction::Verify { key } => proof::verify(app, &local, key.as_deref()).await,
            AuditAction::Export { filter, format, to } => {
                let format = match format {
                    Format::Jsonl => ExportFormat::Jsonl,
                    Format::Ocsf => ExportFormat::Ocsf,
                };
                export::export(app.output, &local, filter, format, to).await
            }
            AuditAction::Retain { days, records } => proof::retain(app, &local, days, records).await,
        }
    }
}

/// A failure of the log itself.
fn broken(error: AuditError) -> Failure {
    Failure::new(ErrorKind::ToolExecutionFailed, error.to_string())
        .hint("`core-mcp doctor` looks at the whole installation")
}

async fn tail(
    output: Output,
    local: &Local,
    filter: FilterArgs,
    lines: usize,
    follow: bool,
) -> Result<(), Failure> {
    let reader = AuditReader::open(&local.data).map_err(broken)?;
    let filter = filter.build()?;
    // Taken first: a record that comes while we read the page is shown by the loop below.
    let mut after = reader.last_seq().map_err(broken)?;
    let mut page = reader.search(&filter, Some(after.saturating_add(1)), lines.max(1)).map_err(broken)?;
    page.records.reverse();
    if !follow {
        return print(output, &page.records);
    }
    page.records.iter().try_for_each(|it| print_line(output, it))?;
    let mut ticks = tokio::time::interval(std::time::Duration::from_millis(250));
    loop {
        tokio::select! {
            _ = ticks.tick() => {}
            _ = tokio::signal::ctrl_c() => return Ok(()),
        }
        let (records, last) = reader.tail(&filter, after, 1000).map_err(broken)?;
        after = last;
        records.iter().try_for_each(|it| print_line(output, it))?;
    }
}

fn search(
    output: Output,
    local: &Local,
    filter: FilterArgs,
    limit: usize,
    cursor: Option<i64>,
) -> Result<(), Failure> {
    let reader = AuditReader::open(&local.data).map_err(broken)?;
    let page = reader.search(&filter.build()?, cursor, limit).map_err(broken)?;
    print(output, &page.records)?;
    if let Some(cursor) = page.next_cursor {
        say(&format!("more: --cursor {cursor}"));
    }
    Ok(())
}

fn print(output: Output, records: &[StoredRecord]) -> Result<(), Failure> {
    output.list(records, || {
        let mut table = Table::new(&["seq", "time", "who", "tool", "phase", "code", "ms"]);
        for it in records {
            table.row(cells(it).each_ref().map(String::as_str));
        }
        table.render("no record matches")
    })
}

/// One record as one line, for following.
fn print_line(output: Output, record: &StoredRecord) -> Result<(), Failure> {
    if output.is_human() {
        let line: Vec<String> = cells(record).iter().map(|it| crate::output::plain(it)).collect();
        return write_out(&line.join("  "));
    }
    write_out(&json!(record).to_string())
}

fn cells(record: &StoredRecord) -> [String; 7] {
    let entry = &record.entry;
    let time = chrono::DateTime::from_timestamp_micros(entry.at);
    [
        record.seq.to_string(),
        time.map_or_else(String::new, |it| it.format("%m-%d %H:%M:%S%.3f").to_string()),
        entry.principal.clone(),
        format!("{}.{}", entry.server, entry.tool),
        json!(entry.phase).as_str().unwrap_or_default().to_owned(),
        entry.code.clone().unwrap_or_default(),
        entry.duration_us.map_or_else(String::new, |it| (it / 1000).to_string()),
    ]
}
