//! What exists: the servers, tools and roles that policies can name.

use std::collections::{BTreeMap, BTreeSet};

use kernel::{Effect, Facts, ToolSpec};
use pipeline::Registry;

use crate::BUILT_IN_ROLES;

/// The categories of the requirement documents. A policy may be about one before a server of it is mounted,
/// as the shipped ones are.
const DOCUMENTED_CATEGORIES: [&str; 8] = [
    "Communication",
    "Content Processing",
    "DevOps",
    "External Services",
    "Infrastructure",
    "Monitoring",
    "Security",
    "Storage",
];

/// The servers, tools and roles that policies can name. An empty one switches the name warnings off.
#[derive(Clone, Debug, Default)]
pub struct Manifest {
    pub(crate) servers: BTreeMap<String, ServerNames>,
    pub(crate) aliases: BTreeMap<String, String>,
    pub(crate) roles: BTreeSet<String>,
}

#[derive(Clone, Debug, Default)]
pub(crate) struct ServerNames {
    pub(crate) category: String,
    /// Tool name within the server, and what it does.
    pub(crate) tools: BTreeMap<String, Effect>,
}

impl Manifest {
    /// Nothing but the built-in roles.
    pub fn new() -> Self {
        Self { roles: BUILT_IN_ROLES.iter().map(|it| (*it).to_owned()).collect(), ..Self::default() }
    }

    /// Everything that is mounted, running or not.
    pub fn of(registry: &Registry) -> Self {
        registry.mounts().iter().fold(Self::new(), |manifest, mount| {
            manifest.server(&*mount.facts, mount.specs.iter().map(AsRef::as_ref))
        })
    }

    /// Adds one server with its tools.
    #[must_use]
    pub fn server<'a>(
        mut self,
        facts: impl Into<Facts>,
        tools: impl IntoIterator<Item = &'a ToolSpec>,
    ) -> Self {
        let facts = facts.into();
        let tools = tools.into_iter().map(|spec| (spec.name.clone(), spec.effect)).collect();
        self.servers.insert(facts.name.clone(), ServerNames { category: facts.category, tools });
        for alias in facts.aliases {
            self.aliases.insert(alias, facts.name.clone());
        }
        self
    }

    /// Adds roles beyond the built-in ones.
    #[must_use]
    pub fn roles(mut self, roles: impl IntoIterator<Item = String>) -> Self {
        self.roles.extend(roles);
        self
    }

    pub(crate) fn categories(&self) -> BTreeSet<&str> {
        self.servers.values().map(|it| it.category.as_str()).chain(DOCUMENTED_CATEGORIES).collect()
    }

    /// Splits `server.tool` into what the manifest knows of it.
    pub(crate) fn tool(&self, qualified: &str) -> Option<(&str, &ServerNames, &str, Effect)> {
        let (server, tool) = qualified.split_once('.')?;
        let (name, server) = self.servers.get_key_value(server)?;
        let (tool, effect) = server.tools.get_key_value(tool)?;
        Some((name, server, tool, *effect))
    }
}
