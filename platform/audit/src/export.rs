//! Handing the log to other programs.

use std::io::{self, BufWriter, Write};

use serde::{Deserialize, Serialize};

use crate::{
    AuditError, ocsf,
    read::{AuditReader, Filter, Matcher},
};

/// How an export is written; one JSON object per line either way.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum ExportFormat {
    /// Our own records, with number and hash.
    Jsonl,
    /// OCSF 1.6.0 API Activity.
    Ocsf,
}

impl AuditReader {
    /// Writes every record that matches to `out`, oldest first, from one consistent view and in constant
    /// memory. Returns how many were written; `progress` hears it every 10 000 records looked at.
    pub fn export(
        &self,
        filter: &Filter,
        format: ExportFormat,
        out: &mut dyn Write,
        mut progress: impl FnMut(u64),
    ) -> Result<u64, AuditError> {
        let matcher = Matcher::new(filter);
        let mut out = BufWriter::with_capacity(64 * 1024, out);
        let mut rows = self.connection.prepare("SELECT seq, hash, body FROM records ORDER BY seq")?;
        let mut rows = rows.query([])?;
        let (mut written, mut seen) = (0_u64, 0_u64);
        while let Some(row) = rows.next()? {
            seen += 1;
            if seen.is_multiple_of(10_000) {
                progress(written);
            }
            let Some(record) = matcher.accept(row)? else { continue };
            let line = match format {
                ExportFormat::Jsonl => serde_json::to_writer(&mut out, &record),
                ExportFormat::Ocsf => serde_json::to_writer(&mut out, &ocsf::event(&record)),
            };
            line.map_err(io::Error::from).and_then(|()| out.write_all(b"\n")).map_err(AuditError::Export)?;
            written += 1;
        }
        out.flush().map_err(AuditError::Export)?;
        Ok(written)
    }
}
