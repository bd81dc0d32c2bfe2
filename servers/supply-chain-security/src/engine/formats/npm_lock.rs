//! `package-lock.json` and `npm-shrinkwrap.json`, versions 1 to 3.

use std::collections::HashMap;

use serde_json::Value;

use crate::engine::{
    component::{Component, Ecosystem, Kind, Origin, Scope},
    digest,
    fields::{json, maybe, pairs, text, yes},
    graph::Part,
    licence::Licence,
};

/// Nested `dependencies` of version 1 that are still entered.
const DEPTH_MAX: usize = 64;
const NEEDS: [&str; 3] = ["dependencies", "optionalDependencies", "peerDependencies"];

/// Reads a lock file of npm.
pub(crate) fn read(path: &str, source: &str) -> Result<Part, String> {
    let lock = json(source)?;
    let mut part = Part { has_edges: true, ..Part::new(path) };
    let mut places: HashMap<String, (usize, &Value)> = HashMap::new();
    let root = Component::new(Ecosystem::Npm, maybe(&lock, "name").unwrap_or("root"), text(&lock, "version"));
    part.project = Some(Component { kind: Kind::Project, ..root });
    if lock.get("packages").is_some_and(Value::is_object) {
        packages(&lock, &mut part, &mut places);
    } else if lock.get("dependencies").is_some_and(Value::is_object) {
        nested(&lock, "", 0, &mut part, &mut places)?;
        // Version 1 does not list what the project asks for: what nothing else needs, and what stands on top.
        let needed: Vec<usize> = edges(&mut part, &places, &["requires"]);
        let on_top =
            places.iter().filter(|it| !it.0.trim_start_matches("node_modules/").contains("/node_modules/"));
        for (at, _) in on_top.map(|it| it.1).filter(|it| !needed.contains(&it.0)) {
            part.direct.push((*at, part.components[*at].scope));
        }
        part.direct.sort_unstable();
        return Ok(part);
    } else if !matches!(lock.get("lockfileVersion"), Some(Value::Number(_))) {
        return Err("it has neither `packages` nor `dependencies`".into());
    }
    edges(&mut part, &places, &NEEDS);
    direct(&lock, &mut part, &places);
    Ok(part)
}

/// Versions 2 and 3: a flat table of install places.
fn packages<'a>(lock: &'a Value, part: &mut Part, places: &mut HashMap<String, (usize, &'a Value)>) {
    for (place, entry) in pairs(lock, "packages").filter(|it| !it.0.is_empty() && !yes(it.1, "link")) {
        let installed = place.rsplit_once("node_modules/").map(|it| it.1);
        let name = maybe(entry, "name").or(installed).unwrap_or(place);
        let mut component = component(name, text(entry, "version"), entry, &part.path);
        if installed.is_none() {
            component.kind = Kind::Project;
            component.origin = Origin::Path(place.clone());
        }
        let at = part.add(component);
        places.insert(place.clone(), (at, entry));
    }
    for (place, entry) in pairs(lock, "packages").filter(|it| yes(it.1, "link")) {
        if let Some(target) = places.get(text(entry, "resolved")).copied() {
            places.insert(place.clone(), target);
        }
    }
}

/// Version 1: dependencies inside of dependencies.
fn nested<'a>(
    value: &'a Value,
    place: &str,
    depth: usize,
    part: &mut Part,
    places: &mut HashMap<String, (usize, &'a Value)>,
) -> Result<(), String> {
    if depth > DEPTH_MAX {
        return Err("its dependencies nest too deep".into());
    }
    for (name, entry) in pairs(value, "dependencies") {
        let place = if place.is_empty() {
            format!("node_modules/{name}")
        } else {
            format!("{place}/node_modules/{name}")
        };
        let at = part.add(component(name, text(entry, "version"), entry, &part.path));
        nested(entry, &place, depth + 1, part, places)?;
        places.insert(place, (at, entry));
    }
    Ok(())
}

fn component(name: &str, version: &str, entry: &Value, path: &str) -> Component {
    let (name, version) = version.strip_prefix("npm:").and_then(split_alias).unwrap_or((name, version));
    let origin = origin(version, text(entry, "resolved"));
    let is_exact = version.starts_with(|it: char| it.is_ascii_digit());
    let mut component = if is_exact || matches!(origin, Origin::Registry) {
        Component::new(Ecosystem::Npm, name, version)
    } else {
        Component::new(Ecosystem::Npm, name, revision(version))
    };
    component.origin = origin;
    component.scope = if yes(entry, "dev") {
        Scope::Dev
    } else if yes(entry, "optional") || yes(entry, "devOptional") {
        Scope::Optional
    } else {
        Scope::Required
    };
    component.digests = digest::of_integrity(text(entry, "integrity"));
    component.install_script = yes(entry, "hasInstallScript");
    component.deprecated = maybe(entry, "deprecated").map(str::to_owned);
    component.licence = licence_of(entry, path);
    component
}

/// The licence in a manifest of npm, old spellings included.
pub(crate) fn licence_of(manifest: &Value, path: &str) -> Option<Licence> {
    match (manifest.get("license"), manifest.get("licenses")) {
        (Some(Value::String(one)), _) => Licence::read(one, path),
        (Some(object @ Value::Object(_)), _) => Licence::read(text(object, "type"), path),
        (Some(Value::Array(many)), _) | (None, Some(Value::Array(many))) => {
            let names = many.iter().map(|it| it.as_str().unwrap_or_else(|| text(it, "type")));
            Licence::any_of(names, path)
        }
        _ => None,
    }
}

/// `real@1.2.3` of an alias.
pub(crate) fn split_alias(text: &str) -> Option<(&str, &str)> {
    let at = text.get(1..)?.rfind('@')? + 1;
    Some((&text[..at], &text[at + 1..]))
}

/// A repository's revision stands for the version; anything else has none.
fn revision(version: &str) -> &str {
    version.rsplit_once('#').map_or("", |it| it.1)
}

/// Where npm fetched a package from.
pub(crate) fn origin(version: &str, resolved: &str) -> Origin {
    let place = if resolved.is_empty() { version } else { resolved };
    if let Some(folder) = place.strip_prefix("file:") {
        return Origin::Path(folder.to_owned());
    }
    let is_git = place.starts_with("git+") || place.starts_with("git:") || place.starts_with("github:");
    if is_git {
        return Origin::Git(place.to_owned());
    }
    let usual = ["https://registry.npmjs.org/", "https://registry.yarnpkg.com/"];
    if place.starts_with("http") && !usual.iter().any(|it| place.starts_with(it)) {
        return Origin::Url(place.to_owned());
    }
    Origin::Registry
}

/// Adds every edge; returns what is needed by something.
fn edges(part: &mut Part, places: &HashMap<String, (usize, &Value)>, keys: &[&str]) -> Vec<usize> {
    let mut needed = Vec::new();
    for (place, (from, entry)) in places {
        for name in keys.iter().flat_map(|key| pairs(entry, key)).map(|it| it.0) {
            if let Some(to) = lookup(places, place, name) {
                part.edges.push((*from, to));
                needed.push(to);
            }
        }
    }
    part.edges.sort_unstable();
    needed
}

/// As Node resolves: the nearest `node_modules` on the way up.
fn lookup(places: &HashMap<String, (usize, &Value)>, from: &str, name: &str) -> Option<usize> {
    let mut base = from;
    loop {
        let place = if base.is_empty() {
            format!("node_modules/{name}")
        } else {
            format!("{base}/node_modules/{name}")
        };
        if let Some((at, _)) = places.get(&place) {
            return Some(*at);
        }
        if base.is_empty() {
            return None;
        }
        base = base
            .rsplit_once('/')
            .map_or("", |it| it.0)
            .trim_end_matches("node_modules")
            .trim_end_matches('/');
    }
}

fn direct(lock: &Value, part: &mut Part, places: &HashMap<String, (usize, &Value)>) {
    let Some(root) = lock.get("packages").and_then(|it| it.get("")) else { return };
    let sections = [
        ("dependencies", Scope::Required),
        ("peerDependencies", Scope::Required),
        ("optionalDependencies", Scope::Optional),
        ("devDependencies", Scope::Dev),
    ];
    for (section, scope) in sections {
        for (name, _) in pairs(root, section) {
            if let Some(at) = lookup(places, "", name) {
                part.direct.push((at, scope));
            }
        }
    }
    // Workspaces are parts of the project.
    let inside =
        places.iter().filter(|it| !it.0.contains("node_modules/")).map(|it| (it.1.0, Scope::Required));
    let mut inside: Vec<_> = inside.collect();
    inside.sort_unstable();
    part.direct.extend(inside);
}
