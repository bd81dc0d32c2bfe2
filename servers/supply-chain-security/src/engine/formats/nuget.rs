//! NuGet: `packages.lock.json`, project files and `packages.config`.

use std::collections::HashMap;

use crate::engine::{
    component::{Component, Ecosystem, Kind, Origin, Scope},
    digest,
    fields::{json, maybe, pairs, text},
    graph::Part,
    xml,
};

/// Reads a `packages.lock.json`.
pub(crate) fn read(path: &str, source: &str) -> Result<Part, String> {
    let lock = json(source)?;
    if !lock.get("dependencies").is_some_and(serde_json::Value::is_object) {
        return Err("it has no `dependencies`".into());
    }
    let mut part = Part { has_edges: true, ..Part::new(path) };
    part.project = Some(project(path));
    for (_, framework) in pairs(&lock, "dependencies") {
        let Some(packages) = framework.as_object() else { continue };
        let mut by_name: HashMap<String, usize> = HashMap::new();
        for (name, entry) in packages {
            let mut component = Component::new(Ecosystem::Nuget, name, text(entry, "resolved"));
            component.digests.extend(maybe(entry, "contentHash").and_then(digest::of_base64));
            if text(entry, "type") == "Project" {
                (component.kind, component.origin) = (Kind::Project, Origin::Path(name.clone()));
            }
            let at = part.add(component);
            if matches!(text(entry, "type"), "Direct" | "Project") {
                part.direct.push((at, Scope::Required));
            }
            by_name.insert(name.to_lowercase(), at);
        }
        for (name, entry) in packages {
            let from = by_name[&name.to_lowercase()];
            let needs = pairs(entry, "dependencies").filter_map(|it| by_name.get(&it.0.to_lowercase()));
            part.edges.extend(needs.map(|to| (from, *to)));
        }
    }
    Ok(part)
}

fn project(path: &str) -> Component {
    let folder = crate::engine::tree::folder_of(path).rsplit('/').next().unwrap_or_default();
    let name = if folder.is_empty() { "project" } else { folder };
    Component { kind: Kind::Project, ..Component::new(Ecosystem::Nuget, name, "") }
}

/// Reads a project file; `central` is the text of `Directory.Packages.props`, when there is one.
pub(crate) fn read_project(path: &str, source: &str, central: Option<&str>) -> Result<Part, String> {
    let root = xml::parse(source)?;
    let mut part = Part::new(path);
    let stem = crate::engine::tree::file_name(path).rsplit_once('.').map_or("project", |it| it.0);
    part.project = Some(Component { kind: Kind::Project, ..Component::new(Ecosystem::Nuget, stem, "") });
    let mut managed: HashMap<String, String> = HashMap::new();
    if let Some(central) = central.and_then(|it| xml::parse(it).ok()) {
        let mut versions = Vec::new();
        central.below("PackageVersion", &mut versions);
        for it in versions {
            let version = it.attribute("Version").unwrap_or_else(|| it.text_of("Version"));
            managed.insert(it.attribute("Include").unwrap_or_default().to_lowercase(), version.to_owned());
        }
    }
    let mut references = Vec::new();
    root.below("PackageReference", &mut references);
    for it in references {
        let Some(name) = it.attribute("Include").filter(|it| !it.is_empty()) else { continue };
        let own = it.attribute("VersionOverride").or_else(|| it.attribute("Version"));
        let own = own.or_else(|| it.child("Version").map(|it| it.text.as_str()));
        let version =
            own.or_else(|| managed.get(&name.to_lowercase()).map(String::as_str)).unwrap_or_default();
        let is_tool = it
            .attribute("PrivateAssets")
            .unwrap_or_else(|| it.text_of("PrivateAssets"))
            .eq_ignore_ascii_case("all");
        let scope = if is_tool { Scope::Dev } else { Scope::Required };
        part.add_direct(exact(name, version).in_scope(scope));
    }
    Ok(part)
}

/// A project file's version is the lowest that is taken: without a lock file that is the one that is built with.
fn exact(name: &str, version: &str) -> Component {
    let bare = version.strip_prefix('[').and_then(|it| it.strip_suffix(']')).unwrap_or(version);
    let is_open = bare.is_empty() || bare.contains(['*', '$', ',', '(', ')', '[', ']']);
    if is_open {
        Component::unresolved(Ecosystem::Nuget, name, version)
    } else {
        Component::new(Ecosystem::Nuget, name, bare)
    }
}

/// Reads a `packages.config`.
pub(crate) fn read_config(path: &str, source: &str) -> Result<Part, String> {
    let root = xml::parse(source)?;
    if root.name != "packages" {
        return Err("its root is no `packages`".into());
    }
    let mut part = Part::new(path);
    part.project = Some(project(path));
    for it in root.all("package") {
        let scope =
            if it.attribute("developmentDependency") == Some("true") { Scope::Dev } else { Scope::Required };
        let name = it.attribute("id").unwrap_or_default();
        part.add_direct(
            Component::new(Ecosystem::Nuget, name, it.attribute("version").unwrap_or_default())
                .in_scope(scope),
        );
    }
    Ok(part)
}
