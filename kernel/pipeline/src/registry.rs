//! Everything that is mounted, by every name it answers to.

use std::{collections::HashMap, sync::Arc};

use kernel::{ErrorKind, Mounted, ServerFacts, ToolError, ToolSpec};
use serde_json::Value;

use crate::redact::mask_for_record;

/// One server of the catalogue: running, or known and unavailable.
#[derive(Clone)]
pub struct Mount {
    /// What the catalogue shows.
    pub facts: ServerFacts,
    /// Its tools; known even when it does not run.
    pub specs: Vec<Arc<ToolSpec>>,
    /// The running server, or why it does not run and what would help.
    pub state: Result<Arc<dyn Mounted>, String>,
}

impl Mount {
    /// A running server.
    pub fn ready(server: Arc<dyn Mounted>) -> Self {
        Self { facts: server.facts(), specs: server.specs().to_vec(), state: Ok(server) }
    }

    /// A server that did not start.
    pub fn unavailable(facts: ServerFacts, specs: Vec<ToolSpec>, reason: impl Into<String>) -> Self {
        Self { facts, specs: specs.into_iter().map(Arc::new).collect(), state: Err(reason.into()) }
    }

    /// The words that the schema allows for an argument and that begin with `prefix`.
    pub(crate) fn words(&self, tool: &str, argument: &str, prefix: &str) -> Vec<String> {
        let Some(spec) = self.specs.iter().find(|spec| spec.name == tool) else { return Vec::new() };
        let rule = &spec.input_schema["properties"][argument];
        let allowed = rule["enum"].as_array().or_else(|| rule["items"]["enum"].as_array());
        let words = allowed.into_iter().flatten().filter_map(Value::as_str);
        words.filter(|word| word.starts_with(prefix)).map(str::to_owned).collect()
    }
}

/// The servers of one process, in catalogue order.
#[derive(Clone, Default)]
pub struct Registry {
    mounts: Vec<Mount>,
    names: HashMap<String, usize>,
}

impl Registry {
    /// Indexes mounts by name and alias. Names are unique in the catalogue; a test holds that.
    pub fn new(mounts: Vec<Mount>) -> Self {
        let mut names = HashMap::new();
        for (index, mount) in mounts.iter().enumerate() {
            names.insert(mount.facts.name.to_owned(), index);
            for alias in mount.facts.aliases {
                names.entry((*alias).to_owned()).or_insert(index);
            }
        }
        Self { mounts, names }
    }

    /// Every server, in catalogue order.
    pub fn mounts(&self) -> &[Mount] {
        &self.mounts
    }

    /// The server that answers to this name or alias.
    pub fn find(&self, name: &str) -> Result<&Mount, ToolError> {
        self.names.get(name).map(|index| &self.mounts[*index]).ok_or_else(|| {
            ToolError::new(ErrorKind::NotFound, format!("no server is called `{}`", printable(name)))
                .hint("list the servers with `core-mcp servers`")
        })
    }

    /// Splits `server.tool` or `server__tool`; aliases count. The server part must exist.
    pub fn split<'a>(&self, qualified: &'a str) -> Result<(&Mount, &'a str), ToolError> {
        for separator in ["__", "."] {
            if let Some((server, tool)) = qualified.split_once(separator) {
                return Ok((self.find(server)?, tool));
            }
        }
        Err(ToolError::new(
            ErrorKind::NotFound,
            format!("`{}` is not of the form server.tool", printable(qualified)),
        )
        .hint("list the tools with `core-mcp tools`"))
    }
}

/// A name as sent: short, without control characters and secrets, fit for an error message or a record.
pub(crate) fn printable(name: &str) -> String {
    // Masked before it is cut, so that half a secret never shows.
    let plain: String = name.chars().filter(|it| !it.is_control()).take(1024).collect();
    mask_for_record(&plain).0.chars().take(80).collect()
}
