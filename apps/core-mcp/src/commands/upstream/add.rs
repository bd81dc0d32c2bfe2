//! `core-mcp upstream add`.

use std::path::PathBuf;

use clap::{Args, ValueEnum};
use gateway::{UpstreamConfig, check, name_problem};
use kernel::ErrorKind;
use serde_json::{Map, Value, json};

use super::{Place, edit, told};
use crate::{app::App, failure::Failure};

/// Flags of `add`.
#[derive(Debug, Args)]
pub(super) struct Add {
    /// Its name: the prefix of its tools
    name: String,
    /// The program of a stdio server; no shell reads it
    #[arg(long, value_name = "PROGRAM", conflicts_with = "url", required_unless_present = "url")]
    command: Option<String>,
    /// One argument of the program; repeat for more
    #[arg(long = "arg", value_name = "TEXT", allow_hyphen_values = true, requires = "command")]
    args: Vec<String>,
    /// A variable for the program; ${env:X} takes core-mcp's own X
    #[arg(long = "env", value_name = "NAME=VALUE", requires = "command")]
    env: Vec<String>,
    /// The endpoint of a server over HTTP
    #[arg(long)]
    url: Option<String>,
    /// A header for every request; ${env:X} takes core-mcp's own X
    #[arg(long = "header", value_name = "NAME=VALUE", requires = "url")]
    headers: Vec<String>,
    /// A private or loopback range the URL may lead to
    #[arg(long = "allow-cidr", value_name = "RANGE", requires = "url")]
    allow_cidrs: Vec<String>,
    /// How far its word counts
    #[arg(long, value_enum)]
    trust: Option<Trust>,
    /// A folder the program may read; repeat for more
    #[arg(long = "readable", value_name = "DIR", requires = "command")]
    readable: Vec<PathBuf>,
    /// A folder the program may write to; repeat for more
    #[arg(long = "writable", value_name = "DIR", requires = "command")]
    writable: Vec<PathBuf>,
    /// Run the program with all your rights
    #[arg(long, requires = "command")]
    unconfined: bool,
    /// Do not connect before it is written
    #[arg(long)]
    no_check: bool,
}

/// `--trust`.
#[derive(Clone, Copy, Debug, ValueEnum)]
enum Trust {
    /// Hints are ignored; nothing is served before it is approved
    Low,
    /// Changed and suspicious definitions wait
    Standard,
    /// Everything is served; suspicious definitions are recorded
    High,
}

impl Add {
    pub(super) async fn run(self, app: &App, at: &Place) -> Result<(), Failure> {
        let (name, no_check) = (self.name.clone(), self.no_check);
        let section = self.section()?;
        let config = understood(&name, &section)?;
        let text = edit::with(&at.file, &[(name.clone(), section)])?;
        let report = if no_check { None } else { Some(looked_at(at, &name, &config).await?) };
        let writing = async { edit::write(&at.file, &text) };
        at.local.recorded("upstream.added", json!({ "upstream": name }), writing).await?;
        app.output.one(&json!({ "added": name, "check": report }), || {
            let told = report.map(|report| {
                told(&super::Checked { name: name.clone(), ok: true, report: Some(report), reason: None })
            });
            told.unwrap_or_else(|| format!("added {name}; it was not looked at"))
        })
    }

    fn section(self) -> Result<Value, Failure> {
        let mut section = Map::new();
        let mut put = |key: &str, value: Value| {
            let is_empty = value.as_array().is_some_and(Vec::is_empty)
                || value.as_object().is_some_and(Map::is_empty)
                || value.is_null();
            if !is_empty {
                section.insert(key.into(), value);
            }
        };
        put("command", json!(self.command));
        put("args", json!(self.args));
        put("env", pairs("env", &self.env)?);
        put("url", json!(self.url));
        put("headers", pairs("header", &self.headers)?);
        put("allow_cidrs", json!(self.allow_cidrs));
        put("trust", json!(self.trust.map(|it| format!("{it:?}").to_lowercase())));
        let mut confinement = Map::new();
        if self.unconfined {
            confinement.insert("mode".into(), "none".into());
        }
        for (key, folders) in [("readable", self.readable), ("writable", self.writable)] {
            if !folders.is_empty() {
                confinement.insert(key.into(), json!(folders));
            }
        }
        put("confinement", Value::Object(confinement));
        Ok(Value::Object(section))
    }
}

fn pairs(flag: &str, given: &[String]) -> Result<Value, Failure> {
    let mut map = Map::new();
    for pair in given {
        let (name, value) = pair
            .split_once('=')
            .filter(|(name, _)| !name.is_empty())
            .ok_or_else(|| Failure::usage(format!("--{flag} wants NAME=VALUE")))?;
        map.insert(name.into(), value.into());
    }
    Ok(Value::Object(map))
}

/// Reads a section as it will be read from the file.
pub(super) fn understood(name: &str, section: &Value) -> Result<UpstreamConfig, Failure> {
    if let Some(rule) = name_problem(name) {
        return Err(Failure::usage(format!("`{name}` cannot be an upstream's name: {rule}")));
    }
    let natives = catalog::native_servers();
    if natives.iter().any(|it| it.facts.name == name || it.facts.aliases.contains(&name)) {
        return Err(Failure::usage(format!("a native server is called `{name}`"))
            .hint("choose another name: nobody may take over another server's calls"));
    }
    let config: UpstreamConfig = serde_json::from_value(section.clone())
        .map_err(|error| Failure::usage(format!("`{name}` makes no sense: {error}")))?;
    let problems = config.problems();
    if problems.is_empty() {
        return Ok(config);
    }
    let failure = Failure::usage(format!("`{name}` makes no sense"));
    Err(problems.iter().fold(failure, |failure, it| {
        let key = if it.key.is_empty() { "section" } else { it.key };
        failure.hint(format!("{key}: {}; {}", it.rule, it.fix))
    }))
}

/// Connects, so that a typo is found before it is written.
pub(super) async fn looked_at(
    at: &Place,
    name: &str,
    config: &UpstreamConfig,
) -> Result<gateway::CheckReport, Failure> {
    check(name, config, &at.setting).await.map_err(|reason| {
        Failure::new(
            ErrorKind::Unavailable,
            format!("`{name}` does not answer, so it was not added: {reason}"),
        )
        .hint("add it all the same with --no-check")
    })
}
