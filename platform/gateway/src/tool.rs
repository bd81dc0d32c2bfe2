//! One tool as an upstream defines it.

use ::http::{HeaderName, HeaderValue};
use kernel::{Effect, Raw, canonical_json, digest_hex};
use serde_json::{Value, value::RawValue};

use crate::{
    EffectChoice, TrustLevel,
    findings::{Finding, look_everywhere},
    http::header_value,
};

/// Longest name on the wire, with the server's.
const WIRE_NAME_MAX: usize = 64;

/// Largest definition that is taken.
const DEFINITION_BYTES_MAX: usize = 256 << 10;

/// Parameters of one tool that are mirrored into headers.
const MIRRORED_MAX: usize = 32;

/// A tool, and everything that is decided about it once.
#[derive(Clone, Debug)]
pub(crate) struct Definition {
    /// As the upstream calls it.
    pub(crate) upstream_name: String,
    /// As we call it: `[A-Za-z0-9_-]`.
    pub(crate) name: String,
    /// As it was written.
    pub(crate) raw: Raw,
    /// SHA-256 of its canonical form.
    pub(crate) digest: String,
    pub(crate) title: String,
    pub(crate) description: String,
    pub(crate) input_schema: Value,
    pub(crate) output_schema: Value,
    pub(crate) open_world: bool,
    hints: Hints,
    /// Parameters that a modern upstream wants repeated in headers.
    pub(crate) mirrored: Vec<Mirrored>,
    /// What stands out in it.
    pub(crate) findings: Vec<Finding>,
}

#[derive(Clone, Copy, Debug, Default)]
struct Hints {
    read_only: bool,
    destructive: bool,
    idempotent: bool,
}

/// One `x-mcp-header`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Mirrored {
    path: Vec<String>,
    header: HeaderName,
}

impl Definition {
    /// Reads one; the reason of a refusal is for the operator.
    pub(crate) fn read(server: &str, raw: &RawValue) -> Result<Self, String> {
        if raw.get().len() > DEFINITION_BYTES_MAX {
            return Err(format!("a tool's definition is larger than {DEFINITION_BYTES_MAX} bytes"));
        }
        // A number no double can hold does not make the tool unusable; only its schema is not looked into.
        let value: Value =
            serde_json::from_str(raw.get()).map_err(|_| "a tool's definition cannot be read")?;
        let text = |key: &str| value[key].as_str().unwrap_or_default().to_owned();
        let upstream_name = text("name");
        let name = wire_safe(&upstream_name);
        if name.is_empty() || server.len() + 2 + name.len() > WIRE_NAME_MAX || name.contains("__") {
            let shown: String = upstream_name.chars().filter(|it| !it.is_control()).take(60).collect();
            return Err(format!(
                "the name `{shown}` cannot be offered to models: it is empty, too long or has `__`"
            ));
        }
        let mut findings = Vec::new();
        look_everywhere(&value, "", &mut findings);
        let annotations = &value["annotations"];
        let hint = |key: &str| annotations[key].as_bool();
        let title = [&value["title"], &annotations["title"]].into_iter().find_map(Value::as_str);
        Ok(Self {
            title: title.unwrap_or(&upstream_name).to_owned(),
            description: text("description"),
            digest: digest_hex(&canonical_json(&value)),
            open_world: hint("openWorldHint").unwrap_or(true),
            hints: Hints {
                read_only: hint("readOnlyHint").unwrap_or(false),
                destructive: hint("destructiveHint").unwrap_or(true),
                idempotent: hint("idempotentHint").unwrap_or(false),
            },
            mirrored: mirrored(&value["inputSchema"]),
            input_schema: object_or_any(&value["inputSchema"]),
            output_schema: object_or_any(&value["outputSchema"]),
            raw: Raw::from(raw),
            upstream_name,
            name,
            findings,
        })
    }

    /// What a call does to the world: the operator's word, else the upstream's as far as it is trusted.
    pub(crate) fn effect(&self, trust: TrustLevel, said: Option<EffectChoice>) -> Effect {
        let Hints { read_only, destructive, idempotent } = self.hints;
        match said {
            Some(said) => said.effect(),
            None if trust == TrustLevel::Low => Effect::Destroy { idempotent: false },
            None if read_only => Effect::Read,
            None if destructive => Effect::Destroy { idempotent },
            None => Effect::Write { idempotent },
        }
    }

    /// The `Mcp-Param-*` headers of a call with these arguments.
    pub(crate) fn param_headers(&self, args: &Value) -> Vec<(HeaderName, HeaderValue)> {
        let found = self.mirrored.iter().filter_map(|it| {
            let value = it.path.iter().try_fold(args, |value, key| value.get(key))?;
            let text = match value {
                Value::String(text) => text.clone(),
                Value::Bool(_) | Value::Number(_) => value.to_string(),
                _ => return None,
            };
            Some((it.header.clone(), header_value(&text)))
        });
        found.collect()
    }
}

/// Names that model providers refuse are made fit: `.` and `/` become `_`.
fn wire_safe(name: &str) -> String {
    name.chars()
        .map(|it| if it.is_ascii_alphanumeric() || matches!(it, '_' | '-') { it } else { '_' })
        .collect()
}

fn object_or_any(schema: &Value) -> Value {
    if schema.is_object() { schema.clone() } else { serde_json::json!({ "type": "object" }) }
}

/// Every sound `x-mcp-header` that can be reached through `properties` alone. One unsound one spoils none of the
/// others: the upstream then refuses the call, and says so.
fn mirrored(schema: &Value) -> Vec<Mirrored> {
    let mut found: Vec<Mirrored> = Vec::new();
    let mut open = vec![(Vec::new(), schema, 0)];
    while let Some((path, schema, depth)) = open.pop() {
        let Some(properties) = schema["properties"].as_object().filter(|_| depth < 8) else { continue };
        for (key, inner) in properties {
            let mut path: Vec<String> = path.clone();
            path.push(key.clone());
            let word = inner["x-mcp-header"].as_str().filter(|it| !it.is_empty() && it.len() <= 64);
            let is_plain = matches!(inner["type"].as_str(), Some("string" | "integer" | "boolean"));
            if let Some(word) = word.filter(|_| is_plain && found.len() < MIRRORED_MAX)
                && let Ok(header) = HeaderName::from_bytes(format!("mcp-param-{word}").as_bytes())
                && found.iter().all(|it| it.header != header)
            {
                found.push(Mirrored { path: path.clone(), header });
            }
            open.push((path, inner, depth + 1));
        }
    }
    found
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn read(value: Value) -> Result<Definition, String> {
        let raw = serde_json::value::to_raw_value(&value).unwrap();
        Definition::read("up", &raw)
    }

    #[test]
    fn a_hint_counts_as_far_as_its_server_is_trusted() {
        let tool = |annotations: Value| read(json!({"name": "t", "annotations": annotations})).unwrap();
        let check = |annotations, trust, said, effect| {
            assert_eq!(tool(annotations).effect(trust, said), effect);
        };
        let destroy = Effect::Destroy { idempotent: false };
        check(json!({}), TrustLevel::Standard, None, destroy);
        check(json!({"readOnlyHint": true}), TrustLevel::Standard, None, Effect::Read);
        check(json!({"readOnlyHint": true}), TrustLevel::Low, None, destroy);
        check(json!({"destructiveHint": false}), TrustLevel::High, None, Effect::Write { idempotent: false });
        check(json!({"readOnlyHint": "yes"}), TrustLevel::High, None, destroy);
        check(json!({"readOnlyHint": true}), TrustLevel::High, Some(EffectChoice::Destroy), destroy);
        check(json!({}), TrustLevel::Low, Some(EffectChoice::Read), Effect::Read);
    }

    #[test]
    fn names_are_made_fit_for_models_or_refused() {
        let name = |name: &str| read(json!({"name": name})).map(|it| it.name);
        assert_eq!(name("list_issues").as_deref(), Ok("list_issues"));
        assert_eq!(name("repo/list.issues").as_deref(), Ok("repo_list_issues"));
        for bad in ["", "a__b", &"x".repeat(61)] {
            assert!(name(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn the_digest_sees_meaning_and_not_spelling() {
        let digest =
            |text: &str| Definition::read("up", &RawValue::from_string(text.into()).unwrap()).unwrap().digest;
        assert_eq!(digest(r#"{"name":"t","title":"A"}"#), digest(r#"{ "title":"\u0041", "name":"t" }"#));
        assert_ne!(digest(r#"{"name":"t","title":"A"}"#), digest(r#"{"name":"t","title":"B"}"#));
        assert_ne!(digest(r#"{"name":"t"}"#), digest(r#"{"name":"t","_meta":{"x":1}}"#));
    }

    #[test]
    fn parameters_are_mirrored_where_the_schema_says_so_and_soundly() {
        let tool = read(json!({"name": "t", "inputSchema": {"type": "object", "properties": {
            "region": {"type": "string", "x-mcp-header": "Region"},
            "count": {"type": "integer", "x-mcp-header": "Count"},
            "price": {"type": "number", "x-mcp-header": "Price"},
            "bad": {"type": "string", "x-mcp-header": "a b"},
            "again": {"type": "string", "x-mcp-header": "REGION"},
            "inner": {"type": "object", "properties": {"on": {"type": "boolean", "x-mcp-header": "On"}}},
            "list": {"type": "array", "items": {"properties": {"x": {"type": "string", "x-mcp-header": "X"}}}},
        }}}))
        .unwrap();
        let args = json!({"region": "日本", "count": 7, "inner": {"on": true}, "price": 1.5});
        let mut headers: Vec<String> = tool
            .param_headers(&args)
            .iter()
            .map(|(name, value)| format!("{name}={}", value.to_str().unwrap()))
            .collect();
        headers.sort();
        assert_eq!(
            headers,
            ["mcp-param-count=7", "mcp-param-on=true", "mcp-param-region==?base64?5pel5pys?="]
        );
        assert!(tool.param_headers(&json!({"region": null})).is_empty());
    }
}
