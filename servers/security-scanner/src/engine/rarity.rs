//! How unlike a word a text is.
//!
//! Entropy alone calls `getElementsByTagName` random and misses short keys. This model knows which letter
//! follows which in the words and identifiers of source code, and prices a text by how much it surprises.

use std::sync::OnceLock;

const CLASSES: usize = 28;
/// One row per preceding class, one letter per price; made by `evals/secret-scan/train_rarity.rs`.
const TABLE: &str = include_str!("rarity.txt");

type Prices = [[u8; CLASSES]; CLASSES];

fn prices() -> &'static Prices {
    static PRICES: OnceLock<Prices> = OnceLock::new();
    PRICES.get_or_init(|| {
        let mut prices = [[0; CLASSES]; CLASSES];
        for (row, line) in prices.iter_mut().zip(TABLE.lines()) {
            for (cell, letter) in row.iter_mut().zip(line.bytes()) {
                *cell = letter - b'a';
            }
        }
        prices
    })
}

fn class(byte: u8) -> usize {
    match byte {
        b'a'..=b'z' => usize::from(byte - b'a'),
        b'A'..=b'Z' => usize::from(byte - b'A'),
        b'0'..=b'9' => 26,
        _ => 27,
    }
}

/// Mean surprise in bits per character: about 4 for words and identifiers, above 6 for random text.
pub(crate) fn surprise(text: &[u8]) -> f32 {
    if text.is_empty() {
        return 0.0;
    }
    let prices = prices();
    let mut previous = 27;
    let mut before = b'_';
    let mut total = 0_u32;
    for byte in text {
        // A capital after a small letter starts a new word, as in `maxRetries`.
        if byte.is_ascii_uppercase() && before.is_ascii_lowercase() {
            previous = 27;
        }
        total += u32::from(prices[previous][class(*byte)]);
        previous = class(*byte);
        before = *byte;
    }
    total as f32 / 2.0 / text.len() as f32
}

/// Shannon entropy in bits per character.
pub(crate) fn entropy(text: &[u8]) -> f32 {
    let mut counts = [0_u32; 256];
    for byte in text {
        counts[usize::from(*byte)] += 1;
    }
    let length = text.len() as f32;
    counts.iter().filter(|it| **it > 0).map(|it| *it as f32 / length).map(|share| -share * share.log2()).sum()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::engine::template::{Dice, fill};

    #[test]
    fn words_cost_less_than_random_text() {
        for word in ["getElementsByTagName", "password_reset_token", "application/json", "MAX_CONNECTIONS"] {
            assert!(surprise(word.as_bytes()) < 4.9, "{word}: {}", surprise(word.as_bytes()));
        }
        let mut dice = Dice::new(3);
        for shape in ["<alnum:24>", "<LOWER:32>", "<b64:40>", "<upper:20>"] {
            let text = fill(shape, &mut dice);
            assert!(surprise(text.as_bytes()) > 4.9, "{text}: {}", surprise(text.as_bytes()));
        }
    }

    #[test]
    fn entropy_is_zero_for_one_letter_and_four_for_sixteen() {
        assert!(entropy(b"aaaa").abs() < 1e-6);
        assert!((entropy(b"0123456789abcdef") - 4.0).abs() < 1e-6);
    }

    #[test]
    fn the_table_is_complete() {
        assert_eq!(TABLE.lines().count(), CLASSES);
        assert!(TABLE.lines().all(|line| line.len() == CLASSES));
    }
}
