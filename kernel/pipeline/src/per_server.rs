//! Something a stage keeps for each server, made when it is first needed.

use std::{collections::HashMap, sync::Arc};

use parking_lot::RwLock;

use crate::Registry;

/// One `T` per mounted server. Servers that were taken away are forgotten when another comes.
pub(crate) struct PerServer<T> {
    registry: Registry,
    make: Box<dyn Fn() -> T + Send + Sync>,
    kept: RwLock<HashMap<String, Arc<T>>>,
}

impl<T> PerServer<T> {
    pub(crate) fn new(registry: Registry, make: impl Fn() -> T + Send + Sync + 'static) -> Self {
        Self { registry, make: Box::new(make), kept: RwLock::default() }
    }

    /// That of `server`, which was found in the registry.
    pub(crate) fn of(&self, server: &str) -> Arc<T> {
        if let Some(kept) = self.kept.read().get(server) {
            return Arc::clone(kept);
        }
        let mut kept = self.kept.write();
        kept.retain(|name, _| self.registry.find(name).is_ok());
        Arc::clone(kept.entry(server.to_owned()).or_insert_with(|| Arc::new((self.make)())))
    }
}
