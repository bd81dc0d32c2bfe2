//! The documents' names hold: no server or tool is renamed, dropped or retyped.
//!
//! `contract.json` lists what the requirement documents name. A server may offer more tools and more
//! optional parameters than they do, never fewer.

use std::collections::BTreeSet;

use kernel::{ServerEntry, ToolSpec};
use serde_json::Value;

/// Documented tools that are not built yet. A row goes when its tool comes; a stale row fails the test.
const NOT_YET: &[(&str, &str)] = &[];

fn contract() -> Value {
    serde_json::from_str(include_str!("contract.json")).expect("the contract is JSON")
}

/// Every disagreement between one server and its part of the contract, in words.
fn disagreements(documented: &Value, entry: &ServerEntry) -> Vec<String> {
    let facts = entry.facts;
    let mut found = Vec::new();
    let mut expect = |what: String, is: Value, should: &Value| {
        if is != *should {
            found.push(format!("{what} is {is}, documented is {should}"));
        }
    };
    expect(format!("version of {}", facts.name), facts.version.into(), &documented["version"]);
    expect(format!("category of {}", facts.name), facts.category.into(), &documented["category"]);
    expect(format!("aliases of {}", facts.name), facts.aliases.into(), &documented["aliases"]);
    let specs = (entry.specs)();
    for tool in documented["tools"].as_array().into_iter().flatten() {
        let expected = NOT_YET.iter().any(|(server, name)| *server == facts.name && tool["name"] == *name);
        match specs.iter().find(|spec| tool["name"] == spec.name.as_str()) {
            Some(spec) if expected => {
                found.push(format!("{}.{} is here: take it off the list", facts.name, spec.name))
            }
            Some(spec) => found.extend(tool_disagreements(tool, spec)),
            None if expected => {}
            None => found.push(format!("{} has no tool {}", facts.name, tool["name"])),
        }
    }
    found
}

fn tool_disagreements(documented: &Value, spec: &ToolSpec) -> Vec<String> {
    let mut found = Vec::new();
    let empty = Vec::new();
    let required = spec.input_schema["required"].as_array().unwrap_or(&empty);
    let required: BTreeSet<&str> = required.iter().filter_map(Value::as_str).collect();
    let documented_required: BTreeSet<&str> =
        documented["required"].as_object().into_iter().flatten().map(|(name, _)| name.as_str()).collect();
    if required != documented_required {
        found.push(format!("{}: requires {required:?}, documented are {documented_required:?}", spec.name));
    }
    for group in ["required", "optional"] {
        for (name, rule) in documented[group].as_object().into_iter().flatten() {
            found.extend(
                parameter_disagreement(rule, &spec.input_schema["properties"][name])
                    .map(|it| format!("{}.{name}: {it}", spec.name)),
            );
        }
    }
    found
}

/// A rule is a type's name, or an object with `type`, `default` and `enum`.
fn parameter_disagreement(rule: &Value, schema: &Value) -> Option<String> {
    if schema.is_null() {
        return Some("the parameter is missing".into());
    }
    let kind = rule.as_str().or_else(|| rule["type"].as_str());
    if schema["type"].as_str() != kind {
        return Some(format!("the type is {}, documented is {kind:?}", schema["type"]));
    }
    for key in ["default", "enum"] {
        if !rule[key].is_null() && rule[key] != schema[key] {
            return Some(format!("{key} is {}, documented is {}", schema[key], rule[key]));
        }
    }
    None
}

#[test]
fn every_server_keeps_what_the_documents_promise() {
    let contract = contract();
    let documented = contract["servers"].as_array().expect("a list of servers");
    let mut found = Vec::new();
    for entry in catalog::native_servers() {
        match documented.iter().find(|it| it["name"] == entry.facts.name) {
            Some(promise) => found.extend(disagreements(promise, &entry)),
            None => found.push(format!("{} is in no document", entry.facts.name)),
        }
    }
    assert!(found.is_empty(), "{}", found.join("\n"));
}

#[test]
fn no_two_servers_answer_to_one_name() {
    let mut seen = BTreeSet::new();
    for entry in catalog::native_servers() {
        for name in std::iter::once(&entry.facts.name).chain(entry.facts.aliases) {
            assert!(seen.insert(*name), "{name} names two servers");
        }
    }
    assert!(!seen.is_empty(), "the manifest names at least one server");
}

#[test]
fn every_tool_fits_on_the_wire() {
    for entry in catalog::native_servers() {
        for spec in (entry.specs)() {
            let wire = spec.wire_name();
            let fits =
                wire.len() <= 64 && wire.chars().all(|it| it.is_ascii_alphanumeric() || "_-".contains(it));
            assert!(fits, "{wire} is not [A-Za-z0-9_-]{{1,64}}");
            assert!(!spec.description.is_empty(), "{wire} says nothing to the model");
        }
    }
}

/// The comparison itself must be able to fail.
#[test]
fn a_changed_promise_is_noticed() {
    let cases = [
        (r#"{"type": "object", "properties": {"a": {"type": "string"}}, "required": ["a"]}"#, 0),
        (r#"{"type": "object", "properties": {"a": {"type": "integer"}}, "required": ["a"]}"#, 1),
        (r#"{"type": "object", "properties": {"b": {"type": "string"}}, "required": ["a"]}"#, 1),
        (r#"{"type": "object", "properties": {"a": {"type": "string"}}}"#, 1),
    ];
    let documented = serde_json::json!({"name": "t", "required": {"a": "string"}, "optional": {}});
    for (schema, expected) in cases {
        let spec = ToolSpec {
            server: "s".into(),
            name: "t".into(),
            title: String::new(),
            description: String::new(),
            input_schema: serde_json::from_str(schema).unwrap(),
            output_schema: Value::Null,
            effect: kernel::Effect::Read,
            open_world: false,
            permission: String::new(),
            long: false,
            raw: None,
        };
        assert_eq!(tool_disagreements(&documented, &spec).len(), expected, "{schema}");
    }
}
