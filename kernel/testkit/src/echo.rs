//! A server whose tools do what their names say, for tests of everything around a tool.

mod answers;
mod failures;
mod long;

use std::{
    collections::HashMap,
    sync::atomic::{AtomicU64, Ordering},
};

use kernel::{Server, ServerFacts, StartContext, StartError, Toolbox};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// The fixture. Its tools: `echo`, `relay`, `count`, `big`, `approve_me`, `fail`, `flaky`, `progress`, `slow`.
#[derive(Default)]
pub struct EchoServer {
    calls: AtomicU64,
    attempts: parking_lot::Mutex<HashMap<String, u32>>,
}

/// The fixture needs nothing.
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct EchoConfig {}

/// Text that comes back.
#[derive(Debug, Serialize, JsonSchema)]
pub(crate) struct Said {
    /// What was said.
    message: String,
}

/// A number that comes back.
#[derive(Debug, Serialize, JsonSchema)]
pub(crate) struct Counted {
    /// How many.
    count: u64,
}

impl Server for EchoServer {
    const FACTS: ServerFacts = ServerFacts {
        name: "echo",
        version: "1.0.0",
        category: "Testing",
        aliases: &["parrot"],
        description: "Says back what it hears, for tests.",
        concurrency: 3,
        open_world: false,
    };

    type Config = EchoConfig;

    fn tools() -> Toolbox<Self> {
        Toolbox::new()
            .with::<answers::Echo>()
            .with::<answers::Relay>()
            .with::<answers::Count>()
            .with::<answers::Big>()
            .with::<answers::ApproveMe>()
            .with::<failures::Fail>()
            .with::<failures::Flaky>()
            .with::<long::Steps>()
            .with::<long::Slow>()
    }

    async fn connect(_config: EchoConfig, _start: StartContext) -> Result<Self, StartError> {
        Ok(Self::default())
    }

    async fn complete(&self, _tool: &str, argument: &str, prefix: &str) -> Vec<String> {
        let words = ["hello", "help", "world"];
        let fits = words.into_iter().filter(|word| argument == "message" && word.starts_with(prefix));
        fits.map(str::to_owned).collect()
    }
}

impl EchoServer {
    /// Counts one call that reached a tool; returns how many did so far.
    fn arrived(&self) -> u64 {
        self.calls.fetch_add(1, Ordering::Relaxed) + 1
    }

    /// Counts one attempt under `key`.
    fn attempt(&self, key: &str) -> u32 {
        let mut attempts = self.attempts.lock();
        let count = attempts.entry(key.to_owned()).or_default();
        *count += 1;
        *count
    }
}
