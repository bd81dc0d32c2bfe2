//! Handing records to other programs.

use std::{
    fs::OpenOptions,
    io::{self, Write},
    os::unix::fs::OpenOptionsExt,
    path::PathBuf,
};

use audit::{AuditError, AuditReader, ExportFormat};
use kernel::{ErrorKind, ToolError};
use serde_json::json;

use super::{broken, filter::FilterArgs};
use crate::{
    failure::Failure,
    output::{Output, say},
    platform::Local,
};

/// Writes the matching records to a new file or to stdout, and records that somebody took them.
pub(super) async fn export(
    output: Output,
    local: &Local,
    filter: FilterArgs,
    format: ExportFormat,
    to: Option<PathBuf>,
) -> Result<(), Failure> {
    let filter = filter.build()?;
    let reader = AuditReader::open(&local.data).map_err(broken)?;
    let detail = json!({ "format": format, "to": to });
    let written = local
        .recorded("audit.exported", detail, async {
            let done = match &to {
                // Readable by its owner alone: the log names people and what they touched.
                Some(path) => OpenOptions::new()
                    .write(true)
                    .create_new(true)
                    .mode(0o600)
                    .open(path)
                    .map_err(AuditError::Export)
                    .and_then(|mut file| reader.export(&filter, format, &mut file, |_| {})),
                None => reader.export(&filter, format, &mut Quiet(io::stdout().lock()), |_| {}),
            };
            done.map_err(|error| ToolError::wrap(ErrorKind::ToolExecutionFailed, error))
        })
        .await?;
    match to {
        Some(path) => output.one(&json!({ "written": written, "to": path }), || {
            format!("wrote {written} records to {}", path.display())
        }),
        None => {
            say(&format!("wrote {written} records"));
            Ok(())
        }
    }
}

/// Stdout for which a closed pipe is the reader's choice and not a failure.
struct Quiet<W>(W);

impl<W: Write> Write for Quiet<W> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        match self.0.write(bytes) {
            Err(error) if error.kind() == io::ErrorKind::BrokenPipe => Ok(bytes.len()),
            other => other,
        }
    }

    fn flush(&mut self) -> io::Result<()> {
        match self.0.flush() {
            Err(error) if error.kind() == io::ErrorKind::BrokenPipe => Ok(()),
            other => other,
        }
    }
}
