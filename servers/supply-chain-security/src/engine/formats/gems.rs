//! RubyGems: `Gemfile.lock`, `Gemfile` and installed specifications.

use std::collections::HashMap;

use crate::engine::{
    component::{Component, Ecosystem, Kind, Origin, Scope},
    digest,
    graph::Part,
    licence::Licence,
};

/// Reads a `Gemfile.lock`; `gemfile` is the text of the `Gemfile` beside it.
pub(crate) fn read(path: &str, source: &str, gemfile: Option<&str>) -> Result<Part, String> {
    let mut part = Part { has_edges: true, derive_scopes: true, ..Part::new(path) };
    let mut by_name: HashMap<&str, Vec<usize>> = HashMap::new();
    let (mut section, mut remote, mut revision, mut last) = ("", "", "", None);
    let (mut needs, mut asked) = (Vec::new(), Vec::new());
    for line in source.lines() {
        let bare = line.trim();
        match line.len() - line.trim_start().len() {
            0 if !bare.is_empty() => (section, remote, revision, last) = (bare, "", "", None),
            2 if bare.starts_with("remote: ") => remote = &bare[8..],
            2 if bare.starts_with("revision: ") => revision = &bare[10..],
            2 if section == "DEPENDENCIES" => asked.push(name_of(bare)),
            2 if section == "CHECKSUMS" => checksum(bare, &by_name, &mut part),
            4 if matches!(section, "GEM" | "GIT" | "PATH" | "PLUGIN SOURCE") => {
                let at = part.add(component(bare, section, remote, revision));
                by_name.entry(name_of(bare)).or_default().push(at);
                last = Some(at);
            }
            6 => needs.extend(last.map(|from| (from, name_of(bare)))),
            _ => {}
        }
    }
    if !source.contains("DEPENDENCIES") && part.components.is_empty() {
        return Err("it is no lock file of Bundler".into());
    }
    for (from, name) in needs {
        part.edges.extend(by_name.get(name).into_iter().flatten().map(|to| (from, *to)));
    }
    let dev: Vec<String> = gemfile
        .map(|it| declared(it).into_iter().filter(|it| it.2 == Scope::Dev).map(|it| it.0).collect())
        .unwrap_or_default();
    for name in asked {
        let scope = if dev.iter().any(|it| it == name) { Scope::Dev } else { Scope::Required };
        part.direct.extend(by_name.get(name).into_iter().flatten().map(|at| (*at, scope)));
    }
    part.project = Some(Component { kind: Kind::Project, ..Component::new(Ecosystem::Gem, "root", "") });
    Ok(part)
}

fn name_of(line: &str) -> &str {
    line.split([' ', '!']).next().unwrap_or(line)
}

/// `name (version)` or `name (version-platform)`.
fn component(line: &str, section: &str, remote: &str, revision: &str) -> Component {
    let version = line.split_once('(').map_or("", |it| it.1.trim_end_matches(')'));
    let version = version.split_once('-').map_or(version, |it| it.0);
    let mut component = Component::new(Ecosystem::Gem, name_of(line), version);
    component.origin = match section {
        "GIT" => Origin::Git(format!("{remote}#{revision}")),
        "PATH" => Origin::Path(remote.to_owned()),
        _ if remote.is_empty() || remote.starts_with("https://rubygems.org") => Origin::Registry,
        _ => Origin::Url(remote.to_owned()),
    };
    if section == "PATH" {
        component.kind = Kind::Project;
    }
    component
}

fn checksum(line: &str, by_name: &HashMap<&str, Vec<usize>>, part: &mut Part) {
    let Some((_, digests)) = line.split_once(") ") else { return };
    let found: Vec<_> = digests.split(',').filter_map(|it| digest::of_prefixed(it.trim())).collect();
    for at in by_name.get(name_of(line)).into_iter().flatten() {
        part.components[*at].digests.extend(found.iter().cloned());
    }
}

/// What a `Gemfile` declares in plain words: name, range, scope. Ruby that computes is not run.
fn declared(source: &str) -> Vec<(String, String, Scope)> {
    let (mut all, mut groups) = (Vec::new(), Vec::new());
    for line in source.lines().map(str::trim) {
        let opens = line.ends_with(" do") || line.ends_with('|') && line.contains(" do ");
        if opens {
            groups.push(line.starts_with("group ") && line.contains(":development") | line.contains(":test"));
        } else if line == "end" {
            groups.pop();
        } else if let Some(rest) = line.strip_prefix("gem ").or_else(|| line.strip_prefix("gem(")) {
            let mut quoted = rest.split(['"', '\'']).skip(1).step_by(2);
            let Some(name) = quoted.next() else { continue };
            let range = quoted
                .next()
                .filter(|it| it.starts_with(|it: char| "<>=~!".contains(it) || it.is_ascii_digit()));
            let is_dev = groups.contains(&true)
                || rest.contains("group: :test")
                || rest.contains("group: :development");
            let scope = if is_dev { Scope::Dev } else { Scope::Required };
            all.push((name.to_owned(), range.unwrap_or_default().to_owned(), scope));
        }
    }
    all
}

/// A `Gemfile` without a lock file.
pub(crate) fn read_manifest(path: &str, source: &str) -> Result<Part, String> {
    let mut part = Part::new(path);
    part.project = Some(Component { kind: Kind::Project, ..Component::new(Ecosystem::Gem, "root", "") });
    for (name, range, scope) in declared(source) {
        part.add_direct(Component::unresolved(Ecosystem::Gem, &name, &range).in_scope(scope));
    }
    Ok(part)
}

/// An installed gem's specification, as `gem install` writes it.
pub(crate) fn installed(path: &str, source: &str) -> Option<Component> {
    let quoted = |key: &str| {
        let line = source.lines().find(|it| it.trim_start().starts_with(key))?;
        line.split('"').nth(1)
    };
    let (name, version) = (quoted("s.name =")?, quoted("s.version =")?);
    let mut component = Component::new(Ecosystem::Gem, name, version);
    let licences = source.lines().find(|it| it.trim_start().starts_with("s.licenses ="));
    let names = licences.into_iter().flat_map(|it| it.split('"').skip(1).step_by(2));
    component.licence = Licence::any_of(names, path);
    component.install_script = source.contains("s.extensions =");
    Some(component)
}
