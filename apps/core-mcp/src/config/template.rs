//! The `core.toml` that `config init` and `quickstart` write: every key, with what it means.

use std::{fmt::Write, path::Path};

use pipeline::Tuning;
use serde_json::Value;

use super::Settings;

/// The file's text. `roots` become the workspace; tuning is the documents' recommended column.
pub(crate) fn template(roots: &[&Path], listen: Option<&str>) -> String {
    let settings = Settings::default();
    let listen = listen.unwrap_or(&settings.server.listen);
    let roots: Vec<String> = roots.iter().map(|it| quoted(&it.to_string_lossy())).collect();
    let mut text = format!(
        r#"# core-mcp configuration. `core-mcp config explain` shows what is in force and where it came from;
# `core-mcp config check` says what is wrong with it; `core-mcp config schema` is for editors.
# Tuning, allowed hosts, [auth], certificates and policies are picked up while running; the rest needs a restart.

[server]
# Address and port. Anything but loopback also needs [server.tls], or behind_tls_proxy = true.
listen = {}
# Host names clients may use besides the loopback ones.
allowed_hosts = []
# Browser origins that may call, for example "https://console.example.com".
allowed_origins = []
# A proxy in front of core-mcp speaks TLS.
behind_tls_proxy = false
# Our URL as clients see it, for example "https://mcp.example.com". Needed for [auth.oauth].
public_url = ""

# TLS, client certificates and tokens of authorization servers: docs/authentication.md.
# [server.tls]
# cert_file = "/etc/core-mcp/cert.pem"
# key_file = "/etc/core-mcp/key.pem"
# [auth.oauth.issuer.corp]
# url = "https://login.example.com"
# scope_roles = {{ "mcp:read" = ["viewer"] }}

[workspace]
# Absolute folders opened to tools that touch files. Nothing else can be read or written.
roots = [{}]

[audit]
# "sync": every record is on disk before its call goes on. "group": records that arrive together
# share one write. "async": calls do not wait; a power cut may lose the last moments.
durability = "group"
# Days a record is kept before `core-mcp audit retain` may drop it.
retention_days = {}

[workflow]
# Calls of all runs together that are made at the same time.
calls_max = {}
# Days a run that is over is kept.
retention_days = {}

"#,
        quoted(listen),
        roots.join(", "),
        settings.audit.retention_days,
        settings.workflow.calls_max,
        settings.workflow.retention_days,
    );
    text.push_str(&tuning());
    text.push_str(
        "[log]\n# error, warn, info, debug, trace, or directives such as \"info,pipeline=debug\".\n\
         level = \"info\"\n# \"text\" or \"json\".\nformat = \"text\"\n",
    );
    for entry in catalog::native_servers() {
        text.push_str(&server_section(entry.facts.name, entry.facts.description, &(entry.config_schema)()));
    }
    text
}

fn tuning() -> String {
    let knobs = Tuning::recommended().defaults;
    let documented = [
        (
            "semaphore",
            knobs.semaphore.map(u64::from),
            "calls of one server at the same time (default 3 for scanners, max 10)",
        ),
        (
            "queue",
            knobs.queue.map(u64::from),
            "calls of one server that may wait for a turn (default 1000, max 10000)",
        ),
        (
            "cache_ttl_seconds",
            knobs.cache_ttl_seconds,
            "how long a cacheable read stays good (default 600, max 3600)",
        ),
        (
            "breaker_threshold",
            knobs.breaker_threshold.map(u64::from),
            "failures in a row that open the breaker (default 5, max 20)",
        ),
        (
            "rate_per_minute",
            knobs.rate_per_minute.map(u64::from),
            "calls per minute, principal and tool class (default 20, max 120)",
        ),
    ];
    let mut text = String::from(
        "[tuning]\n# The recommended values. A deleted line falls back to the default; a value above the maximum is\n\
         # refused unless beyond_documented = true. [tuning.server.NAME] and [tuning.tool.\"SERVER.TOOL\"] override.\n",
    );
    for (key, value, help) in documented {
        let value = value.expect("the recommended column sets every documented knob");
        writeln!(text, "# {help}\n{key} = {value}").expect("a String takes every write");
    }
    text.push('\n');
    text
}

/// One server's section, commented out, with every key it knows.
fn server_section(name: &str, description: &str, schema: &Value) -> String {
    let mut text = format!("\n# {}\n# [servers.{name}]\n# enabled = true\n", one_line(description));
    for (key, rule) in schema["properties"].as_object().into_iter().flatten() {
        if let Some(help) = rule["description"].as_str() {
            writeln!(text, "# # {}", one_line(help)).expect("a String takes every write");
        }
        let default = toml_value(&rule["default"]).unwrap_or_else(|| "…".into());
        writeln!(text, "# {key} = {default}").expect("a String takes every write");
    }
    text
}

fn one_line(text: &str) -> String {
    text.split_whitespace().collect::<Vec<_>>().join(" ")
}

fn quoted(text: &str) -> String {
    toml::Value::String(text.to_owned()).to_string()
}

/// A JSON value as TOML writes it in one line; nothing for null.
fn toml_value(value: &Value) -> Option<String> {
    match value {
        Value::Null => None,
        Value::String(text) => Some(quoted(text)),
        Value::Array(items) => {
            Some(format!("[{}]", items.iter().filter_map(toml_value).collect::<Vec<_>>().join(", ")))
        }
        Value::Object(table) => {
            let pairs = table.iter().filter_map(|(key, it)| Some(format!("{key} = {}", toml_value(it)?)));
            Some(format!("{{ {} }}", pairs.collect::<Vec<_>>().join(", ")))
        }
        other => Some(other.to_string()),
    }
}
