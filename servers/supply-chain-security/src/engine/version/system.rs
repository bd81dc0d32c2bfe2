//! Versions of Debian and Alpine packages.

use std::cmp::Ordering;

use super::dotted::number;

/// `epoch:upstream-revision`.
pub(super) fn compare_deb(left: &str, right: &str) -> Ordering {
    let split = |it: &str| {
        let (epoch, rest) = it.split_once(':').unwrap_or(("0", it));
        let (upstream, revision) = rest.rsplit_once('-').unwrap_or((rest, ""));
        (epoch.to_owned(), upstream.to_owned(), revision.to_owned())
    };
    let (left, right) = (split(left), split(right));
    number(&left.0, &right.0)
        .then_with(|| deb_part(&left.1, &right.1))
        .then_with(|| deb_part(&left.2, &right.2))
}

/// Runs of other characters and runs of digits, in turn; `~` stands before the end.
fn deb_part(left: &str, right: &str) -> Ordering {
    let (mut left, mut right) = (left, right);
    while !left.is_empty() || !right.is_empty() {
        let (one, two) = (run(&mut left, false), run(&mut right, false));
        let weigh = |it: Option<char>| match it {
            Some('~') => -1,
            None => 0,
            Some(it) if it.is_ascii_alphabetic() => i64::from(u32::from(it)),
            Some(it) => i64::from(u32::from(it)) + 0x0020_0000,
        };
        let (mut one, mut two) = (one.chars(), two.chars());
        loop {
            let (a, b) = (one.next(), two.next());
            let order = weigh(a).cmp(&weigh(b));
            if order.is_ne() {
                return order;
            }
            if a.is_none() {
                break;
            }
        }
        let order = number(run(&mut left, true), run(&mut right, true));
        if order.is_ne() {
            return order;
        }
    }
    Ordering::Equal
}

fn run<'a>(text: &mut &'a str, digits: bool) -> &'a str {
    let end = text.find(|it: char| it.is_ascii_digit() != digits).unwrap_or(text.len());
    let (run, rest) = text.split_at(end);
    *text = rest;
    run
}

/// Suffixes before a release, none, and after one.
const SUFFIXES: [(&str, i32); 9] = [
    ("alpha", -4),
    ("beta", -3),
    ("pre", -2),
    ("rc", -1),
    ("cvs", 1),
    ("svn", 2),
    ("git", 3),
    ("hg", 4),
    ("p", 5),
];

/// `1.2.3a_rc1-r4`.
pub(super) fn compare_apk(left: &str, right: &str) -> Ordering {
    let split = |it: &str| {
        let (rest, build) = it.rsplit_once("-r").unwrap_or((it, "0"));
        let (release, suffix) = rest.split_once('_').unwrap_or((rest, ""));
        let end = release.find(|it: char| it.is_ascii_alphabetic()).unwrap_or(release.len());
        let (numbers, letter) = release.split_at(end);
        let known = SUFFIXES.iter().find(|it| suffix.starts_with(it.0));
        let (rank, number) = known.map_or((0, ""), |it| (it.1, &suffix[it.0.len()..]));
        (numbers.to_owned(), letter.to_owned(), rank, number.to_owned(), build.to_owned())
    };
    let (left, right) = (split(left), split(right));
    super::dotted::compare(&left.0, &right.0)
        .then_with(|| left.1.cmp(&right.1))
        .then_with(|| left.2.cmp(&right.2))
        .then_with(|| super::dotted::compare(&left.3, &right.3))
        .then_with(|| super::dotted::compare(&left.4, &right.4))
}
