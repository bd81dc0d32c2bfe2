//! `poetry.lock`, `uv.lock`, `pdm.lock` and `Pipfile.lock`.

use std::collections::HashMap;

use serde_json::Value;

use super::requirements::requirement;
use crate::engine::{
    component::{Component, Ecosystem, Kind, Origin, Scope},
    digest,
    fields::{items, json, maybe, pairs, text, toml},
    graph::Part,
};

/// Reads a lock file of poetry, uv or PDM; `project` is the text of the `pyproject.toml` beside it.
pub(crate) fn read(path: &str, source: &str, project: Option<&str>) -> Result<Part, String> {
    let lock = toml(source)?;
    let mut part = Part { has_edges: true, derive_scopes: true, ..Part::new(path) };
    let mut by_name: HashMap<String, Vec<usize>> = HashMap::new();
    for package in items(&lock, "package") {
        let component = component(package, &lock);
        let name = component.name.clone();
        let at = part.add(component);
        by_name.entry(name).or_default().push(at);
    }
    if part.components.is_empty() && lock.get("version").is_none() && lock.get("metadata").is_none() {
        return Err("it lists no packages".into());
    }
    let versions: Vec<Option<String>> = part.components.iter().map(|it| it.version.clone()).collect();
    for (from, package) in items(&lock, "package").enumerate() {
        for (name, version) in needs(package) {
            let candidates = by_name.get(&Ecosystem::Pypi.canonical(&name)).into_iter().flatten();
            let fits = |at: &&usize| version.is_none() || versions[**at] == version;
            part.edges.extend(candidates.filter(fits).map(|to| (from, *to)));
        }
    }
    let manifest = project.and_then(|it| toml(it).ok()).unwrap_or(Value::Null);
    direct(&lock, &manifest, &mut part, &by_name);
    Ok(part)
}

fn component(package: &Value, lock: &Value) -> Component {
    let name = text(package, "name");
    let mut component = Component::new(Ecosystem::Pypi, name, text(package, "version"));
    let source = package.get("source").unwrap_or(&Value::Null);
    component.origin = origin(package, source);
    if ["virtual", "editable"].iter().any(|it| source.get(it).is_some()) {
        component.kind = Kind::Project;
    }
    let mut files: Vec<&str> = Vec::new();
    let lists = [package.get("files"), lock.get("metadata").and_then(|it| it.get("files")?.get(name))];
    for list in lists.into_iter().flatten().filter_map(Value::as_array) {
        files.extend(list.iter().filter_map(|it| maybe(it, "hash")));
    }
    files.extend(items(package, "wheels").filter_map(|it| maybe(it, "hash")));
    files.extend(package.get("sdist").and_then(|it| maybe(it, "hash")));
    component.digests = files.into_iter().filter_map(digest::of_prefixed).collect();
    component.digests.sort();
    component.digests.dedup();
    let is_dev = text(package, "category") == "dev"
        || items(package, "groups").all(|it| it.as_str().is_some_and(|it| it != "main" && it != "default"))
            && package.get("groups").is_some();
    component.scope = match () {
        () if is_dev => Scope::Dev,
        () if crate::engine::fields::yes(package, "optional") => Scope::Optional,
        () => Scope::Required,
    };
    component
}

fn origin(package: &Value, source: &Value) -> Origin {
    let url = text(source, "url");
    if let Some(place) = maybe(source, "git").or_else(|| maybe(package, "git")) {
        return Origin::Git(place.to_owned());
    }
    for key in ["path", "directory", "editable", "virtual"] {
        if let Some(folder) = maybe(source, key).or_else(|| maybe(package, key).filter(|_| key == "path")) {
            return Origin::Path(folder.to_owned());
        }
    }
    match text(source, "type") {
        "git" => Origin::Git(format!("{url}#{}", text(source, "resolved_reference"))),
        "directory" | "file" => Origin::Path(url.to_owned()),
        "url" | "legacy" => Origin::Url(url.to_owned()),
        _ => match maybe(source, "registry") {
            Some(registry) if !registry.contains("pypi.org") => Origin::Url(registry.to_owned()),
            _ if !url.is_empty() => Origin::Url(url.to_owned()),
            _ => Origin::Registry,
        },
    }
}

/// What a package needs: a table of poetry, a list of tables of uv, a list of requirements of PDM.
fn needs(package: &Value) -> Vec<(String, Option<String>)> {
    let mut needs = Vec::new();
    match package.get("dependencies") {
        Some(Value::Object(table)) => needs.extend(table.keys().map(|name| (name.clone(), None))),
        Some(Value::Array(list)) => needs.extend(list.iter().map(need)),
        _ => {}
    }
    for (_, list) in pairs(package, "optional-dependencies").chain(pairs(package, "dev-dependencies")) {
        needs.extend(list.as_array().into_iter().flatten().map(need));
    }
    needs
}

fn need(value: &Value) -> (String, Option<String>) {
    match value {
        Value::String(line) => (requirement(line).name, None),
        other => (text(other, "name").to_owned(), maybe(other, "version").map(str::to_owned)),
    }
}

fn direct(lock: &Value, manifest: &Value, part: &mut Part, by_name: &HashMap<String, Vec<usize>>) {
    let asked = asked(manifest);
    let name = manifest
        .get("project")
        .or_else(|| manifest.get("tool")?.get("poetry"))
        .map_or("", |it| text(it, "name"));
    let own = by_name.get(&Ecosystem::Pypi.canonical(name)).and_then(|it| it.first()).copied();
    let mut project = Component::new(Ecosystem::Pypi, if name.is_empty() { "root" } else { name }, "");
    project.kind = Kind::Project;
    if let Some(own) = own.filter(|at| part.components[*at].kind == Kind::Project) {
        project.version.clone_from(&part.components[own].version);
    }
    part.project = Some(project);
    for (name, scope) in asked {
        for at in by_name.get(&name).into_iter().flatten() {
            part.direct.push((*at, scope));
        }
    }
    // uv lists its own projects; what they need is what is asked for.
    let members = items(lock, "package").enumerate().filter(|it| part.components[it.0].kind == Kind::Project);
    for (from, package) in members {
        part.direct.push((from, Scope::Required));
        let tools = pairs(package, "dev-dependencies").flat_map(|it| it.1.as_array().into_iter().flatten());
        let tools: Vec<usize> = tools
            .filter_map(|it| by_name.get(&Ecosystem::Pypi.canonical(&need(it).0)))
            .flatten()
            .copied()
            .collect();
        part.edges.retain(|it| it.0 != from || !tools.contains(&it.1));
        part.direct.extend(tools.into_iter().map(|at| (at, Scope::Dev)));
    }
    // The file says the scopes itself, or nobody does.
    part.derive_scopes = !part.direct.is_empty()
        && items(lock, "package").all(|it| it.get("category").is_none() && it.get("groups").is_none());
}

/// Names a `pyproject.toml` asks for.
fn asked(manifest: &Value) -> Vec<(String, Scope)> {
    manifest_requirements(manifest).into_iter().map(|it| (it.name, it.scope)).collect()
}

/// Everything a `pyproject.toml` asks for, of PEP 621, poetry, PDM and dependency groups.
fn manifest_requirements(manifest: &Value) -> Vec<Component> {
    let mut asked = Vec::new();
    let project = manifest.get("project").unwrap_or(&Value::Null);
    let tool = manifest.get("tool").unwrap_or(&Value::Null);
    let mut list = |values: &Value, scope| {
        let lines = values.as_array().into_iter().flatten().filter_map(Value::as_str);
        asked.extend(lines.map(|it| requirement(it).in_scope(scope)));
    };
    list(project.get("dependencies").unwrap_or(&Value::Null), Scope::Required);
    pairs(project, "optional-dependencies").for_each(|it| list(it.1, Scope::Optional));
    pairs(manifest, "dependency-groups").for_each(|it| list(it.1, Scope::Dev));
    if let Some(pdm) = tool.get("pdm") {
        pairs(pdm, "dev-dependencies").for_each(|it| list(it.1, Scope::Dev));
    }
    let Some(poetry) = tool.get("poetry") else { return asked };
    let groups = pairs(poetry, "group").map(|it| (it.1, "dependencies", Scope::Dev));
    let tables = [(poetry, "dependencies", Scope::Required), (poetry, "dev-dependencies", Scope::Dev)];
    for (table, key, scope) in tables.into_iter().chain(groups) {
        for (name, wanted) in pairs(table, key).filter(|it| it.0 != "python") {
            let range = wanted.as_str().unwrap_or_else(|| text(wanted, "version"));
            asked.push(Component::unresolved(Ecosystem::Pypi, name, range).in_scope(scope));
        }
    }
    asked
}

/// A `pyproject.toml` without a lock file.
pub(crate) fn read_manifest(path: &str, source: &str) -> Result<Part, String> {
    let manifest = toml(source)?;
    let mut part = Part::new(path);
    let project = manifest.get("project").or_else(|| manifest.get("tool")?.get("poetry"));
    let name = project.map_or("", |it| text(it, "name"));
    if !name.is_empty() {
        let version = project.map_or("", |it| text(it, "version"));
        part.project =
            Some(Component { kind: Kind::Project, ..Component::new(Ecosystem::Pypi, name, version) });
    }
    for component in manifest_requirements(&manifest) {
        part.add_direct(component);
    }
    Ok(part)
}

/// A lock file of Pipenv: no edges, two sections.
pub(crate) fn read_pipfile(path: &str, source: &str) -> Result<Part, String> {
    let lock = json(source)?;
    if lock.get("default").is_none() && lock.get("develop").is_none() {
        return Err("it has neither `default` nor `develop`".into());
    }
    let mut part = Part::new(path);
    for (section, scope) in [("default", Scope::Required), ("develop", Scope::Dev)] {
        for (name, entry) in pairs(&lock, section) {
            let version = text(entry, "version").trim_start_matches('=');
            let mut component = Component::new(Ecosystem::Pypi, name, version).in_scope(scope);
            component.digests =
                items(entry, "hashes").filter_map(|it| digest::of_prefixed(it.as_str()?)).collect();
            if let Some(place) = maybe(entry, "git") {
                component.origin = Origin::Git(format!("{place}#{}", text(entry, "ref")));
            } else if let Some(folder) = maybe(entry, "path") {
                component.origin = Origin::Path(folder.to_owned());
            }
            part.add_direct(component);
        }
    }
    Ok(part)
}

/// A `Pipfile` without a lock file.
pub(crate) fn read_pipfile_manifest(path: &str, source: &str) -> Result<Part, String> {
    let manifest = toml(source)?;
    let mut part = Part::new(path);
    for (section, scope) in [("packages", Scope::Required), ("dev-packages", Scope::Dev)] {
        for (name, wanted) in pairs(&manifest, section) {
            let range = wanted.as_str().unwrap_or_else(|| text(wanted, "version"));
            part.add_direct(requirement(&format!("{name}{}", range.trim_start_matches('*'))).in_scope(scope));
        }
    }
    Ok(part)
}
