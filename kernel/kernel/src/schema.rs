//! Schemas that every client accepts: inline, without combinators for `Option`, short.

use schemars::{JsonSchema, generate::SchemaSettings};
use serde_json::{Map, Value};

/// The schema of `T` with everything inlined and client-hostile habits removed:
/// no `$ref`, no `title`, no `format: uint32`, and `Option<X>` reads as an optional `X`.
pub(crate) fn schema_of<T: JsonSchema>() -> Value {
    let settings = SchemaSettings::draft2020_12().with(|settings| {
        settings.inline_subschemas = true;
        settings.meta_schema = None;
    });
    let mut schema = settings.into_generator().into_root_schema_for::<T>().to_value();
    simplify(&mut schema);
    if let Some(object) = schema.as_object_mut() {
        object.remove("$schema");
    }
    schema
}

fn simplify(schema: &mut Value) {
    match schema {
        Value::Object(object) => {
            drop_noise(object);
            for (key, value) in object.iter_mut() {
                // What stands under these keys is data, not a schema.
                if !matches!(key.as_str(), "default" | "enum" | "const" | "examples") {
                    simplify(value);
                }
            }
        }
        Value::Array(items) => items.iter_mut().for_each(simplify),
        _ => {}
    }
}

fn drop_noise(object: &mut Map<String, Value>) {
    if object.get("title").is_some_and(Value::is_string) {
        object.remove("title");
    }
    let is_number_format = |format: &Value| {
        format.as_str().is_some_and(|it| {
            it.starts_with("uint") || it.starts_with("int") || it == "double" || it == "float"
        })
    };
    if object.get("format").is_some_and(is_number_format) {
        object.remove("format");
    }
    if let Some(Value::Array(types)) = object.get_mut("type") {
        types.retain(|it| it != "null");
        if let [only] = types.as_slice() {
            let only = only.clone();
            object.insert("type".into(), only);
        }
    }
    if let Some(Value::Array(values)) = object.get_mut("enum") {
        values.retain(|it| !it.is_null());
    }
    if object.get("default").is_some_and(Value::is_null) {
        object.remove("default");
    }
    unwrap_nullable(object);
    merge_unit_variants(object);
}

/// `anyOf: [X, null]` becomes `X`.
fn unwrap_nullable(object: &mut Map<String, Value>) {
    let Some(Value::Array(options)) = object.get("anyOf") else { return };
    let real: Vec<&Value> = options.iter().filter(|it| it["type"] != "null").collect();
    let ([Value::Object(only)], true) = (real.as_slice(), real.len() < options.len()) else { return };
    let only = (*only).clone();
    object.remove("anyOf");
    for (key, value) in only {
        object.entry(key).or_insert(value);
    }
}

/// Documented unit variants arrive as `oneOf: [{const: a}, {const: b}]`; models read `enum` better.
fn merge_unit_variants(object: &mut Map<String, Value>) {
    let Some(Value::Array(options)) = object.get("oneOf") else { return };
    let mut values = Vec::new();
    for option in options {
        match (option.get("const"), option.get("enum")) {
            (Some(value), _) => values.push(value.clone()),
            (None, Some(Value::Array(many))) => values.extend(many.iter().cloned()),
            _ => return,
        }
    }
    object.remove("oneOf");
    object.insert("type".into(), "string".into());
    object.insert("enum".into(), values.into());
}
