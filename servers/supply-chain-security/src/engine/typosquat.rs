//! Names that look like well-known ones.

use std::collections::BTreeMap;

use super::{component::Ecosystem, popular};

/// Shorter names resemble too many others.
const LENGTH_MIN: usize = 4;
/// Names longer than this are compared by their beginning only.
const LENGTH_MAX: usize = 128;

/// Why a name looks like another.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Likeness {
    /// Other characters that look the same.
    Homoglyph,
    /// The same letters, with other separators or none.
    Separator,
    /// Two letters changed places.
    Swapped,
    /// A letter is missing, doubled or added.
    Missing,
    /// A key beside the right one.
    Keyboard,
    /// One letter is another.
    Changed,
    /// The name with a word that lends it weight.
    Combined,
    /// The name of a scope's package without its scope, or the other way.
    Scope,
}

impl Likeness {
    pub(crate) fn as_str(self) -> &'static str {
        match self {
            Self::Homoglyph => "homoglyph",
            Self::Separator => "separator",
            Self::Swapped => "swapped_letters",
            Self::Missing => "missing_or_added_letter",
            Self::Keyboard => "neighbouring_key",
            Self::Changed => "changed_letter",
            Self::Combined => "combined_name",
            Self::Scope => "scope",
        }
    }

    /// How likely it is meant to deceive.
    pub(crate) fn confidence(self) -> f64 {
        match self {
            Self::Homoglyph => 0.95,
            Self::Swapped | Self::Separator => 0.7,
            Self::Missing | Self::Keyboard => 0.6,
            Self::Changed => 0.5,
            Self::Scope => 0.4,
            Self::Combined => 0.3,
        }
    }
}

/// A well-known name that another one looks like.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Lookalike {
    pub(crate) popular: &'static str,
    pub(crate) likeness: Likeness,
    /// Letters that differ.
    pub(crate) distance: usize,
}

/// Words that impostors add, because a reader expects them.
const ADDED: [&str; 22] = [
    "js", "node", "python", "py", "lib", "core", "utils", "util", "api", "cli", "dev", "official", "sdk",
    "tool", "tools", "helper", "client", "new", "2", "3", "fix", "security",
];

/// The nearest well-known name that `name` looks like; `None` for a well-known one and for one like no other.
pub(crate) fn lookalike(ecosystem: Ecosystem, name: &str) -> Option<Lookalike> {
    let list = popular::of(ecosystem)?;
    let cut = name.char_indices().nth(LENGTH_MAX).map_or(name, |it| &name[..it.0]);
    let canonical = ecosystem.canonical(cut);
    if list.has(&canonical) {
        return None;
    }
    let (plain, bare) = (folded(&canonical), popular::bare(&canonical));
    let best = list.names.iter().zip(&list.bare).filter_map(|(popular, popular_bare)| {
        let likeness = compare((&canonical, &plain, &bare), (popular, popular_bare))?;
        Some(Lookalike { popular, likeness, distance: distance(&canonical, popular) })
    });
    best.max_by(|left, right| {
        left.likeness
            .confidence()
            .total_cmp(&right.likeness.confidence())
            .then(right.distance.cmp(&left.distance))
    })
}

/// A name with its folded and its bare spelling, and a well-known name with its bare one.
fn compare(
    (name, plain, bare): (&str, &str, &str),
    (popular, popular_bare): (&str, &str),
) -> Option<Likeness> {
    let length = popular.chars().count();
    if plain != name && plain == popular {
        return Some(Likeness::Homoglyph);
    }
    if length < LENGTH_MIN {
        return None;
    }
    if bare == popular_bare {
        let scoped = name.contains('@') != popular.contains('@');
        return Some(if scoped { Likeness::Scope } else { Likeness::Separator });
    }
    if name.len().abs_diff(popular.len()) <= 1
        && length > LENGTH_MIN
        && let Some(likeness) = one_letter(name, popular)
    {
        return Some(likeness);
    }
    // Short names are words of their own: `node-utils` resembles nothing.
    (length >= 5 && is_combined(name, popular)).then_some(Likeness::Combined)
}

/// What one slip of the fingers makes of a name.
fn one_letter(name: &str, popular: &str) -> Option<Likeness> {
    let (left, right): (Vec<char>, Vec<char>) = (name.chars().collect(), popular.chars().collect());
    let head = left.iter().zip(&right).take_while(|it| it.0 == it.1).count();
    let rest = left.len().min(right.len()) - head;
    let tail = left.iter().rev().zip(right.iter().rev()).take(rest).take_while(|it| it.0 == it.1).count();
    let (left, right) = (&left[head..left.len() - tail], &right[head..right.len() - tail]);
    match (left, right) {
        // A number is a version of the same family: `bs4` and `bs5`, `vue2`.
        ([a], [b]) if a.is_ascii_digit() || b.is_ascii_digit() => None,
        ([it], []) | ([], [it]) if it.is_ascii_digit() => None,
        ([_], []) | ([], [_]) => Some(Likeness::Missing),
        ([a], [b]) if are_neighbours(*a, *b) => Some(Likeness::Keyboard),
        ([_], [_]) => Some(Likeness::Changed),
        ([a, b], [c, d]) if a == d && b == c => Some(Likeness::Swapped),
        _ => None,
    }
}

fn is_combined(name: &str, popular: &str) -> bool {
    let added = |rest: &str| {
        let word = rest.trim_matches(['-', '_', '.']);
        rest.len() > word.len() && ADDED.contains(&word) || ADDED.contains(&rest)
    };
    name.strip_prefix(popular).is_some_and(added) || name.strip_suffix(popular).is_some_and(added)
}

const ROWS: [&str; 3] = ["qwertyuiop", "asdfghjkl", "zxcvbnm"];

fn are_neighbours(left: char, right: char) -> bool {
    let place = |it: char| ROWS.iter().enumerate().find_map(|(row, keys)| Some((row, keys.find(it)?)));
    let (Some((row, column)), Some((other, next))) = (place(left), place(right)) else { return false };
    row.abs_diff(other) <= 1 && column.abs_diff(next) <= 1
}

/// Characters that look like plain letters become those.
fn folded(name: &str) -> String {
    let pair = |it: char| match it {
        'а' | 'ɑ' | 'α' => 'a',
        'с' | 'ϲ' => 'c',
        'ԁ' => 'd',
        'е' | 'ё' | 'ε' => 'e',
        'ɡ' => 'g',
        'һ' => 'h',
        'і' | 'ı' | 'ί' => 'i',
        'ј' => 'j',
        'к' | 'κ' => 'k',
        'ӏ' | 'ⅼ' => 'l',
        'ո' | 'п' => 'n',
        'о' | 'ο' | 'օ' => 'o',
        'р' | 'ρ' => 'p',
        'ѕ' => 's',
        'т' | 'τ' => 't',
        'υ' | 'ս' => 'u',
        'ν' | 'ѵ' => 'v',
        'ѡ' | 'ԝ' => 'w',
        'х' | 'χ' => 'x',
        'у' | 'γ' => 'y',
        'ᴢ' => 'z',
        '‐' | '‑' | '–' | '—' | '−' => '-',
        other => other,
    };
    let folded: String = name.chars().map(pair).collect();
    // Digits that look like letters are read as such only together with letters on both sides.
    let chars: Vec<char> = folded.chars().collect();
    let is_letter =
        |at: Option<usize>| at.and_then(|it| chars.get(it)).is_some_and(char::is_ascii_alphabetic);
    let read = |(at, it): (usize, &char)| match it {
        '0' if is_letter(at.checked_sub(1)) && is_letter(Some(at + 1)) => 'o',
        '1' if is_letter(at.checked_sub(1)) && is_letter(Some(at + 1)) => 'l',
        other => *other,
    };
    chars.iter().enumerate().map(read).collect()
}

/// Edits between two names, neighbouring letters swapped counted once; bounded by [`LENGTH_MAX`].
fn distance(left: &str, right: &str) -> usize {
    let (left, right): (Vec<char>, Vec<char>) = (left.chars().collect(), right.chars().collect());
    let mut rows: Vec<Vec<usize>> = vec![(0..=right.len()).collect()];
    for (i, a) in left.iter().enumerate() {
        let mut row = vec![i + 1];
        for (j, b) in right.iter().enumerate() {
            let mut best = (rows[i][j] + usize::from(a != b)).min(rows[i][j + 1] + 1).min(row[j] + 1);
            if i > 0 && j > 0 && *a == right[j - 1] && left[i - 1] == *b {
                best = best.min(rows[i - 1][j - 1] + 1);
            }
            row.push(best);
        }
        rows.push(row);
    }
    rows[left.len()][right.len()]
}

/// Where the lists come from, for results.
pub(crate) fn sources<'a>(
    ecosystems: impl Iterator<Item = &'a Ecosystem>,
) -> BTreeMap<&'static str, &'static str> {
    ecosystems.filter_map(|it| Some((it.purl_type(), popular::of(*it)?.about))).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn like(ecosystem: Ecosystem, name: &str) -> Option<(&'static str, Likeness)> {
        lookalike(ecosystem, name).map(|it| (it.popular, it.likeness))
    }

    #[test]
    fn impostors_of_record_are_found() {
        for (ecosystem, name, popular, likeness) in [
            (Ecosystem::Npm, "loadsh", "lodash", Likeness::Swapped),
            (Ecosystem::Npm, "expres", "express", Likeness::Missing),
            (Ecosystem::Npm, "axois", "axios", Likeness::Swapped),
            (Ecosystem::Npm, "string_width", "string-width", Likeness::Separator),
            (Ecosystem::Npm, "typescriptjs", "typescript", Likeness::Combined),
            (Ecosystem::Pypi, "reqeusts", "requests", Likeness::Swapped),
            (Ecosystem::Pypi, "requets", "requests", Likeness::Missing),
            (Ecosystem::Pypi, "rеquests", "requests", Likeness::Homoglyph),
            (Ecosystem::Pypi, "urlib3", "urllib3", Likeness::Missing),
            (Ecosystem::Pypi, "python-requests", "requests", Likeness::Combined),
            (Ecosystem::Cargo, "serdee", "serde", Likeness::Missing),
            (Ecosystem::Gem, "nokogirl", "nokogiri", Likeness::Keyboard),
            (
                Ecosystem::Go,
                "github.com/stretchr/testifу",
                "github.com/stretchr/testify",
                Likeness::Homoglyph,
            ),
        ] {
            assert_eq!(like(ecosystem, name), Some((popular, likeness)), "{name}");
        }
    }

    #[test]
    fn well_known_names_and_others_are_left_alone() {
        for (ecosystem, name) in [
            (Ecosystem::Npm, "lodash"),
            (Ecosystem::Npm, "react"),
            (Ecosystem::Npm, "acme-billing-frontend"),
            (Ecosystem::Pypi, "Requests"),
            (Ecosystem::Pypi, "my-company-tool"),
            (Ecosystem::Deb, "curl"),
        ] {
            assert_eq!(like(ecosystem, name), None, "{name}");
        }
    }

    #[test]
    fn few_well_known_names_look_like_each_other_by_accident() {
        // A name is judged as if it were not on the list: that many real packages would be called doubtful.
        let list = popular::of(Ecosystem::Pypi).unwrap();
        let alone = list.names.iter().filter(|name| {
            let (plain, own) = (folded(name), popular::bare(name));
            let others = list.names.iter().zip(&list.bare).filter(|it| it.0 != *name);
            others
                .filter_map(|(it, bare)| compare((name, &plain, &own), (it, bare)))
                .any(|it| it.confidence() >= 0.5)
        });
        let share = alone.count() as f64 / list.names.len() as f64;
        assert!(share < 0.05, "{share}");
    }
}
