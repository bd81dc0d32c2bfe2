//! The files a scan may read: those beneath one open folder, or those of an unpacked image.

use std::{
    collections::{BTreeMap, BTreeSet},
    ffi::OsStr,
    io::Read,
};

use guard::path::{Folder, Kind};

use super::coverage::{Coverage, SkipReason};

/// Folders below the target that are still entered.
const DEPTH_MAX: usize = 64;
/// Entries of one folder that are looked at.
const ENTRIES_MAX: usize = 200_000;
/// Folders of version control systems hold history, not software.
const NOT_ENTERED: [&str; 4] = [".git", ".hg", ".svn", ".jj"];

/// Bounds of one scan.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Bounds {
    /// Larger files are skipped.
    pub(crate) file_bytes_max: u64,
    /// Files met before a scan stops.
    pub(crate) files_max: u64,
    /// Components before a scan stops.
    pub(crate) components_max: usize,
}

/// Files that can be read by relative path.
pub(crate) enum Tree {
    /// On disk; names are never followed through links.
    Folder(Folder),
    /// In memory, from an archive.
    Memory(BTreeMap<String, Vec<u8>>),
}

impl Tree {
    /// Every file whose name is `wanted`, sorted; fills the ledger.
    pub(crate) fn list(
        &self,
        bounds: &Bounds,
        coverage: &mut Coverage,
        is_stopped: &dyn Fn() -> bool,
        wanted: &dyn Fn(&str) -> bool,
    ) -> BTreeSet<String> {
        match self {
            Self::Memory(files) => {
                coverage.files += files.len() as u64;
                files.keys().filter(|it| wanted(it)).cloned().collect()
            }
            Self::Folder(folder) => {
                let mut walk = Walk { bounds, coverage, is_stopped, wanted, found: BTreeSet::new() };
                walk.folder(folder, "", 0);
                walk.found
            }
        }
    }

    /// The file at `path`, which is normalised first: `a/../b` is `b`, and nothing above the target exists.
    pub(crate) fn read(&self, path: &str, bytes_max: u64) -> Result<Vec<u8>, SkipReason> {
        let path = normal(path).ok_or(SkipReason::Outside)?;
        match self {
            Self::Memory(files) => {
                let bytes = files.get(&path).ok_or(SkipReason::Missing)?;
                if bytes.len() as u64 > bytes_max { Err(SkipReason::TooLarge) } else { Ok(bytes.clone()) }
            }
            Self::Folder(folder) => read_beneath(folder, &path, bytes_max),
        }
    }
}

struct Walk<'a> {
    bounds: &'a Bounds,
    coverage: &'a mut Coverage,
    is_stopped: &'a dyn Fn() -> bool,
    wanted: &'a dyn Fn(&str) -> bool,
    found: BTreeSet<String>,
}

impl Walk<'_> {
    fn folder(&mut self, folder: &Folder, prefix: &str, depth: usize) {
        if depth == DEPTH_MAX {
            return self.coverage.skip(prefix, SkipReason::TooDeep);
        }
        let Ok((entries, more)) = folder.entries(ENTRIES_MAX) else {
            return self.coverage.skip(prefix, SkipReason::Unreadable);
        };
        self.coverage.truncated |= more;
        for entry in entries {
            if self.coverage.files >= self.bounds.files_max || (self.is_stopped)() {
                self.coverage.truncated = true;
                return;
            }
            let name = entry.name.to_string_lossy();
            let path = if prefix.is_empty() { name.to_string() } else { format!("{prefix}/{name}") };
            match entry.kind {
                Kind::Folder if NOT_ENTERED.contains(&name.as_ref()) => {}
                Kind::Folder => match folder.open_folder(&entry.name) {
                    Ok(inner) => self.folder(&inner, &path, depth + 1),
                    // The operator's own files are passed over in silence.
                    Err(refusal) if refusal.code == "CRITICAL_PATH" => {}
                    Err(_) => self.coverage.skip(&path, SkipReason::Unreadable),
                },
                Kind::File => {
                    self.coverage.files += 1;
                    if (self.wanted)(&path) {
                        self.found.insert(path);
                    }
                }
                Kind::Link | Kind::Special if (self.wanted)(&path) => {
                    self.coverage.skip(&path, SkipReason::NotRegular);
                }
                Kind::Link | Kind::Special => {}
            }
        }
    }
}

fn read_beneath(folder: &Folder, path: &str, bytes_max: u64) -> Result<Vec<u8>, SkipReason> {
    let (folders, name) = match path.rsplit_once('/') {
        Some((folders, name)) => (folders, name),
        None => ("", path),
    };
    let reason = |refusal: guard::Refusal| match refusal.code {
        "NOT_FOUND" => SkipReason::Missing,
        "LINK_REFUSED" | "NOT_A_FILE" => SkipReason::NotRegular,
        _ => SkipReason::Unreadable,
    };
    let mut inner: Option<Folder> = None;
    for part in folders.split('/').filter(|it| !it.is_empty()) {
        let outer = inner.as_ref().unwrap_or(folder);
        let next = outer.open_folder(OsStr::new(part)).map_err(reason)?;
        inner = Some(next);
    }
    let (file, facts) = inner.as_ref().unwrap_or(folder).open_file(OsStr::new(name)).map_err(reason)?;
    if facts.size > bytes_max {
        return Err(SkipReason::TooLarge);
    }
    let mut bytes = Vec::with_capacity(usize::try_from(facts.size).unwrap_or(0));
    // One byte more than allowed tells a file that grew.
    file.take(bytes_max.saturating_add(1)).read_to_end(&mut bytes).map_err(|_| SkipReason::Unreadable)?;
    if bytes.len() as u64 > bytes_max { Err(SkipReason::TooLarge) } else { Ok(bytes) }
}

/// A relative path without `.` and `..`; `None` when it leaves the target.
pub(crate) fn normal(path: &str) -> Option<String> {
    if path.starts_with('/') || path.contains('\0') {
        return None;
    }
    let mut parts: Vec<&str> = Vec::new();
    for part in path.split('/') {
        match part {
            "" | "." => {}
            ".." => {
                parts.pop()?;
            }
            part => parts.push(part),
        }
    }
    Some(parts.join("/"))
}

/// `name` in the folder of `path`.
pub(crate) fn beside(path: &str, name: &str) -> String {
    match path.rsplit_once('/') {
        Some((folder, _)) => format!("{folder}/{name}"),
        None => name.to_owned(),
    }
}

/// The last part of a path.
pub(crate) fn file_name(path: &str) -> &str {
    path.rsplit('/').next().unwrap_or(path)
}

/// The folder of a path, empty for the target itself.
pub(crate) fn folder_of(path: &str) -> &str {
    path.rsplit_once('/').map_or("", |it| it.0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_path_stays_below_the_target() {
        for (path, expected) in [
            ("a/./b/../c", Some("a/c")),
            ("a//b", Some("a/b")),
            ("../a", None),
            ("a/../../b", None),
            ("/etc/passwd", None),
        ] {
            assert_eq!(normal(path).as_deref(), expected, "{path}");
        }
    }
}
