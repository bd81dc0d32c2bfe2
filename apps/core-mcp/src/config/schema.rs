//! The JSON Schema of `core.toml`, the sections of all servers included.

use gateway::UpstreamConfig;
use schemars::generate::SchemaSettings;
use serde_json::{Map, Value, json};

use super::Settings;

/// One schema for the whole file. Editors complete from it, `check` validates with it.
pub(crate) fn schema() -> Value {
    let settings = SchemaSettings::draft2020_12().with(|settings| settings.inline_subschemas = true);
    let mut schema = settings.into_generator().into_root_schema_for::<Settings>().to_value();
    schema["title"] = "core-mcp configuration (core.toml)".into();
    let mut servers = Map::new();
    for entry in catalog::native_servers() {
        servers.insert(
            entry.facts.name.to_owned(),
            server_section((entry.config_schema)(), entry.facts.description),
        );
    }
    schema["properties"]["servers"] = json!({
        "type": "object",
        "description": "One section per server, named as in `core-mcp servers`.",
        "properties": servers,
        "additionalProperties": false,
        "default": {},
    });
    let settings = SchemaSettings::draft2020_12().with(|settings| settings.inline_subschemas = true);
    let mut upstream = settings.into_generator().into_root_schema_for::<UpstreamConfig>().to_value();
    if let Some(upstream) = upstream.as_object_mut() {
        upstream.remove("$schema");
        upstream.remove("title");
    }
    schema["properties"]["upstreams"] = json!({
        "type": "object",
        "description": "One section per other MCP server that is mounted next to the native ones.",
        "additionalProperties": upstream,
        "default": {},
    });
    schema
}

fn server_section(mut schema: Value, description: &str) -> Value {
    if !schema["properties"].is_object() {
        schema["properties"] = json!({});
    }
    schema["properties"]["enabled"] = json!({
        "type": "boolean",
        "default": true,
        "description": "Whether this server is mounted at all.",
    });
    schema["type"] = "object".into();
    schema["description"] = description.into();
    schema
}
