//! Reading JSON and TOML values that may be anything.

use serde_json::{Map, Value};

/// The text at `key`, empty when it is absent or no text.
pub(crate) fn text<'a>(value: &'a Value, key: &str) -> &'a str {
    value.get(key).and_then(Value::as_str).unwrap_or_default()
}

/// The text at `key`, if there is one.
pub(crate) fn maybe<'a>(value: &'a Value, key: &str) -> Option<&'a str> {
    value.get(key).and_then(Value::as_str).filter(|it| !it.is_empty())
}

/// Whether `key` holds a yes, as JSON or as text.
pub(crate) fn yes(value: &Value, key: &str) -> bool {
    match value.get(key) {
        Some(Value::Bool(it)) => *it,
        Some(Value::String(it)) => it == "true",
        _ => false,
    }
}

/// The pairs of the object at `key`.
pub(crate) fn pairs<'a>(
    value: &'a Value,
    key: &str,
) -> impl Iterator<Item = (&'a String, &'a Value)> + use<'a> {
    value.get(key).and_then(Value::as_object).into_iter().flatten()
}

/// The items of the list at `key`.
pub(crate) fn items<'a>(value: &'a Value, key: &str) -> impl Iterator<Item = &'a Value> + use<'a> {
    value.get(key).and_then(Value::as_array).into_iter().flatten()
}

/// A JSON document whose top is an object.
pub(crate) fn json(text: &str) -> Result<Value, String> {
    let value: Value = serde_json::from_str(text.trim_start_matches('\u{feff}'))
        .map_err(|error| format!("it is no JSON: {error}"))?;
    if value.is_object() { Ok(value) } else { Err("it is no JSON object".into()) }
}

/// A TOML document as JSON.
pub(crate) fn toml(text: &str) -> Result<Value, String> {
    // The parser's own words span lines and quote the file; the first line says what is wrong.
    let broken = |error: toml::de::Error| {
        let line = error.span().map(|it| text[..it.start.min(text.len())].lines().count().max(1));
        format!("it is no TOML: {} (line {})", error.message(), line.unwrap_or(1))
    };
    toml::from_str::<Map<String, Value>>(text.trim_start_matches('\u{feff}'))
        .map(Value::Object)
        .map_err(broken)
}
