//! Credential shapes that need more than an expression.

use std::ops::Range;

use super::{
    checksum::is_jwt,
    judge::is_basic,
    language::Style,
    placeholder::{is_made_up, is_placeholder},
    rarity::{entropy, surprise},
    rule::Detector,
};

/// The secret at a keyword and how sure the shape is, if the shape is there.
pub(crate) fn detect(
    detector: Detector,
    text: &[u8],
    hit: Range<usize>,
    style: Style,
) -> Option<(Range<usize>, f32)> {
    match detector {
        Detector::UrlCredentials => {
            let login = url_login(text, hit, style)?;
            Some((login.password, login.certainty)).filter(|(_, sure)| *sure > 0.0)
        }
        Detector::PrivateKey => private_key(text, hit),
        Detector::Jwt => jwt(text, hit),
        Detector::AuthHeader => bearer(text, hit),
        Detector::BasicAuth => basic(text, hit),
    }
}

/// A user and a password in an address.
pub(crate) struct UrlLogin {
    pub(crate) user: Range<usize>,
    pub(crate) password: Range<usize>,
    /// By form alone; 0 speaks against it.
    pub(crate) certainty: f32,
}

/// `scheme://user:password@host`; the hit is `://`.
pub(crate) fn url_login(text: &[u8], hit: Range<usize>, style: Style) -> Option<UrlLogin> {
    let start = hit.end;
    if start < 4 || !text[hit.start - 1].is_ascii_alphanumeric() {
        return None;
    }
    let roof = (start + 320).min(text.len());
    let ends = |it: &u8| {
        it.is_ascii_whitespace()
            || matches!(*it, b'"' | b'\'' | b'`' | b'<' | b'>' | b'\\' | b',')
            || *it < 0x20
    };
    let line = &text[start..roof];
    let line = &line[..line.iter().position(ends).unwrap_or(line.len())];
    // The authority ends at the first slash, but passwords hold `/`, `?` and `#` more often than they should.
    let slash = memchr::memchr(b'/', line).unwrap_or(line.len());
    let authority = match memchr::memrchr(b'@', &line[..slash]) {
        Some(_) => &line[..slash],
        None => return None,
    };
    let at = memchr::memrchr(b'@', authority)?;
    let colon = memchr::memchr(b':', &authority[..at])?;
    let (user, password, host) = (&authority[..colon], &authority[colon + 1..at], &authority[at + 1..]);
    if password.is_empty() || password.len() > 256 || host.is_empty() || is_stand_in_login(user, password) {
        return None;
    }
    let scheme = &text[hit.start.saturating_sub(12)..hit.start];
    let certainty = url_certainty(scheme, user, password, host, style);
    Some(UrlLogin { user: start..start + colon, password: start + colon + 1..start + at, certainty })
}

/// Databases and queues have real passwords; web addresses with one are mostly examples.
fn url_certainty(scheme: &[u8], user: &[u8], password: &[u8], host: &[u8], style: Style) -> f32 {
    let is_web = scheme.ends_with(b"http")
        || scheme.ends_with(b"https")
        || scheme.ends_with(b"ftp")
        || scheme.ends_with(b"ws");
    let is_plain = password.len() < 10 && password.iter().all(u8::is_ascii_lowercase);
    let is_example = is_local(host);
    if password.len() < 3 || scheme.ends_with(b"script") || user.is_empty() && (is_web || is_plain) {
        return 0.0;
    }
    match (is_plain, is_example) {
        (true, true) if is_web || style == Style::Code => 0.0,
        (true, _) if is_web && style != Style::Config => 0.4,
        (true, true) => 0.6,
        (true, false) => 0.75,
        (false, true) => 0.7,
        (false, false) => 1.0,
    }
}

fn is_stand_in_login(user: &[u8], password: &[u8]) -> bool {
    let word = password.to_ascii_lowercase();
    is_placeholder(password)
        || word.iter().all(|it| matches!(it, b'*' | b'.' | b'x'))
        || matches!(
            word.as_slice(),
            b"password" | b"pass" | b"passwd" | b"pwd" | b"secret" | b"token" | b"pw" | b"p" | b"port"
        ) && matches!(
            user.to_ascii_lowercase().as_slice(),
            b"user" | b"username" | b"login" | b"usr" | b"u" | b"host" | b"hostname" | b"name"
        )
        || password.iter().all(u8::is_ascii_digit) && password.len() <= 5
        || word.iter().any(|it| matches!(it, b'{' | b'}' | b'<' | b'>' | b'(' | b'['))
        || user.iter().any(|it| matches!(it, b'{' | b'<' | b'('))
}

fn is_local(host: &[u8]) -> bool {
    host.starts_with(b"localhost")
        || host.starts_with(b"127.")
        || host.starts_with(b"0.0.0.0")
        || memchr::memmem::find(host, b"example.").is_some()
        || host.starts_with(b"host")
}

/// A PEM block with a body; the hit is `-----begin`.
fn private_key(text: &[u8], hit: Range<usize>) -> Option<(Range<usize>, f32)> {
    let roof = (hit.end + 64).min(text.len());
    let head = &text[hit.end..roof];
    let close = memchr::memmem::find(head, b"-----")?;
    let label = &head[..close];
    let is_private = memchr::memmem::find(label, b"PRIVATE KEY").is_some();
    if !is_private || label.iter().any(|it| !(it.is_ascii_uppercase() || it.is_ascii_digit() || *it == b' '))
    {
        return None;
    }
    let from = hit.end + close + 5;
    let body_roof = (from + 16_384).min(text.len());
    let body = &text[from..body_roof];
    let end = memchr::memmem::find(body, b"-----END");
    let body = &body[..end.unwrap_or(body.len().min(512))];
    let body = without_escapes(body);
    let letters = body.iter().filter(|it| it.is_ascii_alphanumeric() || matches!(it, b'+' | b'/')).count();
    // An empty or elided block is documentation.
    if letters < 40 || entropy(&body) < 3.5 || memchr::memmem::find(&body, b"...").is_some() {
        return None;
    }
    let span_end = end.map_or(from + 64.min(body_roof - from), |at| from + at);
    let encrypted = memchr::memmem::find(label, b"ENCRYPTED").is_some()
        || memchr::memmem::find(&body, b"ENCRYPTED").is_some();
    Some((hit.start..span_end, if encrypted { 0.8 } else { 1.0 }))
}

fn without_escapes(body: &[u8]) -> Vec<u8> {
    let text = String::from_utf8_lossy(body);
    text.replace("\\r", "").replace("\\n", "").into_bytes()
}

/// Three base64url parts; the hit is `eyJ` in any case.
fn jwt(text: &[u8], hit: Range<usize>) -> Option<(Range<usize>, f32)> {
    if &text[hit.clone()] != b"eyJ" || hit.start > 0 && is_token(text[hit.start - 1]) {
        return None;
    }
    let roof = (hit.start + 8_192).min(text.len());
    let length = text[hit.start..roof].iter().take_while(|it| is_token(**it) || **it == b'.').count();
    let token = text[hit.start..hit.start + length].trim_ascii_end();
    let token = token.strip_suffix(b".").unwrap_or(token);
    is_jwt(token).then_some((hit.start..hit.start + token.len(), 1.0))
}

fn is_token(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_')
}

/// `Bearer <token>`, `Authorization: token <token>`; the hit is the scheme's word.
fn bearer(text: &[u8], hit: Range<usize>) -> Option<(Range<usize>, f32)> {
    if hit.start > 0 && (is_token(text[hit.start - 1])) {
        return None;
    }
    let mut at = hit.end;
    while at < text.len() && at < hit.end + 8 && matches!(text[at], b' ' | b'\t' | b':' | b'=') {
        at += 1;
    }
    if at == hit.end && text[at - 1] != b' ' {
        return None;
    }
    let span = credential_run(text, at);
    let value = &text[span.clone()];
    if value.len() < 16 || is_placeholder(value) || is_made_up(value) {
        return None;
    }
    let digits = value.iter().filter(|it| it.is_ascii_digit()).count();
    let random = surprise(value) > 4.6 || value.iter().all(|it| it.is_ascii_hexdigit() || *it == b'-');
    (digits > 0 && random && entropy(value) > 2.8).then_some((span, if digits > 2 { 0.85 } else { 0.65 }))
}

/// `Basic <base64 of user:password>`; the hit is the scheme's word.
fn basic(text: &[u8], hit: Range<usize>) -> Option<(Range<usize>, f32)> {
    let span = credential_run(text, hit.end);
    let value = &text[span.clone()];
    (is_basic(value) && !is_placeholder(value)).then_some((span, 1.0))
}

fn credential_run(text: &[u8], at: usize) -> Range<usize> {
    let roof = (at + 4_096).min(text.len());
    let length = text[at.min(roof)..roof]
        .iter()
        .take_while(|it| is_token(**it) || matches!(**it, b'.' | b'~' | b'+' | b'/' | b'=' | b'|' | b':'))
        .count();
    let mut end = at + length;
    while end > at && matches!(text[end - 1], b'.' | b':') {
        end -= 1;
    }
    at..end
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::engine::template::{Dice, fill};

    fn found(detector: Detector, keyword: &str, template: &str) -> Option<String> {
        let text = fill(template, &mut Dice::new(5));
        let start = text.to_ascii_lowercase().find(keyword)?;
        let (span, _) = detect(detector, text.as_bytes(), start..start + keyword.len(), Style::Config)?;
        Some(text[span].to_owned())
    }

    #[test]
    fn passwords_in_addresses_are_found_and_stand_ins_are_not() {
        let url = |text: &str| found(Detector::UrlCredentials, "://", text);
        assert_eq!(url("postgres://app:s3cr3t@db:5432/x").as_deref(), Some("s3cr3t"));
        assert_eq!(url("https://u:p@ss!w0rd@host.io/").as_deref(), Some("p@ss!w0rd"));
        for harmless in [
            "https://example.com:8080/path@x",
            "postgres://user:password@localhost/db",
            "postgres://app:${PASSWORD}@db/x",
            "https://user@host",
            "http://<user>:<pass>@host",
            "redis://x:***@host",
        ] {
            assert_eq!(url(harmless), None, "{harmless}");
        }
    }

    #[test]
    fn a_key_block_needs_a_body() {
        let key = |text: &str| found(Detector::PrivateKey, "-----begin", text).is_some();
        assert!(key("-----BEGIN RSA PRIVATE KEY-----\n<b64:64>\n<b64:64>\n-----END RSA PRIVATE KEY-----"));
        assert!(key("k = \"-----BEGIN PRIVATE KEY-----\\n<b64:64>\\n-----END PRIVATE KEY-----\""));
        assert!(!key("-----BEGIN RSA PRIVATE KEY-----\n...\n-----END RSA PRIVATE KEY-----"));
        assert!(!key("-----BEGIN PUBLIC KEY-----\n<b64:64>\n-----END PUBLIC KEY-----"));
        assert!(!key("-----BEGIN PRIVATE KEY-----"));
    }

    #[test]
    fn headers_need_a_token_that_looks_issued() {
        let header = |text: &str| found(Detector::AuthHeader, "bearer ", text).is_some();
        assert!(header("Authorization: Bearer <alnum:32>"));
        assert!(!header("Authorization: Bearer ${TOKEN}"));
        assert!(!header("the bearer authentication-mechanism is used"));
        assert!(found(Detector::BasicAuth, "basic ", "Authorization: Basic dXNlcjpodW50ZXIyMg==").is_some());
        assert!(found(Detector::BasicAuth, "basic ", "Basic authentication").is_none());
    }
}
