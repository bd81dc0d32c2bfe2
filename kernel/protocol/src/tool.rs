//! A tool as `tools/list` shows it.

use kernel::{Effect, Raw, ToolSpec};
use serde_json::{Value, json};

use crate::detail::Detail;

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

/// Bytes of `tools/list` that one server may take, as compact JSON: every conversation pays for them.
const SHARE_BYTES: usize = 12 * 1024;
/// Servers whose subject is wide enough to pay for more.
const WIDE_SHARES: &[(&str, usize)] = &[("kubernetes-operator", 24 * 1024)];

/// The entries of `tools/list` for `specs`, in their order.
///
/// Each server gets the richest [`Detail`] with which its share fits; what is left out is prose and bounds
/// that the server still enforces. The whole schemas are in `core-mcp tools --output json` and the docs.
pub fn wire_tools(specs: &[&ToolSpec], naming: Naming) -> Vec<Raw> {
    let mut listed = Vec::with_capacity(specs.len());
    for share in specs.chunk_by(|left, right| left.server == right.server) {
        listed.extend(share_of_one_server(share, naming));
    }
    listed
}

/// Bytes one server's share may take.
pub fn share_bytes_max(server: &str) -> usize {
    WIDE_SHARES.iter().find(|(name, _)| *name == server).map_or(SHARE_BYTES, |(_, bytes)| *bytes)
}

fn share_of_one_server(specs: &[&ToolSpec], naming: Naming) -> Vec<Raw> {
    // What others wrote is sent as they wrote it.
    if let Some(raw) = specs.iter().map(|spec| spec.raw.as_ref()).collect::<Option<Vec<_>>>() {
        let named = specs.iter().zip(raw).map(|(spec, raw)| relayed_tool(spec, raw, naming));
        return named.collect();
    }
    let max = specs.first().map_or(SHARE_BYTES, |spec| share_bytes_max(&spec.server));
    // The share is measured on the server's own route; longer names elsewhere must not change schemas.
    let size = |detail: Detail| -> usize {
        specs.iter().map(|spec| wire_tool(spec, Naming::Bare, detail).to_string().len() + 1).sum()
    };
    let fits = |detail: &Detail| size(*detail) < max;
    let detail = [Detail::Whole, Detail::Short].into_iter().find(fits).unwrap_or(Detail::Names);
    specs.iter().map(|spec| Raw::of(&wire_tool(spec, naming, detail))).collect()
}

fn relayed_tool(spec: &ToolSpec, raw: &Raw, naming: Naming) -> Raw {
    let name = naming.name_of(spec);
    let same = raw.member("name").is_some_and(|it| it.get() == Raw::of(&name).get());
    if same { raw.clone() } else { raw.with("name", Some(&Raw::of(&name))) }
}

fn wire_tool(spec: &ToolSpec, naming: Naming, detail: Detail) -> Value {
    let mut tool = json!({
        "name": naming.name_of(spec),
        "title": spec.title,
        "description": spec.description,
        "inputSchema": detail.input(&spec.input_schema),
        "outputSchema": detail.output(&spec.output_schema),
        "annotations": hints(spec),
    });
    if detail == Detail::Names
        && let Some(tool) = tool.as_object_mut()
    {
        tool.remove("title");
    }
    tool
}

/// The hints, without those that say what the protocol assumes anyway: a read is neither destructive nor
/// unrepeatable, and a change is not repeatable unless it says so.
fn hints(spec: &ToolSpec) -> Value {
    let mut hints = json!({ "readOnlyHint": spec.effect.is_read(), "openWorldHint": spec.open_world });
    if !spec.effect.is_read() {
        hints["destructiveHint"] = matches!(spec.effect, Effect::Destroy { .. }).into();
        if spec.effect.is_idempotent() {
            hints["idempotentHint"] = true.into();
        }
    }
    hints
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
            long: false,
            raw: None,
        }
    }

    fn listed(spec: &ToolSpec, naming: Naming) -> Value {
        wire_tools(&[spec], naming).remove(0).to_value()
    }

    #[test]
    fn a_share_that_is_too_large_loses_prose_and_bounds_but_no_tool_and_no_parameter() {
        let mut large = spec(Effect::Read);
        let field = json!({"type": "string", "maxLength": 9, "description": "About the field."});
        let names: Vec<String> = (0..30).map(|index| format!("field_{index}")).collect();
        for schema in [&mut large.input_schema, &mut large.output_schema] {
            let fields = names.iter().map(|name| (name.clone(), field.clone()));
            *schema = json!({"type": "object", "additionalProperties": false, "properties": fields.collect::<serde_json::Map<_, _>>()});
        }
        let tools: Vec<&ToolSpec> = std::iter::repeat_n(&large, 4).collect();
        let raw = wire_tools(&tools, Naming::Bare);
        let listed: Vec<Value> = raw.iter().map(Raw::to_value).collect();
        assert!(serde_json::to_string(&listed).unwrap().len() <= share_bytes_max("docker-manager"));
        assert_eq!(listed.len(), 4);
        for name in &names {
            assert_eq!(listed[0]["inputSchema"]["properties"][name]["type"], "string");
            assert!(listed[0]["outputSchema"]["properties"].get(name).is_some());
        }
        let other = ToolSpec { server: "small".into(), ..spec(Effect::Read) };
        let mixed: Vec<&ToolSpec> = tools.into_iter().chain([&other]).collect();
        assert_eq!(
            wire_tools(&mixed, Naming::Bare)[4].to_value()["title"],
            "Stop a container",
            "another server pays for itself"
        );
    }

    #[test]
    fn a_relayed_definition_keeps_every_byte_but_its_name() {
        let text = r#"{"name":"stop","inputSchema":{"$ref":"x","n":1.0e2},"execution":{"taskSupport":"new"},"annotations":{"vendorHint":1}}"#;
        let spec = ToolSpec { name: "stop".into(), raw: Raw::parse(text.into()), ..spec(Effect::Read) };
        assert_eq!(wire_tools(&[&spec], Naming::Bare)[0].get(), text);
        let qualified = text.replacen("\"stop\"", "\"docker-manager__stop\"", 1);
        assert_eq!(wire_tools(&[&spec], Naming::Qualified)[0].get(), qualified);
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
            let hints = listed(&spec(effect), Naming::Bare)["annotations"].clone();
            assert_eq!(hints["readOnlyHint"], read, "{effect:?}");
            if !read {
                assert_eq!(hints["destructiveHint"], destroy, "{effect:?}");
                assert_eq!(hints["idempotentHint"] == true, idempotent, "{effect:?}");
            }
        }
    }

    #[test]
    fn names_follow_the_route_and_output_schemas_lose_their_prose() {
        let tool = listed(&spec(Effect::Read), Naming::Qualified);
        assert_eq!(tool["name"], "docker-manager__docker_stop");
        assert_eq!(listed(&spec(Effect::Read), Naming::Bare)["name"], "docker_stop");
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
