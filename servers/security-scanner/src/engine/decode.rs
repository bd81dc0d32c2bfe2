//! Text inside text: runs of base64 that may hide a token.

use std::ops::Range;

use base64::{
    Engine,
    alphabet::{STANDARD, URL_SAFE},
    engine::{DecodePaddingMode, GeneralPurpose, GeneralPurposeConfig},
};

/// Shorter runs hide no token of any provider.
const RUN_MIN: usize = 24;
/// Of a longer run the start is decoded.
const RUN_MAX: usize = 64 << 10;
/// Base64 within base64 is decoded this often.
pub(crate) const NESTING_MAX: usize = 2;

const LENIENT: GeneralPurposeConfig = GeneralPurposeConfig::new()
    .with_decode_allow_trailing_bits(true)
    .with_decode_padding_mode(DecodePaddingMode::Indifferent);

fn is_letter(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || matches!(byte, b'+' | b'/' | b'-' | b'_')
}

/// Every run of at least [`RUN_MIN`] base64 letters.
///
/// Looks at one byte in [`RUN_MIN`] first: where it is no letter, no run can hold it, and most of a text is passed over.
pub(crate) fn runs(text: &[u8]) -> impl Iterator<Item = Range<usize>> {
    let mut from = 0;
    std::iter::from_fn(move || {
        while from + RUN_MIN <= text.len() {
            let window = &text[from..from + RUN_MIN];
            if let Some(at) = window.iter().rposition(|it| !is_letter(*it)) {
                from += at + 1;
                continue;
            }
            let length = text[from..].iter().take_while(|it| is_letter(**it)).count();
            let run = from..from + length;
            from = run.end + 1;
            return Some(run);
        }
        None
    })
}

/// What `run` stands for, if that is text.
pub(crate) fn decoded(run: &[u8]) -> Option<Vec<u8>> {
    let run = &run[..run.len().min(RUN_MAX)];
    // Of the two alphabets only one can fit; a length of 4n + 1 is not base64, and its last letter says nothing.
    let run = if run.len() % 4 == 1 { &run[..run.len() - 1] } else { run };
    // The first letters tell pictures, keys and identifiers from text, before the rest is worth a look.
    let head = decode(&run[..16])?;
    if !is_text(&head) {
        return None;
    }
    decode(run).filter(|it| is_text(it))
}

fn decode(run: &[u8]) -> Option<Vec<u8>> {
    let is_url = run.iter().any(|it| matches!(it, b'-' | b'_'));
    let alphabet = if is_url { &URL_SAFE } else { &STANDARD };
    GeneralPurpose::new(alphabet, LENIENT).decode(run).ok()
}

fn is_text(bytes: &[u8]) -> bool {
    bytes.iter().all(|it| (0x20..0x7f).contains(it) || it.is_ascii_whitespace())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn runs_are_found_wherever_they_stand() {
        let run = "QUJDREVGR0hJSktMTU5PUFFSU1RVVldYWVo";
        for text in [
            run.to_owned(),
            format!("a: {run}=="),
            format!("{}{run}", "x ".repeat(50)),
            format!("{run} x {run}"),
        ] {
            let found: Vec<_> = runs(text.as_bytes()).map(|it| text[it].to_owned()).collect();
            assert_eq!(found, vec![run; text.matches(run).count()], "{text}");
        }
        assert_eq!(runs(b"short words only, and no_run of them").count(), 0);
        assert_eq!(runs(&b"A".repeat(23)).count(), 0);
    }

    #[test]
    fn only_text_is_worth_a_look() {
        assert_eq!(
            decoded(b"aGVsbG8gd29ybGQsIGhlbGxvIHlvdQ").as_deref(),
            Some(&b"hello world, hello you"[..])
        );
        assert_eq!(decoded(b"getElementsByTagNameAndThenSome"), None);
        assert_eq!(decoded(b"servers/security/scanner/engine"), None);
    }
}
