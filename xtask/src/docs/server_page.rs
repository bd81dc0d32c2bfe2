//! The manual page of one server.

use std::fmt::Write;

use serde::Deserialize;
use serde_json::Value;

const HEAD: &str = "<!-- Written by `cargo xtask docs` from the code. Do not edit. -->\n";

/// A server of the catalogue.
#[derive(Deserialize)]
pub(super) struct Server {
    pub(super) name: String,
    version: String,
    category: String,
    aliases: Vec<String>,
    description: String,
    concurrency: u32,
    config_schema: Value,
    tools: Vec<Tool>,
}

/// One of its tools.
#[derive(Deserialize)]
struct Tool {
    name: String,
    title: String,
    description: String,
    input_schema: Value,
    effect: Effect,
    permission: String,
}

#[derive(Deserialize)]
struct Effect {
    kind: String,
    #[serde(default)]
    idempotent: bool,
}

/// The page that lists the servers.
pub(super) fn index(servers: &[Server]) -> String {
    let mut page =
        format!("{HEAD}# Servers\n\n| server | category | tools | what it does |\n|---|---|---|---|\n");
    for it in servers {
        let (name, category, tools) = (&it.name, &it.category, it.tools.len());
        line(
            &mut page,
            &format!("| [{name}]({name}.md) | {category} | {tools} | {} |", cell(&it.description)),
        );
    }
    page.push_str("\nWhat every server must keep: [the contract](../specs/server.md).\n");
    page
}

impl Server {
    /// The whole page.
    pub(super) fn page(&self) -> String {
        let mut page = format!("{HEAD}# {}\n\n{}\n\n", self.name, self.description);
        line(&mut page, &format!("Version {}, category {}.", self.version, self.category));
        if !self.aliases.is_empty() {
            line(&mut page, &format!("Also answers to `{}`.", self.aliases.join("`, `")));
        }
        line(&mut page, &format!("Runs {} calls at the same time unless configured.", self.concurrency));
        page.push_str("\n## Tools\n\n| tool | what it does to the world | permission |\n|---|---|---|\n");
        for tool in &self.tools {
            let Tool { name, permission, .. } = tool;
            line(
                &mut page,
                &format!("| [`{name}`](#{name}) | {} | `{permission}` |", tool.effect.in_words()),
            );
        }
        for tool in &self.tools {
            let Tool { name, title, description, .. } = tool;
            line(&mut page, &format!("\n### `{name}`\n\n**{title}.** {description}"));
            fields(&mut page, &tool.input_schema, "parameter");
        }
        line(&mut page, &format!("\n## Config\n\nKeys of `[servers.{}]`:", self.name));
        fields(&mut page, &self.config_schema, "key");
        page
    }
}

impl Effect {
    fn in_words(&self) -> String {
        let again = if self.idempotent { ", twice is like once" } else { "" };
        match self.kind.as_str() {
            "read" => "changes nothing".to_owned(),
            "write" => format!("changes things{again}"),
            _ => format!("may lose things for good{again}"),
        }
    }
}

fn fields(page: &mut String, schema: &Value, what: &str) {
    let Some(properties) = schema["properties"].as_object().filter(|it| !it.is_empty()) else {
        return line(page, &format!("\nIt takes no {what}s."));
    };
    line(page, &format!("\n| {what} | type | default | meaning |\n|---|---|---|---|"));
    let required: Vec<&str> =
        schema["required"].as_array().into_iter().flatten().filter_map(Value::as_str).collect();
    for (name, field) in properties {
        let default = match field.get("default") {
            Some(default) => format!("`{default}`"),
            None if required.contains(&name.as_str()) => "required".to_owned(),
            None => "–".to_owned(),
        };
        let meaning = cell(field["description"].as_str().unwrap_or_default());
        line(page, &format!("| `{name}` | {} | {default} | {meaning}{} |", type_of(field), limits(field)));
    }
}

fn type_of(field: &Value) -> String {
    let values = field["enum"].as_array().into_iter().flatten().filter_map(Value::as_str).collect::<Vec<_>>();
    match field["type"].as_str() {
        _ if !values.is_empty() => format!("`{}`", values.join("`, `")),
        Some("array") => format!("list of {}", type_of(&field["items"])),
        Some(name) => name.to_owned(),
        None => "any".to_owned(),
    }
}

fn limits(field: &Value) -> String {
    let bounds = [
        ("minimum", "maximum", ""),
        ("minLength", "maxLength", " characters"),
        ("minItems", "maxItems", " entries"),
    ];
    let said = bounds.iter().filter_map(|(low, high, unit)| match (field.get(low), field.get(high)) {
        (Some(low), Some(high)) => Some(format!("{low} to {high}{unit}")),
        (Some(low), None) => Some(format!("at least {low}{unit}")),
        (None, Some(high)) => Some(format!("at most {high}{unit}")),
        (None, None) => None,
    });
    let said: Vec<String> = said.collect();
    if said.is_empty() { String::new() } else { format!(" ({})", said.join("; ")) }
}

/// Text that does not break a table.
fn cell(text: &str) -> String {
    text.replace('\n', " ").replace('|', "\\|")
}

fn line(page: &mut String, text: &str) {
    writeln!(page, "{text}").expect("a String takes every write");
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_page_says_what_a_reader_asks() {
        let server: Server = serde_json::from_value(json!({
            "name": "clock", "version": "1.0.0", "category": "Testing", "aliases": ["watch"], "concurrency": 3,
            "description": "Tells the time.",
            "config_schema": { "properties": { "zone": { "type": "string", "default": "UTC", "description": "Where." } } },
            "tools": [{
                "name": "clock_now", "title": "The time", "description": "Tells it.", "permission": "mcp.clock:execute",
                "effect": { "kind": "destroy", "idempotent": true },
                "input_schema": { "required": ["a"], "properties": {
                    "a": { "type": "integer", "maximum": 3, "description": "One | two." },
                    "c": { "type": "string", "minLength": 1, "maxLength": 9, "description": "Short." },
                    "b": { "type": "array", "items": { "enum": ["x", "y"] }, "description": "Some." },
                }},
            }],
        }))
        .expect("a manifest entry");
        let page = server.page();
        for wanted in [
            "# clock",
            "Also answers to `watch`.",
            "| [`clock_now`](#clock_now) | may lose things for good, twice is like once | `mcp.clock:execute` |",
            "| `a` | integer | required | One \\| two. (at most 3) |",
            "| `c` | string | – | Short. (1 to 9 characters) |",
            "| `b` | list of `x`, `y` | – | Some. |",
            "| `zone` | string | `\"UTC\"` | Where. |",
        ] {
            assert!(page.contains(wanted), "lacks {wanted}:\n{page}");
        }
        assert!(index(&[server]).contains("| [clock](clock.md) | Testing | 1 | Tells the time. |"));
    }
}
