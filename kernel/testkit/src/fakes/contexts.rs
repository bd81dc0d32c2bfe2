//! Contexts, in memory.

use std::collections::HashMap;

use kernel::{ErrorKind, Principal, ToolError};
use parking_lot::Mutex;
use pipeline::seams::{Contexts, HistoryEntry};

/// Contexts that a test opened.
#[derive(Default)]
pub struct FakeContexts {
    open: Mutex<HashMap<String, Open>>,
}

struct Open {
    owner: String,
    servers: Vec<String>,
    history: Vec<HistoryEntry>,
}

impl FakeContexts {
    /// Opens a context of `owner` with these servers enabled.
    pub fn open(&self, id: &str, owner: &str, servers: &[&str]) {
        let servers = servers.iter().map(|it| (*it).to_owned()).collect();
        self.open
            .lock()
            .insert(id.to_owned(), Open { owner: owner.to_owned(), servers, history: Vec::new() });
    }

    /// What the context remembers.
    pub fn history(&self, id: &str) -> Vec<HistoryEntry> {
        self.open.lock().get(id).map(|it| it.history.clone()).unwrap_or_default()
    }
}

impl Contexts for FakeContexts {
    fn admit(&self, id: &str, principal: &Principal, server: &str) -> Result<(), ToolError> {
        if self.servers(id, principal)?.iter().any(|it| it == server) {
            return Ok(());
        }
        Err(ToolError::new(ErrorKind::PermissionDenied, format!("the context does not enable `{server}`"))
            .hint(format!("enable it with `core-mcp context enable {id} {server}`")))
    }

    fn servers(&self, id: &str, principal: &Principal) -> Result<Vec<String>, ToolError> {
        let open = self.open.lock();
        let context = open.get(id).filter(|it| it.owner == principal.id);
        context
            .map(|it| it.servers.clone())
            .ok_or_else(|| ToolError::new(ErrorKind::NotFound, format!("no context `{id}`")))
    }

    fn remember(&self, id: &str, call: HistoryEntry) {
        if let Some(context) = self.open.lock().get_mut(id) {
            context.history.push(call);
        }
    }
}
