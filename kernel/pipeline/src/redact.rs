//! Keeps secrets out of records, questions and results.
//!
//! Two nets. By name: a value under a key such as `password` is masked whatever it looks like. By shape:
//! tokens of known formats are masked wherever they stand. The second net is tight on purpose: a false
//! hit would damage a user's text. Finding *possible* secrets is the security-scanner's work.

use std::{borrow::Cow, sync::LazyLock};

use regex::Regex;
use serde_json::{Map, Value};

/// What stands where a secret stood.
pub(crate) const MASK: &str = "[masked]";
/// Longest string kept in a record.
const STRING_MAX: usize = 512;
/// How much of a long string is looked at: the longest secrets (signed tokens) fit in the rest.
const HEAD_BYTES: usize = 8 * 1024;
/// Most values kept in a record, over all levels.
const VALUES_MAX: usize = 128;
/// Most items kept of one array: a long list must not crowd out what stands after it.
const ITEMS_MAX: usize = 16;
/// Deepest level kept in a record.
const DEPTH_MAX: usize = 8;

static SHAPES: LazyLock<Regex> = LazyLock::new(|| {
    // One alternation with literal beginnings, so that text without any of them is skipped at memory speed.
    let shapes = [
        r"\bA(?:KIA|SIA)[0-9A-Z]{16}\b",
        r"\bgh[pousr]_[A-Za-z0-9]{36,255}\b",
        r"\bgithub_pat_[A-Za-z0-9_]{60,255}\b",
        r"\bglpat-[A-Za-z0-9_-]{20,}",
        r"\bxox[abeoprs]-[A-Za-z0-9-]{10,}",
        r"\b[sr]k_live_[A-Za-z0-9]{16,}",
        r"\bsk-(?:ant|proj)-[A-Za-z0-9_-]{20,}",
        r"\bAIza[0-9A-Za-z_-]{35}",
        r"\bnpm_[A-Za-z0-9]{36}\b",
        r"\bpypi-[A-Za-z0-9_-]{50,}",
        r"\bcmcp_[A-Za-z0-9_-]{20,}",
        r"\beyJ[A-Za-z0-9_-]{10,}\.eyJ[A-Za-z0-9_-]{10,}\.[A-Za-z0-9_-]{10,}",
        r"-----BEGIN [A-Z ]*PRIVATE KEY(?: BLOCK)?-----(?s:.*?)(?:-----END [A-Z ]*PRIVATE KEY(?: BLOCK)?-----|\z)",
    ];
    Regex::new(&shapes.join("|")).expect("the shapes are a valid expression")
});

static IN_CONTEXT: LazyLock<Regex> = LazyLock::new(|| {
    // The first group is kept, the rest is the secret.
    Regex::new(
        r"([a-z][a-z0-9+.-]{1,20}://[^\s/:@]{0,64}:)[^\s/@]{3,256}(@)|([Bb]earer )[A-Za-z0-9._~+/=-]{20,}",
    )
    .expect("the contexts are a valid expression")
});

/// Masks tokens of known formats. Returns the text unchanged when there are none.
pub fn mask_secrets(text: &str) -> (Cow<'_, str>, usize) {
    let mut masked = 0;
    let by_shape = SHAPES.replace_all(text, |_: &regex::Captures<'_>| {
        masked += 1;
        MASK
    });
    let found = IN_CONTEXT.is_match(&by_shape);
    if !found {
        return (by_shape, masked);
    }
    let both = IN_CONTEXT.replace_all(&by_shape, |hit: &regex::Captures<'_>| {
        masked += 1;
        let part = |index| hit.get(index).map_or("", |it| it.as_str());
        format!("{}{}{MASK}{}", part(1), part(3), part(2))
    });
    (Cow::Owned(both.into_owned()), masked)
}

static ASSIGNED: LazyLock<Regex> = LazyLock::new(|| {
    // `--password x`, `PGPASSWORD=x`, `api_key: "x"`, `Authorization: Basic x`, `?token=x`. The first group is
    // kept, the rest is the secret.
    let names =
        r"passw(?:or)?d|passphrase|secret|token|api[-_]?key|access[-_]?key|private[-_]?key|credentials?";
    let value = r#"(?:"[^"]*"|'[^']*'|[^\s"'&;|<>]+)"#;
    Regex::new(&format!(
        r#"(?i)((?:{names})["']?\s*[=:]\s*|--[a-z-]*(?:{names})\s+|\bauthorization:\s*[a-z]+\s+|\bbasic\s+){value}"#
    ))
    .expect("the assignments are a valid expression")
});

/// Masks what [`mask_secrets`] finds, and values that are assigned to telling names. For records and logs only:
/// there a false hit costs a word, in a result it would damage a user's text.
pub(crate) fn mask_for_record(text: &str) -> (Cow<'_, str>, usize) {
    let (known, mut masked) = mask_secrets(text);
    if !ASSIGNED.is_match(&known) {
        return (known, masked);
    }
    let all = ASSIGNED.replace_all(&known, |hit: &regex::Captures<'_>| {
        masked += 1;
        format!("{}{MASK}", hit.get(1).map_or("", |it| it.as_str()))
    });
    (Cow::Owned(all.into_owned()), masked)
}

/// Whether a key names a secret: `password`, `apiKey`, `X-Auth-Token`, …
pub(crate) fn names_a_secret(key: &str) -> bool {
    let plain: String =
        key.chars().filter(char::is_ascii_alphanumeric).map(|it| it.to_ascii_lowercase()).collect();
    const WORDS: [&str; 14] = [
        "password",
        "passwd",
        "passphrase",
        "secret",
        "apikey",
        "accesskey",
        "privatekey",
        "authorization",
        "credential",
        "authtoken",
        "accesstoken",
        "refreshtoken",
        "sessiontoken",
        "webhookurl",
    ];
    plain == "token" || plain == "pat" || WORDS.iter().any(|word| plain.contains(word))
}

/// A way to mask a text.
type Mask = for<'t> fn(&'t str) -> (Cow<'t, str>, usize);

/// A copy fit for a record: secrets masked, long strings cut, at most 128 values and 8 levels.
pub fn mask_arguments(value: &Value) -> Value {
    masked(value, &mut { VALUES_MAX }, 0, mask_for_record)
}

fn masked(value: &Value, left: &mut usize, depth: usize, mask: Mask) -> Value {
    if *left == 0 || depth > DEPTH_MAX {
        return Value::from("[cut]");
    }
    *left -= 1;
    match value {
        Value::String(text) => Value::from(kept(text, mask)),
        Value::Array(items) => {
            let mut copy = Vec::new();
            for item in items {
                if *left == 0 || copy.len() == ITEMS_MAX {
                    copy.push(Value::from(format!("[{} more]", items.len() - copy.len())));
                    break;
                }
                copy.push(masked(item, left, depth + 1, mask));
            }
            Value::Array(copy)
        }
        Value::Object(map) => {
            let mut copy = Map::new();
            for (key, item) in map {
                if *left == 0 {
                    copy.insert("[cut]".into(), Value::from(map.len() - copy.len()));
                    break;
                }
                let item = if names_a_secret(key) && !item.is_null() && !item.is_boolean() {
                    *left -= 1;
                    Value::from(MASK)
                } else {
                    masked(item, left, depth + 1, mask)
                };
                copy.insert(kept(key, mask), item);
            }
            Value::Object(copy)
        }
        scalar => scalar.clone(),
    }
}

/// What is kept of a string: masked, then cut, so that half a secret never shows. Of a long text only the
/// beginning is looked at, because no more of it is kept.
fn kept(text: &str, mask: Mask) -> String {
    let head = beginning(text, HEAD_BYTES);
    let masked = mask(head).0;
    if head.len() == text.len() && masked.len() <= STRING_MAX {
        return masked.into_owned();
    }
    format!("{}… [{} bytes]", beginning(&masked, STRING_MAX), text.len())
}

/// At most `bytes` of the text, whole characters.
fn beginning(text: &str, bytes: usize) -> &str {
    let cut = (0..=bytes.min(text.len())).rev().find(|at| text.is_char_boundary(*at)).unwrap_or(0);
    &text[..cut]
}

/// What a human reads before saying yes: one argument per line, masked, without control characters.
///
/// Only what certainly is a secret is masked: behind a guess a caller could hide what it wants to do.
pub(crate) fn describe_arguments(args: &Value) -> String {
    let args = masked(args, &mut { VALUES_MAX }, 0, mask_secrets);
    let Some(map) = args.as_object().filter(|map| !map.is_empty()) else { return "without arguments".into() };
    let lines = map.iter().map(|(key, value)| {
        let value = value.as_str().map_or_else(|| value.to_string(), str::to_owned);
        let visible: String = value.chars().flat_map(visible).collect();
        format!("{key}: {visible}")
    });
    lines.collect::<Vec<_>>().join("\n")
}

/// Characters that could hide or forge a line are written out.
fn visible(char: char) -> Vec<char> {
    if char.is_control() || crate::clean::is_invisible(char) {
        char.escape_unicode().collect()
    } else {
        vec![char]
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn token(prefix: &str, length: usize) -> String {
        // Put together at run time, so that no scanner mistakes this file for a leak.
        format!("{prefix}{}", "aB3dE6gH9kLmN0pQrStUvWxYz1234567890AbCdE".repeat(3).split_at(length).0)
    }

    #[test]
    fn known_formats_are_masked_wherever_they_stand() {
        let pem = format!("-----BEGIN RSA {0} KEY-----\nabc\n-----END RSA {0} KEY-----", "PRIVATE");
        for secret in [
            token("ghp_", 36),
            token("glpat-", 20),
            token("xoxb-", 24),
            token("cmcp_", 43),
            token("sk_live_", 24),
            format!("AKIA{}", "ABCDEFGHIJKLMNOP"),
            pem,
        ] {
            let text = format!("before {secret} after");
            assert_eq!(mask_secrets(&text), (Cow::Owned(format!("before {MASK} after")), 1), "{secret}");
        }
        let url = format!("postgres://app:{}@db/x", "hunter22");
        assert_eq!(mask_secrets(&url).0, format!("postgres://app:{MASK}@db/x"));
        let header = format!("authorization: Bearer {}", token("", 32));
        assert_eq!(mask_secrets(&header).0, format!("authorization: Bearer {MASK}"));
    }

    #[test]
    fn in_records_values_of_telling_names_are_masked_too() {
        for (text, kept) in [
            ("mysql --password hunter2 -e x", "mysql --password [masked] -e x"),
            ("mysql --password=hunter2 -e x", "mysql --password=[masked] -e x"),
            ("PGPASSWORD='hun ter2' psql", "PGPASSWORD=[masked] psql"),
            ("{\"api_key\": \"k\", \"n\": 1}", "{\"api_key\": [masked], \"n\": 1}"),
            ("curl -H 'Authorization: Basic dXNlcjpwdw=='", "curl -H 'Authorization: Basic [masked]'"),
            (
                "https://x.example/?a=1&access_token=abc&b=2",
                "https://x.example/?a=1&access_token=[masked]&b=2",
            ),
            ("vault login --client-secret s3 && ls", "vault login --client-secret [masked] && ls"),
        ] {
            assert_eq!(mask_for_record(text).0, kept);
        }
        for text in ["git commit -m 'rotate the token'", "cat passwords.txt", "ls secrets/", "tokenizer bpe"]
        {
            assert_eq!(mask_for_record(text), (Cow::Borrowed(text), 0));
        }
    }

    #[test]
    fn ordinary_text_is_left_alone() {
        for text in [
            "",
            "see https://example.org/a:b@c",
            "sha256 9f86d081884c7d659a2feaa0c55ad015",
            "AKIA",
            "bearer of news",
        ] {
            assert_eq!(mask_secrets(text), (Cow::Borrowed(text), 0), "{text}");
        }
    }

    #[test]
    fn arguments_are_masked_by_name_and_bounded() {
        let args = json!({
            "password": "x", "nested": {"apiKey": {"a": 1}, "X-Auth-Token": "y", "tokenizer": "bpe"},
            "content": "z".repeat(4000), "many": vec![0; 1000],
        });
        let masked = mask_arguments(&args);
        assert_eq!(masked["password"], MASK);
        assert_eq!(masked["nested"]["apiKey"], MASK);
        assert_eq!(masked["nested"]["X-Auth-Token"], MASK);
        assert_eq!(masked["nested"]["tokenizer"], "bpe");
        assert!(masked.to_string().len() < 2048, "{}", masked.to_string().len());
    }

    #[test]
    fn of_a_long_text_the_beginning_is_kept_and_half_a_secret_never_shows() {
        let text = format!("{} {} {}", "é".repeat(250), token("ghp_", 36), "z".repeat(1 << 20));
        let cut = kept(&text, mask_for_record);
        assert!(cut.len() < 600 && cut.ends_with(&format!("… [{} bytes]", text.len())), "{cut}");
        assert!(cut.contains(MASK) && !cut.contains("ghp_"), "{cut}");
        assert_eq!(kept("short", mask_for_record), "short");
    }

    #[test]
    fn a_question_shows_hidden_characters() {
        let question = describe_arguments(&json!({"path": "a\u{202e}b\nforged: yes"}));
        assert_eq!(question, "path: a\\u{202e}b\\u{a}forged: yes");
        let sly = json!({"command": "deploy --token x/../../evil"});
        assert_eq!(
            describe_arguments(&sly),
            "command: deploy --token x/../../evil",
            "nothing hides from a human"
        );
    }
}
