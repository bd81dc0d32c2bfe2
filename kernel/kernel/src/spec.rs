//! A tool as catalogues show it.

use serde::Serialize;
use serde_json::Value;

use crate::{Effect, Meta, Raw, Server, ServerFacts, Tool, schema::schema_of};

/// Everything static about one tool, derived from its types alone.
#[derive(Clone, Debug, Serialize)]
pub struct ToolSpec {
    /// The server's catalogue name.
    pub server: String,
    /// The tool's name within its server.
    pub name: String,
    /// What a human sees in a list.
    pub title: String,
    /// From the doc comment of the tool's struct.
    pub description: String,
    /// Shape of the arguments.
    pub input_schema: Value,
    /// Shape of the answer.
    pub output_schema: Value,
    /// What the call does to the world.
    pub effect: Effect,
    /// Whether the tool reaches beyond this machine.
    pub open_world: bool,
    /// `mcp.{server}:execute`, the word permissions are written in.
    pub permission: String,
    /// Whether a call may take so long that the door offers it as a task.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub long: bool,
    /// The definition as a relayed server wrote it; listings send these bytes with another name at most.
    #[serde(skip)]
    pub raw: Option<Raw>,
}

impl ToolSpec {
    /// Derives the listing from the types.
    pub fn of<T: Tool>() -> Self {
        let mut input_schema = schema_of::<T>();
        let description = take_string(&mut input_schema, "description");
        if let Some(object) = input_schema.as_object_mut() {
            object.entry("properties").or_insert_with(|| Value::Object(Default::default()));
        }
        let ServerFacts { name: server, open_world, .. } = T::Server::FACTS;
        let Meta { name, title, effect, .. } = T::META;
        Self {
            server: server.to_owned(),
            name: name.to_owned(),
            title: title.to_owned(),
            description: description.replace('\n', " "),
            input_schema,
            output_schema: schema_of::<T::Output>(),
            effect,
            open_world,
            permission: format!("mcp.{server}:execute"),
            long: T::LONG,
            raw: None,
        }
    }

    /// `server.tool`, as the command line, workflows, policies and audit write it.
    pub fn qualified_name(&self) -> String {
        format!("{}.{}", self.server, self.name)
    }

    /// `server__tool`, as the aggregated MCP endpoint writes it: `[A-Za-z0-9_-]{1,64}`.
    pub fn wire_name(&self) -> String {
        format!("{}__{}", self.server, self.name)
    }
}

fn take_string(schema: &mut Value, key: &str) -> String {
    schema
        .as_object_mut()
        .and_then(|object| object.remove(key))
        .and_then(|value| value.as_str().map(str::to_owned))
        .unwrap_or_default()
}
