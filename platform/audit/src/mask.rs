//! The second line of defence: values under telling keys never reach the disk.
//!
//! The road masks secrets before a record is made; this one knows only names, and costs one pass.

use serde::{
    Serialize, Serializer,
    ser::{SerializeMap, SerializeSeq},
};
use serde_json::Value;

const MASK: &str = "***";

/// Words that make a key suspicious, without separators.
const TELLING: [&str; 12] = [
    "password",
    "passwd",
    "passphrase",
    "secret",
    "token",
    "authorization",
    "apikey",
    "accesskey",
    "privatekey",
    "credential",
    "cookie",
    "bearer",
];

/// Endings that name a thing about a secret rather than the secret.
const HARMLESS: [&str; 6] = ["_id", "_name", "_count", "_type", "_kind", "_path"];

/// Serialises a value in canonical form (keys sorted) with suspicious values masked.
pub(crate) struct Masked<'a>(pub(crate) &'a Value);

/// Serialises a value that stands under a suspicious key: its shape stays, its content does not.
struct Hidden<'a> {
    value: &'a Value,
    keep_numbers: bool,
}

impl Serialize for Masked<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self.0 {
            Value::Object(map) => {
                let mut out = serializer.serialize_map(Some(map.len()))?;
                let mut write = |key: &String, value| match is_telling(key) {
                    true => out.serialize_entry(key, &Hidden { value, keep_numbers: counts_something(key) }),
                    false => out.serialize_entry(key, &Masked(value)),
                };
                if map.keys().is_sorted() {
                    map.iter().try_for_each(|(key, value)| write(key, value))?;
                } else {
                    let mut entries: Vec<_> = map.iter().collect();
                    entries.sort_unstable_by_key(|(key, _)| *key);
                    entries.into_iter().try_for_each(|(key, value)| write(key, value))?;
                }
                out.end()
            }
            Value::Array(items) => {
                let mut out = serializer.serialize_seq(Some(items.len()))?;
                items.iter().try_for_each(|item| out.serialize_element(&Masked(item)))?;
                out.end()
            }
            scalar => scalar.serialize(serializer),
        }
    }
}

impl Serialize for Hidden<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let keep_numbers = self.keep_numbers;
        match self.value {
            Value::Null | Value::Bool(_) => self.value.serialize(serializer),
            Value::Number(_) if keep_numbers => self.value.serialize(serializer),
            Value::Array(items) => {
                serializer.collect_seq(items.iter().map(|value| Hidden { value, keep_numbers }))
            }
            // Even the keys may be the secret here.
            Value::Object(_) | Value::Number(_) | Value::String(_) => serializer.serialize_str(MASK),
        }
    }
}

fn is_telling(key: &str) -> bool {
    let plain: String =
        key.chars().filter(|it| it.is_alphanumeric()).map(|it| it.to_ascii_lowercase()).collect();
    if !TELLING.iter().any(|word| plain.contains(word)) {
        return false;
    }
    let lower = key.to_ascii_lowercase();
    !HARMLESS.iter().any(|ending| lower.ends_with(ending))
}

fn counts_something(key: &str) -> bool {
    let lower = key.to_ascii_lowercase();
    ["tokens", "_seconds", "_ttl", "_max", "_length"].iter().any(|ending| lower.ends_with(ending))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn telling_keys_lose_their_values_and_nothing_else_does() {
        let table = [
            (json!({"password": "hunter2"}), json!({"password": "***"})),
            (json!({"password": 1234}), json!({"password": "***"})),
            (
                json!({"API-Key": "k", "apiKey": "k", "x_api_key": "k"}),
                json!({"API-Key": "***", "apiKey": "***", "x_api_key": "***"}),
            ),
            (
                json!({"headers": {"Authorization": "Bearer x", "Accept": "*/*"}}),
                json!({"headers": {"Authorization": "***", "Accept": "*/*"}}),
            ),
            (
                json!({"list": [{"token": "t"}, {"name": "n"}]}),
                json!({"list": [{"token": "***"}, {"name": "n"}]}),
            ),
            (json!({"secrets": ["a", ["b"]]}), json!({"secrets": ["***", ["***"]]})),
            (json!({"secret": {"hunter2": true}}), json!({"secret": "***"})),
            (
                json!({"max_tokens": 100, "token_id": "tok_1", "secret_name": "db"}),
                json!({"max_tokens": 100, "token_id": "tok_1", "secret_name": "db"}),
            ),
            (json!({"max_tokens": "t0p"}), json!({"max_tokens": "***"})),
            (json!({"password": null, "use_token": true}), json!({"password": null, "use_token": true})),
            (json!({"path": "/etc/hosts"}), json!({"path": "/etc/hosts"})),
        ];
        for (input, expected) in table {
            assert_eq!(serde_json::to_value(Masked(&input)).unwrap(), expected, "{input}");
        }
    }
}
