//! What a URL may look like. Judged twice: as sent, for what parsers disagree about, and as parsed.

use ::url::{Host, ParseError, Url};

use super::{NAME_INVALID, refused};
use crate::Refusal;

/// Longest URL in bytes.
const URL_BYTES_MAX: usize = 2048;

/// Refuses what different parsers read differently: the parser drops tabs and line ends, takes `\` for `/`,
/// and trims spaces, and another program that sees the same text may not.
pub(super) fn check_raw(field: &str, text: &str) -> Result<(), Refusal> {
    let rule = if text.is_empty() {
        "the URL is empty".to_owned()
    } else if text.len() > URL_BYTES_MAX {
        format!("the URL is longer than {URL_BYTES_MAX} bytes")
    } else if text.chars().any(|it| it.is_control() || it.is_whitespace() || is_invisible(it)) {
        "the URL has a space, a control character or an invisible one in it".to_owned()
    } else if text.contains('\\') {
        "the URL has a backslash in it".to_owned()
    } else {
        return Ok(());
    };
    Err(Refusal::new(NAME_INVALID, field, rule, "pass a plain URL such as https://example.org/page"))
}

/// Refuses everything but `scheme://authority…` with a plain authority.
pub(super) fn check_absolute(field: &str, text: &str) -> Result<(), Refusal> {
    let Some((_, rest)) = text.split_once("://").filter(|(scheme, _)| is_scheme(scheme)) else {
        return Err(Refusal::new(
            NAME_INVALID,
            field,
            "the URL does not begin with a scheme and `://`",
            "pass a full URL such as https://example.org/page",
        ));
    };
    check_authority(field, rest)
}

/// The same for a `Location`, which may be relative.
pub(super) fn check_relative(field: &str, text: &str) -> Result<(), Refusal> {
    if let Some(rest) = text.strip_prefix("//") {
        return check_authority(field, rest);
    }
    let before_path = text.split(['/', '?', '#']).next().unwrap_or_default();
    if before_path.contains(':') { check_absolute(field, text) } else { Ok(()) }
}

fn check_authority(field: &str, rest: &str) -> Result<(), Refusal> {
    let authority = rest.split(['/', '?', '#']).next().unwrap_or_default();
    if authority.is_empty() {
        return Err(no_host(field));
    }
    if authority.contains('@') {
        return Err(refused(
            field,
            "the URL carries a user name or password",
            "leave out everything up to `@`",
        ));
    }
    let host =
        authority.strip_prefix('[').map_or_else(|| authority.split(':').next().unwrap_or_default(), |_| "");
    match Host::parse(host) {
        // 2130706433, 0x7f.1, 0177.0.0.1, 127.1, 127.0.0.1. and full-width digits are all read as addresses.
        Ok(Host::Ipv4(ip)) if ip.to_string() != host => Err(refused(
            field,
            "the host is an address in an unusual spelling",
            "write the address as four decimal numbers",
        )),
        _ => Ok(()),
    }
}

/// What only the parsed URL shows.
pub(super) fn check_parsed(field: &str, url: &Url) -> Result<(), Refusal> {
    if !url.username().is_empty() || url.password().is_some() {
        return Err(refused(
            field,
            "the URL carries a user name or password",
            "leave out everything up to `@`",
        ));
    }
    match url.host() {
        None | Some(Host::Domain("")) => Err(no_host(field)),
        Some(Host::Domain(name)) if name.ends_with('.') => {
            Err(refused(field, "the host ends with a dot", "leave out the dot"))
        }
        Some(Host::Domain(name)) if !is_host_name(name) => Err(Refusal::new(
            NAME_INVALID,
            field,
            "the host is not a host name",
            "labels are 1 to 63 of a-z, 0-9, `-` and `_`, and the whole is at most 253 long",
        )),
        Some(_) => Ok(()),
    }
}

pub(super) fn no_host(field: &str) -> Refusal {
    Refusal::new(
        NAME_INVALID,
        field,
        "the URL names no host",
        "pass a full URL such as https://example.org/page",
    )
}

pub(super) fn unreadable(field: &str, error: &ParseError) -> Refusal {
    Refusal::new(NAME_INVALID, field, format!("the URL cannot be read: {error}"), "check its host and port")
}

fn is_scheme(text: &str) -> bool {
    text.bytes().next().is_some_and(|it| it.is_ascii_alphabetic())
        && text.bytes().all(|it| it.is_ascii_alphanumeric() || matches!(it, b'+' | b'-' | b'.'))
}

fn is_host_name(name: &str) -> bool {
    let is_label = |label: &str| {
        let plain = |it: u8| it.is_ascii_alphanumeric() || matches!(it, b'-' | b'_');
        (1..=63).contains(&label.len())
            && label.bytes().all(plain)
            && !label.starts_with('-')
            && !label.ends_with('-')
    };
    name.len() <= 253 && name.split('.').all(is_label)
}

/// Zero-width and direction characters, which make a URL read differently from what it is.
fn is_invisible(char: char) -> bool {
    matches!(char,
        '\u{ad}' | '\u{200b}'..='\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2060}'..='\u{2069}' | '\u{feff}')
}
