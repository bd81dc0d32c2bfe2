//! Versions of Python packages.

use std::cmp::Ordering;

use super::dotted::number;

/// What a version is made of, each part as text of digits.
#[derive(Debug, Default)]
struct Parsed {
    epoch: String,
    release: Vec<String>,
    /// Phase (0 alpha, 1 beta, 2 candidate) and number.
    pre: Option<(u8, String)>,
    post: Option<String>,
    dev: Option<String>,
    local: Vec<String>,
}

pub(super) fn compare(left: &str, right: &str) -> Ordering {
    match (parse(left), parse(right)) {
        (Some(left), Some(right)) => ordered(&left, &right),
        // What is no version at all is older than any that is one.
        (None, Some(_)) => Ordering::Less,
        (Some(_), None) => Ordering::Greater,
        (None, None) => left.cmp(right),
    }
}

pub(super) fn is_prerelease(version: &str) -> bool {
    parse(version).is_some_and(|it| it.pre.is_some() || it.dev.is_some())
}

fn ordered(left: &Parsed, right: &Parsed) -> Ordering {
    let lists = |left: &[String], right: &[String]| {
        let zero = String::new();
        (0..left.len().max(right.len()))
            .map(|it| number(left.get(it).unwrap_or(&zero), right.get(it).unwrap_or(&zero)))
            .find(|it| it.is_ne())
            .unwrap_or(Ordering::Equal)
    };
    number(&left.epoch, &right.epoch)
        .then_with(|| lists(&left.release, &right.release))
        .then_with(|| phase(left).cmp(&phase(right)))
        .then_with(|| match (&left.pre, &right.pre) {
            (Some(left), Some(right)) => number(&left.1, &right.1),
            _ => Ordering::Equal,
        })
        .then_with(|| optional(left.post.as_deref(), right.post.as_deref(), Ordering::Less))
        .then_with(|| optional(left.dev.as_deref(), right.dev.as_deref(), Ordering::Greater))
        .then_with(|| locals(&left.local, &right.local))
}

/// A development release of a final one stands before its candidates; a final one behind them.
fn phase(it: &Parsed) -> i8 {
    match &it.pre {
        Some((phase, _)) => i8::try_from(*phase).unwrap_or(2),
        None if it.post.is_none() && it.dev.is_some() => -1,
        None => 3,
    }
}

/// `absent` is what the left side is when only the right one has the part.
fn optional(left: Option<&str>, right: Option<&str>, absent: Ordering) -> Ordering {
    match (left, right) {
        (None, None) => Ordering::Equal,
        (None, Some(_)) => absent,
        (Some(_), None) => absent.reverse(),
        (Some(left), Some(right)) => number(left, right),
    }
}

fn locals(left: &[String], right: &[String]) -> Ordering {
    let is_number = |it: &str| it.bytes().all(|it| it.is_ascii_digit());
    for (one, two) in left.iter().zip(right) {
        let order = match (is_number(one), is_number(two)) {
            (true, true) => number(one, two),
            (true, false) => Ordering::Greater,
            (false, true) => Ordering::Less,
            (false, false) => one.cmp(two),
        };
        if order.is_ne() {
            return order;
        }
    }
    left.len().cmp(&right.len())
}

fn parse(version: &str) -> Option<Parsed> {
    let lower = version.trim().to_ascii_lowercase();
    let bare = lower.trim_start_matches('v');
    let (bare, local) = bare.split_once('+').unwrap_or((bare, ""));
    let (epoch, bare) = bare.split_once('!').unwrap_or(("", bare));
    let mut parsed = Parsed { epoch: epoch.to_owned(), ..Parsed::default() };
    parsed.local = local.split(['.', '-', '_']).filter(|it| !it.is_empty()).map(str::to_owned).collect();
    let mut rest = bare;
    loop {
        let end = rest.find(|it: char| !it.is_ascii_digit()).unwrap_or(rest.len());
        if end == 0 {
            break;
        }
        parsed.release.push(rest[..end].to_owned());
        rest = &rest[end..];
        match rest.strip_prefix('.').filter(|it| it.starts_with(|it: char| it.is_ascii_digit())) {
            Some(next) => rest = next,
            None => break,
        }
    }
    if parsed.release.is_empty() || !epoch.bytes().all(|it| it.is_ascii_digit()) {
        return None;
    }
    while !rest.is_empty() {
        rest = suffix(&mut parsed, rest)?;
    }
    Some(parsed)
}

const WORDS: [(&str, char); 14] = [
    ("alpha", 'a'),
    ("beta", 'b'),
    ("preview", 'c'),
    ("post", 'p'),
    ("dev", 'd'),
    ("pre", 'c'),
    ("rev", 'p'),
    ("rc", 'c'),
    ("a", 'a'),
    ("b", 'b'),
    ("c", 'c'),
    ("r", 'p'),
    ("-", 'p'),
    ("p", ' '),
];

fn suffix<'a>(parsed: &mut Parsed, text: &'a str) -> Option<&'a str> {
    let bare = text.trim_start_matches(['.', '_', '-']);
    // `1.0-1` is a post release; any other `-` only separates.
    let implicit = text.starts_with('-') && bare.starts_with(|it: char| it.is_ascii_digit());
    let bare = if implicit { text } else { bare };
    let (word, kind) = WORDS.iter().find(|(word, _)| bare.starts_with(word))?;
    let after = &bare[word.len()..];
    let after = if implicit { after } else { after.trim_start_matches(['.', '_', '-']) };
    let end = after.find(|it: char| !it.is_ascii_digit()).unwrap_or(after.len());
    let value = after[..end].to_owned();
    match kind {
        'a' => parsed.pre = Some((0, value)),
        'b' => parsed.pre = Some((1, value)),
        'c' => parsed.pre = Some((2, value)),
        'p' => parsed.post = Some(value),
        'd' => parsed.dev = Some(value),
        _ => return None,
    }
    Some(&after[end..])
}
