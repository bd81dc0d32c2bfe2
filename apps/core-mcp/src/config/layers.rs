//! Config as trees in which every value knows where it came from.

use std::{
    collections::BTreeMap,
    fmt,
    path::{Path, PathBuf},
};

use serde_json::Value;
use toml::de::{DeTable, DeValue};

use super::check::Problem;

/// Where a value came from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Origin {
    /// Nobody set it.
    BuiltIn,
    /// A line of a file.
    File {
        /// Which file.
        path: PathBuf,
        /// Counted from 1.
        line: usize,
    },
    /// An environment variable.
    Variable(String),
    /// A flag of the command line.
    Flag(&'static str),
}

impl fmt::Display for Origin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::BuiltIn => f.write_str("built in"),
            Self::File { path, line } => write!(f, "{}:{line}", path.display()),
            Self::Variable(name) => f.write_str(name),
            Self::Flag(flag) => f.write_str(flag),
        }
    }
}

/// A table, or one value and its origin. Arrays are values: a later layer replaces them whole.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Node {
    /// Keys and what stands under them.
    Table(BTreeMap<String, Self>),
    /// One value.
    Leaf(Value, Origin),
}

impl Default for Node {
    fn default() -> Self {
        Self::Table(BTreeMap::new())
    }
}

impl Node {
    /// A tree whose leaves all have the same origin.
    pub(crate) fn from_value(value: Value, origin: &Origin) -> Self {
        match value {
            Value::Object(object) => {
                Self::Table(object.into_iter().map(|(key, it)| (key, Self::from_value(it, origin))).collect())
            }
            leaf => Self::Leaf(leaf, origin.clone()),
        }
    }

    /// One value at a path, for a variable or a flag.
    pub(crate) fn at(path: &[String], value: Value, origin: Origin) -> Self {
        match path {
            [] => Self::from_value(value, &origin),
            [key, rest @ ..] => Self::Table(BTreeMap::from([(key.clone(), Self::at(rest, value, origin))])),
        }
    }

    /// Lays `over` on top: tables merge, anything else replaces.
    pub(crate) fn overlay(&mut self, over: Self) {
        match (self, over) {
            (Self::Table(under), Self::Table(over)) => {
                for (key, node) in over {
                    under.entry(key).or_default().overlay(node);
                }
            }
            (under, over) => *under = over,
        }
    }

    /// The tree without origins.
    pub(crate) fn to_value(&self) -> Value {
        match self {
            Self::Table(table) => table.iter().map(|(key, node)| (key.clone(), node.to_value())).collect(),
            Self::Leaf(value, _) => value.clone(),
        }
    }

    /// What stands at a path.
    pub(crate) fn get(&self, path: &[&str]) -> Option<&Self> {
        path.iter().try_fold(self, |node, key| match node {
            Self::Table(table) => table.get(*key),
            Self::Leaf(..) => None,
        })
    }

    /// Where the value at a path came from; for a table, where its first value did.
    pub(crate) fn origin(&self, path: &[&str]) -> Origin {
        let deepest = (0..=path.len()).rev().find_map(|end| self.get(&path[..end]));
        deepest.and_then(Self::first_origin).unwrap_or(Origin::BuiltIn)
    }

    fn first_origin(&self) -> Option<Origin> {
        match self {
            Self::Leaf(_, origin) => Some(origin.clone()),
            Self::Table(table) => table.values().find_map(Self::first_origin),
        }
    }

    /// Every leaf with its dotted key, in order.
    pub(crate) fn leaves(&self) -> Vec<(String, &Value, &Origin)> {
        let mut found = Vec::new();
        self.collect_leaves(&mut Vec::new(), &mut found);
        found
    }

    fn collect_leaves<'a>(
        &'a self,
        path: &mut Vec<&'a str>,
        found: &mut Vec<(String, &'a Value, &'a Origin)>,
    ) {
        match self {
            Self::Leaf(value, origin) => found.push((dotted(path), value, origin)),
            Self::Table(table) => {
                for (key, node) in table {
                    path.push(key);
                    node.collect_leaves(path, found);
                    path.pop();
                }
            }
        }
    }
}

/// A key as TOML writes it: parts that hold a dot are quoted.
pub(crate) fn dotted(path: &[&str]) -> String {
    let parts = path.iter().map(|it| if it.contains('.') { format!("\"{it}\"") } else { (*it).to_owned() });
    parts.collect::<Vec<_>>().join(".")
}

/// Reads TOML; every syntax error is reported, not only the first.
pub(crate) fn parse_toml(path: &Path, text: &str) -> Result<Node, Vec<Problem>> {
    let (spans, mut errors) = DeTable::parse_recoverable(text);
    let values = text.parse::<toml::Table>();
    match (values, errors.is_empty()) {
        (Ok(values), true) => return Ok(Source { path, text }.table(spans.get_ref(), values)),
        // The recovering parser was content, the strict one was not.
        (Err(error), true) => errors.push(error),
        (_, false) => errors.sort_by_key(|error| error.span().map_or(0, |it| it.start)),
    }
    let problem = |error: &toml::de::Error| Problem {
        origin: origin(path, text, error.span().map_or(0, |it| it.start)),
        key: String::new(),
        message: format!("this is not TOML: {}", error.message()),
        fix: "see https://toml.io for the syntax".into(),
    };
    Err(errors.iter().map(problem).collect())
}

fn origin(path: &Path, text: &str, offset: usize) -> Origin {
    let before = &text.as_bytes()[..offset.min(text.len())];
    Origin::File { path: path.to_owned(), line: before.iter().filter(|it| **it == b'\n').count() + 1 }
}

/// One file while it is turned into a tree.
struct Source<'a> {
    path: &'a Path,
    text: &'a str,
}

impl Source<'_> {
    /// Walks the spans and the values of one table side by side.
    fn table(&self, spans: &DeTable<'_>, mut values: toml::Table) -> Node {
        let mut table = BTreeMap::new();
        for (key, spanned) in spans {
            let Some(value) = values.remove(key.get_ref().as_ref()) else { continue };
            let node = match (spanned.get_ref(), value) {
                (DeValue::Table(spans), toml::Value::Table(values)) => self.table(spans, values),
                (_, value) => Node::Leaf(json(value), origin(self.path, self.text, key.span().start)),
            };
            table.insert(key.get_ref().to_string(), node);
        }
        Node::Table(table)
    }
}

/// TOML has dates and JSON has not; a date becomes its text.
fn json(value: toml::Value) -> Value {
    match value {
        toml::Value::String(text) => text.into(),
        toml::Value::Integer(number) => number.into(),
        toml::Value::Float(number) => number.into(),
        toml::Value::Boolean(flag) => flag.into(),
        toml::Value::Datetime(date) => date.to_string().into(),
        toml::Value::Array(items) => items.into_iter().map(json).collect(),
        toml::Value::Table(table) => table.into_iter().map(|(key, it)| (key, json(it))).collect(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(text: &str) -> Node {
        parse_toml(Path::new("core.toml"), text).expect("the text is TOML")
    }

    #[test]
    fn every_leaf_knows_its_line() {
        let tree =
            parse("# comment\n[server]\nlisten = \"127.0.0.1:1\"\n\n[tuning.server.a]\nqueue = 1_000\n");
        let check = |path: &[&str], line: usize| {
            assert_eq!(tree.origin(path), Origin::File { path: "core.toml".into(), line }, "{path:?}");
        };
        check(&["server", "listen"], 3);
        check(&["tuning", "server", "a", "queue"], 6);
        assert_eq!(tree.to_value()["tuning"]["server"]["a"]["queue"], 1000);
    }

    #[test]
    fn a_later_layer_replaces_values_and_keeps_the_rest() {
        let mut tree = parse("[server]\nlisten = \"a\"\nallowed_hosts = [\"x\", \"y\"]\n");
        tree.overlay(parse("[server]\nallowed_hosts = [\"z\"]\n"));
        assert_eq!(tree.to_value()["server"], serde_json::json!({"listen": "a", "allowed_hosts": ["z"]}));
    }

    #[test]
    fn every_syntax_error_is_reported() {
        let problems = parse_toml(Path::new("core.toml"), "a = \nb = 1\nc = [\n").unwrap_err();
        assert!(!problems.is_empty());
        assert_eq!(problems[0].origin, Origin::File { path: "core.toml".into(), line: 1 });
    }
}
