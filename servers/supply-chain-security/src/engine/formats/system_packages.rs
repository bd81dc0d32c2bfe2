//! What the package managers of Debian and Alpine have installed.

use std::collections::HashMap;

use crate::engine::{
    component::{Component, Ecosystem},
    graph::Part,
    licence::Licence,
};

/// Name and version of the distribution, from `os-release`: `debian-12`.
pub(crate) fn distribution(os_release: &str) -> Option<String> {
    let value = |key: &str| {
        let line = os_release.lines().find_map(|it| it.strip_prefix(key)?.strip_prefix('='));
        line.map(|it| it.trim_matches(['"', '\'']).to_owned())
    };
    let id = value("ID")?;
    Some(value("VERSION_ID").map_or_else(|| id.clone(), |version| format!("{id}-{version}")))
}

/// Reads `var/lib/dpkg/status` or a file of `status.d`.
pub(crate) fn read_dpkg(path: &str, source: &str, distribution: Option<&str>) -> Part {
    let mut part = Part { has_edges: true, ..Part::new(path) };
    let (mut names, mut needs) = (HashMap::new(), Vec::new());
    for stanza in source.split("\n\n") {
        let field = |key: &str| stanza.lines().find_map(|it| it.strip_prefix(key)?.strip_prefix(": "));
        let (Some(name), Some(version)) = (field("Package"), field("Version")) else { continue };
        // What was removed leaves its settings behind.
        if field("Status").is_some_and(|it| !it.ends_with(" installed")) {
            continue;
        }
        let mut component = Component::new(Ecosystem::Deb, name, version);
        component.distribution = distribution.map(str::to_owned);
        let at = part.add(component);
        names.insert(name.to_owned(), at);
        for provided in field("Provides").unwrap_or_default().split(',') {
            names.entry(first_word(provided).to_owned()).or_insert(at);
        }
        for list in ["Depends", "Pre-Depends"] {
            needs.extend(field(list).map(|it| (at, it.to_owned())));
        }
    }
    for (from, list) in needs {
        // Of alternatives, the first that is installed.
        let chosen = list.split(',').filter_map(|it| it.split('|').find_map(|it| names.get(first_word(it))));
        part.edges.extend(chosen.map(|to| (from, *to)));
    }
    part
}

fn first_word(text: &str) -> &str {
    text.trim().split([' ', ':', '(', '=', '<', '>', '~']).next().unwrap_or_default()
}

/// Reads `lib/apk/db/installed`.
pub(crate) fn read_apk(path: &str, source: &str, distribution: Option<&str>) -> Part {
    let mut part = Part { has_edges: true, ..Part::new(path) };
    let (mut names, mut needs) = (HashMap::new(), Vec::new());
    for stanza in source.split("\n\n") {
        let field = |key: &str| stanza.lines().find_map(|it| it.strip_prefix(key)?.strip_prefix(':'));
        let (Some(name), Some(version)) = (field("P"), field("V")) else { continue };
        let mut component = Component::new(Ecosystem::Apk, name, version);
        component.distribution = distribution.map(str::to_owned);
        component.licence = field("L").and_then(|it| Licence::read(it, path));
        let at = part.add(component);
        names.insert(name.to_owned(), at);
        for provided in field("p").unwrap_or_default().split(' ') {
            names
                .entry(first_word(provided.trim_start_matches("so:").trim_start_matches("cmd:")).to_owned())
                .or_insert(at);
        }
        needs.extend(field("D").map(|it| (at, it.to_owned())));
    }
    for (from, list) in needs {
        let plain = list
            .split(' ')
            .filter(|it| !it.starts_with('!'))
            .map(|it| it.trim_start_matches("so:").trim_start_matches("cmd:"));
        part.edges.extend(plain.filter_map(|it| names.get(first_word(it))).map(|to| (from, *to)));
    }
    part
}
