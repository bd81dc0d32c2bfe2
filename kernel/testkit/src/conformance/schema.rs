//! Input and output schemas: what every client and every model provider accepts.

use kernel::ToolSpec;
use serde_json::{Map, Value};

use super::Findings;

const FIELD_DESCRIPTION_CHARS_MAX: usize = 400;
/// Levels below the arguments object that a model still fills in reliably.
const DEPTH_MAX: usize = 5;
const COMBINATORS: &[&str] = &["anyOf", "oneOf", "allOf", "not", "if"];

pub(super) fn check(spec: &ToolSpec, findings: &mut Findings) {
    let name = spec.name.as_str();
    for (what, schema) in [("input", &spec.input_schema), ("output", &spec.output_schema)] {
        let place = format!("{name} {what}");
        findings.must(schema["type"] == "object", "S1", &place, "the schema is not an object's");
        for combinator in COMBINATORS {
            findings.must(
                schema.get(combinator).is_none(),
                "S2",
                &place,
                format!("`{combinator}` stands at the top; some providers refuse the whole list"),
            );
        }
        findings.must(
            jsonschema::draft202012::new(schema).is_ok(),
            "S6",
            &place,
            "the schema does not compile as JSON Schema 2020-12",
        );
        references(&place, schema, findings);
    }
    object(name, &spec.input_schema, Side::Input, 0, findings);
    object(name, &spec.output_schema, Side::Output, 0, findings);
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Side {
    Input,
    Output,
}

fn object(place: &str, schema: &Value, side: Side, depth: usize, findings: &mut Findings) {
    findings.must(depth <= DEPTH_MAX, "S8", place, format!("nested more than {DEPTH_MAX} levels deep"));
    if depth > DEPTH_MAX {
        return;
    }
    let properties = schema["properties"].as_object();
    if side == Side::Input && (depth == 0 || properties.is_some()) {
        findings.must(
            schema["additionalProperties"] == false,
            "S3",
            place,
            "unknown fields are not refused: add #[serde(deny_unknown_fields)]",
        );
    }
    required(place, schema, properties, findings);
    for (field, property) in properties.into_iter().flatten() {
        let place = format!("{place}.{field}");
        if side == Side::Input {
            documented(&place, property, findings);
        }
        value(&place, property, side, depth + 1, findings);
    }
    if let Some(values) = schema.get("additionalProperties").filter(|it| it.is_object()) {
        value(&format!("{place}.*"), values, side, depth + 1, findings);
    }
}

fn value(place: &str, schema: &Value, side: Side, depth: usize, findings: &mut Findings) {
    if side == Side::Input {
        let typed = ["type", "enum", "const", "anyOf", "oneOf"].iter().any(|key| schema.get(key).is_some());
        findings.must(typed, "S7", place, "no type: a model cannot know what to send");
    }
    let is = |name: &str| schema["type"] == name;
    if is("array") {
        findings.must(
            schema["items"].is_object(),
            "S4",
            place,
            "an array says what it holds: `items` is missing",
        );
        value(&format!("{place}[]"), &schema["items"], side, depth + 1, findings);
    } else if is("object") {
        object(place, schema, side, depth, findings);
    }
}

fn documented(place: &str, property: &Value, findings: &mut Findings) {
    let text = property["description"].as_str().unwrap_or_default();
    findings.must(!text.trim().is_empty(), "D4", place, "the field has no doc comment");
    let length = text.chars().count();
    findings.must(
        length <= FIELD_DESCRIPTION_CHARS_MAX,
        "D4",
        place,
        format!("described in {length} characters, {FIELD_DESCRIPTION_CHARS_MAX} are allowed"),
    );
}

fn required(place: &str, schema: &Value, properties: Option<&Map<String, Value>>, findings: &mut Findings) {
    for name in schema["required"].as_array().into_iter().flatten().filter_map(Value::as_str) {
        let known = properties.is_some_and(|it| it.contains_key(name));
        findings.must(known, "S9", place, format!("requires `{name}`, which is not among its properties"));
    }
}

/// Clients resolve references badly or not at all, so everything is inline.
fn references(place: &str, schema: &Value, findings: &mut Findings) {
    match schema {
        Value::Object(object) => {
            for key in ["$ref", "$dynamicRef", "$defs", "definitions"] {
                let is_keyword = object.get(key).is_some_and(|it| key.starts_with('$') || it.is_object());
                findings.must(!is_keyword, "S5", place, format!("`{key}`: schemas are inline"));
            }
            object
                .iter()
                .filter(|(key, _)| *key != "properties")
                .for_each(|(_, it)| references(place, it, findings));
            for (_, property) in object.get("properties").and_then(Value::as_object).into_iter().flatten() {
                references(place, property, findings);
            }
        }
        Value::Array(items) => items.iter().for_each(|it| references(place, it, findings)),
        _ => {}
    }
}

#[cfg(test)]
mod tests {
    use kernel::ServerEntry;
    use serde_json::json;

    use super::*;
    use crate::EchoServer;

    /// The rules an input schema breaks.
    fn input(schema: Value) -> Vec<&'static str> {
        let mut spec = (ServerEntry::of::<EchoServer>().specs)().remove(0);
        spec.input_schema = schema;
        broken(&spec)
    }

    fn output(schema: Value) -> Vec<&'static str> {
        let mut spec = (ServerEntry::of::<EchoServer>().specs)().remove(0);
        spec.output_schema = schema;
        broken(&spec)
    }

    fn broken(spec: &ToolSpec) -> Vec<&'static str> {
        let mut findings = Findings::default();
        check(spec, &mut findings);
        findings.broken().into_iter().map(|it| it.rule).collect()
    }

    fn with_field(field: Value) -> Vec<&'static str> {
        input(json!({ "type": "object", "additionalProperties": false, "properties": { "a": field } }))
    }

    #[test]
    fn each_broken_shape_is_found() {
        let empty = || json!({ "type": "object", "additionalProperties": false, "properties": {} });
        assert_eq!(input(empty()), Vec::<&str>::new());
        assert_eq!(input(json!({ "type": "array", "additionalProperties": false })), ["S1"]);
        for combinator in COMBINATORS {
            let mut schema = empty();
            schema[combinator] = if *combinator == "not" || *combinator == "if" {
                json!({ "type": "null" })
            } else {
                json!([{}])
            };
            assert_eq!(input(schema), ["S2"], "{combinator}");
        }
        assert_eq!(input(json!({ "type": "object", "properties": {} })), ["S3"]);
        assert_eq!(
            input(json!({ "type": "object", "additionalProperties": false, "required": ["b"] })),
            ["S9"]
        );
        assert_eq!(input(json!({ "type": "object", "additionalProperties": false, "$defs": {} })), ["S5"]);
        assert_eq!(output(json!({ "type": "string" })), ["S1"]);
    }

    #[test]
    fn each_broken_field_is_found() {
        assert_eq!(with_field(json!({ "type": "string", "description": "Fine." })), Vec::<&str>::new());
        assert_eq!(with_field(json!({ "type": "string" })), ["D4"]);
        assert_eq!(with_field(json!({ "type": "string", "description": "d".repeat(401) })), ["D4"]);
        assert_eq!(with_field(json!({ "description": "Anything." })), ["S7"]);
        assert_eq!(with_field(json!({ "type": "array", "description": "Many." })), ["S4", "S7"]);
        assert_eq!(with_field(json!({ "type": "text", "description": "Bad type." })), ["S6"]);
        assert_eq!(with_field(json!({ "type": "object", "properties": {}, "description": "Open." })), ["S3"]);
        assert_eq!(
            with_field(json!({ "type": "array", "items": { "$ref": "#" }, "description": "Loop." })),
            ["S5", "S7"]
        );
    }

    #[test]
    fn a_field_may_be_called_like_a_keyword() {
        let schema = json!({ "type": "object", "additionalProperties": false, "properties": {
            "definitions": { "type": "string", "description": "A field, not a keyword." },
        }});
        assert_eq!(input(schema), Vec::<&str>::new());
    }

    #[test]
    fn deep_nesting_is_found_and_bounded() {
        let mut field = json!({ "type": "string", "description": "Leaf." });
        for _ in 0..40 {
            field = json!({ "type": "object", "additionalProperties": false, "description": "Level.",
                "properties": { "a": field } });
        }
        assert_eq!(with_field(field), ["S8"]);
    }
}
