//! Ids that cannot be guessed.

use std::fmt::Write;

use ring::rand::{SecureRandom, SystemRandom};

/// `digits` random hex digits, at most 64.
pub(crate) fn hex_id(digits: usize) -> String {
    let mut bytes = [0_u8; 32];
    SystemRandom::new().fill(&mut bytes).expect("the system has randomness");
    let mut text = String::with_capacity(64);
    for byte in bytes {
        write!(text, "{byte:02x}").expect("a String takes every write");
    }
    text.truncate(digits);
    text
}
