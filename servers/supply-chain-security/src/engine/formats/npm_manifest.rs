//! `package.json`: what a project asks for, and what an installed package says of itself.

use serde_json::Value;

use super::npm_lock::{licence_of, origin, split_alias};
use crate::engine::{
    component::{Component, Ecosystem, Kind, Origin, Scope},
    fields::{json, maybe, pairs, text},
    graph::Part,
};

/// What a project asks for, by section.
pub(crate) const SECTIONS: [(&str, Scope); 4] = [
    ("dependencies", Scope::Required),
    ("optionalDependencies", Scope::Optional),
    ("peerDependencies", Scope::Optional),
    ("devDependencies", Scope::Dev),
];

/// Scripts that run while a package is installed.
pub(crate) const INSTALL_SCRIPTS: [&str; 4] = ["preinstall", "install", "postinstall", "prepare"];

/// Reads a manifest without a lock file: only exact versions are known.
pub(crate) fn read(path: &str, source: &str) -> Result<Part, String> {
    let manifest = json(source)?;
    let mut part = Part::new(path);
    part.project = Some(project(&manifest, path));
    for (section, scope) in SECTIONS {
        for (name, wanted) in pairs(&manifest, section) {
            let component = asked(name, wanted.as_str().unwrap_or_default());
            part.add_direct(component.in_scope(scope));
        }
    }
    Ok(part)
}

fn asked(name: &str, wanted: &str) -> Component {
    let (name, wanted) = wanted.strip_prefix("npm:").and_then(split_alias).unwrap_or((name, wanted));
    let origin = match wanted.split_once(':') {
        Some(("workspace" | "link" | "portal", folder)) => Origin::Path(folder.to_owned()),
        _ if wanted.contains('/')
            && !wanted.contains(' ')
            && !wanted.contains("://")
            && !wanted.starts_with("file:") =>
        {
            Origin::Git(wanted.to_owned())
        }
        _ => origin(wanted, ""),
    };
    let exact = wanted.trim_start_matches('=');
    let component = if semver::Version::parse(exact).is_ok() {
        Component::new(Ecosystem::Npm, name, exact)
    } else {
        Component::unresolved(Ecosystem::Npm, name, wanted)
    };
    component.at_origin(origin)
}

fn project(manifest: &Value, path: &str) -> Component {
    let name = maybe(manifest, "name").unwrap_or("root");
    let mut project = Component::new(Ecosystem::Npm, name, text(manifest, "version"));
    project.kind = Kind::Project;
    project.licence = licence_of(manifest, path);
    project
}

/// An installed package, from its own `package.json`.
pub(crate) fn installed(path: &str, source: &str) -> Result<Option<Component>, String> {
    let manifest = json(source)?;
    let (name, version) = (text(&manifest, "name"), text(&manifest, "version"));
    if name.is_empty() || version.is_empty() {
        return Ok(None);
    }
    let mut component = Component::new(Ecosystem::Npm, name, version);
    component.licence = licence_of(&manifest, path);
    // `prepare` only runs for packages from repositories and for the project itself.
    let runs = |it: &&str| manifest.get("scripts").and_then(|all| maybe(all, it)).is_some();
    component.install_script = INSTALL_SCRIPTS[..3].iter().any(runs);
    component.deprecated = maybe(&manifest, "deprecated").map(str::to_owned);
    Ok(Some(component))
}
