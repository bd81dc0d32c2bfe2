//! Which tools a workflow may name, and what they take.

use std::collections::BTreeMap;

use kernel::Effect;
use pipeline::Registry;
use serde::Deserialize;
use serde_json::{Map, Value, json};

/// The tools of this installation, and those that are documented for servers it does not have.
#[derive(Clone, Debug, Default)]
pub struct ToolCatalog {
    servers: BTreeMap<String, CatalogServer>,
    aliases: BTreeMap<String, String>,
}

#[derive(Clone, Debug, Default)]
pub(crate) struct CatalogServer {
    /// Whether this installation has it.
    pub(crate) installed: bool,
    pub(crate) tools: BTreeMap<String, CatalogTool>,
}

/// One tool.
#[derive(Clone, Debug)]
pub(crate) struct CatalogTool {
    pub(crate) schema: Value,
    /// `None` when only documented.
    pub(crate) effect: Option<Effect>,
}

/// What became of a name.
pub(crate) enum Found<'a> {
    /// A tool; whether its server is installed.
    Tool { server: &'a str, tool: &'a CatalogTool, installed: bool },
    /// The server is documented without tools and is not installed: nothing can be said.
    Undocumented { server: &'a str },
    /// No such server.
    NoServer,
    /// The server has no such tool.
    NoTool { server: &'a str },
}

impl ToolCatalog {
    /// Everything that is mounted, running or not.
    pub fn of(registry: &Registry) -> Self {
        let mut catalog = Self::default();
        for mount in registry.mounts().iter() {
            let tools = mount.specs.iter().map(|spec| {
                let tool = CatalogTool { schema: spec.input_schema.clone(), effect: Some(spec.effect) };
                (spec.name.clone(), tool)
            });
            let server = CatalogServer { installed: true, tools: tools.collect() };
            catalog.insert(&mount.facts.name, mount.facts.aliases.iter().map(String::as_str), server);
        }
        catalog
    }

    /// Adds servers and tools that are documented in the form of `contract/tools.json`; what is installed stays.
    ///
    /// # Errors
    /// When `contract` does not have that form.
    pub fn with_documented(mut self, contract: &str) -> Result<Self, serde_json::Error> {
        let contract: Contract = serde_json::from_str(contract)?;
        for server in contract.servers {
            let tools = server.tools.into_iter().map(|tool| {
                let schema = documented_schema(&tool.required, &tool.optional);
                (tool.name, CatalogTool { schema, effect: None })
            });
            match self.servers.get_mut(&server.name) {
                Some(known) => tools.for_each(|(name, tool)| {
                    known.tools.entry(name).or_insert(tool);
                }),
                None => {
                    let entry = CatalogServer { installed: false, tools: tools.collect() };
                    self.insert(&server.name, server.aliases.iter().map(String::as_str), entry);
                }
            }
        }
        Ok(self)
    }

    fn insert<'a>(&mut self, name: &str, aliases: impl Iterator<Item = &'a str>, server: CatalogServer) {
        for alias in aliases {
            self.aliases.insert(alias.to_owned(), name.to_owned());
        }
        self.servers.insert(name.to_owned(), server);
    }

    /// Finds `server.tool`.
    pub(crate) fn find(&self, server: &str, tool: &str) -> Found<'_> {
        let server = self.aliases.get(server).map_or(server, String::as_str);
        let Some((name, entry)) = self.servers.get_key_value(server) else { return Found::NoServer };
        match entry.tools.get(tool) {
            Some(tool) => Found::Tool { server: name, tool, installed: tool.effect.is_some() },
            None if !entry.installed && entry.tools.is_empty() => Found::Undocumented { server: name },
            None => Found::NoTool { server: name },
        }
    }

    /// What a tool does to the world; `None` when it is not installed.
    pub fn effect(&self, server: &str, tool: &str) -> Option<Effect> {
        match self.find(server, tool) {
            Found::Tool { tool, .. } => tool.effect,
            _ => None,
        }
    }

    pub(crate) fn server_names(&self) -> impl Iterator<Item = &str> {
        self.servers.keys().chain(self.aliases.keys()).map(String::as_str)
    }

    pub(crate) fn tool_names(&self, server: &str) -> impl Iterator<Item = &str> {
        self.servers.get(server).into_iter().flat_map(|it| it.tools.keys()).map(String::as_str)
    }
}

#[derive(Deserialize)]
struct Contract {
    servers: Vec<ContractServer>,
}

#[derive(Deserialize)]
struct ContractServer {
    name: String,
    #[serde(default)]
    aliases: Vec<String>,
    tools: Vec<ContractTool>,
}

#[derive(Deserialize)]
struct ContractTool {
    name: String,
    required: Map<String, Value>,
    optional: Map<String, Value>,
}

fn documented_schema(required: &Map<String, Value>, optional: &Map<String, Value>) -> Value {
    let rule = |it: &Value| if it.is_string() { json!({ "type": it }) } else { it.clone() };
    let properties: Map<String, Value> =
        required.iter().chain(optional).map(|(key, it)| (key.clone(), rule(it))).collect();
    json!({
        "type": "object",
        "properties": properties,
        "required": required.keys().collect::<Vec<_>>(),
        "additionalProperties": false,
    })
}
