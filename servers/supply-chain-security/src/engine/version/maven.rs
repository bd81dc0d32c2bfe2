//! Versions of Maven artifacts.

use std::cmp::Ordering;

use super::dotted::number;

/// One part of a version.
#[derive(Clone, Debug, PartialEq)]
enum Item {
    /// Digits, and whether a `-` stands before them.
    Number(String, bool),
    Word(String),
}

/// Words whose order is not that of their letters.
const RANKS: [&str; 7] = ["alpha", "beta", "milestone", "rc", "snapshot", "", "sp"];

pub(super) fn compare(left: &str, right: &str) -> Ordering {
    let (left, right) = (items(left), items(right));
    for index in 0..left.len().max(right.len()) {
        let order = match (left.get(index), right.get(index)) {
            (Some(one), Some(two)) => pair(one, two),
            (Some(one), None) => against_nothing(one),
            (None, Some(two)) => against_nothing(two).reverse(),
            (None, None) => Ordering::Equal,
        };
        if order.is_ne() {
            return order;
        }
    }
    Ordering::Equal
}

fn pair(left: &Item, right: &Item) -> Ordering {
    match (left, right) {
        (Item::Number(left, dashed), Item::Number(right, other)) => {
            other.cmp(dashed).then_with(|| number(left, right))
        }
        (Item::Number(..), Item::Word(_)) => Ordering::Greater,
        (Item::Word(_), Item::Number(..)) => Ordering::Less,
        (Item::Word(left), Item::Word(right)) => rank(left).cmp(&rank(right)),
    }
}

fn against_nothing(item: &Item) -> Ordering {
    match item {
        Item::Number(digits, _) => number(digits, ""),
        Item::Word(word) => rank(word).cmp(&rank("")),
    }
}

fn rank(word: &str) -> (usize, &str) {
    match RANKS.iter().position(|it| *it == word) {
        Some(rank) => (rank, ""),
        None => (RANKS.len(), word),
    }
}

fn items(version: &str) -> Vec<Item> {
    let lower = version.to_ascii_lowercase();
    let mut items: Vec<Item> = Vec::new();
    let (mut rest, mut dashed) = (lower.as_str(), false);
    while let Some(first) = rest.chars().next() {
        if matches!(first, '.' | '-' | '_') {
            if first == '-' {
                trim(&mut items);
            }
            dashed = first == '-';
            rest = &rest[1..];
            continue;
        }
        let is_digit = first.is_ascii_digit();
        let ends = |it: char| it.is_ascii_digit() != is_digit || matches!(it, '.' | '-' | '_');
        let end = rest.find(ends).unwrap_or(rest.len());
        let before_digit = rest[end..].starts_with(|it: char| it.is_ascii_digit());
        if is_digit {
            items.push(Item::Number(rest[..end].to_owned(), dashed));
        } else {
            trim(&mut items);
            items.push(Item::Word(word(&rest[..end], before_digit).to_owned()));
        }
        (rest, dashed) = (&rest[end..], false);
    }
    trim(&mut items);
    items
}

fn word(text: &str, before_digit: bool) -> &str {
    match text {
        "a" if before_digit => "alpha",
        "b" if before_digit => "beta",
        "m" if before_digit => "milestone",
        "cr" => "rc",
        "ga" | "final" | "release" => "",
        other => other,
    }
}

/// Zeros and empty words at the end of a run mean nothing.
fn trim(items: &mut Vec<Item>) {
    let is_nothing = |it: &Item| match it {
        Item::Number(digits, _) => digits.bytes().all(|it| it == b'0'),
        Item::Word(word) => word.is_empty(),
    };
    while items.last().is_some_and(is_nothing) {
        items.pop();
    }
}
