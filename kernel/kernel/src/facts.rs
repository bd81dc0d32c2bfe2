//! What a catalogue shows of a server, whoever wrote it down.

use serde::Serialize;

use crate::ServerFacts;

/// [`ServerFacts`] with names that need not be known when we are compiled.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Facts {
    /// For example `desktop-commander`.
    pub name: String,
    /// Semantic version.
    pub version: String,
    /// For example `Infrastructure`.
    pub category: String,
    /// Other names under which the same server is addressed.
    pub aliases: Vec<String>,
    /// One or two sentences for people and models.
    pub description: String,
    /// Calls that may run at the same time unless configured.
    pub concurrency: u32,
    /// Whether tools reach systems beyond this machine.
    pub open_world: bool,
}

impl From<ServerFacts> for Facts {
    fn from(facts: ServerFacts) -> Self {
        let ServerFacts { name, version, category, aliases, description, concurrency, open_world } = facts;
        Self {
            name: name.to_owned(),
            version: version.to_owned(),
            category: category.to_owned(),
            aliases: aliases.iter().map(|it| (*it).to_owned()).collect(),
            description: description.to_owned(),
            concurrency,
            open_world,
        }
    }
}

impl From<&ServerFacts> for Facts {
    fn from(facts: &ServerFacts) -> Self {
        Self::from(*facts)
    }
}

impl From<&Self> for Facts {
    fn from(facts: &Self) -> Self {
        facts.clone()
    }
}
