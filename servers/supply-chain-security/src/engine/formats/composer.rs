//! Composer: `composer.lock`, `composer.json` and `vendor/composer/installed.json`.

use std::collections::HashMap;

use serde_json::Value;

use crate::engine::{
    component::{Component, Ecosystem, Kind, Origin, Scope},
    digest,
    fields::{items, json, maybe, pairs, text},
    graph::Part,
    licence::Licence,
};

/// Reads a `composer.lock`; `manifest` is the text of the `composer.json` beside it.
pub(crate) fn read(path: &str, source: &str, manifest: Option<&str>) -> Result<Part, String> {
    let lock = json(source)?;
    if !lock.get("packages").is_some_and(Value::is_array) {
        return Err("it has no `packages`".into());
    }
    let mut part = Part { has_edges: true, ..Part::new(path) };
    let mut by_name: HashMap<String, usize> = HashMap::new();
    let mut packages = Vec::new();
    for (section, scope) in [("packages", Scope::Required), ("packages-dev", Scope::Dev)] {
        for package in items(&lock, section) {
            let component = component(package, path).in_scope(scope);
            let name = component.name.clone();
            let at = part.add(component);
            by_name.insert(name, at);
            packages.push((at, package));
        }
    }
    for (from, package) in packages {
        let needs = pairs(package, "require").filter_map(|it| by_name.get(&it.0.to_lowercase()));
        part.edges.extend(needs.map(|to| (from, *to)));
    }
    let manifest = manifest.and_then(|it| json(it).ok()).unwrap_or(Value::Null);
    part.project = Some(project(&manifest));
    for (section, scope) in [("require", Scope::Required), ("require-dev", Scope::Dev)] {
        let asked = pairs(&manifest, section).filter_map(|it| by_name.get(&it.0.to_lowercase()));
        part.direct.extend(asked.map(|at| (*at, scope)));
    }
    Ok(part)
}

fn project(manifest: &Value) -> Component {
    let name = maybe(manifest, "name").unwrap_or("root");
    Component { kind: Kind::Project, ..Component::new(Ecosystem::Composer, name, text(manifest, "version")) }
}

fn component(package: &Value, path: &str) -> Component {
    let mut component = Component::new(Ecosystem::Composer, text(package, "name"), text(package, "version"));
    let (source, dist) = (package.get("source"), package.get("dist"));
    component.digests.extend(dist.and_then(|it| maybe(it, "shasum")).and_then(digest::of_bare));
    component.licence = match package.get("license") {
        Some(Value::Array(many)) => Licence::any_of(many.iter().filter_map(Value::as_str), path),
        Some(Value::String(one)) => Licence::read(one, path),
        _ => None,
    };
    if dist.is_some_and(|it| text(it, "type") == "path") {
        component.origin = Origin::Path(dist.map_or("", |it| text(it, "url")).to_owned());
    } else if let Some(source) = source.filter(|it| dist.is_none() && text(it, "type") == "git") {
        component.origin = Origin::Git(format!("{}#{}", text(source, "url"), text(source, "reference")));
    }
    component.deprecated = match package.get("abandoned") {
        Some(Value::Bool(true)) => Some("abandoned".into()),
        Some(Value::String(instead)) => Some(format!("abandoned; use {instead}")),
        _ => None,
    };
    component
}

/// A `composer.json` without a lock file.
pub(crate) fn read_manifest(path: &str, source: &str) -> Result<Part, String> {
    let manifest = json(source)?;
    let mut part = Part::new(path);
    part.project = Some(project(&manifest));
    for (section, scope) in [("require", Scope::Required), ("require-dev", Scope::Dev)] {
        // `php` and `ext-…` are the platform, not packages.
        for (name, wanted) in pairs(&manifest, section).filter(|it| it.0.contains('/')) {
            let range = wanted.as_str().unwrap_or_default();
            part.add_direct(Component::unresolved(Ecosystem::Composer, name, range).in_scope(scope));
        }
    }
    Ok(part)
}

/// What composer has installed.
pub(crate) fn installed(path: &str, source: &str) -> Result<Vec<Component>, String> {
    let value: Value = serde_json::from_str(source).map_err(|error| format!("it is no JSON: {error}"))?;
    let list = value.as_array().or_else(|| value.get("packages")?.as_array());
    Ok(list.into_iter().flatten().map(|it| component(it, path)).collect())
}
