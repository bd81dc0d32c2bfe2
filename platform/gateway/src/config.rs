//! `[upstreams.NAME]`: one other MCP server, as the operator describes it.

use std::{collections::BTreeMap, path::PathBuf};

use kernel::{Effect, Secret};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::Value;

/// One upstream.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct UpstreamConfig {
    /// The program of a stdio server: a path, or a name looked up in `PATH`. Started without a shell.
    pub command: Option<String>,
    /// Its arguments, one by one.
    pub args: Vec<String>,
    /// Its environment. It gets nothing else but `PATH`, and `HOME` and `TMPDIR` in a private folder.
    /// `${env:NAME}` stands for a variable of core-mcp's own environment.
    pub env: BTreeMap<String, Secret<String>>,
    /// Where it starts; its private folder when unset.
    pub cwd: Option<PathBuf>,
    /// The endpoint of a server over HTTP.
    pub url: Option<String>,
    /// More endpoints of the same server. Calls are spread over all of them.
    pub replicas: Vec<String>,
    /// Sent with every request. `${env:NAME}` stands for a variable of core-mcp's own environment.
    pub headers: BTreeMap<String, Secret<String>>,
    /// How core-mcp proves itself to it, besides `headers`.
    pub auth: Option<Value>,
    /// How to speak to it.
    pub transport: TransportChoice,
    /// Which protocol it speaks; found out when unset.
    pub era: EraChoice,
    /// How far its word counts.
    pub trust: TrustLevel,
    /// What a stdio server may touch.
    pub confinement: Confinement,
    /// Private and loopback ranges its URLs may lead to, for example `127.0.0.0/8`. Metadata services never.
    pub allow_cidrs: Vec<String>,
    /// A file with certificates (PEM) of a private authority to trust besides the system's.
    pub ca_file: Option<PathBuf>,
    /// Only these tools are offered. Empty: all.
    pub tools: Vec<String>,
    /// What single tools do to the world, where the server's hints are wrong or missing.
    pub effects: BTreeMap<String, EffectChoice>,
    /// Shown in the catalogue, and what policies may name.
    pub category: String,
    /// Shown in the catalogue; the server's own title when unset.
    pub description: Option<String>,
    /// Calls that run at the same time unless `[tuning]` says otherwise.
    #[schemars(range(min = 1, max = 1024))]
    pub concurrency: u32,
    /// Seconds it may take to start or to shake hands.
    #[schemars(range(min = 1, max = 600))]
    pub start_timeout_seconds: u64,
    /// Seconds one call may take.
    #[schemars(range(min = 1, max = 3600))]
    pub timeout_seconds: u64,
    /// Seconds until its lists are fetched again even when it announces no change.
    #[schemars(range(min = 5, max = 86_400))]
    pub refresh_seconds: u64,
    /// Largest message taken from it.
    #[schemars(range(min = 65_536, max = 268_435_456))]
    pub message_bytes_max: usize,
    /// Idle connections opened ahead, per endpoint.
    #[schemars(range(max = 64))]
    pub connections_warm: usize,
    /// Connections per endpoint at most.
    #[schemars(range(min = 1, max = 4096))]
    pub connections_max: usize,
    /// `false` leaves it out.
    pub enabled: bool,
}

impl Default for UpstreamConfig {
    fn default() -> Self {
        Self {
            command: None,
            args: Vec::new(),
            env: BTreeMap::new(),
            cwd: None,
            url: None,
            replicas: Vec::new(),
            headers: BTreeMap::new(),
            auth: None,
            transport: TransportChoice::default(),
            era: EraChoice::default(),
            trust: TrustLevel::default(),
            confinement: Confinement::default(),
            allow_cidrs: Vec::new(),
            ca_file: None,
            tools: Vec::new(),
            effects: BTreeMap::new(),
            category: "External Services".into(),
            description: None,
            concurrency: 32,
            start_timeout_seconds: 30,
            timeout_seconds: 60,
            refresh_seconds: 300,
            message_bytes_max: 16 << 20,
            connections_warm: 1,
            connections_max: 256,
            enabled: true,
        }
    }
}

/// How to speak to an upstream.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum TransportChoice {
    /// stdio with `command`, Streamable HTTP with `url`, falling back to SSE.
    #[default]
    Auto,
    /// A child process.
    Stdio,
    /// Streamable HTTP.
    Http,
    /// HTTP+SSE of 2024-11-05.
    Sse,
}

/// Which protocol an upstream speaks.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum EraChoice {
    /// Ask it: `server/discover` first, then `initialize`.
    #[default]
    Auto,
    /// 2026-07-28 and later.
    Modern,
    /// 2025-11-25 and earlier.
    Legacy,
}

/// How far an upstream's word counts.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum TrustLevel {
    /// Its hints are ignored: every tool counts as destroying, and no tool is served before it is approved.
    Low,
    /// Its hints count. First definitions are taken as they are unless they look poisoned; a changed or
    /// suspicious one waits for approval.
    #[default]
    Standard,
    /// Ours in all but name: changed definitions are served at once and recorded, suspicious ones are marked.
    High,
}

/// What a tool does to the world, in the operator's words.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum EffectChoice {
    /// Changes nothing.
    Read,
    /// Changes things; not repeated by itself.
    Write,
    /// May lose something.
    Destroy,
}

impl EffectChoice {
    /// As the road has it.
    pub(crate) fn effect(self) -> Effect {
        match self {
            Self::Read => Effect::Read,
            Self::Write => Effect::Write { idempotent: false },
            Self::Destroy => Effect::Destroy { idempotent: false },
        }
    }
}

/// What a stdio server may touch.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct Confinement {
    /// `confined`, or `none` for a server that needs all of your own rights.
    pub mode: ConfinementMode,
    /// Absolute folders it may read and run programs from, besides the system's own.
    pub readable: Vec<PathBuf>,
    /// Absolute folders it may also write to, besides its private one.
    pub writable: Vec<PathBuf>,
    /// Whether it may use the network.
    pub network: bool,
    /// Run it even where the kernel cannot confine it.
    pub allow_unconfined: bool,
}

impl Default for Confinement {
    fn default() -> Self {
        Self {
            mode: ConfinementMode::Confined,
            readable: Vec::new(),
            writable: Vec::new(),
            network: true,
            allow_unconfined: false,
        }
    }
}

/// Whether a stdio server is confined.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum ConfinementMode {
    /// By Landlock, seccomp and limits.
    #[default]
    Confined,
    /// Not at all.
    None,
}

/// One thing wrong with a section.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ConfigProblem {
    /// The key within the section; empty for the section as a whole.
    pub key: &'static str,
    /// The rule it breaks.
    pub rule: String,
    /// What to do.
    pub fix: String,
}

/// Longest name: `name__tool` has to leave room for the tool in 64 characters.
const NAME_BYTES_MAX: usize = 32;

/// Why `name` cannot be an upstream's; `None` when it can.
pub fn name_problem(name: &str) -> Option<&'static str> {
    let sound = !name.is_empty()
        && name.len() <= NAME_BYTES_MAX
        && name.bytes().all(|it| it.is_ascii_lowercase() || it.is_ascii_digit() || it == b'-')
        && name.starts_with(|it: char| it.is_ascii_lowercase())
        && !name.ends_with('-')
        && !name.contains("--");
    (!sound).then_some("a name is 1 to 32 of a-z, 0-9 and single `-`, and begins with a letter")
}

impl UpstreamConfig {
    /// Everything that is wrong with it, without touching anything.
    pub fn problems(&self) -> Vec<ConfigProblem> {
        let mut found = Vec::new();
        let mut wrong = |key, rule: &str, fix: &str| {
            found.push(ConfigProblem { key, rule: rule.into(), fix: fix.into() });
        };
        match (&self.command, &self.url) {
            (None, None) => wrong("", "it has neither `command` nor `url`", "say how to reach it"),
            (Some(_), Some(_)) => wrong("url", "it has `command` and `url`", "keep one of them"),
            _ => {}
        }
        let is_http = self.url.is_some();
        if self.command.as_ref().is_some_and(|it| it.is_empty() || it.contains('\0')) {
            wrong("command", "it is not a program", "name one program; arguments go into `args`");
        }
        if self.command.as_ref().is_some_and(|it| it.contains(char::is_whitespace) && !it.starts_with('/')) {
            wrong("command", "no shell reads it", "put the arguments into `args`");
        }
        if is_http && !(self.args.is_empty() && self.env.is_empty() && self.cwd.is_none()) {
            wrong("args", "a server with `url` is not started by us", "remove `args`, `env` and `cwd`");
        }
        let has_http_keys = !self.headers.is_empty() || !self.replicas.is_empty();
        if !is_http && has_http_keys {
            wrong("headers", "only a server with `url` has headers and replicas", "use `env` for a program");
        }
        match (self.transport, is_http) {
            (TransportChoice::Stdio, true) => {
                wrong("transport", "`stdio` needs `command`", "use `http`, or leave it out");
            }
            (TransportChoice::Http | TransportChoice::Sse, false) => {
                wrong("transport", "it needs `url`", "leave `transport` out for a program");
            }
            (TransportChoice::Sse, true) if self.era == EraChoice::Modern => {
                wrong("era", "HTTP+SSE is older than that", "leave `era` out");
            }
            _ => {}
        }
        for folder in self.confinement.readable.iter().chain(&self.confinement.writable).chain(&self.cwd) {
            if !folder.is_absolute() {
                wrong("confinement", "a folder is not absolute", "write folders from the root, `/srv/…`");
            }
        }
        if self.replicas.len() >= 64 {
            wrong("replicas", "it has more than 63", "put a balancer in front");
        }
        for name in self.headers.keys() {
            if RESERVED_HEADERS.iter().any(|it| name.eq_ignore_ascii_case(it)) {
                wrong("headers", "one is set by the protocol itself", "remove it");
            } else if ::http::HeaderName::from_bytes(name.as_bytes()).is_err() {
                wrong("headers", "one is not the name of a header", "use letters, digits and `-`");
            }
        }
        for name in self.env.keys() {
            if name.is_empty() || name.contains(['=', '\0']) {
                wrong("env", "one is not the name of a variable", "use letters, digits and `_`");
            }
        }
        found
    }
}

/// Headers that we write.
const RESERVED_HEADERS: [&str; 9] = [
    "host",
    "content-length",
    "content-type",
    "accept",
    "connection",
    "transfer-encoding",
    "mcp-session-id",
    "mcp-protocol-version",
    "mcp-method",
];

/// Replaces `${env:NAME}` with what `lookup` knows. An unknown name is an error that names it.
pub(crate) fn expand(text: &str, lookup: &dyn Fn(&str) -> Option<String>) -> Result<String, String> {
    let mut out = String::with_capacity(text.len());
    let mut rest = text;
    while let Some((before, after)) = rest.split_once("${env:") {
        let (name, after) =
            after.split_once('}').ok_or_else(|| "a `${env:` is not closed by `}`".to_owned())?;
        out.push_str(before);
        out.push_str(&lookup(name).ok_or_else(|| format!("the variable {name} is not set"))?);
        rest = after;
    }
    out.push_str(rest);
    Ok(out)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn problems(text: &str) -> Vec<&'static str> {
        let config: UpstreamConfig = serde_json::from_str(text).unwrap();
        config.problems().iter().map(|it| it.key).collect()
    }

    #[test]
    fn a_section_that_makes_no_sense_is_refused_by_key() {
        for (text, keys) in [
            (r#"{"command": "npx", "args": ["-y", "x"]}"#, &[][..]),
            (r#"{"url": "https://example.org/mcp", "headers": {"Authorization": "Bearer x"}}"#, &[]),
            ("{}", &[""]),
            (r#"{"command": "a", "url": "https://x"}"#, &["url"]),
            (r#"{"command": "npx -y x"}"#, &["command"]),
            (r#"{"command": ""}"#, &["command"]),
            (r#"{"url": "https://x", "args": ["y"]}"#, &["args"]),
            (r#"{"command": "a", "headers": {"x": "y"}}"#, &["headers"]),
            (r#"{"command": "a", "transport": "http"}"#, &["transport"]),
            (r#"{"url": "https://x", "transport": "sse", "era": "modern"}"#, &["era"]),
            (r#"{"url": "https://x", "headers": {"Mcp-Session-Id": "1"}}"#, &["headers"]),
            (r#"{"url": "https://x", "headers": {"a b": "1"}}"#, &["headers"]),
            (r#"{"command": "a", "confinement": {"writable": ["src"]}}"#, &["confinement"]),
        ] {
            assert_eq!(problems(text), keys, "{text}");
        }
        assert!(serde_json::from_str::<UpstreamConfig>(r#"{"comand": "x"}"#).is_err());
    }

    #[test]
    fn a_name_leaves_room_for_its_tools() {
        for good in ["a", "github", "my-server-2"] {
            assert_eq!(name_problem(good), None, "{good}");
        }
        for bad in ["", "A", "a_b", "a__b", "a--b", "-a", "a-", "2a", "a.b", "ä", &"a".repeat(33)] {
            assert!(name_problem(bad).is_some(), "{bad}");
        }
    }

    #[test]
    fn only_what_the_config_names_is_taken_from_the_environment() {
        let lookup = |name: &str| (name == "TOKEN").then(|| "t0".to_owned());
        assert_eq!(expand("Bearer ${env:TOKEN}!", &lookup).as_deref(), Ok("Bearer t0!"));
        assert_eq!(expand("plain $TOKEN ${TOKEN}", &lookup).as_deref(), Ok("plain $TOKEN ${TOKEN}"));
        assert!(expand("${env:OTHER}", &lookup).is_err_and(|it| it.contains("OTHER")));
        assert!(expand("${env:TOKEN", &lookup).is_err());
    }

    #[test]
    fn a_secret_of_the_section_never_shows() {
        let config: UpstreamConfig =
            serde_json::from_str(r#"{"url": "https://x", "headers": {"Authorization": "hunter22"}}"#)
                .unwrap();
        assert!(!format!("{config:?}").contains("hunter22"));
    }
}
