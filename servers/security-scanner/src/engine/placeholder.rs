//! Values that stand for a secret and are none.

use super::rarity::surprise;

/// Text that a template engine, a shell or a secret store will replace.
const REFERENCES: &[&str] = &[
    "${",
    "{{",
    "<%",
    "%(",
    "$(",
    "#{",
    "@@",
    "__",
    "enc[",
    "{cipher}",
    "vault:",
    "secret://",
    "op://",
    "arn:aws:",
    "keyvault",
    "process.env",
    "os.environ",
    "getenv",
    "env.",
    "env(",
    "env[",
    "secrets.",
    "var.",
    "data.",
    "module.",
    "local.",
    "config.",
    "props.",
    "self.",
    "this.",
    "file://",
    "ssm:",
    "secretsmanager",
    "!ref",
    "!sub",
    "std::env",
    "system.getenv",
    "%{",
    "\\(",
    "[[",
    "$env:",
    "lookup(",
    "projects/",
    "%s",
    "%d",
    "{}",
    "{0}",
    // A regular expression describes secrets and is none.
    "[a-z",
    "[0-9",
    "[^",
    "(?:",
    "(?i",
    "\\b",
    "\\s",
    "\\d",
    "\\w",
];
/// Words that people write where the secret goes.
const STAND_INS: &[&str] = &[
    "example",
    "placeholder",
    "changeme",
    "change_me",
    "change-me",
    "changethis",
    "change this",
    "change_this",
    "replaceme",
    "replace_me",
    "replace-me",
    "replace_with",
    "replace-with",
    "redacted",
    "your_",
    "your-",
    "yourkey",
    "yourpass",
    "yoursecret",
    "yourtoken",
    "yourapi",
    "my_secret",
    "insert_",
    "insert-",
    "enter_",
    "todo",
    "fixme",
    "xxxx",
    "****",
    "....",
    "dummy_token",
    "fake_",
    "not-a-real",
    "notreal",
    "not_real",
    "to_be_",
    "tbd",
    "goes_here",
    "goes-here",
    "goeshere",
    "<password>",
    "<token>",
    "foobar",
    "lorem",
    "abcdefgh",
    "0123456789abcdef",
    "deadbeef",
    "sample-token",
    "sample_token",
    "test_token",
    "some_token",
    "some-token",
    "somesecret",
    "some-secret",
    "some_secret",
    "fill_in",
    "fillme",
];
/// What is a value of its kind in every language, and a secret in none.
const LITERALS: &[&str] = &[
    "null",
    "none",
    "nil",
    "true",
    "false",
    "undefined",
    "yes",
    "no",
    "on",
    "off",
    "empty",
    "void",
    "string",
    "str",
    "text",
    "bool",
    "int",
    "number",
    "object",
    "any",
    "default",
    "unset",
    "optional",
    "required",
    "hidden",
    "disabled",
    "enabled",
    "unknown",
    "n/a",
    "na",
    "basic",
    "bearer",
    "digest",
    "auto",
    "always",
    "never",
    "prompt",
    "ask",
    "stdin",
    "self",
    "this",
    "char",
    "varchar",
    "byte",
    "bytes",
    "function",
    "async",
    "await",
    "return",
    "new",
];

/// Whether `value` stands for a secret that is elsewhere.
pub(crate) fn is_placeholder(value: &[u8]) -> bool {
    let lower = value.to_ascii_lowercase();
    let text = String::from_utf8_lossy(&lower);
    LITERALS.contains(&text.as_ref())
        || REFERENCES.iter().any(|it| text.contains(it))
        || is_stand_in(&text)
        || is_bracketed(&lower)
        || is_shell_variable(value)
        || is_monotone(&lower)
        || is_ladder(&lower)
}

/// Whether a token in a provider's own format is plainly made up.
pub(crate) fn is_made_up(token: &[u8]) -> bool {
    let lower = token.to_ascii_lowercase();
    let text = String::from_utf8_lossy(&lower);
    [
        "example",
        "xxxxx",
        "00000000",
        "12345678",
        "abcdefgh",
        "placeholder",
        "redacted",
        "your_",
        "your-",
        "....",
        "****",
        "${",
        "{{",
    ]
    .iter()
    .any(|it| text.contains(it))
        || is_monotone(&lower)
}

fn is_stand_in(text: &str) -> bool {
    // A stand-in word inside long random text is chance, not intent.
    let is_random = text.len() >= 20 && surprise(text.as_bytes()) > 5.0;
    STAND_INS.iter().any(|it| text.contains(it) && (!is_random || it.len() >= 7))
}

fn is_bracketed(value: &[u8]) -> bool {
    matches!(
        (value.first(), value.last()),
        (Some(b'<'), Some(b'>'))
            | (Some(b'['), Some(b']'))
            | (Some(b'{'), Some(b'}'))
            | (Some(b'%'), Some(b'%'))
    )
}

fn is_shell_variable(value: &[u8]) -> bool {
    let Some(rest) = value.strip_prefix(b"$") else { return false };
    // `$apr1$…` and `$6$…` are password hashes, and a `$` further on is a password with a dollar in it.
    !rest.is_empty()
        && rest
            .iter()
            .all(|it| it.is_ascii_alphanumeric() || matches!(it, b'_' | b'.' | b'-' | b'>' | b'[' | b']'))
}

/// One or two different characters, however long.
fn is_monotone(value: &[u8]) -> bool {
    let mut seen = [false; 256];
    let mut kinds = 0;
    for byte in value {
        if !seen[usize::from(*byte)] {
            seen[usize::from(*byte)] = true;
            kinds += 1;
        }
    }
    value.len() >= 4 && kinds <= 2
}

/// Mostly neighbours: `1234567890`, `abcdefghij`.
fn is_ladder(value: &[u8]) -> bool {
    if value.len() < 8 {
        return false;
    }
    let steps = value.windows(2).filter(|pair| pair[1] == pair[0].wrapping_add(1)).count();
    steps * 4 >= (value.len() - 1) * 3
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_stands_for_a_secret_is_no_secret() {
        for value in [
            "${DB_PASSWORD}",
            "$DB_PASSWORD",
            "{{ secret }}",
            "<password>",
            "xxxxxxxx",
            "changeme",
            "your_api_key_here",
            "null",
            "process.env.TOKEN",
            "%ENV%",
            "1234567890",
            "abcdefghijkl",
            "********",
            "EXAMPLEKEY",
            "ENC[AES256,x]",
        ] {
            assert!(is_placeholder(value.as_bytes()), "{value}");
        }
    }

    #[test]
    fn what_merely_looks_strange_is_kept() {
        for value in ["hunter22", "Tr0ub4dor&3", "$6$abc$def", "p$ssw0rd!", "admin123", "pass{word}1"] {
            assert!(!is_placeholder(value.as_bytes()), "{value}");
        }
    }
}
