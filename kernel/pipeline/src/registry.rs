//! Everything that is mounted, by every name it answers to. It changes while calls run.

use std::{collections::HashMap, sync::Arc};

use kernel::{ErrorKind, Facts, Mounted, Notices, ToolError, ToolSpec};
use parking_lot::RwLock;
use serde_json::Value;
use tokio::sync::watch;

use crate::redact::mask_for_record;

/// One server of the catalogue: running, or known and unavailable.
#[derive(Clone)]
pub struct Mount {
    /// What the catalogue shows.
    pub facts: Arc<Facts>,
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
    pub fn unavailable(facts: impl Into<Facts>, specs: Vec<ToolSpec>, reason: impl Into<String>) -> Self {
        Self {
            facts: Arc::new(facts.into()),
            specs: specs.into_iter().map(Arc::new).collect(),
            state: Err(reason.into()),
        }
    }

    /// One of its tools.
    pub fn spec(&self, tool: &str) -> Option<&Arc<ToolSpec>> {
        self.specs.iter().find(|spec| spec.name == tool)
    }

    /// The running server; else a refusal that says what is missing.
    pub(crate) fn running(&self) -> Result<&Arc<dyn Mounted>, ToolError> {
        self.state.as_ref().map_err(|reason| {
            ToolError::new(
                ErrorKind::Unavailable,
                format!("server `{}` is not running: {reason}", self.facts.name),
            )
            .before_send()
            .hint("`core-mcp servers` shows what is missing and how to enable it")
        })
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

/// The servers at one moment, in catalogue order.
#[derive(Default)]
pub struct Catalog {
    mounts: Vec<Arc<Mount>>,
    names: HashMap<String, usize>,
}

impl Catalog {
    /// Indexes mounts by name and alias. A name wins over an alias, the first alias over a later one.
    fn new(mounts: Vec<Arc<Mount>>) -> Self {
        let mut names = HashMap::new();
        for (index, mount) in mounts.iter().enumerate() {
            names.insert(mount.facts.name.clone(), index);
        }
        for (index, mount) in mounts.iter().enumerate() {
            for alias in &mount.facts.aliases {
                names.entry(alias.clone()).or_insert(index);
            }
        }
        Self { mounts, names }
    }

    /// Every server, in catalogue order.
    pub fn iter(&self) -> impl Iterator<Item = &Arc<Mount>> {
        self.mounts.iter()
    }

    /// How many there are.
    pub fn len(&self) -> usize {
        self.mounts.len()
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.mounts.is_empty()
    }

    fn get(&self, name: &str) -> Option<&Arc<Mount>> {
        self.names.get(name).map(|index| &self.mounts[*index])
    }
}

/// A handle on the servers of one process. Clones see the same servers.
///
/// A call works on the server it found, even when that one is replaced while the call runs.
#[derive(Clone, Default)]
pub struct Registry(Arc<Shared>);

#[derive(Default)]
struct Shared {
    catalog: RwLock<Arc<Catalog>>,
    notices: Notices,
    changes: watch::Sender<u64>,
}

impl Registry {
    /// The servers a process starts with.
    pub fn new(mounts: Vec<Mount>) -> Self {
        let catalog = Catalog::new(mounts.into_iter().map(Arc::new).collect());
        Self(Arc::new(Shared { catalog: RwLock::new(Arc::new(catalog)), ..Shared::default() }))
    }

    /// Every server as of now, in catalogue order.
    pub fn mounts(&self) -> Arc<Catalog> {
        Arc::clone(&self.0.catalog.read())
    }

    /// Adds a server, or puts it in place of the one of its name, and tells listeners that listings changed.
    ///
    /// Refused when one of its names belongs to another server: nobody takes over another's calls.
    pub fn mount(&self, mount: Mount) -> Result<(), ToolError> {
        let mut catalog = self.0.catalog.write();
        let name = &mount.facts.name;
        for taken in std::iter::once(name).chain(&mount.facts.aliases) {
            if catalog.get(taken).is_some_and(|other| other.facts.name != *name) {
                return Err(ToolError::invalid(
                    "name",
                    format!("the name `{}` belongs to another server", printable(taken)),
                )
                .hint("mount it under another name"));
            }
        }
        let mut mounts = catalog.mounts.clone();
        let mount = Arc::new(mount);
        match mounts.iter().position(|it| it.facts.name == mount.facts.name) {
            Some(index) => mounts[index] = mount,
            None => mounts.push(mount),
        }
        *catalog = Arc::new(Catalog::new(mounts));
        drop(catalog);
        self.notify_changed();
        Ok(())
    }

    /// Takes a server away. Calls that run on it go on. False when there is none of this name.
    pub fn unmount(&self, name: &str) -> bool {
        let mut catalog = self.0.catalog.write();
        let mut mounts = catalog.mounts.clone();
        mounts.retain(|it| it.facts.name != name);
        if mounts.len() == catalog.mounts.len() {
            return false;
        }
        *catalog = Arc::new(Catalog::new(mounts));
        drop(catalog);
        self.notify_changed();
        true
    }

    /// The server that answers to this name or alias.
    pub fn find(&self, name: &str) -> Result<Arc<Mount>, ToolError> {
        self.0.catalog.read().get(name).cloned().ok_or_else(|| {
            ToolError::new(ErrorKind::NotFound, format!("no server is called `{}`", printable(name)))
                .hint("list the servers with `core-mcp servers`")
        })
    }

    /// Splits `server.tool` or `server__tool`; aliases count. The server part must exist.
    pub fn split<'a>(&self, qualified: &'a str) -> Result<(Arc<Mount>, &'a str), ToolError> {
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

    /// Where mounted servers say what happened to them.
    pub fn notices(&self) -> &Notices {
        &self.0.notices
    }

    /// Tells doors that listings may have changed.
    pub fn notify_changed(&self) {
        self.0.changes.send_modify(|generation| *generation += 1);
    }

    /// Wakes whenever listings may have changed.
    pub fn changes(&self) -> watch::Receiver<u64> {
        self.0.changes.subscribe()
    }
}

/// A name as sent: short, without control characters and secrets, fit for an error message or a record.
pub(crate) fn printable(name: &str) -> String {
    // Masked before it is cut, so that half a secret never shows.
    let plain: String = name.chars().filter(|it| !it.is_control()).take(1024).collect();
    mask_for_record(&plain).0.chars().take(80).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn mount(name: &str, aliases: &[&str]) -> Mount {
        let facts = Facts {
            name: name.into(),
            version: "1.0.0".into(),
            category: "Test".into(),
            aliases: aliases.iter().map(|it| (*it).to_owned()).collect(),
            description: "A server.".into(),
            concurrency: 1,
            open_world: false,
        };
        Mount::unavailable(facts, Vec::new(), "a test")
    }

    #[test]
    fn servers_come_and_go_and_every_change_is_told() {
        let registry = Registry::new(vec![mount("a", &["first"])]);
        let (before, mut changes) = (registry.mounts(), registry.changes());
        registry.mount(mount("b", &[])).unwrap();
        assert!(changes.has_changed().unwrap());
        changes.mark_unchanged();
        assert_eq!((before.len(), registry.mounts().len()), (1, 2));
        assert!(registry.find("b").is_ok());
        registry.mount(mount("b", &["second"])).unwrap();
        assert_eq!(registry.find("second").unwrap().facts.name, "b");
        assert!(registry.unmount("b") && !registry.unmount("b"));
        assert!(registry.find("second").is_err() && changes.has_changed().unwrap());
    }

    #[test]
    fn nobody_takes_over_anothers_name() {
        let registry = Registry::new(vec![mount("a", &["first"]), mount("b", &[])]);
        for taken in [mount("first", &[]), mount("c", &["a"]), mount("c", &["first"]), mount("b", &["a"])] {
            assert_eq!(registry.mount(taken).unwrap_err().kind, ErrorKind::ValidationFailed);
        }
        assert_eq!(registry.mounts().len(), 2);
        assert!(registry.mount(mount("a", &["first", "uno"])).is_ok(), "its own names it may keep");
    }
}
