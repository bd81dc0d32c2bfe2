//! The JSON Schema of workflow files: for editors, and for finding every structural mistake at once.

use std::sync::OnceLock;

use schemars::generate::SchemaSettings;
use serde_json::{Map, Value};

use crate::model::{Definition, Input, ValueKind};

/// The schema of a workflow file.
pub fn schema() -> &'static Value {
    static SCHEMA: OnceLock<Value> = OnceLock::new();
    SCHEMA.get_or_init(|| {
        let generator = SchemaSettings::draft2020_12().into_generator();
        let mut schema = generator.into_root_schema_for::<Definition>().to_value();
        simplify(&mut schema);
        schema["title"] = "core-mcp workflow".into();
        schema
    })
}

/// `anyOf: [X, null]` becomes `X`, so that a complaint is about the key and not about the choice.
fn simplify(schema: &mut Value) {
    match schema {
        Value::Object(object) => {
            if let Some(Value::Array(options)) = object.get("anyOf") {
                let real: Vec<&Value> = options.iter().filter(|it| it["type"] != "null").collect();
                if let ([Value::Object(only)], true) = (real.as_slice(), real.len() < options.len()) {
                    let only = only.clone();
                    object.remove("anyOf");
                    only.into_iter().for_each(|(key, value)| {
                        object.entry(key).or_insert(value);
                    });
                }
            }
            if let Some(Value::Array(types)) = object.get_mut("type") {
                types.retain(|it| it != "null");
                if let [only] = types.as_slice() {
                    let only = only.clone();
                    object.insert("type".into(), only);
                }
            }
            if object.get("default").is_some_and(Value::is_null) {
                object.remove("default");
            }
            object.values_mut().for_each(simplify);
        }
        Value::Array(items) => items.iter_mut().for_each(simplify),
        _ => {}
    }
}

/// The schema behind a `$ref` of the same document.
pub(crate) fn resolved<'a>(root: &'a Value, schema: &'a Value) -> &'a Value {
    match schema["$ref"].as_str().and_then(|it| it.strip_prefix('#')) {
        Some(pointer) => root.pointer(pointer).unwrap_or(schema),
        None => schema,
    }
}

/// The schema of an object with these inputs: what a published workflow takes as a tool.
pub fn inputs_schema<'a>(inputs: impl Iterator<Item = (&'a String, &'a Input)>) -> Value {
    let (mut properties, mut required) = (Map::new(), Vec::new());
    for (name, input) in inputs {
        if input.default.is_none() {
            required.push(Value::from(name.as_str()));
        }
        properties.insert(name.clone(), input_schema(input));
    }
    let mut schema = serde_json::json!({
        "type": "object", "properties": properties, "additionalProperties": false,
    });
    if !required.is_empty() {
        schema["required"] = required.into();
    }
    schema
}

fn input_schema(input: &Input) -> Value {
    let mut rule = Map::new();
    rule.insert("type".into(), input.kind.as_str().into());
    let description = if input.description.is_empty() { "An input." } else { &input.description };
    rule.insert("description".into(), description.into());
    let extra = [
        ("default", input.default.clone()),
        ("enum", input.choices.clone().map(Value::Array)),
        ("pattern", input.pattern.clone().map(Value::String)),
    ];
    for (key, value) in extra {
        if let Some(value) = value {
            rule.insert(key.into(), value);
        }
    }
    if input.kind == ValueKind::Array {
        let items = input.items.unwrap_or(ValueKind::String);
        rule.insert("items".into(), serde_json::json!({ "type": items.as_str() }));
    }
    Value::Object(rule)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_schema_compiles_and_has_no_nullable_choice() {
        assert!(jsonschema::validator_for(schema()).is_ok());
        assert!(!schema().to_string().contains("\"null\""), "{}", schema());
    }
}
