//! A tool as `tools/list` shows it.

use kernel::{Effect, ToolSpec};
use serde_json::{Map, Value, json};

/// How tools are named on a route.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Naming {
    /// `server__tool`: every server on one route.
    Qualified,
    /// `tool`: the route is one server's.
    Bare,
}

impl Naming {
    /// The name of `spec` on such a route.
    pub fn name_of(self, spec: &ToolSpec) -> String {
        match self {
            Self::Qualified => spec.wire_name(),
            Self::Bare => spec.name.clone(),
        }
    }
}

/// One entry of `tools/list`.
///
/// Descriptions inside the output schema are left out: the model reads the result itself, and they
/// would be sent with every conversation.
pub fn wire_tool(spec: &ToolSpec, naming: Naming) -> Value {
    let mut output_schema = spec.output_schema.clone();
    strip_descriptions(&mut output_schema);
    json!({
        "name": naming.name_of(spec),
        "title": spec.title,
        "description": spec.description,
        "inputSchema": spec.input_schema,
        "outputSchema": output_schema,
        "annotations": {
            "title": spec.title,
            "readOnlyHint": spec.effect.is_read(),
            "destructiveHint": matches!(spec.effect, Effect::Destroy { .. }),
            "idempotentHint": spec.effect.is_idempotent(),
            "openWorldHint": spec.open_world,
        },
    })
}

fn strip_descriptions(schema: &mut Value) {
    match schema {
        Value::Object(object) => {
            if object.get("description").is_some_and(Value::is_string) {
                object.remove("description");
            }
            for (key, value) in object.iter_mut() {
                match (key.as_str(), value) {
                    // What stands under these is data, not a schema.
                    ("default" | "enum" | "const" | "examples", _) => {}
                    // These keys are names: a field may well be called `description`.
                    ("properties" | "patternProperties" | "$defs", Value::Object(fields)) => {
                        strip_each(fields)
                    }
                    (_, value) => strip_descriptions(value),
                }
            }
        }
        Value::Array(items) => items.iter_mut().for_each(strip_descriptions),
        _ => {}
    }
}

fn strip_each(fields: &mut Map<String, Value>) {
    fields.values_mut().for_each(strip_descriptions);
}

#[cfg(test)]
mod tests {
    use super::*;

    fn spec(effect: Effect) -> ToolSpec {
        ToolSpec {
            server: "docker-manager".into(),
            name: "docker_stop".into(),
            title: "Stop a container".into(),
            description: "Stops one container.".into(),
            input_schema: json!({"type": "object", "properties": {"container": {"type": "string", "description": "kept"}}}),
            output_schema: json!({
                "type": "object",
                "description": "gone",
                "properties": {
                    "description": {"type": "string", "description": "gone"},
                    "items": {"type": "array", "items": {"type": "string", "description": "gone"}},
                    "kind": {"enum": ["description"], "default": {"description": "kept"}},
                },
            }),
            effect,
            open_world: true,
            permission: "mcp.docker-manager:execute".into(),
        }
    }

    #[test]
    fn hints_follow_the_effect() {
        for (effect, read, destroy, idempotent) in [
            (Effect::Read, true, false, true),
            (Effect::Write { idempotent: false }, false, false, false),
            (Effect::Write { idempotent: true }, false, false, true),
            (Effect::Destroy { idempotent: true }, false, true, true),
            (Effect::Destroy { idempotent: false }, false, true, false),
        ] {
            let hints = wire_tool(&spec(effect), Naming::Bare)["annotations"].clone();
            let told = [&hints["readOnlyHint"], &hints["destructiveHint"], &hints["idempotentHint"]];
            assert_eq!(told, [&json!(read), &json!(destroy), &json!(idempotent)], "{effect:?}");
        }
    }

    #[test]
    fn names_follow_the_route_and_output_schemas_lose_their_prose() {
        let tool = wire_tool(&spec(Effect::Read), Naming::Qualified);
        assert_eq!(tool["name"], "docker-manager__docker_stop");
        assert_eq!(wire_tool(&spec(Effect::Read), Naming::Bare)["name"], "docker_stop");
        assert_eq!(tool["inputSchema"]["properties"]["container"]["description"], "kept");
        assert_eq!(
            tool["outputSchema"],
            json!({
                "type": "object",
                "properties": {
                    "description": {"type": "string"},
                    "items": {"type": "array", "items": {"type": "string"}},
                    "kind": {"enum": ["description"], "default": {"description": "kept"}},
                },
            })
        );
    }
}
