//! Folders and files of records, read when they are asked about.

use std::{
    collections::{BTreeMap, BTreeSet},
    fs::{self, File},
    io::{BufRead, BufReader, Read},
    path::{Path, PathBuf},
};

use schemars::JsonSchema;
use serde::Serialize;
use tokio_util::sync::CancellationToken;

use super::{advisory::Advisory, package::Ecosystem, rustsec};

const FILES_MAX: usize = 1_000_000;
const DEPTH_MAX: usize = 16;
const RECORD_BYTES_MAX: u64 = 8 << 20;

/// What the data is, for whoever judges its age.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, JsonSchema)]
pub(crate) struct Facts {
    /// Records of this ecosystem, withdrawn ones not counted.
    pub(crate) records: u64,
    /// When the newest of them was last changed.
    pub(crate) newest: Option<String>,
    /// Records that could not be read.
    pub(crate) unreadable: u64,
}

/// The records about some packages.
#[derive(Debug, Default)]
pub(crate) struct Data {
    pub(crate) by_name: BTreeMap<String, Vec<Advisory>>,
    pub(crate) facts: Facts,
    /// A bound was hit, or the caller gave up.
    pub(crate) is_partial: bool,
}

impl Data {
    /// Reads every record below `places` and keeps those about `names`.
    pub(crate) fn read(
        places: &[PathBuf],
        ecosystem: Ecosystem,
        names: &BTreeSet<String>,
        cancel: &CancellationToken,
    ) -> Self {
        let mut data = Self::default();
        let mut waiting: Vec<(PathBuf, usize)> = places.iter().map(|it| (it.clone(), 0)).collect();
        let mut files = 0;
        while let Some((path, depth)) = waiting.pop() {
            if cancel.is_cancelled() || files > FILES_MAX {
                data.is_partial = true;
                break;
            }
            // What the operator names may be a link; what lies below is not followed, so that loops end.
            let looked = if depth == 0 { fs::metadata(&path) } else { fs::symlink_metadata(&path) };
            let Ok(facts) = looked else {
                data.facts.unreadable += 1;
                continue;
            };
            if facts.is_dir() && depth < DEPTH_MAX {
                match fs::read_dir(&path) {
                    Ok(entries) => waiting.extend(entries.flatten().map(|it| (it.path(), depth + 1))),
                    Err(_) => data.facts.unreadable += 1,
                }
            } else if facts.is_file() {
                files += 1;
                data.file(&path, ecosystem, names);
            }
        }
        for records in data.by_name.values_mut() {
            records.sort_by(|left, right| left.id.cmp(&right.id));
            records.dedup_by(|left, right| left.id == right.id);
        }
        data
    }

    fn file(&mut self, path: &Path, ecosystem: Ecosystem, names: &BTreeSet<String>) {
        let kind = path.extension().and_then(|it| it.to_str()).unwrap_or_default();
        let Ok(file) = File::open(path) else {
            self.facts.unreadable += 1;
            return;
        };
        match kind {
            "json" => self.json(&whole(file), ecosystem, names),
            "jsonl" | "ndjson" => {
                for line in lines(file) {
                    self.json(&line, ecosystem, names);
                }
            }
            "md" if ecosystem == Ecosystem::Cargo => {
                let text = whole(file).unwrap_or_default();
                if let Some(record) = rustsec::parse(&String::from_utf8_lossy(&text)) {
                    self.keep(record, ecosystem, names);
                }
            }
            _ => {}
        }
    }

    fn json(&mut self, bytes: &Option<Vec<u8>>, ecosystem: Ecosystem, names: &BTreeSet<String>) {
        let Some(bytes) = bytes else {
            self.facts.unreadable += 1;
            return;
        };
        // Most records of a mixed folder are about other ecosystems; they are not worth parsing.
        if memchr::memmem::find(bytes, ecosystem.word().as_bytes()).is_none() {
            return;
        }
        match serde_json::from_slice::<Advisory>(bytes) {
            Ok(record) => self.keep(record, ecosystem, names),
            Err(_) => self.facts.unreadable += 1,
        }
    }

    fn keep(&mut self, record: Advisory, ecosystem: Ecosystem, names: &BTreeSet<String>) {
        let of_here = |it: &&super::advisory::Affected| {
            it.package.ecosystem.split(':').next() == Some(ecosystem.word())
        };
        let about: BTreeSet<String> =
            record.affected.iter().filter(of_here).map(|it| ecosystem.normal(&it.package.name)).collect();
        if about.is_empty() || record.withdrawn.is_some() {
            return;
        }
        self.facts.records += 1;
        if self.facts.newest.as_ref().is_none_or(|it| *it < record.modified) && !record.modified.is_empty() {
            self.facts.newest = Some(record.modified.chars().take(32).collect());
        }
        for name in about.intersection(names) {
            self.by_name.entry(name.clone()).or_default().push(record.clone());
        }
    }
}

fn whole(file: File) -> Option<Vec<u8>> {
    let mut bytes = Vec::new();
    file.take(RECORD_BYTES_MAX + 1).read_to_end(&mut bytes).ok()?;
    (bytes.len() as u64 <= RECORD_BYTES_MAX).then_some(bytes)
}

/// One record per line; `None` for a line that is too long or cannot be read, which ends the file.
fn lines(file: File) -> impl Iterator<Item = Option<Vec<u8>>> {
    let mut reader = BufReader::new(file);
    let mut ended = false;
    std::iter::from_fn(move || {
        if ended {
            return None;
        }
        let mut line = Vec::new();
        let read = reader.by_ref().take(RECORD_BYTES_MAX).read_until(b'\n', &mut line);
        match read {
            Ok(0) => None,
            Ok(read) if (read as u64) < RECORD_BYTES_MAX || line.ends_with(b"\n") => Some(Some(line)),
            _ => {
                ended = true;
                Some(None)
            }
        }
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn records_are_found_in_folders_lines_and_markdown_and_broken_ones_are_counted() {
        let dir = tempfile::tempdir().unwrap();
        let put = |name: &str, text: &str| {
            let path = dir.path().join(name);
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(path, text).unwrap();
        };
        let record = |id: &str, more: &str| {
            format!(
                r#"{{"id":"{id}","modified":"2026-01-0{}T00:00:00Z","affected":[{{"package":{{"ecosystem":"npm","name":"a"}}}}]{more}}}"#,
                id.len()
            )
        };
        put("deep/er/x.json", &record("X", ""));
        put("withdrawn.json", &record("W", r#","withdrawn":"2026-01-01T00:00:00Z""#));
        put("broken.json", "{\"npm\": ");
        put("other.json", r#"{"id":"P","affected":[{"package":{"ecosystem":"PyPI","name":"a"}}]}"#);
        put("many.jsonl", &format!("{}\n{}\n", record("XX", ""), record("XXX", "")));
        std::os::unix::fs::symlink(dir.path(), dir.path().join("loop")).unwrap();
        let names = BTreeSet::from(["a".to_owned()]);
        let read = Data::read(&[dir.path().to_owned()], Ecosystem::Npm, &names, &CancellationToken::new());
        let ids: Vec<_> = read.by_name["a"].iter().map(|it| it.id.as_str()).collect();
        assert_eq!(ids, ["X", "XX", "XXX"]);
        assert_eq!(
            read.facts,
            Facts { records: 3, newest: Some("2026-01-03T00:00:00Z".into()), unreadable: 1 }
        );
        assert!(!read.is_partial);
    }

    #[test]
    fn no_place_is_no_data() {
        let read = Data::read(
            &["/nowhere/at/all".into()],
            Ecosystem::Npm,
            &BTreeSet::new(),
            &CancellationToken::new(),
        );
        assert_eq!(read.facts, Facts { unreadable: 1, ..Facts::default() });
    }
}
