//! What clients see of the command half.

use kernel::Effect;
use serde_json::{Value, json};

const TOOLS: &[(&str, &str)] = &[
    ("execute_command", "destroy"),
    ("make_command", "destroy"),
    ("read_process", "read"),
    ("write_process_stdin", "destroy"),
    ("stop_process", "destroy"),
    ("list_processes", "read"),
    ("explain_command", "read"),
    ("get_policy", "read"),
    ("git_query", "read"),
    ("git_change", "destroy"),
    ("sqlite_query", "read"),
    ("sqlite_execute", "destroy"),
];

#[test]
fn the_command_tools_are_the_ones_we_promise_and_take_little_room() {
    let specs = (server_desktop_commander::entry().specs)();
    let mut sizes = Vec::new();
    for (name, effect) in TOOLS {
        let spec = specs.iter().find(|spec| spec.name == *name).unwrap();
        assert_eq!(spec.effect.as_str(), *effect, "{name}");
        assert_eq!(spec.input_schema["additionalProperties"], json!(false), "{name}");
        let size =
            json!({"name": spec.name, "description": spec.description, "inputSchema": spec.input_schema})
                .to_string()
                .len();
        let output = without_descriptions(&spec.output_schema).to_string().len();
        sizes.push((*name, size, output));
    }
    let total: usize = sizes.iter().map(|(_, input, output)| input + output).sum();
    assert!(total <= 9 * 1024 + 512, "{total} bytes: {sizes:?}");
    let stop = specs.iter().find(|spec| spec.name == "stop_process").unwrap();
    assert_eq!(stop.effect, Effect::Destroy { idempotent: true });
}

#[test]
fn the_documented_parameters_keep_their_names_types_and_defaults() {
    let specs = (server_desktop_commander::entry().specs)();
    let property = |tool: &str, name: &str| {
        let spec = specs.iter().find(|spec| spec.name == tool).unwrap();
        let required = spec.input_schema["required"].as_array().unwrap().contains(&json!(name));
        let property = &spec.input_schema["properties"][name];
        (required, property["type"].clone(), property["default"].clone())
    };
    assert_eq!(property("execute_command", "command"), (true, json!("string"), Value::Null));
    assert_eq!(property("execute_command", "working_directory"), (false, json!("string"), Value::Null));
    assert_eq!(property("execute_command", "timeout"), (false, json!("integer"), json!(300)));
    assert_eq!(property("make_command", "target"), (true, json!("string"), Value::Null));
    assert_eq!(property("make_command", "args"), (false, json!("string"), Value::Null));
}

fn without_descriptions(schema: &Value) -> Value {
    match schema {
        Value::Object(object) => object
            .iter()
            .filter(|(key, value)| !(*key == "description" && value.is_string()))
            .map(|(key, value)| (key.clone(), without_descriptions(value)))
            .collect(),
        Value::Array(items) => items.iter().map(without_descriptions).collect(),
        other => other.clone(),
    }
}
