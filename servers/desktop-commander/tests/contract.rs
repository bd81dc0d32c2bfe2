//! What clients see of the file tools: names, parameters, hints, and how much of a context they take.

use kernel::{Effect, ToolSpec};
use serde_json::{Value, json};

/// The file half of the server, in order.
const FILE_TOOLS: &[&str] = &[
    "read_file",
    "read_multiple_files",
    "write_file",
    "edit_file",
    "list_directory",
    "search_files",
    "get_path_info",
    "create_directory",
    "move_path",
    "delete_path",
    "list_changes",
    "undo_change",
];

fn file_specs() -> Vec<ToolSpec> {
    let specs = (server_desktop_commander::entry().specs)();
    specs.into_iter().filter(|spec| FILE_TOOLS.contains(&spec.name.as_str())).collect()
}

fn listed(spec: &ToolSpec) -> Value {
    json!({
        "name": spec.name,
        "description": spec.description,
        "inputSchema": spec.input_schema,
        "outputSchema": without_descriptions(&spec.output_schema),
        "annotations": {
            "readOnlyHint": spec.effect.is_read(),
            "destructiveHint": matches!(spec.effect, Effect::Destroy { .. }),
            "idempotentHint": spec.effect.is_idempotent(),
            "openWorldHint": spec.open_world,
        },
    })
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

#[test]
fn keeps_the_contract() {
    testkit::conformance::<server_desktop_commander::DesktopCommander>();
}

#[test]
fn the_tools_are_the_ones_we_promise() {
    let names: Vec<String> = file_specs().into_iter().map(|spec| spec.name).collect();
    assert_eq!(names, FILE_TOOLS);
    insta::assert_json_snapshot!(file_specs());
}

#[test]
fn the_documented_parameters_keep_their_names_types_and_defaults() {
    let property = |tool: &str, name: &str| {
        let spec = file_specs().into_iter().find(|spec| spec.name == tool).unwrap();
        let required = spec.input_schema["required"].as_array().unwrap().contains(&json!(name));
        let property = &spec.input_schema["properties"][name];
        (required, property["type"].clone(), property["default"].clone())
    };
    let table = [
        ("read_file", "file_path", (true, json!("string"), Value::Null)),
        ("read_file", "encoding", (false, json!("string"), json!("utf-8"))),
        ("write_file", "file_path", (true, json!("string"), Value::Null)),
        ("write_file", "content", (true, json!("string"), Value::Null)),
        ("write_file", "create_dirs", (false, json!("boolean"), json!(true))),
        ("list_directory", "directory_path", (true, json!("string"), Value::Null)),
        ("list_directory", "show_hidden", (false, json!("boolean"), json!(false))),
    ];
    for (tool, name, expected) in table {
        assert_eq!(property(tool, name), expected, "{tool}.{name}");
    }
}

#[test]
fn the_listing_of_the_file_tools_takes_at_most_nine_kibibytes() {
    let sizes: Vec<(String, usize)> =
        file_specs().iter().map(|spec| (spec.name.clone(), listed(spec).to_string().len())).collect();
    let total: usize = sizes.iter().map(|(_, size)| size).sum();
    assert!(total <= 9 * 1024, "{total} bytes: {sizes:?}");
}
