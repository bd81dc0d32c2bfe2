//! HTTP headers that repeat what the body says. A proxy acts on the header, we act on the body: they must agree.

use std::borrow::Cow;

use base64::{Engine, prelude::BASE64_STANDARD};
use serde_json::Value;

use crate::Fault;

const OPEN: &str = "=?base64?";
const CLOSE: &str = "?=";

/// The mirrored headers of one modern request, as sent. `None`: absent, or not visible ASCII.
#[derive(Clone, Copy, Debug, Default)]
pub struct Mirrored<'a> {
    /// `MCP-Protocol-Version`.
    pub revision: Option<&'a str>,
    /// `Mcp-Method`.
    pub method: Option<&'a str>,
    /// `Mcp-Name`.
    pub name: Option<&'a str>,
}

/// Compares headers and body. `name` is the body's tool, prompt or URI, for the methods that mirror one.
pub fn check_headers(
    headers: Mirrored<'_>,
    revision: Option<&str>,
    method: &str,
    name: Option<&str>,
) -> Result<(), Fault> {
    same("MCP-Protocol-Version", headers.revision.map(Cow::Borrowed), revision)?;
    same("Mcp-Method", headers.method.map(Cow::Borrowed), Some(method))?;
    if mirrors_name(method) {
        let decoded = headers.name.map(decode_value).transpose()?;
        same("Mcp-Name", decoded, name)?;
    }
    Ok(())
}

/// The key in a parameter's schema that says under which header it is repeated.
const ANNOTATION: &str = "x-mcp-header";

/// Compares the `Mcp-Param-…` headers with the arguments that the tool's schema says are repeated there.
///
/// `sent` looks a header up by its full name. Only the schema's own properties are looked at, not what they hold.
pub fn check_parameters<'a>(
    schema: &Value,
    arguments: &Value,
    sent: impl Fn(&str) -> Result<Option<&'a str>, Fault>,
) -> Result<(), Fault> {
    let Some(properties) = schema["properties"].as_object() else { return Ok(()) };
    for (name, rule) in properties {
        let Some(suffix) = rule[ANNOTATION].as_str().filter(|it| is_token(it)) else { continue };
        let header = format!("Mcp-Param-{suffix}");
        let decoded = sent(&header)?.map(decode_value).transpose()?;
        let body = match arguments.get(name) {
            None | Some(Value::Null) if decoded.is_none() => continue,
            None | Some(Value::Null) => None,
            Some(Value::String(text)) => Some(text.clone()),
            Some(other) => Some(other.to_string()),
        };
        same(&header, decoded, body.as_deref())?;
    }
    Ok(())
}

/// Whether this can be a part of a header's name.
fn is_token(text: &str) -> bool {
    (1..=64).contains(&text.len())
        && text.bytes().all(|it| it.is_ascii_alphanumeric() || it == b'-' || it == b'_')
}

fn mirrors_name(method: &str) -> bool {
    matches!(
        method,
        "tools/call" | "resources/read" | "prompts/get" | "tasks/get" | "tasks/update" | "tasks/cancel"
    )
}

/// What was sent is not repeated: it may be long, or hold terminal codes for whoever reads the log.
fn same(header: &str, sent: Option<Cow<'_, str>>, body: Option<&str>) -> Result<(), Fault> {
    match (sent, body) {
        (None, _) => Err(Fault::header_mismatch(format!("the {header} header is missing or not plain text"))),
        (Some(sent), Some(body)) if sent == body => Ok(()),
        _ => Err(Fault::header_mismatch(format!("the {header} header does not match the body"))),
    }
}

/// Decodes `=?base64?…?=`; other values are taken as they are.
pub fn decode_value(value: &str) -> Result<Cow<'_, str>, Fault> {
    let Some(encoded) = value.strip_prefix(OPEN).and_then(|rest| rest.strip_suffix(CLOSE)) else {
        return Ok(Cow::Borrowed(value));
    };
    BASE64_STANDARD
        .decode(encoded)
        .ok()
        .and_then(|bytes| String::from_utf8(bytes).ok())
        .map(Cow::Owned)
        .ok_or_else(|| Fault::header_mismatch("a header holds broken base64"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn encoded_values_are_decoded_before_they_are_compared() {
        for (value, decoded) in [
            ("us-west1", Some("us-west1")),
            ("=?base64?SGVsbG8sIOS4lueVjA==?=", Some("Hello, 世界")),
            ("=?base64?IHBhZGRlZCA=?=", Some(" padded ")),
            ("=?base64?PT9iYXNlNjQ/bGl0ZXJhbD89?=", Some("=?base64?literal?=")),
            ("=?BASE64?SGVsbG8=?=", Some("=?BASE64?SGVsbG8=?=")),
            ("=?base64?SGVsbG8=", Some("=?base64?SGVsbG8=")),
            ("=?base64?***?=", None),
            ("=?base64?/w==?=", None),
            ("=?base64?SGVsbG8?=", None),
        ] {
            assert_eq!(decode_value(value).ok().as_deref(), decoded, "{value}");
        }
    }

    #[test]
    fn annotated_parameters_and_their_headers_agree() {
        let schema = serde_json::json!({"properties": {
            "region": {"type": "string", "x-mcp-header": "Region"},
            "count": {"type": "integer", "x-mcp-header": "Count"},
            "odd": {"x-mcp-header": "a b\r\n"}, "plain": {"type": "string"},
        }});
        for (arguments, region, count, fine) in [
            (r#"{"region":"eu","count":2}"#, Some("eu"), Some("2"), true),
            (r#"{"region":"Hello"}"#, Some("=?base64?SGVsbG8=?="), None, true),
            (r#"{"region":"SGVsbG8="}"#, Some("SGVsbG8="), None, true),
            (r#"{"plain":"x","odd":"y"}"#, None, None, true),
            (r#"{"region":null}"#, None, None, true),
            (r#"{"region":"eu"}"#, None, None, false),
            (r#"{"region":"eu"}"#, Some("us"), None, false),
            (r#"{"region":"Hello"}"#, Some("=?base64?SGVsbG8?="), None, false),
            (r#"{"region":"Hello"}"#, Some("=?base64?SGVs!!!bG8=?="), None, false),
            ("{}", Some("eu"), None, false),
            (r#"{"count":2}"#, None, Some("3"), false),
        ] {
            let arguments = serde_json::from_str(arguments).unwrap();
            let checked = check_parameters(&schema, &arguments, |header| {
                Ok(match header {
                    "Mcp-Param-Region" => region,
                    "Mcp-Param-Count" => count,
                    other => panic!("{other} was asked for"),
                })
            });
            assert_eq!(checked.is_ok(), fine, "{arguments} {region:?} {count:?}");
            assert!(checked.err().is_none_or(|it| it.code == Fault::HEADER_MISMATCH));
        }
    }

    #[test]
    fn headers_and_body_tell_the_same_story_or_the_request_is_refused() {
        let told = |revision, method, name| Mirrored { revision, method, name };
        let (new, call) = (Some("2026-07-28"), Some("tools/call"));
        for (headers, method, name, fine) in [
            (told(new, call, Some("echo")), "tools/call", Some("echo"), true),
            (told(new, call, Some("=?base64?ZWNobw==?=")), "tools/call", Some("echo"), true),
            (told(new, Some("tools/list"), None), "tools/list", None, true),
            (told(new, Some("tools/list"), Some("stray")), "tools/list", None, true),
            (told(None, call, Some("echo")), "tools/call", Some("echo"), false),
            (told(Some("2025-11-25"), call, Some("echo")), "tools/call", Some("echo"), false),
            (told(new, None, Some("echo")), "tools/call", Some("echo"), false),
            (told(new, Some("Tools/Call"), Some("echo")), "tools/call", Some("echo"), false),
            (told(new, Some("tools/list"), Some("echo")), "tools/call", Some("echo"), false),
            (told(new, call, None), "tools/call", Some("echo"), false),
            (told(new, call, Some("other")), "tools/call", Some("echo"), false),
            (told(new, call, Some("echo")), "tools/call", None, false),
            (told(new, call, Some("=?base64?!?=")), "tools/call", Some("echo"), false),
        ] {
            let checked = check_headers(headers, new, method, name);
            assert_eq!(checked.is_ok(), fine, "{headers:?} {method} {name:?}: {checked:?}");
            if let Err(fault) = checked {
                assert_eq!(fault.code, Fault::HEADER_MISMATCH);
            }
        }
    }
}
