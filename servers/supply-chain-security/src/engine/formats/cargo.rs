//! `Cargo.lock`, `Cargo.toml` and vendored crates.

use std::collections::HashMap;

use serde_json::Value;

use crate::engine::{
    component::{Component, Ecosystem, Kind, Origin, Scope},
    digest,
    fields::{items, maybe, pairs, text, toml},
    graph::Part,
    licence::Licence,
};

/// Reads a `Cargo.lock`; `manifests` are the texts of the workspace's `Cargo.toml` files.
pub(crate) fn read(path: &str, source: &str, manifests: &[String]) -> Result<Part, String> {
    let lock = toml(source)?;
    if lock.get("package").is_none() && lock.get("version").is_none() {
        return Err("it lists no packages".into());
    }
    let mut part = Part { has_edges: true, derive_scopes: true, ..Part::new(path) };
    let mut by_name: HashMap<&str, Vec<(usize, &Value)>> = HashMap::new();
    for package in items(&lock, "package") {
        let at = part.add(component(package, &lock));
        by_name.entry(text(package, "name")).or_default().push((at, package));
    }
    let members: Vec<Manifest> = manifests.iter().filter_map(|it| Manifest::read(it)).collect();
    for (from, package) in items(&lock, "package").enumerate() {
        let member = members.iter().find(|it| it.name == text(package, "name"));
        let member = member.filter(|_| part.components[from].kind == Kind::Project);
        for line in items(package, "dependencies").filter_map(Value::as_str) {
            for to in find(&by_name, line) {
                let name = line.split(' ').next().unwrap_or(line);
                // A member's development tools are no part of what it ships.
                match member.is_some_and(|it| it.only_for_development(name)) {
                    true => part.direct.push((to, Scope::Dev)),
                    false => part.edges.push((from, to)),
                }
            }
        }
    }
    let own = (0..part.components.len()).filter(|at| part.components[*at].kind == Kind::Project);
    let own: Vec<(usize, Scope)> = own.map(|at| (at, Scope::Required)).collect();
    part.direct.extend(own);
    part.project =
        Some(Component { kind: Kind::Project, ..Component::new(Ecosystem::Cargo, "workspace", "") });
    Ok(part)
}

fn component(package: &Value, lock: &Value) -> Component {
    let (name, version) = (text(package, "name"), text(package, "version"));
    let mut component = Component::new(Ecosystem::Cargo, name, version);
    let source = text(package, "source");
    let usual = ["registry+https://github.com/rust-lang/crates.io-index", "sparse+https://index.crates.io/"];
    component.origin = match source.split_once('+') {
        _ if usual.iter().any(|it| source.starts_with(it)) => Origin::Registry,
        Some(("git", url)) => Origin::Git(url.to_owned()),
        Some((_, url)) => Origin::Url(url.to_owned()),
        None => Origin::Path(name.to_owned()),
    };
    if source.is_empty() {
        component.kind = Kind::Project;
    }
    // The first format kept digests apart.
    let apart = format!("checksum {name} {version} ({source})");
    let checksum = maybe(package, "checksum").or_else(|| maybe(lock.get("metadata")?, &apart));
    component.digests.extend(checksum.and_then(digest::of_bare));
    component
}

/// `name`, `name version` or `name version (source)`.
fn find(by_name: &HashMap<&str, Vec<(usize, &Value)>>, line: &str) -> Vec<usize> {
    let mut words = line.splitn(3, ' ');
    let (name, version, source) = (words.next().unwrap_or_default(), words.next(), words.next());
    let fits = |package: &Value| {
        version.is_none_or(|it| it == text(package, "version"))
            && source.is_none_or(|it| it.trim_matches(['(', ')']) == text(package, "source"))
    };
    by_name.get(name).into_iter().flatten().filter(|it| fits(it.1)).map(|it| it.0).collect()
}

struct Manifest {
    name: String,
    normal: Vec<String>,
    dev: Vec<String>,
}

impl Manifest {
    fn read(source: &str) -> Option<Self> {
        let manifest = toml(source).ok()?;
        let name = text(manifest.get("package")?, "name").to_owned();
        let mut all = Self { name, normal: Vec::new(), dev: Vec::new() };
        let targets = pairs(&manifest, "target").map(|it| it.1);
        for table in std::iter::once(&manifest).chain(targets) {
            all.normal.extend(names(table, "dependencies").chain(names(table, "build-dependencies")));
            all.dev.extend(names(table, "dev-dependencies"));
        }
        Some(all)
    }

    fn only_for_development(&self, name: &str) -> bool {
        let has = |list: &[String]| list.iter().any(|it| it == name);
        has(&self.dev) && !has(&self.normal)
    }
}

fn names<'a>(table: &'a Value, key: &str) -> impl Iterator<Item = String> + use<'a> {
    pairs(table, key).map(|(name, it)| maybe(it, "package").unwrap_or(name).to_owned())
}

/// A `Cargo.toml` without a lock file.
pub(crate) fn read_manifest(path: &str, source: &str) -> Result<Part, String> {
    let manifest = toml(source)?;
    let mut part = Part::new(path);
    if let Some(package) = manifest.get("package") {
        let mut project = Component::new(Ecosystem::Cargo, text(package, "name"), text(package, "version"));
        project.kind = Kind::Project;
        project.licence = Licence::read(text(package, "license"), path);
        part.project = Some(project);
    }
    let targets = pairs(&manifest, "target").map(|it| it.1);
    let workspace = manifest.get("workspace");
    for table in std::iter::once(&manifest).chain(targets).chain(workspace) {
        for (key, scope) in [
            ("dependencies", Scope::Required),
            ("build-dependencies", Scope::Dev),
            ("dev-dependencies", Scope::Dev),
        ] {
            for (name, wanted) in pairs(table, key).filter(|it| it.1.get("workspace").is_none()) {
                let range = wanted.as_str().unwrap_or_else(|| text(wanted, "version"));
                let real = maybe(wanted, "package").unwrap_or(name);
                let component = match range.strip_prefix('=').map(str::trim) {
                    Some(exact) => Component::new(Ecosystem::Cargo, real, exact),
                    None => Component::unresolved(Ecosystem::Cargo, real, range),
                };
                let origin = match (maybe(wanted, "git"), maybe(wanted, "path")) {
                    (Some(url), _) => Origin::Git(url.to_owned()),
                    (_, Some(folder)) => Origin::Path(folder.to_owned()),
                    _ => Origin::Registry,
                };
                part.add_direct(component.at_origin(origin).in_scope(scope));
            }
        }
    }
    Ok(part)
}

/// A crate's own manifest in a vendor folder or in cargo's cache.
pub(crate) fn installed(path: &str, source: &str) -> Result<Option<Component>, String> {
    let manifest = toml(source)?;
    let Some(package) = manifest.get("package") else { return Ok(None) };
    let mut component = Component::new(Ecosystem::Cargo, text(package, "name"), text(package, "version"));
    if component.name.is_empty() || component.version.is_none() {
        return Ok(None);
    }
    component.licence = Licence::read(text(package, "license"), path);
    component.install_script = package.get("build").and_then(Value::as_str).is_some();
    Ok(Some(component))
}
