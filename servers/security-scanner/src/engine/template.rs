//! Example texts with holes: `<hex:32>` becomes 32 hex digits.
//!
//! Rule files and test corpora are full of examples, and an example that looks like a live token trips
//! every other scanner on the way. A template holds the shape and never the token.

use super::checksum::crc32_base62;

/// A small, seeded generator: the same seed gives the same examples for ever.
#[derive(Clone, Debug)]
pub struct Dice(u64);

impl Dice {
    /// A generator with its own stream per seed.
    pub fn new(seed: u64) -> Self {
        Self(seed.wrapping_mul(0x9E37_79B9_7F4A_7C15) ^ 0xD1B5_4A32_D192_ED03)
    }

    /// The next number below `bound`, which must not be zero.
    pub fn below(&mut self, bound: usize) -> usize {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        ((mixed ^ (mixed >> 31)) % bound as u64) as usize
    }

    /// `count` characters of `alphabet`.
    pub fn text(&mut self, alphabet: &[u8], count: usize) -> String {
        (0..count).map(|_| char::from(alphabet[self.below(alphabet.len())])).collect()
    }
}

/// Fills the holes of `template`. Unknown holes stay as they are.
///
/// Holes: `digits`, `hex`, `HEX`, `lower`, `upper`, `alpha`, `alnum`, `LOWER` (a-z0-9), `UPPER` (A-Z0-9),
/// `b32`, `b64`, `b64url`, each with `:count`; `<crc62>` is the CRC-32 of what follows the last `_`, as
/// GitHub and npm append it.
pub fn fill(template: &str, dice: &mut Dice) -> String {
    let mut out = String::with_capacity(template.len() + 64);
    let mut rest = template;
    while let Some(open) = rest.find('<') {
        out.push_str(&rest[..open]);
        rest = &rest[open..];
        let filled = rest.find('>').and_then(|close| Some((close, hole(&rest[1..close], &out, dice)?)));
        match filled {
            Some((close, text)) => {
                out.push_str(&text);
                rest = &rest[close + 1..];
            }
            None => {
                out.push('<');
                rest = &rest[1..];
            }
        }
    }
    out.push_str(rest);
    out
}

fn hole(name: &str, before: &str, dice: &mut Dice) -> Option<String> {
    if name == "crc62" {
        let body = before.rsplit('_').next().unwrap_or(before);
        return Some(crc32_base62(body.as_bytes()));
    }
    let (class, count) = name.split_once(':')?;
    let count: usize = count.parse().ok().filter(|it| *it <= 4_096)?;
    Some(dice.text(alphabet(class)?, count))
}

fn alphabet(class: &str) -> Option<&'static [u8]> {
    Some(match class {
        "digits" => b"0123456789",
        "hex" => b"0123456789abcdef",
        "HEX" => b"0123456789ABCDEF",
        "lower" => b"abcdefghijklmnopqrstuvwxyz",
        "upper" => b"ABCDEFGHIJKLMNOPQRSTUVWXYZ",
        "alpha" => b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz",
        "alnum" => b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789",
        "LOWER" => b"abcdefghijklmnopqrstuvwxyz0123456789",
        "UPPER" => b"ABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789",
        "b32" => b"ABCDEFGHIJKLMNOPQRSTUVWXYZ234567",
        "b64" => b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/",
        "b64url" => b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_",
        _ => return None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn holes_are_filled_and_everything_else_stays() {
        let text = fill("a <b> x-<hex:4>-<digits:2> <nope:3> <", &mut Dice::new(7));
        assert!(text.starts_with("a <b> x-") && text.ends_with(" <nope:3> <"), "{text}");
        assert_eq!(text.len(), "a <b> x-0000-00 <nope:3> <".len());
        assert_eq!(text, fill("a <b> x-<hex:4>-<digits:2> <nope:3> <", &mut Dice::new(7)));
    }

    #[test]
    fn the_appended_checksum_is_the_one_the_checker_accepts() {
        let token = fill("ghp_<alnum:30><crc62>", &mut Dice::new(1));
        assert!(super::super::checksum::Checksum::Crc32Base62.holds(token.as_bytes()));
    }
}
