//! Searches names and contents. Linear in what it reads, bounded in time, and able to go on later.

use std::{
    fs::File,
    io::Read,
    path::{Path, PathBuf},
    time::{Duration, Instant},
};

use guard::path::Kind;
use kernel::CallContext;
use regex::bytes::{Regex, RegexBuilder};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{
    Files,
    list::{matches, parse_glob},
    walk::{Bounds, End, Ignored, Step, Visit, walk},
};
use crate::error::FileError;

/// Longest part of a line that is shown, in bytes.
const LINE_BYTES_MAX: usize = 400;

/// Memory a compiled pattern may take, in bytes.
const PATTERN_BYTES_MAX: usize = 4 << 20;

// What the pattern is looked for in. Not a doc comment: see the parameter.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub(crate) enum SearchKind {
    #[default]
    Content,
    Name,
}

/// What to search for, and where.
#[derive(Debug)]
pub(crate) struct SearchOrder {
    pub(crate) path: String,
    pub(crate) pattern: String,
    pub(crate) kind: SearchKind,
    pub(crate) regex: bool,
    pub(crate) glob: Option<String>,
    pub(crate) context: u8,
    pub(crate) include_ignored: bool,
    pub(crate) limit: u32,
    pub(crate) cursor: Option<String>,
}

/// A page of matches.
#[derive(Debug, Default, Serialize, JsonSchema)]
#[schemars(transform = crate::tools::lean::lean)]
pub(crate) struct SearchResult {
    pub(crate) matches: Vec<Match>,
    #[schemars(skip)]
    pub(crate) files_searched: u64,
    /// Files over the size limit.
    #[schemars(skip)]
    pub(crate) files_skipped: u64,
    /// Time or the bound on entries ran out; `next_cursor` goes on from there.
    #[schemars(skip)]
    pub(crate) partial: bool,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) next_cursor: Option<String>,
}

/// One match.
#[derive(Debug, PartialEq, Serialize, JsonSchema)]
#[schemars(transform = crate::tools::lean::lean)]
pub(crate) struct Match {
    pub(crate) path: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) line: Option<i64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) text: Option<String>,
}

/// The last line that was searched. Cursors are hints, not capabilities: a forged one shows nothing that
/// the search would not show anyway.
#[derive(Clone, Debug, PartialEq)]
struct Place {
    line: i64,
    path: PathBuf,
}

impl Place {
    fn parse(cursor: &str) -> Result<Self, FileError> {
        let (line, path) = cursor.split_once(':').ok_or(FileError::BadCursor)?;
        Ok(Self { line: line.parse().map_err(|_| FileError::BadCursor)?, path: path.into() })
    }

    fn to_cursor(&self) -> String {
        format!("{}:{}", self.line, self.path.to_string_lossy())
    }
}

struct Search<'a> {
    order: &'a SearchOrder,
    pattern: Regex,
    glob: Option<globset::GlobMatcher>,
    /// The pattern, when names are searched with one such as `*.rs`.
    names: Option<globset::GlobMatcher>,
    resume: Option<Place>,
    last: Option<Place>,
    bytes_max: u64,
    found: SearchResult,
}

impl Files {
    /// One page of matches.
    pub(crate) fn search(&self, order: &SearchOrder, cx: &CallContext) -> Result<SearchResult, FileError> {
        let start = self.roots.resolve_readable("directory_path", &order.path)?;
        let own = Instant::now() + Duration::from_secs(self.limits.search_seconds_max);
        // Half a second is left for sending what was found.
        let given = cx.deadline.and_then(|it| it.checked_sub(Duration::from_millis(500)));
        let bounds = Bounds::of(cx, self.limits.visit_entries_max, Some(given.map_or(own, |it| it.min(own))));
        let resume = order.cursor.as_deref().map(Place::parse).transpose()?;
        let mut search = Search {
            order,
            pattern: compile(order)?,
            glob: order.glob.as_deref().map(parse_glob).transpose()?,
            names: order.is_name_glob().then(|| parse_glob(&order.pattern)).transpose()?,
            last: resume.clone(),
            resume,
            bytes_max: self.limits.read_bytes_max,
            found: SearchResult::default(),
        };
        let ignored = if order.include_ignored { Ignored::Shown } else { Ignored::Hidden };
        let mut seen = 0_u32;
        let end = walk(&self.roots, &start, &bounds, ignored, &mut |visit| {
            seen += 1;
            if seen.is_multiple_of(2000) {
                cx.progress.report(f64::from(seen), None, "entries visited");
            }
            Ok(search.visit(visit))
        })?;
        search.found.partial = end == End::Bounded;
        if end != End::Complete {
            search.found.next_cursor = search.last.map(|it| it.to_cursor());
        }
        Ok(search.found)
    }
}

impl Search<'_> {
    fn visit(&mut self, visit: &Visit<'_>) -> Step {
        let path = visit.relative;
        let mut after = 0;
        if let Some(resume) = &self.resume {
            if path == resume.path {
                after = resume.line;
            } else if path < resume.path.as_path() {
                // What lies before is done, but the way leads through the folders that hold the place.
                return if resume.path.starts_with(path) { Step::Into } else { Step::Over };
            }
        }
        if visit.entry.name == ".git" {
            return Step::Over;
        }
        let is_wanted = self.glob.as_ref().is_none_or(|glob| matches(glob, path));
        match self.order.kind {
            _ if !is_wanted => {}
            SearchKind::Name if after == 0 => self.match_name(path),
            SearchKind::Name => {}
            SearchKind::Content if visit.entry.kind == Kind::File => {
                if let Ok((file, facts)) = visit.folder.open_file(&visit.entry.name) {
                    if facts.size > self.bytes_max {
                        self.found.files_skipped += 1;
                    } else {
                        self.found.files_searched += 1;
                        self.match_content(path, file, facts.size, after);
                    }
                }
            }
            SearchKind::Content => {}
        }
        if self.is_full() {
            return Step::Stop;
        }
        self.last = Some(Place { line: i64::MAX, path: path.to_owned() });
        Step::Into
    }

    fn match_name(&mut self, path: &Path) {
        self.found.files_searched += 1;
        let is_match = match &self.names {
            Some(names) => matches(names, path),
            None => self.pattern.is_match(path.as_os_str().as_encoded_bytes()),
        };
        if is_match {
            self.push(path, None, None);
        }
    }

    fn match_content(&mut self, path: &Path, file: File, size: u64, after: i64) {
        let mut bytes = Vec::with_capacity(usize::try_from(size).unwrap_or(0));
        // A file that cannot be read, or turns out to be no text, has no matches.
        let Ok(_) = file.take(self.bytes_max).read_to_end(&mut bytes) else { return };
        if bytes.iter().take(1024).any(|byte| *byte == 0) {
            return;
        }
        let (mut at, mut line, mut counted) = (0, 1_i64, 0);
        while at < bytes.len() && !self.is_full() {
            let Some(found) = self.pattern.find_at(&bytes, at) else { return };
            let from = found.start().min(bytes.len() - 1);
            let newlines = bytes[counted..from].iter().filter(|byte| **byte == b'\n').count();
            line += i64::try_from(newlines).unwrap_or(i64::MAX);
            let begin = bytes[..from].iter().rposition(|byte| *byte == b'\n').map_or(0, |it| it + 1);
            let end =
                bytes[from..].iter().position(|byte| *byte == b'\n').map_or(bytes.len(), |it| from + it);
            if line > after {
                let text = show(&bytes, begin, end, line, usize::from(self.order.context));
                self.push(path, Some(line), Some(text));
            }
            counted = from;
            at = end + 1;
        }
    }

    fn push(&mut self, path: &Path, line: Option<i64>, text: Option<String>) {
        self.last = Some(Place { line: line.unwrap_or(i64::MAX), path: path.to_owned() });
        self.found.matches.push(Match { path: path.to_string_lossy().into_owned(), line, text });
    }

    fn is_full(&self) -> bool {
        self.found.matches.len() >= usize::try_from(self.order.limit).unwrap_or(usize::MAX)
    }
}

impl SearchOrder {
    /// Names are found by a part of them, or by a glob where the pattern looks like one.
    fn is_name_glob(&self) -> bool {
        self.kind == SearchKind::Name && !self.regex && self.pattern.contains(['*', '?'])
    }
}

fn compile(order: &SearchOrder) -> Result<Regex, FileError> {
    let pattern = if order.regex { order.pattern.clone() } else { regex::escape(&order.pattern) };
    RegexBuilder::new(&pattern)
        .multi_line(true)
        .case_insensitive(order.kind == SearchKind::Name && !order.regex)
        .size_limit(PATTERN_BYTES_MAX)
        .dfa_size_limit(PATTERN_BYTES_MAX)
        .build()
        .map_err(|error| FileError::BadPattern { field: "pattern", why: brief(&error) })
}

/// The last line of the engine's explanation; the others draw the pattern.
fn brief(error: &regex::Error) -> String {
    let text = error.to_string();
    text.lines().last().unwrap_or_default().trim_start_matches("error: ").to_owned()
}

/// The line, and `context` lines around it with their numbers: `12:` the match, `11-` its neighbours.
fn show(bytes: &[u8], begin: usize, end: usize, line: i64, context: usize) -> String {
    if context == 0 {
        return clip(&bytes[begin..end]);
    }
    let before = bytes[..begin.saturating_sub(1)].rsplit(|byte| *byte == b'\n').take(context);
    let before: Vec<&[u8]> = if begin == 0 { Vec::new() } else { before.collect() };
    let after = bytes.get(end + 1..).unwrap_or_default();
    let after = after.strip_suffix(b"\n").unwrap_or(after);
    let after = after.split(|byte| *byte == b'\n').take(if end + 1 < bytes.len() { context } else { 0 });
    let mut lines = Vec::new();
    for (distance, text) in (1..).zip(&before).collect::<Vec<(i64, _)>>().into_iter().rev() {
        lines.push(format!("{}-{}", line - distance, clip(text)));
    }
    lines.push(format!("{line}:{}", clip(&bytes[begin..end])));
    for (distance, text) in (1_i64..).zip(after) {
        lines.push(format!("{}-{}", line + distance, clip(text)));
    }
    lines.join("\n")
}

fn clip(line: &[u8]) -> String {
    let text = String::from_utf8_lossy(&line[..line.len().min(LINE_BYTES_MAX)]);
    text.trim_end_matches(['\r', '\u{fffd}']).to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn context_shows_numbered_neighbours_and_stops_at_the_ends() {
        let bytes = b"one\ntwo\nthree\nfour\n";
        assert_eq!(show(bytes, 4, 7, 2, 0), "two");
        assert_eq!(show(bytes, 4, 7, 2, 1), "1-one\n2:two\n3-three");
        assert_eq!(show(bytes, 0, 3, 1, 5), "1:one\n2-two\n3-three\n4-four");
        assert_eq!(show(bytes, 14, 18, 4, 1), "3-three\n4:four");
    }

    #[test]
    fn cursors_are_read_back_and_nonsense_is_refused() {
        let place = Place { line: 7, path: "a:b/c".into() };
        assert_eq!(Place::parse(&place.to_cursor()).unwrap(), place);
        for cursor in ["", "7", "x:y", ":y"] {
            assert!(matches!(Place::parse(cursor), Err(FileError::BadCursor)), "{cursor}");
        }
    }
}
