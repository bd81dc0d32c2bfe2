//! Patterns to file names, beneath the working directory only.

use std::path::{Path, PathBuf};

use super::{
    refuse::{argument, too_large},
    syntax::{Part, Word},
};
use crate::{
    Refusal,
    path::{Access, Roots},
};

/// Most names one pattern may stand for.
const MATCHES_MAX: usize = 4096;
/// Most directory entries looked at for one pattern.
const VISITS_MAX: usize = 100_000;

/// The words an argument stands for: itself, or the files its pattern matches, in byte order.
/// A pattern that matches nothing stands for itself, as in POSIX shells. A name that begins with `-`
/// gets `./` in front, so that a file can never become an option.
pub(super) fn expand(word: &Word, cwd: &Path, roots: &Roots) -> Result<Vec<String>, Refusal> {
    if !word.is_pattern() {
        return Ok(vec![word.text()]);
    }
    let Some(segments) = segments(word) else { return Ok(vec![word.text()]) };
    let first = segments.iter().position(|it| it.is_pattern()).unwrap_or(0);
    if segments[first..].iter().any(|it| it.text() == "..") {
        return Err(argument("`..` after a pattern is refused", "name the folder first, then the pattern"));
    }
    let prefix: String = segments[..first].iter().map(|it| it.text() + "/").collect();
    let base = if prefix.is_empty() { "." } else { &prefix };
    let folder = roots.check(super::refuse::FIELD, Some(cwd), base, Access::Read)?;
    let mut search = Search { found: Vec::new(), visits: 0 };
    search.walk(&folder, PathBuf::from(&prefix), &segments[first..])?;
    if search.found.is_empty() {
        return Ok(vec![word.text()]);
    }
    search.found.sort_unstable();
    Ok(search
        .found
        .into_iter()
        .map(|name| if name.starts_with('-') { format!("./{name}") } else { name })
        .collect())
}

/// The word cut at its slashes; `None` when a `[…]` holds one, which makes it no pattern.
fn segments(word: &Word) -> Option<Vec<Word>> {
    let mut segments = vec![Word::default()];
    for part in &word.parts {
        let (text, quoted) = match part {
            Part::Bare(text) => (text, false),
            Part::Quoted(text) => (text, true),
            other => {
                segments.last_mut()?.parts.push(other.clone());
                continue;
            }
        };
        for (index, piece) in text.split('/').enumerate() {
            if index > 0 {
                segments.push(Word::default());
            }
            if !piece.is_empty() {
                let part = if quoted { Part::Quoted(piece.into()) } else { Part::Bare(piece.into()) };
                segments.last_mut()?.parts.push(part);
            }
        }
    }
    Some(segments)
}

struct Search {
    found: Vec<String>,
    visits: usize,
}

impl Search {
    fn walk(&mut self, folder: &Path, shown: PathBuf, segments: &[Word]) -> Result<(), Refusal> {
        let Some((segment, rest)) = segments.split_first() else { return Ok(()) };
        if segment.parts.is_empty() {
            // A trailing slash: the folder itself.
            return if rest.is_empty() { self.keep(shown.join("")) } else { self.walk(folder, shown, rest) };
        }
        let Ok(entries) = std::fs::read_dir(folder) else { return Ok(()) };
        for entry in entries.filter_map(Result::ok) {
            self.visits += 1;
            if self.visits > VISITS_MAX {
                return Err(too_large(format!("a pattern looks at more than {VISITS_MAX} files")));
            }
            let name = entry.file_name();
            let Some(name) = name.to_str() else { continue };
            if !matches(segment, name) {
                continue;
            }
            let shown = shown.join(name);
            if rest.is_empty() {
                self.keep(shown)?;
            } else if entry.file_type().is_ok_and(|kind| kind.is_dir()) {
                self.walk(&entry.path(), shown, rest)?;
            }
        }
        Ok(())
    }

    fn keep(&mut self, shown: PathBuf) -> Result<(), Refusal> {
        if self.found.len() == MATCHES_MAX {
            return Err(too_large(format!("a pattern matches more than {MATCHES_MAX} files")));
        }
        // Built from text, so it is text.
        self.found.push(shown.to_string_lossy().into_owned());
        Ok(())
    }
}

/// Whether a file name matches. A leading dot must be written out.
fn matches(pattern: &Word, name: &str) -> bool {
    let literal_dot =
        matches!(pattern.parts.first(), Some(Part::Bare(text) | Part::Quoted(text)) if text.starts_with('.'));
    if name.starts_with('.') && !literal_dot {
        return false;
    }
    let steps: Vec<Step> = pattern.parts.iter().flat_map(steps_of).collect();
    let name: Vec<char> = name.chars().collect();
    matches_steps(&steps, &name)
}

enum Step {
    One(char),
    Any,
    OneOf(bool, Vec<(char, char)>),
    Run,
}

fn steps_of(part: &Part) -> Vec<Step> {
    match part {
        Part::Bare(text) | Part::Quoted(text) => text.chars().map(Step::One).collect(),
        Part::AnyRun => vec![Step::Run],
        Part::AnyOne => vec![Step::Any],
        Part::OneOf { negated, ranges, .. } => vec![Step::OneOf(*negated, ranges.clone())],
    }
}

/// Backtracks only to the last `*`, so the time is at most pattern times name.
fn matches_steps(steps: &[Step], name: &[char]) -> bool {
    let (mut at, mut pos, mut retry) = (0, 0, None);
    loop {
        let fits = match (steps.get(at), name.get(pos)) {
            (None, None) => return true,
            (Some(Step::Run), _) => {
                retry = Some((at, pos));
                at += 1;
                continue;
            }
            (Some(Step::One(wanted)), Some(c)) => wanted == c,
            (Some(Step::Any), Some(_)) => true,
            (Some(Step::OneOf(negated, ranges)), Some(c)) => {
                ranges.iter().any(|(first, last)| first <= c && c <= last) != *negated
            }
            (_, None) | (None, Some(_)) => false,
        };
        if fits {
            (at, pos) = (at + 1, pos + 1);
            continue;
        }
        match retry {
            Some((star, from)) if from < name.len() => {
                retry = Some((star, from + 1));
                (at, pos) = (star + 1, from + 1);
            }
            _ => return false,
        }
    }
}
