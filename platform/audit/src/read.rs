//! Reading the log: searching it and following it.

use pipeline::seams::{AuditEntry, Phase};
use rusqlite::{Connection, Row};
use serde::Serialize;
use store::{DataDir, sqlite};

use crate::{AuditError, body, hex};

/// Records looked at for one page, so that a rare match does not keep a reader for minutes.
const SCAN_MAX: usize = 200_000;
/// Largest page.
const PAGE_MAX: usize = 1000;
/// Records are in the order they were committed; their times may disagree with it by this much.
const DISORDER_US: i64 = 3_600_000_000;

/// A record as it lies in the log.
#[derive(Clone, Debug, Serialize)]
pub struct StoredRecord {
    /// Its number.
    pub seq: i64,
    /// Its hash, 64 hex digits.
    pub hash: String,
    /// What it says.
    #[serde(flatten)]
    pub entry: AuditEntry,
}

/// Which records are wanted. Every field that is set must match.
#[derive(Clone, Debug, Default)]
pub struct Filter {
    /// Who.
    pub principal: Option<String>,
    /// Catalogue name.
    pub server: Option<String>,
    /// Tool, or event such as `token.created`.
    pub tool: Option<String>,
    /// `ok`, an error code, or `abandoned`.
    pub code: Option<String>,
    /// Which half of the call.
    pub phase: Option<Phase>,
    /// Both halves of one call.
    pub call_id: Option<String>,
    /// Not before; Unix time in microseconds.
    pub since_us: Option<i64>,
    /// Before; Unix time in microseconds.
    pub until_us: Option<i64>,
    /// Anywhere in the record, upper and lower case alike (ASCII).
    pub text: Option<String>,
}

/// A piece of the search's result, newest first.
#[derive(Clone, Debug, Serialize)]
pub struct Page {
    /// The records; may be empty although there is a next page.
    pub records: Vec<StoredRecord>,
    /// Pass it on to go on; `None` at the end.
    pub next_cursor: Option<i64>,
}

/// Reads the log while others write to it.
pub struct AuditReader {
    pub(crate) connection: Connection,
}

impl AuditReader {
    /// Opens the log in `dir`.
    ///
    /// # Errors
    /// When there is none yet.
    pub fn open(dir: &DataDir) -> Result<Self, AuditError> {
        Ok(Self { connection: sqlite::open_read_only(&dir.audit_db())? })
    }

    /// Finds records, newest first, at most `limit` (1000) of them before `cursor`.
    pub fn search(&self, filter: &Filter, cursor: Option<i64>, limit: usize) -> Result<Page, AuditError> {
        let limit = limit.clamp(1, PAGE_MAX);
        let matcher = Matcher::new(filter);
        let mut rows = self
            .connection
            .prepare_cached("SELECT seq, hash, body FROM records WHERE seq < ?1 ORDER BY seq DESC")?;
        let mut rows = rows.query([cursor.unwrap_or(i64::MAX)])?;
        let mut page = Page { records: Vec::new(), next_cursor: None };
        let mut scanned = 0;
        while let Some(row) = rows.next()? {
            let seq = row.get(0)?;
            if let Some(record) = matcher.accept(row)? {
                page.records.push(record);
            }
            scanned += 1;
            if page.records.len() == limit || scanned == SCAN_MAX {
                page.next_cursor = Some(seq);
                return Ok(page);
            }
            // Looking at the time means parsing; now and then is enough.
            if scanned % 1000 == 0 && matcher.is_long_before(row)? {
                break;
            }
        }
        Ok(page)
    }

    /// The records after number `after` that match, oldest first, at most `limit` (1000), and the number
    /// to go on from. Poll it to follow the log.
    pub fn tail(
        &self,
        filter: &Filter,
        after: i64,
        limit: usize,
    ) -> Result<(Vec<StoredRecord>, i64), AuditError> {
        let matcher = Matcher::new(filter);
        let mut rows = self
            .connection
            .prepare_cached("SELECT seq, hash, body FROM records WHERE seq > ?1 ORDER BY seq")?;
        let mut rows = rows.query([after])?;
        let (mut found, mut last, mut scanned) = (Vec::new(), after, 0);
        while let Some(row) = rows.next()? {
            last = row.get(0)?;
            found.extend(matcher.accept(row)?);
            scanned += 1;
            if found.len() == limit.clamp(1, PAGE_MAX) || scanned == SCAN_MAX {
                break;
            }
        }
        Ok((found, last))
    }

    /// The number of the newest record; 0 when there is none.
    pub fn last_seq(&self) -> Result<i64, AuditError> {
        Ok(self.connection.query_row("SELECT coalesce(max(seq), 0) FROM records", [], |row| row.get(0))?)
    }
}

/// A filter made ready: what must stand in the bytes comes first, because looking there is cheap.
pub(crate) struct Matcher<'f> {
    filter: &'f Filter,
    needles: Vec<String>,
    text: Option<String>,
}

impl<'f> Matcher<'f> {
    pub(crate) fn new(filter: &'f Filter) -> Self {
        let phase = filter.phase.map(phase_word);
        let needles = [
            ("principal", filter.principal.as_deref()),
            ("server", filter.server.as_deref()),
            ("tool", filter.tool.as_deref()),
            ("code", filter.code.as_deref()),
            ("call_id", filter.call_id.as_deref()),
            ("phase", phase),
        ];
        let needles =
            needles.into_iter().filter_map(|(key, value)| Some(body::needle(key, value?))).collect();
        let text = filter.text.as_deref().map(|it| body::escaped(it).to_ascii_lowercase());
        Self { filter, needles, text }
    }

    /// The record in `row` (seq, hash, body), if it matches.
    pub(crate) fn accept(&self, row: &Row<'_>) -> Result<Option<StoredRecord>, AuditError> {
        let text = row.get_ref(2)?.as_str().map_err(rusqlite::Error::from)?;
        if !self.needles.iter().all(|needle| text.contains(needle.as_str())) {
            return Ok(None);
        }
        if self.text.as_ref().is_some_and(|it| !text.to_ascii_lowercase().contains(it.as_str())) {
            return Ok(None);
        }
        let seq = row.get(0)?;
        let entry = body::parse(text).map_err(|source| AuditError::Unreadable { seq, source })?;
        if !self.fits(&entry) {
            return Ok(None);
        }
        let hash = hex::encode(row.get_ref(1)?.as_blob().unwrap_or_default());
        Ok(Some(StoredRecord { seq, hash, entry }))
    }

    /// The bytes may have matched inside an argument; this decides.
    fn fits(&self, entry: &AuditEntry) -> bool {
        let is = |wanted: &Option<String>, value: Option<&str>| {
            wanted.as_deref().is_none_or(|wanted| value == Some(wanted))
        };
        let filter = self.filter;
        is(&filter.principal, Some(&entry.principal))
            && is(&filter.server, Some(&entry.server))
            && is(&filter.tool, Some(&entry.tool))
            && is(&filter.code, entry.code.as_deref())
            && is(&filter.call_id, Some(&entry.call_id))
            && filter.phase.is_none_or(|phase| phase == entry.phase)
            && filter.since_us.is_none_or(|since| entry.at >= since)
            && filter.until_us.is_none_or(|until| entry.at < until)
    }

    fn is_long_before(&self, row: &Row<'_>) -> Result<bool, AuditError> {
        let Some(since) = self.filter.since_us else { return Ok(false) };
        let seq = row.get(0)?;
        let text = row.get_ref(2)?.as_str().map_err(rusqlite::Error::from)?;
        let entry = body::parse(text).map_err(|source| AuditError::Unreadable { seq, source })?;
        Ok(entry.at < since.saturating_sub(DISORDER_US))
    }
}

pub(crate) fn phase_word(phase: Phase) -> &'static str {
    match phase {
        Phase::Intent => "intent",
        Phase::Outcome => "outcome",
        Phase::Event => "event",
    }
}
