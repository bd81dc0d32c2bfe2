//! `core.toml`: what can be set, where each value came from, and what is wrong with it.
//!
//! Reading order: [`Settings`] (the model), `layers` (files and variables as value trees that know their
//! origin), `load` (the order of the layers), `check` (every problem at once), `template` (the file that
//! `config init` writes).

use std::{collections::BTreeMap, net::SocketAddr, path::PathBuf};

use audit::Durability;
use pipeline::Tuning;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::Value;

mod check;
mod layers;
mod load;
mod schema;
mod suggest;
mod template;
mod variables;

pub(crate) use check::Problem;
pub(crate) use layers::{Node, Origin};
pub(crate) use load::{FILE_NAME, Loaded, Sources, load};
pub(crate) use schema::schema;
pub(crate) use suggest::nearest;
pub(crate) use template::template;

/// Everything `core.toml` can say.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub(crate) struct Settings {
    /// The HTTP door.
    pub(crate) server: ServerSection,
    /// What tools that touch files may reach.
    pub(crate) workspace: WorkspaceSection,
    /// The audit journal.
    pub(crate) audit: AuditSection,
    /// Workflows.
    pub(crate) workflow: WorkflowSection,
    /// Limits of the road every call takes.
    pub(crate) tuning: Tuning,
    /// The log on stderr.
    pub(crate) log: LogSection,
    /// One section per server, named as in `core-mcp servers`. `enabled = false` leaves a server out.
    pub(crate) servers: BTreeMap<String, Value>,
}

/// The HTTP door.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub(crate) struct ServerSection {
    /// Address and port. Anything but loopback needs `behind_tls_proxy = true`.
    pub(crate) listen: String,
    /// Host names clients may use besides the loopback ones.
    pub(crate) allowed_hosts: Vec<String>,
    /// Browser origins that may call, for example `https://console.example.com`. Empty: none.
    pub(crate) allowed_origins: Vec<String>,
    /// A proxy in front of us speaks TLS. Tokens would travel in clear text otherwise.
    pub(crate) behind_tls_proxy: bool,
}

impl Default for ServerSection {
    fn default() -> Self {
        Self {
            listen: "127.0.0.1:7332".into(),
            allowed_hosts: Vec::new(),
            allowed_origins: Vec::new(),
            behind_tls_proxy: false,
        }
    }
}

impl ServerSection {
    /// The address to bind; checked at load.
    pub(crate) fn address(&self) -> Option<SocketAddr> {
        self.listen.parse().ok()
    }
}

/// What tools that touch files may reach.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub(crate) struct WorkspaceSection {
    /// Absolute folders opened to tools. Empty: none. The data directory is never open.
    pub(crate) roots: Vec<PathBuf>,
}

/// The audit journal.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub(crate) struct AuditSection {
    /// When a record counts as kept.
    pub(crate) durability: Durability,
    /// Days a record is kept before `core-mcp audit retain` may drop it.
    #[schemars(range(min = 1, max = 36_500))]
    pub(crate) retention_days: u32,
}

impl Default for AuditSection {
    fn default() -> Self {
        Self { durability: Durability::default(), retention_days: 365 }
    }
}

/// Workflows.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub(crate) struct WorkflowSection {
    /// Calls of all runs together that are made at the same time.
    #[schemars(range(min = 1, max = 1024))]
    pub(crate) calls_max: usize,
    /// Days a run that is over is kept.
    #[schemars(range(min = 1, max = 36_500))]
    pub(crate) retention_days: u32,
}

impl Default for WorkflowSection {
    fn default() -> Self {
        Self { calls_max: 64, retention_days: 30 }
    }
}

/// The log on stderr.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub(crate) struct LogSection {
    /// `error`, `warn`, `info`, `debug`, `trace`, or directives such as `info,pipeline=debug`.
    pub(crate) level: String,
    /// How lines look.
    pub(crate) format: LogFormat,
}

impl Default for LogSection {
    fn default() -> Self {
        Self { level: "info".into(), format: LogFormat::default() }
    }
}

/// How log lines look.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub(crate) enum LogFormat {
    /// For people.
    #[default]
    Text,
    /// One JSON object per line.
    Json,
}

impl Settings {
    /// The section of one server without `enabled`, or `None` when the server is left out.
    pub(crate) fn server_config(&self, name: &str) -> Option<Value> {
        let mut section =
            self.servers.get(name).cloned().unwrap_or_else(|| Value::Object(Default::default()));
        let enabled = section.as_object_mut().and_then(|it| it.remove("enabled"));
        (enabled != Some(Value::Bool(false))).then_some(section)
    }
}
