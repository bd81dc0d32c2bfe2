//! Visits what is beneath a folder, in name order, through open folders: no link is followed, nothing is
//! opened by its path, and every walk ends.

use std::{
    io::Read,
    path::{Path, PathBuf},
    time::Instant,
};

use guard::path::{Entry, Folder, Kind, PathBeneath, Roots};
use ignore::gitignore::{Gitignore, GitignoreBuilder};
use kernel::CallContext;
use tokio_util::sync::CancellationToken;

use crate::error::FileError;

/// Deepest folder that is visited.
const DEPTH_MAX: usize = 128;

/// Largest ignore file that is read, in bytes.
const IGNORE_BYTES_MAX: u64 = 64 * 1024;

/// What a visitor wants next.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Step {
    /// Go on, into the entry when it is a folder.
    Into,
    /// Go on after the entry.
    Over,
    /// Enough.
    Stop,
}

/// Why a walk ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum End {
    /// Everything was visited.
    Complete,
    /// The visitor had enough.
    Stopped,
    /// The bound on entries or time was reached.
    Bounded,
}

/// How far a walk may go.
pub(super) struct Bounds {
    pub(super) entries: usize,
    pub(super) depth: usize,
    pub(super) until: Option<Instant>,
    pub(super) cancel: CancellationToken,
}

impl Bounds {
    pub(super) fn of(cx: &CallContext, entries: usize, until: Option<Instant>) -> Self {
        Self { entries, depth: DEPTH_MAX, until, cancel: cx.cancel.clone() }
    }
}

/// Whether ignore files hide entries.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Ignored {
    Shown,
    Hidden,
}

/// One entry with the folder it is in, held open.
pub(super) struct Visit<'a> {
    pub(super) folder: &'a Folder,
    pub(super) entry: &'a Entry,
    /// Beneath the folder the walk started from.
    pub(super) relative: &'a Path,
}

type Visitor<'v> = dyn FnMut(&Visit<'_>) -> Result<Step, FileError> + 'v;

struct Walk<'b, 'v> {
    bounds: &'b Bounds,
    ignored: Ignored,
    rules: Vec<Gitignore>,
    seen: usize,
    visitor: &'v mut Visitor<'v>,
}

/// Visits everything beneath `start`. The `.git` folder is never entered.
pub(super) fn walk<'v>(
    roots: &Roots,
    start: &PathBeneath,
    bounds: &Bounds,
    ignored: Ignored,
    visitor: &'v mut Visitor<'v>,
) -> Result<End, FileError> {
    let rules = if ignored == Ignored::Hidden { rules_above(roots, start) } else { Vec::new() };
    let mut walk = Walk { bounds, ignored, rules, seen: 0, visitor };
    walk.folder(&start.open_folder()?, Path::new(""), 1)
}

impl Walk<'_, '_> {
    fn folder(&mut self, folder: &Folder, relative: &Path, depth: usize) -> Result<End, FileError> {
        let (entries, more) = folder.entries(self.bounds.entries.saturating_sub(self.seen))?;
        let rules = self.rules.len();
        if self.ignored == Ignored::Hidden {
            self.rules.extend(rules_in(folder, &entries));
        }
        for entry in &entries {
            let end = self.entry(folder, entry, relative.join(&entry.name), depth)?;
            if end != End::Complete {
                return Ok(end);
            }
        }
        self.rules.truncate(rules);
        Ok(if more { End::Bounded } else { End::Complete })
    }

    fn entry(
        &mut self,
        folder: &Folder,
        entry: &Entry,
        relative: PathBuf,
        depth: usize,
    ) -> Result<End, FileError> {
        self.seen += 1;
        if self.bounds.cancel.is_cancelled() {
            return Err(FileError::Cancelled);
        }
        // Time is looked at now and then; asking for each entry would cost more than visiting it.
        let is_late = || self.bounds.until.is_some_and(|until| Instant::now() >= until);
        if self.seen > self.bounds.entries || (self.seen.is_multiple_of(32) && is_late()) {
            return Ok(End::Bounded);
        }
        if self.is_ignored(folder, entry) {
            return Ok(End::Complete);
        }
        let step = (self.visitor)(&Visit { folder, entry, relative: &relative })?;
        match step {
            Step::Stop => return Ok(End::Stopped),
            Step::Over => return Ok(End::Complete),
            Step::Into => {}
        }
        if entry.kind != Kind::Folder || entry.name == ".git" || depth >= self.bounds.depth {
            return Ok(End::Complete);
        }
        // A folder that may not be read, is protected or went away is passed over.
        match folder.open_folder(&entry.name) {
            Ok(inner) => self.folder(&inner, &relative, depth + 1),
            Err(_) => Ok(End::Complete),
        }
    }

    fn is_ignored(&self, folder: &Folder, entry: &Entry) -> bool {
        if self.rules.is_empty() {
            return false;
        }
        let path = folder.absolute().join(&entry.name);
        let is_folder = entry.kind == Kind::Folder;
        // The rules nearest to the entry win.
        for rules in self.rules.iter().rev() {
            match rules.matched(&path, is_folder) {
                ignore::Match::None => {}
                ignore::Match::Ignore(_) => return true,
                ignore::Match::Whitelist(_) => return false,
            }
        }
        false
    }
}

/// The rules of the folders above the start, up to its root, the outermost first.
fn rules_above(roots: &Roots, start: &PathBeneath) -> Vec<Gitignore> {
    let root = start.root().path();
    let mut above: Vec<&Path> =
        start.absolute().ancestors().skip(1).take_while(|path| path.starts_with(root)).collect();
    above.reverse();
    above
        .into_iter()
        .filter_map(|path| roots.resolve_readable("path", path.to_str()?).ok()?.open_folder().ok())
        .flat_map(|folder| rules_named(&folder, [".gitignore", ".ignore"]))
        .collect()
}

fn rules_in(folder: &Folder, entries: &[Entry]) -> Vec<Gitignore> {
    let has = |name: &&str| entries.iter().any(|entry| entry.name == *name);
    rules_named(folder, [".gitignore", ".ignore"].into_iter().filter(has))
}

fn rules_named<'n>(folder: &Folder, names: impl IntoIterator<Item = &'n str>) -> Vec<Gitignore> {
    names.into_iter().filter_map(|name| read_rules(folder, name)).collect()
}

fn read_rules(folder: &Folder, name: &str) -> Option<Gitignore> {
    let (file, _) = folder.open_file(name.as_ref()).ok()?;
    let mut text = Vec::new();
    file.take(IGNORE_BYTES_MAX).read_to_end(&mut text).ok()?;
    let mut builder = GitignoreBuilder::new(folder.absolute());
    for line in String::from_utf8_lossy(&text).lines() {
        // A line that does not parse hides nothing, as with git.
        if let Err(error) = builder.add_line(None, line) {
            tracing::debug!(%error, "an ignore rule was passed over");
        }
    }
    builder.build().ok()
}
