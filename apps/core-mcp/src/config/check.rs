//! Everything that can be wrong with config, found in one pass.

use std::collections::BTreeSet;

use serde::Serialize;
use serde_json::{Map, Value};

use super::{Node, Origin, Settings, access, layers::dotted, suggest::nearest};

/// One thing to mend.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Problem {
    /// Where it stands.
    pub(crate) origin: Origin,
    /// The dotted key; empty when the file as a whole is meant.
    pub(crate) key: String,
    /// What is wrong.
    pub(crate) message: String,
    /// What to do.
    pub(crate) fix: String,
}

impl Problem {
    /// One line: place, key, rule, fix.
    pub(crate) fn line(&self) -> String {
        let key = if self.key.is_empty() { String::new() } else { format!("{}: ", self.key) };
        format!("{}: {key}{} ({})", self.origin, self.message, self.fix)
    }
}

impl Serialize for Problem {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut fields = Map::new();
        fields.insert("origin".into(), self.origin.to_string().into());
        fields.insert("key".into(), self.key.clone().into());
        fields.insert("message".into(), self.message.clone().into());
        fields.insert("fix".into(), self.fix.clone().into());
        fields.serialize(serializer)
    }
}

/// Checks names, types, bounds and meaning, in that order, and returns the typed values when they hold.
pub(super) fn settings(tree: &Node, schema: &Value, problems: &mut Vec<Problem>) -> Option<Settings> {
    unknown_keys(tree, schema, &mut Vec::new(), problems);
    wrong_values(tree, schema, problems);
    if !problems.is_empty() {
        return None;
    }
    match serde_json::from_value::<Settings>(tree.to_value()) {
        Ok(settings) => {
            wrong_meaning(&settings, tree, problems);
            Some(settings)
        }
        Err(error) => {
            problems.push(Problem {
                origin: tree.origin(&[]),
                key: String::new(),
                message: error.to_string(),
                fix: "`core-mcp config schema` shows what is expected".into(),
            });
            None
        }
    }
}

/// Tables are closed unless their schema takes free keys: a typo must not be silently ignored.
fn unknown_keys<'a>(node: &'a Node, schema: &Value, path: &mut Vec<&'a str>, problems: &mut Vec<Problem>) {
    let Node::Table(table) = node else { return };
    let schema = table_schema(schema);
    let empty = Map::new();
    let known = schema["properties"].as_object().unwrap_or(&empty);
    for (key, child) in table {
        path.push(key);
        match known.get(key) {
            Some(schema) => unknown_keys(child, schema, path, problems),
            None if schema["additionalProperties"].is_object() => {
                unknown_keys(child, &schema["additionalProperties"], path, problems);
            }
            None if known.is_empty() => {}
            None => problems.push(Problem {
                origin: child.origin(&[]),
                key: dotted(path),
                message: "this key is unknown".into(),
                fix: match nearest(key, known.keys().map(String::as_str)) {
                    Some(near) => format!("did you mean `{near}`?"),
                    None => format!("known here: {}", known.keys().cloned().collect::<Vec<_>>().join(", ")),
                },
            }),
        }
        path.pop();
    }
}

/// The schema of a table behind `anyOf: [table, null]`.
fn table_schema(schema: &Value) -> &Value {
    let options = schema["anyOf"].as_array().into_iter().flatten();
    options.into_iter().find(|it| it["properties"].is_object()).unwrap_or(schema)
}

fn wrong_values(tree: &Node, schema: &Value, problems: &mut Vec<Problem>) {
    let validator = jsonschema::validator_for(schema).expect("a derived schema compiles");
    let value = tree.to_value();
    for error in validator.iter_errors(&value) {
        // `unknown_keys` has said this with a suggestion.
        if matches!(error.kind().keyword(), "additionalProperties" | "unevaluatedProperties") {
            continue;
        }
        let pointer = error.instance_path().to_string();
        let parts: Vec<String> =
            pointer.split('/').skip(1).map(|it| it.replace("~1", "/").replace("~0", "~")).collect();
        let path: Vec<&str> = parts.iter().map(String::as_str).collect();
        problems.push(Problem {
            origin: tree.origin(&path),
            key: dotted(&path),
            message: error.masked().to_string(),
            fix: "`core-mcp config schema` shows what is expected".into(),
        });
    }
}

/// Rules that no schema can say.
fn wrong_meaning(settings: &Settings, tree: &Node, problems: &mut Vec<Problem>) {
    let mut problem = |path: &[&str], message: String, fix: String| {
        problems.push(Problem { origin: tree.origin(path), key: dotted(path), message, fix });
    };
    if settings.server.address().is_none() {
        problem(
            &["server", "listen"],
            "this is not an address and port".into(),
            "write for example `127.0.0.1:7332` or `[::1]:7332`".into(),
        );
    }
    for (path, message, fix) in access::faults(settings) {
        problem(&path.iter().map(String::as_str).collect::<Vec<_>>(), message, fix);
    }
    for root in settings.workspace.roots.iter().filter(|it| !it.is_absolute()) {
        problem(
            &["workspace", "roots"],
            format!("`{}` is not an absolute path", root.display()),
            "write the whole path, starting with /".into(),
        );
    }
    for violation in settings.tuning.violations() {
        let (key, message) = violation.split_once(": ").unwrap_or(("tuning", &violation));
        let parts: Vec<&str> = split_dotted(key);
        problem(
            &parts,
            message.to_owned(),
            "lower it, or accept the risk with tuning.beyond_documented = true".into(),
        );
    }
    let names = Names::of_catalog();
    for name in settings.tuning.server.keys().filter(|it| !names.servers.contains(it.as_str())) {
        problem(
            &["tuning", "server", name],
            "no server is called like this".into(),
            names.suggest_server(name),
        );
    }
    for name in settings.tuning.tool.keys().filter(|it| !names.tools.contains(it.as_str())) {
        problem(&["tuning", "tool", name], "no tool is called like this".into(), names.suggest_tool(name));
    }
}

/// Undoes [`dotted`]: `tuning.tool."a.b".queue`.
fn split_dotted(key: &str) -> Vec<&str> {
    let mut parts = Vec::new();
    for (index, piece) in key.split('"').enumerate() {
        if index % 2 == 1 {
            parts.push(piece);
        } else {
            parts.extend(piece.split('.').filter(|it| !it.is_empty()));
        }
    }
    parts
}

struct Names {
    servers: BTreeSet<String>,
    tools: BTreeSet<String>,
}

impl Names {
    fn of_catalog() -> Self {
        let entries = catalog::native_servers();
        Self {
            servers: entries.iter().map(|it| it.facts.name.to_owned()).collect(),
            tools: entries.iter().flat_map(|it| (it.specs)()).map(|it| it.qualified_name()).collect(),
        }
    }

    fn suggest_server(&self, wrong: &str) -> String {
        suggestion(wrong, &self.servers, "`core-mcp servers` lists them")
    }

    fn suggest_tool(&self, wrong: &str) -> String {
        suggestion(wrong, &self.tools, "write `server.tool` as `core-mcp tools` lists it")
    }
}

fn suggestion(wrong: &str, known: &BTreeSet<String>, otherwise: &str) -> String {
    let near = nearest(wrong, known.iter().map(String::as_str));
    near.map_or_else(|| otherwise.to_owned(), |near| format!("did you mean `{near}`?"))
}
