//! Whether the value a credential's name is given is likely a credential.

use base64::{Engine, engine::general_purpose::STANDARD, engine::general_purpose::STANDARD_NO_PAD};

use super::{
    assign::{Assignment, Link},
    language::Style,
    names::words,
    placeholder::is_placeholder,
    rarity::{entropy, surprise},
    rule::Class,
};

/// Letter pairs this surprising do not come from words.
const RANDOM_BITS: f32 = 4.9;

/// What is known about the value besides its text.
pub(crate) struct Setting<'a> {
    pub(crate) text: &'a [u8],
    pub(crate) style: Style,
    pub(crate) found: &'a Assignment,
}

/// Whether the value plainly is no credential: code, a path, a placeholder.
pub(crate) fn is_out_of_question(setting: &Setting<'_>) -> bool {
    let value = &setting.text[setting.found.value.clone()];
    let is_call = !setting.found.quoted && value.contains(&b'(');
    value.len() < 3
        || value.len() > 512
        || is_call
        || is_placeholder(value)
        || is_structural(value)
        || repeats_name(value, setting) && !has_company(setting)
}

/// A first guess how likely the value is a credential, 0 to 1, by its form alone; `None` speaks against it.
pub(crate) fn guess(class: Class, setting: &Setting<'_>) -> Option<f32> {
    let value = &setting.text[setting.found.value.clone()];
    let confidence = match class {
        Class::Password => password(value, setting)?,
        Class::Auth => auth(value)?,
        Class::Secret | Class::Token | Class::Key => opaque(value, setting)?,
    };
    let doubt = match setting.found.link {
        Link::Assigned => 1.0,
        Link::Compared | Link::Passed => 0.9,
    };
    Some(confidence * doubt)
}

/// Paths, addresses, code and prose.
fn is_structural(value: &[u8]) -> bool {
    let text = value.to_ascii_lowercase();
    let starts = |it: &str| text.starts_with(it.as_bytes());
    is_type(value)
        || starts("http://")
        || starts("https://")
        || starts("/") && text.iter().filter(|it| **it == b'/').count() > 1 && !is_random(value)
        || starts("./")
        || starts("../")
        || starts("~/")
        || starts("c:\\")
        || starts("sha256:")
        || starts("sha512-")
        || starts("sha1-")
        || starts("sha384-")
        || starts("data:")
        || starts("urn:")
        || starts("ssh-")
        || starts("-----")
        || starts("org.")
        || starts("com.")
        || starts("refs/")
        || starts("application/")
        || text.contains(&b'(') && text.last() == Some(&b')')
        || text.ends_with(b"()")
        || text.ends_with(b".pem")
        || text.ends_with(b".key")
        || text.ends_with(b".json")
        || text.windows(2).any(|it| it == b"->" || it == b"::" || it == b"&&" || it == b"||")
            && !text.iter().any(u8::is_ascii_digit)
        || is_prose(value)
}

/// `&str`, `*Config`, `[u8]`: a type, or a pointer to one.
fn is_type(value: &[u8]) -> bool {
    matches!(value.first(), Some(b'&' | b'*'))
        && value[1..].iter().all(|it| it.is_ascii_alphanumeric() || matches!(it, b'_' | b'.' | b',' | b')'))
}

/// Several words with blanks between them.
fn is_prose(value: &[u8]) -> bool {
    if value.iter().filter(|it| !it.is_ascii()).count() * 2 > value.len() {
        return true;
    }
    let blanks = value.iter().filter(|it| it.is_ascii_whitespace()).count();
    blanks > 0 && !(value.len() >= 40 && blanks <= 3 && surprise(value) > RANDOM_BITS)
}

fn is_random(value: &[u8]) -> bool {
    value.len() >= 8 && surprise(value) > RANDOM_BITS || is_hex_key(value)
}

/// Hex digits of both kinds, at least 16 of them.
fn is_hex_key(value: &[u8]) -> bool {
    let letters = value.iter().filter(|it| it.is_ascii_alphabetic()).count();
    value.len() >= 16
        && value.iter().all(u8::is_ascii_hexdigit)
        && letters > 0
        && letters < value.len()
        && entropy(value) > 2.8
}

/// Twelve to fifteen hex digits, well mixed: too short to be sure.
fn is_short_hex(value: &[u8]) -> bool {
    let digits = value.iter().filter(|it| it.is_ascii_digit()).count();
    (12..16).contains(&value.len())
        && value.iter().all(u8::is_ascii_hexdigit)
        && digits >= 3
        && digits + 3 <= value.len()
}

fn is_uuid(value: &[u8]) -> bool {
    value.len() == 36
        && value.iter().enumerate().all(|(at, it)| match at {
            8 | 13 | 18 | 23 => *it == b'-',
            _ => it.is_ascii_hexdigit(),
        })
}

struct Make {
    digits: usize,
    small: usize,
    capitals: usize,
    marks: usize,
}

fn make(value: &[u8]) -> Make {
    let mut make = Make { digits: 0, small: 0, capitals: 0, marks: 0 };
    for byte in value {
        match byte {
            b'0'..=b'9' => make.digits += 1,
            b'a'..=b'z' => make.small += 1,
            b'A'..=b'Z' => make.capitals += 1,
            _ => make.marks += 1,
        }
    }
    make
}

fn password(value: &[u8], setting: &Setting<'_>) -> Option<f32> {
    if value.len() < 4 || value.len() > 128 || repeats_name(value, setting) && !has_company(setting) {
        return None;
    }
    let it = make(value);
    let letters = it.small + it.capitals;
    if letters == 0 {
        // `port: 8080` is not a password; `pass: 120934857` may be.
        return (it.marks == 0 && value.len() >= 6
            || it.marks > 0 && it.digits > 0 && value.len() >= 8 && !is_date(value))
        .then_some(0.45);
    }
    if it.digits == 0 && it.marks == 0 {
        return words_only(value, setting);
    }
    if is_identifier_path(value) && !is_random(value) {
        return None;
    }
    let kinds = [it.digits, it.small, it.capitals, it.marks].iter().filter(|it| **it > 0).count();
    if it.digits == 0
        && it.marks <= 2
        && value.iter().all(|it| it.is_ascii_alphabetic() || matches!(it, b'-' | b'_' | b'.'))
        && !is_random(value)
    {
        // `dummy-pass`: weak, and a password only where settings are kept.
        return (setting.style != Style::Code && setting.style != Style::Json || has_company(setting))
            .then_some(0.42);
    }
    Some(match kinds {
        4 => 0.85,
        3 => 0.75,
        _ => 0.6,
    })
}

fn words_only(value: &[u8], setting: &Setting<'_>) -> Option<f32> {
    if is_random(value) && value.len() >= 10 {
        return Some(0.6);
    }
    let settled = matches!(setting.style, Style::Config | Style::Spaced)
        && setting.found.link == Link::Assigned
        || setting.style == Style::Spaced;
    if has_company(setting) {
        return Some(0.5);
    }
    // Plain words in settings are weak passwords; in markup and code they are labels.
    (settled && is_upper_name(setting) && value.len() >= 5 && !value.iter().all(u8::is_ascii_uppercase))
        .then_some(0.42)
}

fn is_upper_name(setting: &Setting<'_>) -> bool {
    setting.text[setting.found.name.clone()].iter().any(u8::is_ascii_uppercase)
        && setting.text[setting.found.name.clone()].iter().all(|it| !it.is_ascii_lowercase())
}

/// A host or a user is named close by: this block is about logging in.
fn has_company(setting: &Setting<'_>) -> bool {
    let name = &setting.found.name;
    let from = name.start.saturating_sub(160);
    let to = (setting.found.value.end + 120).min(setting.text.len());
    let around = setting.text[from..to].to_ascii_lowercase();
    let value = &setting.text[setting.found.value.clone()];
    let has = |word: &[u8]| memchr::memmem::find(&around, word).is_some();
    let login = has(b"username")
        || has(b"\"user\"")
        || has(b"user=")
        || has(b"user:")
        || has(b"login")
        || has(b"_user");
    let place = has(b"host")
        || has(b"server")
        || has(b"url")
        || has(b"database")
        || has(b"\"port\"")
        || has(b"port=")
        || has(b"smtp");
    login && place && !value.eq_ignore_ascii_case(b"string") && setting.found.link != Link::Compared
}

/// `password = "password"` names a field more often than it sets one.
fn repeats_name(value: &[u8], setting: &Setting<'_>) -> bool {
    let name = words(&setting.text[setting.found.name.clone()]);
    let value = words(value);
    !value.is_empty()
        && value.iter().all(|word| {
            name.contains(word)
                || ["password", "pass", "pwd", "passwd", "user", "secret", "token", "key"]
                    .contains(&word.as_str())
        })
}

/// `user.password`, `credentials.token`, `SOME_CONSTANT_NAME`.
fn is_identifier_path(value: &[u8]) -> bool {
    let wordy =
        value.iter().all(|it| it.is_ascii_alphanumeric() || matches!(it, b'_' | b'.' | b'-' | b'/' | b':'));
    let digits = value.iter().filter(|it| it.is_ascii_digit()).count();
    wordy
        && digits * 8 <= value.len()
        && value.iter().any(|it| matches!(it, b'_' | b'.' | b'/' | b':'))
        && words(value).len() >= 2
}

fn is_date(value: &[u8]) -> bool {
    value.iter().all(|it| it.is_ascii_digit() || matches!(it, b'-' | b':' | b'.' | b'/' | b' ' | b'T' | b'Z'))
}

/// Secrets, tokens and keys come from a generator: they must look like it.
fn opaque(value: &[u8], setting: &Setting<'_>) -> Option<f32> {
    let passed_word = setting.found.link == Link::Passed && !value.iter().any(u8::is_ascii_digit);
    if value.len() < 10 || passed_word || is_date(value) || repeats_name(value, setting) {
        return None;
    }
    if is_uuid(value) {
        return (!matches!(setting.style, Style::Code)).then_some(0.55).or(Some(0.45));
    }
    if value.iter().all(u8::is_ascii_digit) {
        return None;
    }
    if is_hex_key(value) {
        return Some(if value.len() >= 32 { 0.8 } else { 0.6 });
    }
    if is_short_hex(value) {
        return Some(0.5);
    }
    let it = make(value);
    let surprise = surprise(value);
    let mixed = it.digits > 0 && it.small + it.capitals > 0;
    if value.len() >= 16 && mixed && surprise > 4.6 && entropy(value) > 3.2 {
        return Some(if surprise > 5.4 { 0.85 } else { 0.7 });
    }
    if surprise > RANDOM_BITS && value.len() >= 12 && entropy(value) > 3.0 {
        return Some(0.6);
    }
    let marks = it.marks > 0 && value.iter().any(|it| b"!@#$%^&*?=+~".contains(it));
    (mixed && marks && !is_identifier_path(value) && surprise > 4.2).then_some(0.5)
}

/// `auth` and `credentials` say little: only base64 of `user:password`, or plainly random text, counts.
fn auth(value: &[u8]) -> Option<f32> {
    if is_basic(value) {
        return Some(0.85);
    }
    let it = make(value);
    (value.len() >= 20 && it.digits > 1 && is_random(value) && entropy(value) > 3.5).then_some(0.6)
}

/// Whether `value` is base64 of `user:password`.
pub(crate) fn is_basic(value: &[u8]) -> bool {
    if value.len() < 8 || value.len() > 1_024 {
        return false;
    }
    let Ok(plain) = STANDARD.decode(value).or_else(|_| STANDARD_NO_PAD.decode(value)) else { return false };
    let Some(colon) = memchr::memchr(b':', &plain) else { return false };
    // The example of RFC 7617.
    let is_example = memchr::memmem::find(&plain, b"sesame").is_some();
    !is_example
        && plain.iter().all(|it| (0x20..0x7f).contains(it))
        && colon > 0
        && plain.len() > colon + 1
        && plain[..colon].iter().all(|it| it.is_ascii_alphanumeric() || b"_.@-+$\\/".contains(it))
}
