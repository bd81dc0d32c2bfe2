//! Gradle's lock files and version catalogues.

use serde_json::Value;

use super::maven::exact;
use crate::engine::{
    component::{Component, Ecosystem, Scope},
    fields::{maybe, pairs, text, toml},
    graph::Part,
};

/// Reads a `gradle.lockfile` or one of the older `*.lockfile` files: `group:artifact:version=configurations`.
pub(crate) fn read(path: &str, source: &str) -> Result<Part, String> {
    let mut part = Part::new(path);
    for (number, line) in source.lines().enumerate() {
        let line = line.trim();
        if line.is_empty() || line.starts_with('#') || line.starts_with("empty=") {
            continue;
        }
        let (package, configurations) = line.split_once('=').unwrap_or((line, ""));
        let (name, version) = package
            .rsplit_once(':')
            .filter(|it| it.0.contains(':') && !it.0.contains(' '))
            .ok_or_else(|| format!("it is no lock file of Gradle (line {})", number + 1))?;
        let is_test = |it: &str| it.to_lowercase().contains("test");
        let is_tool = !configurations.is_empty() && configurations.split(',').all(is_test);
        let is_build = path.ends_with("buildscript-gradle.lockfile");
        let scope = if is_tool || is_build { Scope::Dev } else { Scope::Required };
        part.add(Component::new(Ecosystem::Maven, name, version).in_scope(scope));
    }
    Ok(part)
}

/// Reads a version catalogue, such as `libs.versions.toml`.
pub(crate) fn read_catalogue(path: &str, source: &str) -> Result<Part, String> {
    let catalogue = toml(source)?;
    let mut part = Part::new(path);
    for (_, entry) in pairs(&catalogue, "libraries") {
        let (name, version) = match entry {
            Value::String(whole) => whole.rsplit_once(':').map(|it| (it.0.to_owned(), it.1.to_owned())),
            table => {
                let name = maybe(table, "module").map(str::to_owned);
                let name =
                    name.unwrap_or_else(|| format!("{}:{}", text(table, "group"), text(table, "name")));
                Some((name, version_of(table, &catalogue)))
            }
        }
        .ok_or("a library has no group and artifact")?;
        part.add_direct(exact(&name, &version));
    }
    for (_, entry) in pairs(&catalogue, "plugins") {
        let (id, version) = match entry {
            Value::String(whole) => {
                whole.split_once(':').map_or((whole.clone(), String::new()), |it| (it.0.into(), it.1.into()))
            }
            table => (text(table, "id").to_owned(), version_of(table, &catalogue)),
        };
        // Plugins are published under a marker of this name.
        part.add_direct(exact(&format!("{id}:{id}.gradle.plugin"), &version).in_scope(Scope::Dev));
    }
    Ok(part)
}

fn version_of(table: &Value, catalogue: &Value) -> String {
    let version = match table.get("version") {
        Some(Value::Object(rich)) if rich.contains_key("ref") => {
            let name = rich.get("ref").and_then(Value::as_str).unwrap_or_default();
            catalogue.get("versions").and_then(|it| it.get(name)).cloned()
        }
        other => other.cloned(),
    };
    match version {
        Some(Value::String(it)) => it,
        Some(rich) => ["strictly", "require", "prefer"]
            .iter()
            .find_map(|it| maybe(&rich, it))
            .unwrap_or_default()
            .to_owned(),
        None => String::new(),
    }
}
