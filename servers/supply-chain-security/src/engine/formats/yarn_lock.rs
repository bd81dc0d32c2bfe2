//! `yarn.lock`, classic and berry.

use std::collections::HashMap;

use serde_json::{Map, Value};

use super::npm_manifest::SECTIONS;
use crate::engine::{
    component::{Component, Ecosystem, Kind, Origin, Scope},
    digest,
    fields::{json, maybe, pairs, text},
    graph::Part,
    yaml,
};

/// Reads a lock file of yarn; `manifests` are the texts of the project's `package.json` files.
pub(crate) fn read(path: &str, source: &str, manifests: &[String]) -> Result<Part, String> {
    let is_berry = source.contains("\n__metadata:") || source.starts_with("__metadata:");
    let lock = if is_berry { yaml::parse(source)? } else { classic(source)? };
    let Some(entries) = lock.as_object() else { return Err("it is no lock file of yarn".into()) };
    let mut part = Part { has_edges: true, derive_scopes: true, ..Part::new(path) };
    let mut asked: HashMap<String, usize> = HashMap::new();
    let mut places = Vec::new();
    for (key, entry) in entries.iter().filter(|it| it.0 != "__metadata") {
        let component = if is_berry { berry_component(entry) } else { classic_component(key, entry) };
        let at = part.add(component);
        for one in key.split(',').map(|it| it.trim().trim_matches('"')) {
            asked.insert(one.to_owned(), at);
        }
        places.push((at, entry));
    }
    for (from, entry) in places {
        for section in ["dependencies", "optionalDependencies"] {
            for (name, range) in pairs(entry, section) {
                if let Some(to) = find(&asked, name, range.as_str().unwrap_or_default()) {
                    part.edges.push((from, to));
                }
            }
        }
    }
    direct(&mut part, &asked, manifests);
    Ok(part)
}

fn direct(part: &mut Part, asked: &HashMap<String, usize>, manifests: &[String]) {
    let mut root = Component::new(Ecosystem::Npm, "root", "");
    root.kind = Kind::Project;
    for manifest in manifests.iter().filter_map(|it| json(it).ok()) {
        if let Some(name) = maybe(&manifest, "name").filter(|_| root.name == "root") {
            root = Component {
                kind: Kind::Project,
                ..Component::new(Ecosystem::Npm, name, text(&manifest, "version"))
            };
        }
        for (section, scope) in SECTIONS {
            for (name, range) in pairs(&manifest, section) {
                if let Some(at) = find(asked, name, range.as_str().unwrap_or_default()) {
                    part.direct.push((at, scope));
                }
            }
        }
    }
    part.project = Some(root);
    if part.direct.is_empty() {
        // Without a manifest nobody knows what is only for development.
        part.direct = (0..part.components.len()).map(|at| (at, Scope::Required)).collect();
    }
}

fn find(asked: &HashMap<String, usize>, name: &str, range: &str) -> Option<usize> {
    let spellings = [format!("{name}@{range}"), format!("{name}@npm:{range}")];
    spellings.iter().find_map(|it| asked.get(it)).copied()
}

fn classic_component(key: &str, entry: &Value) -> Component {
    let first = key.split(',').next().unwrap_or(key).trim().trim_matches('"');
    let (name, range) = split(first);
    let name = range.strip_prefix("npm:").map_or(name, |it| split(it).0);
    let (url, hash) = text(entry, "resolved").rsplit_once('#').unwrap_or((text(entry, "resolved"), ""));
    let mut component = Component::new(Ecosystem::Npm, name, text(entry, "version"));
    component.origin = super::npm_lock::origin("", url);
    if url.ends_with(".git") || url.starts_with("git") {
        component.origin = Origin::Git(format!("{url}#{hash}"));
    }
    component.digests = digest::of_integrity(text(entry, "integrity"));
    if component.digests.is_empty() && component.origin == Origin::Registry {
        component.digests.extend(digest::of_hex("sha1", hash));
    }
    component
}

fn berry_component(entry: &Value) -> Component {
    let (name, resolved) = split(text(entry, "resolution"));
    let (protocol, rest) = resolved.split_once(':').unwrap_or(("", resolved));
    let mut component = Component::new(Ecosystem::Npm, name, text(entry, "version"));
    match protocol {
        "workspace" => {
            (component.kind, component.origin) = (Kind::Project, Origin::Path(rest.to_owned()));
        }
        "npm" | "patch" | "" => {}
        "portal" | "link" | "file" => component.origin = Origin::Path(rest.to_owned()),
        _ if resolved.contains(".git#") => component.origin = Origin::Git(resolved.to_owned()),
        _ => component.origin = Origin::Url(resolved.to_owned()),
    }
    // The checksum is of yarn's own archive, not of the published one: it is no digest of the package.
    component
}

/// `@scope/name@range` into name and range.
fn split(descriptor: &str) -> (&str, &str) {
    let at = descriptor.get(1..).and_then(|it| it.find('@')).map(|it| it + 1);
    at.map_or((descriptor, ""), |at| (&descriptor[..at], &descriptor[at + 1..]))
}

/// The old format: like YAML, but with blanks instead of colons.
fn classic(source: &str) -> Result<Value, String> {
    let mut entries = Map::new();
    let (mut key, mut section) = (String::new(), String::new());
    for (number, line) in source.lines().enumerate() {
        let bare = line.trim();
        if bare.is_empty() || bare.starts_with('#') {
            continue;
        }
        let depth = line.len() - line.trim_start_matches(' ').len();
        let broken = || format!("it is no lock file of yarn (line {})", number + 1);
        match (depth, bare.strip_suffix(':')) {
            (0, Some(header)) => {
                header.clone_into(&mut key);
                section.clear();
                entries.insert(key.clone(), Value::Object(Map::new()));
            }
            (2, Some(name)) => {
                name.clone_into(&mut section);
                let entry = entries.get_mut(&key).and_then(Value::as_object_mut).ok_or_else(broken)?;
                entry.insert(section.clone(), Value::Object(Map::new()));
            }
            (2 | 4, _) => {
                let (name, value) = pair(bare).ok_or_else(broken)?;
                let mut entry = entries.get_mut(&key).and_then(Value::as_object_mut).ok_or_else(broken)?;
                if depth == 4 {
                    entry = entry.get_mut(&section).and_then(Value::as_object_mut).ok_or_else(broken)?;
                }
                entry.insert(name, value.into());
            }
            _ => return Err(broken()),
        }
    }
    Ok(Value::Object(entries))
}

/// `name "value"`, either of them quoted or not.
fn pair(line: &str) -> Option<(String, String)> {
    let (name, rest) = match line.strip_prefix('"') {
        Some(quoted) => quoted.split_once('"')?,
        None => line.split_once(' ')?,
    };
    Some((name.to_owned(), rest.trim().trim_matches('"').to_owned()))
}
