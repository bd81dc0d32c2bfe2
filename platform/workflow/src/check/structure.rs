//! Keys and types, by the language's own schema.

use serde_json::{Map, Value};

use super::{Path, Report};
use crate::{
    problem::{ProblemClass, suggest},
    schema::{resolved, schema},
    source::{Content, Node},
};

const FIX: &str = "`core-mcp workflow schema` shows what is expected";

pub(super) fn check(node: &Node, value: &Value, report: &mut Report<'_>) {
    unknown_keys(node, schema(), &Path::default(), report);
    let validator = jsonschema::validator_for(schema()).expect("a test compiles it");
    for error in validator.iter_errors(value).take(100) {
        // `unknown_keys` has said this with a suggestion.
        if matches!(error.kind().keyword(), "additionalProperties" | "unevaluatedProperties") {
            continue;
        }
        let path = Path::from_pointer(error.instance_path().as_str());
        report.add(ProblemClass::Structure, &path, error.to_string(), FIX);
    }
}

/// Every object of the language is closed: a typo must not be silently ignored.
fn unknown_keys(node: &Node, schema: &Value, path: &Path, report: &mut Report<'_>) {
    let root = crate::schema::schema();
    let schema = resolved(root, schema);
    match &node.content {
        Content::Scalar(_) => {}
        Content::List(items) => {
            for (index, item) in items.iter().enumerate() {
                unknown_keys(item, &schema["items"], &path.with(index), report);
            }
        }
        Content::Map(entries) => {
            let empty = Map::new();
            let known = schema["properties"].as_object().unwrap_or(&empty);
            for (key, _, child) in entries {
                let path = path.with(key);
                match known.get(key) {
                    Some(rule) => unknown_keys(child, rule, &path, report),
                    None if schema["additionalProperties"].is_object() => {
                        unknown_keys(child, &schema["additionalProperties"], &path, report);
                    }
                    None if schema["additionalProperties"] == false => {
                        let all: Vec<&str> = known.keys().map(String::as_str).collect();
                        let fix =
                            suggest(key, all.iter().copied(), format!("known here: {}", all.join(", ")));
                        report.add(ProblemClass::Structure, &path, "this key is unknown", fix);
                    }
                    None => {}
                }
            }
        }
    }
}
