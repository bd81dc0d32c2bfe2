//! Numbers between dots with an optional part behind `-`: semantic versions and their relatives.

use std::cmp::Ordering;

/// Semantic versions, with any number of numbers.
pub(super) fn compare(left: &str, right: &str) -> Ordering {
    let (left_release, left_pre) = parts(left);
    let (right_release, right_pre) = parts(right);
    numbers(left_release, right_release).then_with(|| match (left_pre, right_pre) {
        (None, None) => Ordering::Equal,
        (None, Some(_)) => Ordering::Greater,
        (Some(_), None) => Ordering::Less,
        (Some(left), Some(right)) => identifiers(left, right),
    })
}

fn parts(version: &str) -> (&str, Option<&str>) {
    let bare = version.trim_start_matches(['v', 'V', '=']);
    let bare = bare.split('+').next().unwrap_or(bare);
    bare.split_once('-').map_or((bare, None), |it| (it.0, Some(it.1)))
}

fn numbers(left: &str, right: &str) -> Ordering {
    let (mut left, mut right) = (left.split('.'), right.split('.'));
    loop {
        match (left.next(), right.next()) {
            (None, None) => return Ordering::Equal,
            (one, two) => {
                let order = piece(one.unwrap_or("0"), two.unwrap_or("0"));
                if order.is_ne() {
                    return order;
                }
            }
        }
    }
}

fn identifiers(left: &str, right: &str) -> Ordering {
    let (mut left, mut right) = (left.split('.'), right.split('.'));
    loop {
        match (left.next(), right.next()) {
            (None, None) => return Ordering::Equal,
            (None, Some(_)) => return Ordering::Less,
            (Some(_), None) => return Ordering::Greater,
            (Some(one), Some(two)) => {
                let order = piece(one, two);
                if order.is_ne() {
                    return order;
                }
            }
        }
    }
}

/// Numbers by value, words by letter (without case), numbers before words.
fn piece(left: &str, right: &str) -> Ordering {
    match (is_number(left), is_number(right)) {
        (true, true) => number(left, right),
        (true, false) => Ordering::Less,
        (false, true) => Ordering::Greater,
        (false, false) => stability(left)
            .cmp(&stability(right))
            .then_with(|| left.to_lowercase().cmp(&right.to_lowercase())),
    }
}

/// `dev` stands before `alpha`, which the letters alone would not say.
fn stability(word: &str) -> bool {
    !word.eq_ignore_ascii_case("dev")
}

fn is_number(text: &str) -> bool {
    !text.is_empty() && text.bytes().all(|it| it.is_ascii_digit())
}

/// By value, whatever the length.
pub(super) fn number(left: &str, right: &str) -> Ordering {
    let (left, right) = (left.trim_start_matches('0'), right.trim_start_matches('0'));
    left.len().cmp(&right.len()).then_with(|| left.cmp(right))
}

/// RubyGems: any letter makes a prerelease, and runs of digits and letters are parts of their own.
pub(super) fn compare_gem(left: &str, right: &str) -> Ordering {
    let (left, right) = (segments(left), segments(right));
    for index in 0..left.len().max(right.len()) {
        let (one, two) = (left.get(index).copied().unwrap_or("0"), right.get(index).copied().unwrap_or("0"));
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
    Ordering::Equal
}

fn segments(version: &str) -> Vec<&str> {
    let mut all: Vec<&str> = Vec::new();
    for part in version.split(['.', '-']) {
        let mut rest = part;
        while let Some(first) = rest.chars().next() {
            let same = |it: char| it.is_ascii_digit() != first.is_ascii_digit();
            let end = rest.find(same).unwrap_or(rest.len());
            all.push(&rest[..end]);
            rest = &rest[end..];
        }
    }
    while all.last().is_some_and(|it| is_number(it) && it.bytes().all(|it| it == b'0')) {
        all.pop();
    }
    all
}
