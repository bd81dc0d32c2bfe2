//! A learnt sum of clues: how likely a value that a name promises is a credential.
//!
//! The weights are made by `evals/secret-scan/train_model.rs` from labelled repositories; its README says from which.

use std::sync::OnceLock;

use super::clues::{BUCKETS, Clues};

/// Two hex digits per bucket, 64 buckets on a line: a signed weight in sixteenths.
const TABLE: &str = include_str!("model.txt");
const SCALE: f32 = 16.0;

fn weights() -> &'static [f32; BUCKETS] {
    static WEIGHTS: OnceLock<Box<[f32; BUCKETS]>> = OnceLock::new();
    WEIGHTS.get_or_init(|| {
        let mut weights = Box::new([0.0; BUCKETS]);
        let digits: Vec<u8> = TABLE.bytes().filter(u8::is_ascii_hexdigit).collect();
        for (weight, pair) in weights.iter_mut().zip(digits.chunks_exact(2)) {
            let value = |digit: u8| char::from(digit).to_digit(16).unwrap_or_default() as u8;
            *weight = f32::from((value(pair[0]) << 4 | value(pair[1])) as i8) / SCALE;
        }
        weights
    })
}

/// Between 0 and 1.
pub(crate) fn likelihood(clues: &Clues) -> f32 {
    let weights = weights();
    let sum: f32 = clues.buckets.iter().map(|it| weights[usize::from(*it)]).sum();
    1.0 / (1.0 + (-sum).exp())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_table_is_complete() {
        assert_eq!(TABLE.bytes().filter(u8::is_ascii_hexdigit).count(), BUCKETS * 2);
        assert!(weights().iter().any(|it| *it > 0.0) && weights().iter().any(|it| *it < 0.0));
    }

    #[test]
    fn no_clue_is_a_coin_toss() {
        assert!((likelihood(&Clues::default()) - 0.5).abs() < 1e-6);
    }
}
