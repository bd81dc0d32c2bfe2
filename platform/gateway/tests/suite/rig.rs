//! A gate with a gateway, and upstreams of the tests' own making.

use std::{collections::BTreeMap, path::PathBuf, sync::Arc, time::Duration};

use gateway::{CredentialsFor, Gateway, Setting, UpstreamConfig};
use kernel::{Client, ClientChannel, Progress, ProgressUpdate, Raw, ToolError};
use parking_lot::Mutex;
use pipeline::{Door, LimitOverrides, Request, Tuning};
use serde_json::{Value, json};
use testkit::Rig as Gate;

/// Long enough that only a mistake runs into it.
pub(crate) const PATIENCE: Duration = Duration::from_secs(30);

pub(crate) struct Rig {
    pub(crate) gate: Gate,
    pub(crate) gateway: Arc<Gateway>,
    pub(crate) events: Arc<Mutex<Vec<(String, Value)>>>,
    pub(crate) folder: tempfile::TempDir,
}

impl Rig {
    pub(crate) async fn new() -> Self {
        Self::with(Arc::new(|_, _| Ok(None))).await
    }

    pub(crate) async fn with(credentials: CredentialsFor) -> Self {
        let defaults = LimitOverrides {
            rate_per_minute: Some(1_000_000),
            retry_attempts: Some(1),
            ..LimitOverrides::default()
        };
        let gate = Gate::new(&[], Tuning { defaults, ..Tuning::default() }).await;
        let folder = tempfile::tempdir().unwrap();
        let events: Arc<Mutex<Vec<(String, Value)>>> = Arc::default();
        let heard = Arc::clone(&events);
        let setting = Setting {
            launcher: PathBuf::from(env!("CARGO_BIN_EXE_gateway-fixture")),
            homes: folder.path().join("homes"),
            pins: folder.path().join("pins"),
            protected: Vec::new(),
            lookup: Arc::new(|_| None),
            credentials,
        };
        let record = Arc::new(move |event: &str, detail| heard.lock().push((event.to_owned(), detail)));
        let gateway = Gateway::new(gate.gate.registry().clone(), setting, record);
        Self { gate, gateway, events, folder }
    }

    /// Mounts these upstreams and no others.
    pub(crate) async fn mount(&self, sections: &[(&str, Value)]) {
        let configs: BTreeMap<String, UpstreamConfig> = sections
            .iter()
            .map(|(name, section)| ((*name).to_owned(), serde_json::from_value(section.clone()).unwrap()))
            .collect();
        self.gateway.apply(&configs, PATIENCE).await;
    }

    /// A call of `admin`; `Ok` holds the whole result.
    pub(crate) async fn call(&self, tool: &str, args: Value) -> Result<Value, ToolError> {
        self.send(self.gate.request(tool, args)).await
    }

    pub(crate) async fn send(&self, request: Request) -> Result<Value, ToolError> {
        let answered = tokio::time::timeout(PATIENCE, self.gate.gate.call(request)).await;
        answered
            .expect("an answer in time")
            .map(|answer| answer.raw.map_or(answer.structured, |it| it.to_value()))
    }

    /// The first text of a call's result, or the error's code.
    pub(crate) async fn text(&self, tool: &str, args: Value) -> Result<String, &'static str> {
        let result = self.call(tool, args).await.map_err(|error| error.kind.code())?;
        Ok(result["content"][0]["text"].as_str().unwrap_or_default().to_owned())
    }

    /// The names of the tools `admin` sees.
    pub(crate) fn tools(&self) -> Vec<String> {
        let views = self.gate.gate.tools(&self.gate.caller("admin"), &pipeline::Scope::default(), Door::Cli);
        views.unwrap().iter().map(|it| it.spec.qualified_name()).collect()
    }

    /// Waits until the tools are these.
    pub(crate) async fn until_tools(&self, wanted: &[&str]) {
        let mut changes = self.gate.gate.changes();
        let waiting = async {
            while self.tools() != wanted {
                changes.changed().await.unwrap();
            }
        };
        let waited = tokio::time::timeout(PATIENCE, waiting).await;
        assert!(waited.is_ok(), "the tools are {:?} and not {wanted:?}", self.tools());
    }

    /// Every call that was begun was also ended, in the record.
    pub(crate) fn assert_audit_is_complete(&self) {
        let entries = self.gate.journal.entries();
        let of = |phase: pipeline::seams::Phase| {
            let mut ids: Vec<&str> =
                entries.iter().filter(|it| it.phase == phase).map(|it| it.call_id.as_str()).collect();
            ids.sort_unstable();
            ids
        };
        assert_eq!(of(pipeline::seams::Phase::Intent), of(pipeline::seams::Phase::Outcome));
    }

    pub(crate) async fn close(self) {
        let closed = tokio::time::timeout(PATIENCE, self.gateway.close()).await;
        assert!(closed.is_ok(), "the gateway does not stop");
    }
}

/// A section for a URL of the tests.
pub(crate) fn at(url: &str, more: Value) -> Value {
    let mut section = json!({ "url": url, "allow_cidrs": ["127.0.0.0/8"], "transport": "http" });
    for (key, value) in more.as_object().unwrap() {
        section[key] = value.clone();
    }
    section
}

/// A section for the stdio server that misbehaves.
pub(crate) fn program(mode: &str, more: Value) -> Value {
    let mut section = json!({
        "command": env!("CARGO_BIN_EXE_gateway-fixture"), "args": [mode],
        "confinement": { "allow_unconfined": true },
    });
    for (key, value) in more.as_object().unwrap() {
        section[key] = value.clone();
    }
    section
}

/// A client that can be asked, and remembers what it heard.
pub(crate) struct Person {
    pub(crate) capabilities: Value,
    pub(crate) log_level: Option<String>,
    pub(crate) heard: Mutex<Vec<String>>,
}

impl Person {
    pub(crate) fn who_can(capabilities: Value) -> Arc<Self> {
        Arc::new(Self { capabilities, log_level: Some("debug".into()), heard: Mutex::default() })
    }
}

impl ClientChannel for Person {
    fn is_modern(&self) -> bool {
        false
    }

    fn capabilities(&self) -> Raw {
        Raw::of(&self.capabilities)
    }

    fn info(&self) -> Option<Raw> {
        None
    }

    fn log_level(&self) -> Option<String> {
        self.log_level.clone()
    }

    fn waited(&self) -> Duration {
        Duration::ZERO
    }

    fn notify(&self, method: &str, params: Raw) {
        self.heard.lock().push(format!("{method} {}", params.get()));
    }

    fn ask<'a>(&'a self, method: &'a str, params: Raw) -> kernel::BoxFuture<'a, Result<Raw, ToolError>> {
        self.heard.lock().push(format!("{method} {}", params.get()));
        let answer = Raw::of(&json!({ "action": "accept", "content": { "name": "Ann" } }));
        Box::pin(std::future::ready(Ok(answer)))
    }
}

/// A call on behalf of a client, with everything it hears.
pub(crate) fn request(rig: &Rig, tool: &str, args: &Value, person: &Arc<Person>) -> Request {
    let heard = Arc::clone(person);
    let mut request = rig.gate.request(tool, args.clone());
    let bare = tool.split_once('.').unwrap().1;
    request.params = Some(Raw::of(&json!({ "name": bare, "arguments": args })));
    request.client = Client::behind(person.clone());
    request.progress = Progress::to(move |ProgressUpdate { done, total, .. }| {
        heard.heard.lock().push(format!("progress {done} of {total:?}"));
    });
    request
}
