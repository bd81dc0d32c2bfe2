//! What can be seen of a value, its name and its surroundings, as numbers that the model knows.
//!
//! Every clue is a small text such as `value word: test`, hashed to a bucket. The model is a sum of one weight per
//! bucket, so that a clue costs an addition and nobody has to keep a list of words.

use std::ops::Range;

use super::{
    assign::Link,
    judge::Setting,
    language::{Style, file_name, kind_of},
    names::words,
    rarity::{entropy, surprise},
};

/// Buckets of the model.
pub(crate) const BUCKETS: usize = 1 << 13;
/// Bytes before the name and after the value that are read for words.
const AROUND: usize = 120;
/// Bytes around the value that are searched for the same value again.
const NEIGHBOURHOOD: usize = 2_048;
const WORDS_MAX: usize = 12;

/// The buckets of every clue about one candidate.
#[derive(Debug, Default)]
pub(crate) struct Clues {
    pub(crate) buckets: Vec<u16>,
}

impl Clues {
    /// Collects everything that is known about the candidate. `kind` is the class of its name.
    pub(crate) fn of(kind: &str, setting: &Setting<'_>, path: &str, prior: Option<f32>) -> Self {
        let mut clues = Self { buckets: Vec::with_capacity(96) };
        clues.add("bias", &[]);
        clues.add("kind", &[kind]);
        let guess = prior.map_or(0, |it| (it * 20.0) as u8);
        clues.add_number("guess", kind, guess);
        clues.form(kind, setting);
        clues.name(kind, setting);
        clues.value(kind, setting);
        clues.place(kind, setting, path);
        clues.surroundings(setting);
        clues.buckets.sort_unstable();
        clues.buckets.dedup();
        clues
    }

    fn add(&mut self, tag: &str, parts: &[&str]) {
        // FNV-1a: short texts, no adversary that matters.
        let mut hash = 0xcbf2_9ce4_8422_2325_u64;
        let mut feed = |bytes: &[u8]| {
            for byte in bytes.iter().chain(&[0]) {
                hash = (hash ^ u64::from(*byte)).wrapping_mul(0x0100_0000_01b3);
            }
        };
        feed(tag.as_bytes());
        parts.iter().for_each(|it| feed(it.as_bytes()));
        self.buckets.push(((hash ^ (hash >> 29)) % BUCKETS as u64) as u16);
    }

    fn add_number(&mut self, tag: &str, kind: &str, number: u8) {
        let mut buffer = [0; 1];
        buffer[0] = b'0' + number.min(60);
        let text = std::str::from_utf8(&buffer).unwrap_or("~");
        self.add(tag, &[text]);
        self.add(tag, &[text, kind]);
    }

    fn form(&mut self, kind: &str, setting: &Setting<'_>) {
        let link = match setting.found.link {
            Link::Assigned => "assigned",
            Link::Compared => "compared",
            Link::Passed => "passed",
        };
        let style = match setting.style {
            Style::Code => "code",
            Style::Config => "config",
            Style::Json => "json",
            Style::Spaced => "spaced",
            Style::Lock => "lock",
        };
        let quoted = if setting.found.quoted { "quoted" } else { "bare" };
        self.add("form", &[link, style, quoted]);
        self.add("form", &[link, style, quoted, kind]);
    }

    fn name(&mut self, kind: &str, setting: &Setting<'_>) {
        let name = &setting.text[setting.found.name.clone()];
        let words = words(name);
        for word in words.iter().take(WORDS_MAX) {
            self.add("name word", &[word]);
        }
        if let Some(last) = words.last() {
            self.add("name end", &[last]);
        }
        let case = match (name.iter().any(u8::is_ascii_uppercase), name.iter().any(u8::is_ascii_lowercase)) {
            (true, true) => "mixed",
            (true, false) => "upper",
            _ => "lower",
        };
        self.add("name case", &[case, kind]);
        self.add_number("name words", kind, words.len().min(6) as u8);
    }

    fn value(&mut self, kind: &str, setting: &Setting<'_>) {
        let value = &setting.text[setting.found.value.clone()];
        let lower = String::from_utf8_lossy(value).to_lowercase();
        self.add("value", &[&lower]);
        let parts = words(value);
        for word in parts.iter().take(WORDS_MAX) {
            self.add("value word", &[word.trim_end_matches(|it: char| it.is_ascii_digit())]);
        }
        self.add_number("value words", kind, parts.len().min(8) as u8);
        self.add_number("length", kind, length_step(value.len()));
        self.add_number("surprise", kind, (surprise(value) * 2.0) as u8);
        self.add_number("entropy", kind, (entropy(value) * 2.0) as u8);
        self.add("shape", &[&shape(value)]);
        self.add("shape", &[&shape(value), kind]);
        let ends = [value.first(), value.last()].map(|it| class_of(it.copied().unwrap_or(b' ')));
        self.add("ends", &[std::str::from_utf8(&ends).unwrap_or_default()]);
        let name = words(&setting.text[setting.found.name.clone()]);
        let repeated = parts.iter().filter(|it| name.contains(it)).count();
        self.add_number("repeats name", kind, repeated.min(3) as u8);
        let again = occurrences(setting.text, &setting.found.value);
        self.add_number("again", kind, again);
    }

    fn place(&mut self, kind: &str, setting: &Setting<'_>, path: &str) {
        let name = file_name(path);
        self.add("file kind", &[kind_of(&name)]);
        self.add("file kind", &[kind_of(&name), kind]);
        let folders: Vec<&str> = path.rsplit('/').skip(1).collect();
        for word in folders.iter().take(4).flat_map(|it| words(it.as_bytes())).take(WORDS_MAX) {
            self.add("folder", &[&word]);
        }
        for word in words(name.as_bytes()).iter().take(WORDS_MAX) {
            self.add("file", &[word]);
        }
        let is_test = ["test", "spec", "fixture", "mock", "example", "sample", "demo"]
            .iter()
            .any(|it| path.to_ascii_lowercase().contains(it));
        let value = &setting.text[setting.found.value.clone()];
        let mixed = value.iter().any(u8::is_ascii_digit) && value.iter().any(u8::is_ascii_alphabetic);
        self.add(
            "in test",
            &[if is_test { "test" } else { "work" }, kind, if mixed { "mixed" } else { "plain" }],
        );
    }

    fn surroundings(&mut self, setting: &Setting<'_>) {
        let (name, value) = (&setting.found.name, &setting.found.value);
        let text = setting.text;
        let floor = name.start.saturating_sub(AROUND);
        let line = memchr::memrchr(b'\n', &text[floor..name.start]).map_or(floor, |at| floor + at + 1);
        for word in words(&text[line..name.start]).iter().rev().take(WORDS_MAX) {
            self.add("before", &[word]);
        }
        let roof = (value.end.max(name.end) + AROUND).min(text.len());
        let from = value.end.max(name.end).min(roof);
        let end = memchr::memchr(b'\n', &text[from..roof]).map_or(roof, |at| from + at);
        for word in words(&text[from..end]).iter().take(WORDS_MAX) {
            self.add("after", &[word]);
        }
        for word in words(&text[floor..line]).iter().rev().take(WORDS_MAX) {
            self.add("above", &[word]);
        }
        for word in words(&text[end..roof]).iter().take(WORDS_MAX) {
            self.add("below", &[word]);
        }
        let next = [class_of(text.get(value.end).copied().unwrap_or(b'\n'))];
        self.add("next", &[std::str::from_utf8(&next).unwrap_or_default()]);
        let head = text[line..name.start].trim_ascii_start().first().copied().unwrap_or(b' ');
        self.add("head", &[std::str::from_utf8(&[head]).unwrap_or_default()]);
    }
}

fn length_step(length: usize) -> u8 {
    match length {
        0..=12 => length as u8,
        13..=15 => 13,
        16..=19 => 14,
        20..=23 => 15,
        24..=31 => 16,
        32 => 17,
        33..=39 => 18,
        40 => 19,
        41..=63 => 20,
        64 => 21,
        _ => 22,
    }
}

fn class_of(byte: u8) -> u8 {
    match byte {
        b'0'..=b'9' => b'9',
        b'a'..=b'z' => b'a',
        b'A'..=b'Z' => b'A',
        0x80.. => b'u',
        other => other,
    }
}

/// `Hunter22!` becomes `Aa9!`: runs of one class count once, and only the first eight runs.
fn shape(value: &[u8]) -> String {
    let mut shape = String::with_capacity(8);
    for byte in value {
        let class = char::from(class_of(*byte));
        if !shape.ends_with(class) {
            shape.push(class);
        }
        if shape.len() >= 8 {
            break;
        }
    }
    shape
}

/// How often the value stands again close by: 0, 1, 2 or 3 and more.
fn occurrences(text: &[u8], value: &Range<usize>) -> u8 {
    let needle = &text[value.clone()];
    if needle.len() < 3 || needle.len() > 64 {
        return 0;
    }
    let from = value.start.saturating_sub(NEIGHBOURHOOD);
    let to = (value.end + NEIGHBOURHOOD).min(text.len());
    (memchr::memmem::find_iter(&text[from..to], needle).take(4).count().saturating_sub(1)) as u8
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn shapes_and_lengths_are_coarse() {
        assert_eq!(shape(b"Hunter22!"), "Aa9!");
        assert_eq!(shape(b"a1a1a1a1a1a1"), "a9a9a9a9");
        assert_eq!(shape("gr\u{fc}n".as_bytes()), "aua");
        assert_eq!((length_step(8), length_step(32), length_step(4_000)), (8, 17, 22));
    }

    #[test]
    fn a_value_that_stands_again_is_seen() {
        let text = b"user=admin pass=admin x=admin";
        assert_eq!(occurrences(text, &(16..21)), 2);
        assert_eq!(occurrences(text, &(0..2)), 0);
    }
}
