//! `core-mcp upstream import`: the servers of Claude Desktop, Claude Code, VS Code, Cursor and their like.

use std::{fs, path::PathBuf};

use clap::Args;
use serde::Serialize;
use serde_json::{Map, Value, json};

use super::{Place, add::understood, edit};
use crate::{app::App, failure::Failure};

/// Largest file that is read.
const FILE_BYTES_MAX: u64 = 1 << 20;

/// Flags of `import`.
#[derive(Debug, Args)]
pub(super) struct Import {
    /// mcp.json, .mcp.json or claude_desktop_config.json
    file: PathBuf,
    /// Only these servers; repeat for more
    #[arg(long = "only", value_name = "NAME")]
    only: Vec<String>,
    /// Show what would be written
    #[arg(long)]
    dry_run: bool,
}

/// What became of one server of the file.
#[derive(Serialize)]
struct Taken {
    /// As the file calls it.
    from: String,
    /// As we call it.
    #[serde(skip_serializing_if = "Option::is_none")]
    name: Option<String>,
    /// Why it was left out.
    #[serde(skip_serializing_if = "Option::is_none")]
    skipped: Option<String>,
    /// What has to be set before it works.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    needs: Vec<String>,
}

impl Import {
    pub(super) async fn run(self, app: &App, at: &Place) -> Result<(), Failure> {
        let servers = self.servers()?;
        let (mut all, mut sections) = (Vec::new(), Vec::new());
        for (from, server) in &servers {
            if !self.only.is_empty() && !self.only.contains(from) {
                continue;
            }
            let mut needs = Vec::new();
            let name = name_for(from);
            let read = section(server, &mut needs).and_then(|section| {
                let taken = at.configs().contains_key(&name) || sections.iter().any(|(it, _)| *it == name);
                if taken {
                    return Err("there is an upstream of this name already".into());
                }
                understood(&name, &section).map_err(|failure| {
                    std::iter::once(failure.message).chain(failure.hints).collect::<Vec<_>>().join("; ")
                })?;
                Ok(section)
            });
            match read {
                Ok(section) => {
                    sections.push((name.clone(), section));
                    all.push(Taken { from: from.clone(), name: Some(name), skipped: None, needs });
                }
                Err(why) => all.push(Taken { from: from.clone(), name: None, skipped: Some(why), needs }),
            }
        }
        if all.is_empty() {
            return Err(Failure::usage("the file has no such server"));
        }
        let text = edit::with(&at.file, &sections)?;
        if !self.dry_run && !sections.is_empty() {
            let names: Vec<&str> = sections.iter().map(|(name, _)| name.as_str()).collect();
            let writing = async { edit::write(&at.file, &text) };
            at.local.recorded("upstream.imported", json!({ "upstreams": names }), writing).await?;
        }
        app.output.list(&all, || all.iter().map(Taken::told).collect::<Vec<_>>().join("\n"))
    }

    /// `mcpServers` of most clients, `servers` of VS Code, also below `mcp`.
    fn servers(&self) -> Result<Map<String, Value>, Failure> {
        let shown = self.file.display();
        let size = fs::metadata(&self.file).map(|it| it.len());
        if size.is_ok_and(|it| it > FILE_BYTES_MAX) {
            return Err(Failure::usage(format!("{shown} is larger than 1 MiB")));
        }
        let text = fs::read_to_string(&self.file)
            .map_err(|error| Failure::usage(format!("{shown} cannot be read: {error}")))?;
        let value: Value = serde_json::from_str(&text).map_err(|error| {
            Failure::usage(format!("{shown} is not JSON: {error}")).hint("remove comments")
        })?;
        let places = [&value["mcpServers"], &value["servers"], &value["mcp"]["servers"]];
        places
            .into_iter()
            .find_map(Value::as_object)
            .cloned()
            .ok_or_else(|| Failure::usage(format!("{shown} has neither `mcpServers` nor `servers`")))
    }
}

impl Taken {
    fn told(&self) -> String {
        let mut text = match (&self.name, &self.skipped) {
            (Some(name), _) if *name == self.from => format!("took {name}"),
            (Some(name), _) => format!("took {} as {name}", self.from),
            (None, why) => format!("left out {}: {}", self.from, why.as_deref().unwrap_or_default()),
        };
        for need in &self.needs {
            text.push_str(&format!("\n  set {need} in the environment of core-mcp"));
        }
        text
    }
}

/// Lower case words joined by `-`.
fn name_for(from: &str) -> String {
    let mut name = String::new();
    for char in from.chars() {
        if char.is_ascii_alphanumeric() {
            name.push(char.to_ascii_lowercase());
        } else if !name.is_empty() && !name.ends_with('-') {
            name.push('-');
        }
    }
    name.truncate(32);
    name.trim_end_matches('-').to_owned()
}

/// One server as a section of ours. Values stay as they are; placeholders become variables.
fn section(server: &Value, needs: &mut Vec<String>) -> Result<Value, String> {
    let mut section = Map::new();
    let kind = server["type"].as_str().or(server["transport"].as_str()).unwrap_or_default();
    if server["disabled"] == true || server["enabled"] == false {
        section.insert("enabled".into(), false.into());
    }
    let url = ["url", "serverUrl", "httpUrl"].into_iter().find_map(|key| server[key].as_str());
    if let Some(url) = url {
        section.insert("url".into(), url.into());
        if kind == "sse" {
            section.insert("transport".into(), "sse".into());
        }
        texts(&mut section, "headers", &server["headers"], needs)?;
        if url.starts_with("http://127.0.0.1")
            || url.starts_with("http://localhost")
            || url.starts_with("http://[::1]")
        {
            section.insert("allow_cidrs".into(), json!(["127.0.0.0/8", "::1/128"]));
        }
        return Ok(Value::Object(section));
    }
    let command = server["command"].as_str().ok_or("it has neither `command` nor `url`")?;
    section.insert("command".into(), command.into());
    if let Some(args) = server["args"].as_array() {
        let args = args
            .iter()
            .map(|it| it.as_str().map(|it| placeholders(it, needs)).ok_or("an argument is no text"));
        section.insert("args".into(), json!(args.collect::<Result<Vec<String>, _>>()?));
    }
    texts(&mut section, "env", &server["env"], needs)?;
    if let Some(cwd) = server["cwd"].as_str() {
        section.insert("cwd".into(), cwd.into());
    }
    Ok(Value::Object(section))
}

fn texts(
    section: &mut Map<String, Value>,
    key: &str,
    given: &Value,
    needs: &mut Vec<String>,
) -> Result<(), String> {
    let Some(given) = given.as_object() else { return Ok(()) };
    let mut texts = Map::new();
    for (name, value) in given {
        let value = match value {
            Value::String(text) => placeholders(text, needs),
            Value::Number(_) | Value::Bool(_) => value.to_string(),
            _ => return Err(format!("{key}.{name} is no text")),
        };
        texts.insert(name.clone(), value.into());
    }
    section.insert(key.into(), Value::Object(texts));
    Ok(())
}

/// `${NAME}`, `${env:NAME}` and `${input:name}` of clients are variables of ours.
fn placeholders(text: &str, needs: &mut Vec<String>) -> String {
    let mut out = String::new();
    let mut rest = text;
    while let Some((before, after)) = rest.split_once("${") {
        let Some((inside, after)) = after.split_once('}') else { break };
        let name = inside.strip_prefix("env:").or_else(|| inside.strip_prefix("input:")).unwrap_or(inside);
        let name = name.split(":-").next().unwrap_or_default();
        let name: String = name
            .chars()
            .map(|it| if it.is_ascii_alphanumeric() { it.to_ascii_uppercase() } else { '_' })
            .collect();
        out.push_str(before);
        out.push_str(&format!("${{env:{name}}}"));
        if !needs.contains(&name) {
            needs.push(name);
        }
        rest = after;
    }
    out.push_str(rest);
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(server: Value) -> (Result<Value, String>, Vec<String>) {
        let mut needs = Vec::new();
        (section(&server, &mut needs), needs)
    }

    #[test]
    fn what_clients_write_becomes_a_section() {
        let (section, needs) = read(json!({
            "type": "stdio", "command": "npx", "args": ["-y", "x", "--key=${API_KEY}"],
            "env": {"TOKEN": "${input:my-token}", "N": 3},
        }));
        assert_eq!(
            section.unwrap(),
            json!({
                "command": "npx", "args": ["-y", "x", "--key=${env:API_KEY}"],
                "env": {"TOKEN": "${env:MY_TOKEN}", "N": "3"},
            })
        );
        assert_eq!(needs, ["API_KEY", "MY_TOKEN"]);
        let (section, needs) = read(json!({
            "url": "http://localhost:3000/sse", "type": "sse", "headers": {"Authorization": "Bearer ${env:T:-x}"},
        }));
        let section = section.unwrap();
        assert_eq!((&section["transport"], needs), (&json!("sse"), vec!["T".to_owned()]));
        assert_eq!(section["headers"]["Authorization"], "Bearer ${env:T}");
        assert_eq!(section["allow_cidrs"], json!(["127.0.0.0/8", "::1/128"]));
    }

    #[test]
    fn what_makes_no_sense_is_left_out_with_a_reason() {
        for bad in [
            json!({}),
            json!({"command": 7}),
            json!({"command": "a", "args": [{}]}),
            json!({"command": "a", "env": {"A": []}}),
        ] {
            assert!(read(bad.clone()).0.is_err(), "{bad}");
        }
    }

    #[test]
    fn names_are_made_fit() {
        for (from, name) in [
            ("GitHub MCP", "github-mcp"),
            ("@scope/server_x", "scope-server-x"),
            ("--a--", "a"),
            ("日本", ""),
        ] {
            assert_eq!(name_for(from), name, "{from}");
        }
        assert!(name_for(&"ab".repeat(40)).len() <= 32);
    }
}
