//! `pnpm-lock.yaml`, versions 5 to 9.

use std::collections::HashMap;

use serde_json::Value;

use crate::engine::{
    component::{Component, Ecosystem, Kind, Origin, Scope},
    digest,
    fields::{maybe, pairs, text, yes},
    graph::Part,
    yaml,
};

/// Reads a lock file of pnpm.
pub(crate) fn read(path: &str, source: &str) -> Result<Part, String> {
    let lock = yaml::parse(source)?;
    let version: f64 = text(&lock, "lockfileVersion").parse().map_err(|_| "it has no lockfileVersion")?;
    let mut part = Part { has_edges: true, derive_scopes: true, ..Part::new(path) };
    let mut keys: HashMap<String, usize> = HashMap::new();
    let is_split = version >= 9.0;
    let instances = if is_split { "snapshots" } else { "packages" };
    for (key, entry) in pairs(&lock, "packages") {
        let component = component(key, entry, version);
        let at = part.add(component);
        keys.insert(key.clone(), at);
    }
    if is_split {
        // One package, several sets of peers: they are the same component.
        for (key, _) in pairs(&lock, "snapshots") {
            if let Some(at) = keys.get(without_peers(key)).copied() {
                keys.insert(key.clone(), at);
            }
        }
    }
    for (key, entry) in pairs(&lock, instances) {
        let Some(from) = keys.get(key).copied() else { continue };
        for section in ["dependencies", "optionalDependencies"] {
            for (name, value) in pairs(entry, section) {
                if let Some(to) = find(&keys, name, value.as_str().unwrap_or_default(), version) {
                    part.edges.push((from, to));
                }
            }
        }
    }
    importers(&lock, version, &mut part, &keys);
    Ok(part)
}

fn importers(lock: &Value, version: f64, part: &mut Part, keys: &HashMap<String, usize>) {
    let many: Vec<(&str, &Value)> = match lock.get("importers") {
        Some(_) => pairs(lock, "importers").map(|it| (it.0.as_str(), it.1)).collect(),
        None => vec![(".", lock)],
    };
    let mut root = Component::new(Ecosystem::Npm, "root", "");
    root.kind = Kind::Project;
    part.project = Some(root);
    for (folder, importer) in many {
        let member = (folder != ".").then(|| {
            let mut member = Component::new(Ecosystem::Npm, folder, "");
            (member.kind, member.origin) = (Kind::Project, Origin::Path(folder.to_owned()));
            part.add_direct(member)
        });
        let sections = [
            ("dependencies", Scope::Required),
            ("optionalDependencies", Scope::Optional),
            ("devDependencies", Scope::Dev),
        ];
        for (section, scope) in sections {
            for (name, value) in pairs(importer, section) {
                let wanted = value.as_str().unwrap_or_else(|| text(value, "version"));
                let Some(at) = find(keys, name, wanted, version) else { continue };
                part.direct.push((at, scope));
                // A member's development tools are no part of what it ships.
                if let Some(member) = member.filter(|_| scope != Scope::Dev) {
                    part.edges.push((member, at));
                }
            }
        }
    }
}

fn component(key: &str, entry: &Value, version: f64) -> Component {
    let (name, exact) = name_and_version(key, version);
    let name = maybe(entry, "name").unwrap_or(name);
    let exact = maybe(entry, "version").unwrap_or(exact);
    let resolution = entry.get("resolution").unwrap_or(&Value::Null);
    let mut component = Component::new(Ecosystem::Npm, name, exact);
    component.origin =
        match (maybe(resolution, "repo"), maybe(resolution, "tarball"), maybe(resolution, "directory")) {
            (Some(repository), _, _) => Origin::Git(format!("{repository}#{}", text(resolution, "commit"))),
            (_, Some(tarball), _) => super::npm_lock::origin("", tarball),
            (_, _, Some(folder)) => Origin::Path(folder.to_owned()),
            _ => Origin::Registry,
        };
    component.digests = digest::of_integrity(text(resolution, "integrity"));
    component.install_script = yes(entry, "requiresBuild");
    component.deprecated = maybe(entry, "deprecated").map(str::to_owned);
    // Before version 9 the file says it; later it follows from the direct ones.
    if yes(entry, "dev") {
        component.scope = Scope::Dev;
    } else if yes(entry, "optional") {
        component.scope = Scope::Optional;
    }
    component
}

/// `/name/1.0.0_peer`, `/name@1.0.0(peer)` or `name@1.0.0`.
fn name_and_version(key: &str, version: f64) -> (&str, &str) {
    let bare = without_peers(key).trim_start_matches('/');
    if version < 6.0 {
        let (name, rest) = bare.rsplit_once('/').unwrap_or((bare, ""));
        return (name, rest.split('_').next().unwrap_or(rest));
    }
    let at = bare.get(1..).and_then(|it| it.find('@')).map(|it| it + 1);
    at.map_or((bare, ""), |at| (&bare[..at], &bare[at + 1..]))
}

fn without_peers(key: &str) -> &str {
    key.split('(').next().unwrap_or(key)
}

fn find(keys: &HashMap<String, usize>, name: &str, value: &str, version: f64) -> Option<usize> {
    let full = match version {
        it if it >= 9.0 => format!("{name}@{value}"),
        it if it >= 6.0 => format!("/{name}@{value}"),
        _ => format!("/{name}/{value}"),
    };
    keys.get(&full).or_else(|| keys.get(value)).copied()
}
