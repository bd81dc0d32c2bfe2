//! The name guard: identifiers, checked before any process, URL or query is built from them.

use regex::Regex;

use crate::Refusal;

/// Longest identifier, in bytes: the longest name DNS allows.
pub const NAME_BYTES_MAX: usize = 253;

/// The characters a kind of name is made of. A name never starts with a dash, whatever its alphabet:
/// a program would read it as an option.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Alphabet {
    /// Lower-case letters, digits, dashes and dots, each part starting and ending in a letter or digit:
    /// hosts, Kubernetes objects, buckets.
    Dns,
    /// Letters, digits and `_`, `-`, `.`: containers, volumes, services, jobs.
    Word,
    /// As [`Alphabet::Word`] with `/`, `:`, `@` and `+`, without `..`: image references, branches, keys.
    Reference,
    /// Any printable text, spaces within included: titles, project names.
    Text,
}

impl Alphabet {
    fn holds(self, letter: char) -> bool {
        match self {
            Self::Dns => {
                letter.is_ascii_lowercase() || letter.is_ascii_digit() || matches!(letter, '-' | '.')
            }
            Self::Word => letter.is_ascii_alphanumeric() || matches!(letter, '_' | '-' | '.'),
            Self::Reference => Self::Word.holds(letter) || matches!(letter, '/' | ':' | '@' | '+'),
            Self::Text => true,
        }
    }

    fn described(self) -> &'static str {
        match self {
            Self::Dns => "lower-case letters, digits, inner dashes and dots",
            Self::Word => "letters, digits, `_`, `-` and `.`",
            Self::Reference => "letters, digits and `_ - . / : @ +`, without `..`",
            Self::Text => "printable text",
        }
    }
}

/// Checks an identifier and gives it back.
///
/// # Errors
/// `NAME_INVALID` when it is empty, longer than [`NAME_BYTES_MAX`], starts with a dash, starts or ends with
/// white space, or has a control, invisible or reordering character or one outside its alphabet.
pub fn check<'a>(field: &str, name: &'a str, alphabet: Alphabet) -> Result<&'a str, Refusal> {
    let refuse = |rule: String| Err(refusal(field, rule, format!("use {}", alphabet.described())));
    if let Some(rule) = broken_rule(name) {
        return refuse(rule.to_owned());
    }
    if !name.chars().all(|letter| alphabet.holds(letter)) {
        return refuse(format!("the name has a character other than {}", alphabet.described()));
    }
    let is_plain = match alphabet {
        Alphabet::Dns => name.split('.').all(is_dns_label),
        Alphabet::Word => name != "." && name != "..",
        Alphabet::Reference => !name.contains("..") && !name.starts_with('/'),
        Alphabet::Text => true,
    };
    if is_plain { Ok(name) } else { refuse("the name has an empty or misplaced part".to_owned()) }
}

/// Checks an identifier against a pattern of its own, besides the rules that hold for every name.
///
/// The pattern must match the whole name; `described` completes the sentence "use …".
///
/// # Errors
/// `NAME_INVALID`.
pub fn check_pattern<'a>(
    field: &str,
    name: &'a str,
    pattern: &Regex,
    described: &str,
) -> Result<&'a str, Refusal> {
    if let Some(rule) = broken_rule(name) {
        return Err(refusal(field, rule, format!("use {described}")));
    }
    // `$` also matches before a final newline in some dialects, so the whole span is compared instead.
    let is_whole = pattern.find(name).is_some_and(|found| found.start() == 0 && found.end() == name.len());
    if is_whole {
        return Ok(name);
    }
    Err(refusal(field, "the name does not have the expected form", format!("use {described}")))
}

fn broken_rule(name: &str) -> Option<&'static str> {
    if name.is_empty() {
        return Some("the name is empty");
    }
    if name.len() > NAME_BYTES_MAX {
        return Some("the name is longer than 253 bytes");
    }
    if name.starts_with(is_dash) {
        return Some("the name starts with a dash");
    }
    if name.starts_with(char::is_whitespace) || name.ends_with(char::is_whitespace) {
        return Some("the name starts or ends with white space");
    }
    // U+2028 and U+2029 end a line although they are no control characters.
    if name.chars().any(|it| it.is_control() || is_invisible(it) || matches!(it, '\u{2028}' | '\u{2029}')) {
        return Some("the name has a control or invisible character");
    }
    None
}

/// The dash and what terminals and copy-paste make of it.
fn is_dash(letter: char) -> bool {
    matches!(letter, '-' | '\u{2010}'..='\u{2015}' | '\u{2212}' | '\u{fe58}' | '\u{fe63}' | '\u{ff0d}')
}

fn is_dns_label(label: &str) -> bool {
    !label.is_empty() && label.len() <= 63 && !label.starts_with('-') && !label.ends_with('-')
}

fn refusal(field: &str, rule: impl Into<String>, fix: String) -> Refusal {
    Refusal::new("NAME_INVALID", field, rule, fix)
}

/// Characters that take no room on screen, or reorder what is shown.
pub fn is_invisible(letter: char) -> bool {
    matches!(letter,
        '\u{ad}' | '\u{34f}' | '\u{61c}' | '\u{115f}' | '\u{1160}' | '\u{17b4}' | '\u{17b5}'
        | '\u{180b}'..='\u{180f}' | '\u{200b}'..='\u{200f}' | '\u{202a}'..='\u{202e}'
        | '\u{2060}'..='\u{206f}' | '\u{3164}' | '\u{fe00}'..='\u{fe0f}' | '\u{feff}' | '\u{ffa0}'
        | '\u{fff0}'..='\u{fff8}' | '\u{e0000}'..='\u{e0fff}')
}
