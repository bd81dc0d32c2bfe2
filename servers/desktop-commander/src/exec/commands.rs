//! The engine as the server owns it.

use std::{ops::Deref, sync::Arc};

use super::Engine;

/// Shares the engine with background sessions, and ends those when the server goes.
pub(crate) struct Commands(Arc<Engine>);

impl Commands {
    pub(crate) fn new(engine: Engine) -> Self {
        Self(Arc::new(engine))
    }

    /// The engine, to be kept by a session.
    pub(crate) fn shared(&self) -> &Arc<Engine> {
        &self.0
    }
}

impl Deref for Commands {
    type Target = Engine;

    fn deref(&self) -> &Engine {
        &self.0
    }
}

impl Drop for Commands {
    fn drop(&mut self) {
        self.0.sessions.clear();
    }
}
