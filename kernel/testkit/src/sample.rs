//! Arguments that a schema allows, made from the schema alone.

use serde_json::{Map, Value, json};

/// What strings with a pattern or a format are tried with, plainest first.
const WORDS: &[&str] = &[
    "a",
    "main",
    "1",
    "/tmp/a",
    "a.txt",
    "https://example.org/",
    "a@example.org",
    "2026-01-02",
    "2026-01-02T03:04:05Z",
    "127.0.0.1",
    "0123456789abcdef0123456789abcdef01234567",
    "1h",
];
const DEPTH_MAX: usize = 16;

/// The smallest arguments object that `schema` allows: required fields only.
///
/// Takes `examples` and `default` first, then `enum`, then the type's own bounds. A string with a pattern
/// that no plain word fits needs an example in its schema; the error names such a field.
pub fn sample_arguments(schema: &Value) -> Result<Value, String> {
    let arguments = object(schema, "arguments", 0)?;
    match jsonschema::draft202012::new(schema).map(|it| it.is_valid(&arguments)) {
        Ok(true) => Ok(arguments),
        _ => Err("arguments".to_owned()),
    }
}

fn object(schema: &Value, field: &str, depth: usize) -> Result<Value, String> {
    if depth > DEPTH_MAX {
        return Err(field.to_owned());
    }
    let mut made = Map::new();
    for name in schema["required"].as_array().into_iter().flatten().filter_map(Value::as_str) {
        made.insert(name.to_owned(), value(&schema["properties"][name], name, depth + 1)?);
    }
    Ok(Value::Object(made))
}

fn value(schema: &Value, field: &str, depth: usize) -> Result<Value, String> {
    let validator = jsonschema::draft202012::new(schema).map_err(|_| field.to_owned())?;
    let mut candidates: Vec<Value> = schema["examples"].as_array().cloned().unwrap_or_default();
    candidates.extend(schema.get("default").cloned());
    candidates.extend(schema.get("const").cloned());
    candidates.extend(schema["enum"].as_array().into_iter().flatten().cloned());
    candidates.extend(by_type(schema, field, depth)?);
    candidates.into_iter().find(|it| validator.is_valid(it)).ok_or_else(|| field.to_owned())
}

fn by_type(schema: &Value, field: &str, depth: usize) -> Result<Vec<Value>, String> {
    let name = schema["type"].as_str().or_else(|| schema["type"][0].as_str()).unwrap_or_default();
    Ok(match name {
        "string" => strings(schema),
        "integer" | "number" => {
            let low = schema["minimum"].as_i64().unwrap_or(0);
            vec![json!(low), json!(low + 1), json!(1), schema["maximum"].clone()]
        }
        "boolean" => vec![json!(false), json!(true)],
        "array" => {
            let count = schema["minItems"].as_u64().unwrap_or(0).min(8);
            let items: Result<Vec<Value>, String> =
                (0..count).map(|_| value(&schema["items"], field, depth + 1)).collect();
            vec![Value::Array(items?)]
        }
        "object" => vec![object(schema, field, depth + 1)?],
        _ => {
            let options = ["anyOf", "oneOf"].iter().filter_map(|key| schema[key].as_array()).flatten();
            options.filter_map(|it| value(it, field, depth + 1).ok()).collect()
        }
    })
}

fn strings(schema: &Value) -> Vec<Value> {
    let length = schema["minLength"].as_u64().unwrap_or(0).min(4096);
    let long_enough = "a".repeat(usize::try_from(length).unwrap_or(0));
    WORDS.iter().map(|it| json!(it)).chain([json!(long_enough)]).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sample(field: Value) -> Result<Value, String> {
        let schema = json!({ "type": "object", "required": ["a"], "properties": { "a": field } });
        sample_arguments(&schema).map(|it| it["a"].clone())
    }

    #[test]
    fn the_smallest_allowed_value_is_made() {
        assert_eq!(sample(json!({ "type": "string" })), Ok(json!("a")));
        assert_eq!(sample(json!({ "type": "string", "minLength": 50 })), Ok(json!("a".repeat(50))));
        assert_eq!(sample(json!({ "type": "string", "pattern": "^/" })), Ok(json!("/tmp/a")));
        assert_eq!(sample(json!({ "type": "integer", "minimum": 5 })), Ok(json!(5)));
        assert_eq!(sample(json!({ "type": "integer", "exclusiveMinimum": 0 })), Ok(json!(1)));
        assert_eq!(sample(json!({ "type": "boolean" })), Ok(json!(false)));
        assert_eq!(sample(json!({ "enum": ["up", "down"] })), Ok(json!("up")));
        assert_eq!(
            sample(json!({ "type": "array", "minItems": 2, "items": { "type": "boolean" } })),
            Ok(json!([false, false]))
        );
        assert_eq!(
            sample(
                json!({ "type": "object", "required": ["b"], "properties": { "b": { "type": "string" } } })
            ),
            Ok(json!({ "b": "a" }))
        );
        assert_eq!(sample(json!({ "anyOf": [{ "type": "boolean" }] })), Ok(json!(false)));
    }

    #[test]
    fn an_example_helps_where_no_word_fits() {
        let odd = "^only-this-[0-9]{3}$";
        assert_eq!(sample(json!({ "type": "string", "pattern": odd })), Err("a".into()));
        assert_eq!(
            sample(json!({ "type": "string", "pattern": odd, "examples": ["only-this-123"] })),
            Ok(json!("only-this-123"))
        );
    }
}
