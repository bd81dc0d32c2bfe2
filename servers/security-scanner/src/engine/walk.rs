//! Lists the files of a tree in a fixed order.

use std::path::{Path, PathBuf};

use ignore::WalkBuilder;

use super::source::SkipReason;

/// Folders below the target that are still entered.
const DEPTH_MAX: usize = 256;

/// One thing the walk met.
pub(crate) enum Met {
    /// A regular file, relative to the target.
    File(PathBuf),
    /// Something that will not be scanned.
    Skipped(PathBuf, SkipReason),
}

/// Every file below `target`, sorted by name in each folder; links are not followed.
///
/// `.gitignore` files inside the target count (unless `ignored` asks for what they hide), those outside it
/// do not: a scan depends on nothing but its target. What is `protected` is passed over in silence.
pub(crate) fn walk<'a>(
    target: &'a Path,
    ignored: bool,
    protected: Vec<PathBuf>,
) -> impl Iterator<Item = Met> + use<'a> {
    let walker = WalkBuilder::new(target)
        .standard_filters(false)
        .git_ignore(!ignored)
        .require_git(false)
        .parents(false)
        .follow_links(false)
        .max_depth(Some(DEPTH_MAX))
        .sort_by_file_name(Ord::cmp)
        .filter_entry(move |entry| {
            let hidden = protected.iter().any(|it| entry.path().starts_with(it));
            (entry.file_name() != ".git" || entry.depth() == 0) && !hidden
        })
        .build();
    walker.filter_map(move |entry| met(target, entry))
}

fn met(target: &Path, entry: Result<ignore::DirEntry, ignore::Error>) -> Option<Met> {
    let relative = |path: &Path| path.strip_prefix(target).unwrap_or(path).to_path_buf();
    match entry {
        Ok(entry) => {
            let kind = entry.file_type()?;
            if kind.is_dir() {
                let at_limit = entry.depth() == DEPTH_MAX;
                return at_limit.then(|| Met::Skipped(relative(entry.path()), SkipReason::TooDeep));
            }
            let path = relative(entry.path());
            if kind.is_file() {
                return Some(Met::File(path));
            }
            let reason = if kind.is_symlink() { link(target, entry.path()) } else { SkipReason::NotRegular };
            Some(Met::Skipped(path, reason))
        }
        Err(error) => {
            let gone = error.io_error().is_some_and(|it| it.kind() == std::io::ErrorKind::NotFound);
            let reason = if gone { SkipReason::Vanished } else { SkipReason::Unreadable };
            Some(Met::Skipped(path_of(&error).map(relative).unwrap_or_default(), reason))
        }
    }
}

/// Links are never followed; whether that leaves something unseen depends on where they lead.
fn link(target: &Path, path: &Path) -> SkipReason {
    let leads_to = |path: &Path| std::fs::canonicalize(path);
    match (leads_to(path), leads_to(target)) {
        (Ok(there), Ok(target)) if there.starts_with(&target) => SkipReason::Link,
        (Ok(_), _) => SkipReason::LinkOutside,
        // Nothing is there, or a loop.
        (Err(_), _) => SkipReason::Link,
    }
}

fn path_of(error: &ignore::Error) -> Option<&Path> {
    match error {
        ignore::Error::WithPath { path, .. } => Some(path),
        ignore::Error::WithDepth { err, .. } | ignore::Error::WithLineNumber { err, .. } => path_of(err),
        _ => None,
    }
}
