//! `core.toml`: what can be set, where each value came from, and what is wrong with it.
//!
//! Reading order: [`Settings`] (the model), `layers` (files and variables as value trees that know their
//! origin), `load` (the order of the layers), `check` (every problem at once), `access` (those of TLS and tokens),
//! `secrets` (values behind `secret:NAME`), `template` (the file that `config init` writes).

use std::{collections::BTreeMap, net::SocketAddr, path::PathBuf};

use audit::Durability;
use identity::{CertificateMapping, OAuthSettings};
use pipeline::Tuning;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::Value;

mod access;
mod check;
mod layers;
mod load;
mod schema;
mod secrets;
mod suggest;
mod template;
mod variables;

pub(crate) use check::Problem;
pub(crate) use layers::{Node, Origin};
pub(crate) use load::{FILE_NAME, Loaded, Sources, load};
pub(crate) use schema::schema;
pub(crate) use secrets::{fill_in, referenced};
pub(crate) use suggest::nearest;
pub(crate) use template::template;

/// Everything `core.toml` can say.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub(crate) struct Settings {
    /// The HTTP door.
    pub(crate) server: ServerSection,
    /// Who may come in besides holders of our own tokens.
    pub(crate) auth: AuthSection,
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
    /// Address and port. Anything but loopback needs `tls`, or `behind_tls_proxy = true`.
    pub(crate) listen: String,
    /// Host names clients may use besides the loopback ones.
    pub(crate) allowed_hosts: Vec<String>,
    /// Browser origins that may call, for example `https://console.example.com`. Empty: none.
    pub(crate) allowed_origins: Vec<String>,
    /// A proxy in front of us speaks TLS. Tokens would travel in clear text otherwise.
    pub(crate) behind_tls_proxy: bool,
    /// Our URL as clients see it, without a path, for example `https://mcp.example.com`. Tokens of authorization
    /// servers must be for it. Empty: the `Host` of each request, and only our own tokens.
    pub(crate) public_url: String,
    /// TLS on this listener. Without a certificate it serves clear text.
    pub(crate) tls: TlsSection,
}

/// TLS on the listener. Files are PEM; changed ones are taken up while running.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub(crate) struct TlsSection {
    /// The server's certificate, and what leads to its CA. Empty: no TLS.
    pub(crate) cert_file: String,
    /// Its private key; nobody else may read it.
    pub(crate) key_file: String,
    /// CAs whose certificates clients may show instead of a token. Empty: no client certificates.
    pub(crate) client_ca_file: String,
    /// Whether a client must show a certificate, token or not.
    pub(crate) client_required: bool,
    /// Whose certificates they are: a name in the certificate, and the principal who holds it.
    pub(crate) clients: Vec<CertificateMapping>,
}

impl TlsSection {
    /// Whether TLS is spoken.
    pub(crate) fn is_on(&self) -> bool {
        !self.cert_file.is_empty()
    }
}

/// Who may come in besides holders of our own tokens.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub(crate) struct AuthSection {
    /// Access tokens of authorization servers (OAuth 2.1).
    pub(crate) oauth: OAuthSettings,
}

impl Default for ServerSection {
    fn default() -> Self {
        Self {
            listen: "127.0.0.1:7332".into(),
            allowed_hosts: Vec::new(),
            allowed_origins: Vec::new(),
            behind_tls_proxy: false,
            public_url: String::new(),
            tls: TlsSection::default(),
        }
    }
}

impl ServerSection {
    /// The address to bind; checked at load.
    pub(crate) fn address(&self) -> Option<SocketAddr> {
        self.listen.parse().ok()
    }

    /// Our URL as clients see it, when it is set.
    pub(crate) fn public_url(&self) -> Option<&str> {
        (!self.public_url.is_empty()).then(|| self.public_url.trim_end_matches('/'))
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
