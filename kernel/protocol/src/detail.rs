//! How much of a schema is sent with every conversation.

use serde_json::{Map, Value, json};

/// From everything a model could read to what it needs to call.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Detail {
    /// All of the input; the output without prose.
    Whole,
    /// The input without bounds and without prose for conventional names; the output's fields with
    /// their types.
    Short,
    /// As `Short`, and of the output only the fields' names.
    Names,
}

/// Keywords the server enforces and names in its refusals; a model rarely needs them up front.
const BOUNDS: &[&str] = &[
    "additionalProperties",
    "maxItems",
    "maxLength",
    "maximum",
    "minItems",
    "minLength",
    "minimum",
    "pattern",
    "uniqueItems",
];

/// Parameters whose name says it all, in this project and in the field.
const CONVENTIONAL: &[&str] = &[
    "command",
    "content",
    "context",
    "create_dirs",
    "cursor",
    "data",
    "db",
    "depth",
    "directory_path",
    "dry_run",
    "encoding",
    "eof",
    "file_path",
    "glob",
    "include_ignored",
    "kind",
    "length",
    "limit",
    "max_bytes",
    "message",
    "mode",
    "new",
    "offset",
    "old",
    "op",
    "overwrite",
    "params",
    "path",
    "paths",
    "pattern",
    "recursive",
    "regex",
    "remote",
    "repo",
    "session_id",
    "show_hidden",
    "sort",
    "sql",
    "staged",
    "stdin",
    "target",
    "timeout",
    "working_directory",
];

impl Detail {
    pub(crate) fn input(self, schema: &Value) -> Value {
        match self {
            Self::Whole => schema.clone(),
            Self::Short | Self::Names => shortened(schema),
        }
    }

    pub(crate) fn output(self, schema: &Value) -> Value {
        match self {
            Self::Whole => without_prose(schema),
            Self::Short => fields(schema, |field| match field.get("type") {
                Some(kind) => json!({ "type": kind }),
                None => json!({}),
            }),
            Self::Names => fields(schema, |_| json!({})),
        }
    }
}

/// An object schema with each field reduced by `reduce`.
fn fields(schema: &Value, reduce: impl Fn(&Value) -> Value) -> Value {
    let Some(properties) = schema["properties"].as_object() else { return json!({ "type": "object" }) };
    let reduced: Map<String, Value> =
        properties.iter().map(|(name, field)| (name.clone(), reduce(field))).collect();
    json!({ "type": "object", "properties": reduced })
}

fn without_prose(schema: &Value) -> Value {
    rewrite(schema, &|key, value| !(key == "description" && value.is_string()), &|_, field| field)
}

fn shortened(schema: &Value) -> Value {
    rewrite(schema, &|key, _| !BOUNDS.contains(&key), &|name, mut field| {
        if CONVENTIONAL.contains(&name)
            && let Some(field) = field.as_object_mut()
        {
            field.remove("description");
        }
        field
    })
}

/// Copies a schema: keywords that `keep` refuses are left out, and each named field passes `field`.
fn rewrite(
    schema: &Value,
    keep: &dyn Fn(&str, &Value) -> bool,
    field: &dyn Fn(&str, Value) -> Value,
) -> Value {
    match schema {
        Value::Object(object) => {
            let kept = object.iter().filter(|(key, value)| keep(key, value));
            Value::Object(kept.map(|(key, value)| (key.clone(), keyword(key, value, keep, field))).collect())
        }
        Value::Array(items) => items.iter().map(|item| rewrite(item, keep, field)).collect(),
        scalar => scalar.clone(),
    }
}

fn keyword(
    key: &str,
    value: &Value,
    keep: &dyn Fn(&str, &Value) -> bool,
    field: &dyn Fn(&str, Value) -> Value,
) -> Value {
    match (key, value) {
        // What stands under these is data, not a schema.
        ("default" | "enum" | "const" | "examples" | "required", _) => value.clone(),
        // These keys are names: a field may well be called `description`.
        ("properties" | "patternProperties" | "$defs", Value::Object(named)) => Value::Object(
            named.iter().map(|(name, it)| (name.clone(), field(name, rewrite(it, keep, field)))).collect(),
        ),
        _ => rewrite(value, keep, field),
    }
}
