//! Suggests paths while somebody types one.

use guard::path::{Entry, Kind};

use super::Files;

/// Entries of a folder that are looked at.
const ENTRIES_MAX: usize = 10_000;

/// Suggestions at most.
const SUGGESTIONS_MAX: usize = 100;

impl Files {
    /// Paths that start with `typed`; folders end in a slash. Nothing when the folder cannot be read.
    pub(crate) fn suggest(&self, typed: &str) -> Vec<String> {
        let (folder, start) = match typed.rfind('/') {
            Some(slash) => typed.split_at(slash + 1),
            None => ("", typed),
        };
        let asked = if folder.is_empty() { "." } else { folder };
        let listed = self
            .roots()
            .resolve_readable("path", asked)
            .and_then(|it| it.open_folder())
            .and_then(|it| it.entries(ENTRIES_MAX));
        let Ok((entries, _)) = listed else { return Vec::new() };
        let suggestion = |entry: &Entry| {
            let name = entry.name.to_str().filter(|name| name.starts_with(start))?;
            // Dot files are for those who ask for them.
            let is_shown = !name.starts_with('.') || start.starts_with('.');
            let end = if entry.kind == Kind::Folder { "/" } else { "" };
            is_shown.then(|| format!("{folder}{name}{end}"))
        };
        entries.iter().filter_map(suggestion).take(SUGGESTIONS_MAX).collect()
    }
}
