//! The config section: documented, closed, and usable when empty.

use kernel::ServerEntry;
use serde_json::{Value, json};

use super::Findings;

/// Endings of key names whose values are credentials.
const SECRET_ENDINGS: &[&str] = &["password", "token", "secret", "api_key", "private_key"];

pub(super) fn check(entry: &ServerEntry, config: &Value, findings: &mut Findings) {
    let name = entry.facts.name;
    let schema = (entry.config_schema)();
    keys(name, &schema, findings);
    match jsonschema::draft202012::new(&schema) {
        Ok(validator) => {
            findings.must(validator.is_valid(&json!({})), "C2", name, "an empty config section is not valid");
            findings.must(validator.is_valid(config), "C2", name, "the given config section is not valid");
        }
        Err(_) => findings.must(false, "C2", name, "the config schema does not compile"),
    }
}

fn keys(place: &str, schema: &Value, findings: &mut Findings) {
    let properties = schema["properties"].as_object();
    let is_closed = schema["additionalProperties"] == false || (place.contains('.') && properties.is_none());
    findings.must(is_closed, "C3", place, "unknown keys are not refused: add #[serde(deny_unknown_fields)]");
    for (key, property) in properties.into_iter().flatten() {
        let place = format!("{place}.{key}");
        let documented = property["description"].as_str().is_some_and(|it| !it.trim().is_empty());
        findings.must(documented, "C1", &place, "the key has no doc comment");
        let is_secret = SECRET_ENDINGS.iter().any(|ending| key.ends_with(ending));
        findings.must(
            !is_secret || property["writeOnly"] == true,
            "C4",
            &place,
            "the key holds a credential: its type must be kernel::Secret",
        );
        if property["properties"].is_object() {
            keys(&place, property, findings);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn broken(schema: Value) -> Vec<&'static str> {
        let mut findings = Findings::default();
        keys("echo", &schema, &mut findings);
        findings.broken().into_iter().map(|it| it.rule).collect()
    }

    fn with_key(key: &str, property: Value) -> Vec<&'static str> {
        broken(json!({ "additionalProperties": false, "properties": { key: property } }))
    }

    #[test]
    fn each_broken_key_is_found() {
        assert_eq!(with_key("host", json!({ "description": "Where." })), Vec::<&str>::new());
        assert_eq!(with_key("host", json!({})), ["C1"]);
        assert_eq!(broken(json!({ "properties": {} })), ["C3"]);
        assert_eq!(with_key("smtp_password", json!({ "description": "Which." })), ["C4"]);
        assert_eq!(
            with_key("smtp_password", json!({ "description": "Which.", "writeOnly": true })),
            Vec::<&str>::new()
        );
        assert_eq!(
            with_key("tls", json!({ "description": "How.", "properties": { "ca": {} } })),
            ["C3", "C1"]
        );
    }
}
