//! What names may look like.

use crate::IdentityError;

/// Longest name in bytes.
const NAME_MAX: usize = 64;
/// Longest label or description in characters.
const NOTE_MAX: usize = 200;

/// Who has it may do everything.
pub const ADMIN_ROLE: &str = "admin";
/// The roles every installation has.
pub const BUILT_IN_ROLES: [&str; 4] = [ADMIN_ROLE, "operator", "security", "viewer"];

/// Names that audit records use for something else.
const RESERVED: [&str; 3] = ["anonymous", "nobody", "system"];

/// Lower case, so that no two names differ in case only; no character that needs care in a shell, in a log
/// or in a policy.
pub(crate) fn principal(name: &str) -> Result<(), IdentityError> {
    if RESERVED.contains(&name) {
        return Err(invalid("principal", format!("`{name}` is reserved")));
    }
    let fits =
        starts_plain(name) && name.bytes().all(|it| is_plain(it) || matches!(it, b'.' | b'_' | b'-' | b'@'));
    check(
        "principal",
        name,
        fits,
        "a principal's name is 1 to 64 of a-z, 0-9, `.`, `_`, `-` and `@`, and begins with a letter or digit",
    )
}

/// Narrower than a principal's name: roles are written in policies by hand.
pub(crate) fn role(name: &str) -> Result<(), IdentityError> {
    let fits = starts_plain(name) && name.bytes().all(|it| is_plain(it) || it == b'-');
    check(
        "role",
        name,
        fits,
        "a role's name is 1 to 64 of a-z, 0-9 and `-`, and begins with a letter or digit",
    )
}

/// Eight hex digits.
pub(crate) fn token_id(id: &str) -> Result<(), IdentityError> {
    let fits = id.len() == 8 && id.bytes().all(|it| it.is_ascii_digit() || (b'a'..=b'f').contains(&it));
    check("token", id, fits, "a token's public id is 8 hex digits, as `core-mcp token list` shows it")
}

/// Free text for people, on one line.
pub(crate) fn note(field: &'static str, text: &str) -> Result<(), IdentityError> {
    let fits = text.chars().count() <= NOTE_MAX && !text.chars().any(char::is_control);
    if fits { Ok(()) } else { Err(invalid(field, format!("at most {NOTE_MAX} characters on one line"))) }
}

fn starts_plain(name: &str) -> bool {
    name.bytes().next().is_some_and(is_plain)
}

fn is_plain(byte: u8) -> bool {
    byte.is_ascii_lowercase() || byte.is_ascii_digit()
}

fn check(field: &'static str, name: &str, fits: bool, rule: &str) -> Result<(), IdentityError> {
    if fits && name.len() <= NAME_MAX { Ok(()) } else { Err(invalid(field, rule)) }
}

fn invalid(field: &'static str, rule: impl Into<String>) -> IdentityError {
    IdentityError::Invalid { field, rule: rule.into() }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_plain() {
        for good in ["admin", "ci-bot", "a.b_c@example.org", "7", &"x".repeat(64)] {
            assert!(principal(good).is_ok(), "{good}");
        }
        for bad in [
            "",
            "-rf",
            ".x",
            "Admin",
            "a b",
            "a\n",
            "a\0",
            "é",
            "а",
            "a/b",
            "a'b",
            "a\"b",
            "system",
            "a:b",
            "a;b",
            "a\u{200b}",
            &"x".repeat(65),
        ] {
            assert!(principal(bad).is_err(), "{bad:?}");
        }
        assert!(role("releaser").is_ok() && role("on-call").is_ok());
        assert!(role("a.b").is_err() && role("").is_err() && role("a@b").is_err());
        assert!(token_id("0a1b2c3d").is_ok());
        assert!(
            token_id("0A1b2c3d").is_err() && token_id("0a1b2c3").is_err() && token_id("0a1b2c3g").is_err()
        );
        assert!(note("label", "a laptop — of Zoë").is_ok());
        assert!(note("label", "a\u{1b}[31m").is_err() && note("label", &"x".repeat(201)).is_err());
    }
}
