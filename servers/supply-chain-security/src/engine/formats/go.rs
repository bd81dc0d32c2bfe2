//! `go.mod` with `go.sum`, and `vendor/modules.txt`.

use std::collections::{BTreeMap, BTreeSet};

use crate::engine::{
    component::{Component, Ecosystem, Kind, Origin, Scope},
    graph::Part,
};

/// Reads a `go.mod`. A module listed there is the one built with, unless it is replaced or excluded.
pub(crate) fn read(path: &str, source: &str, sum: Option<&str>) -> Result<Part, String> {
    let file = GoMod::read(source)?;
    let mut part = Part::new(path);
    let mut project = Component::new(Ecosystem::Go, &file.module, "");
    project.kind = Kind::Project;
    part.project = Some(project);
    let summed: BTreeSet<(&str, &str)> = sum.map(modules_of_sum).unwrap_or_default();
    for (module, version, indirect) in &file.required {
        let mut component = match file.replaced(module, version) {
            Some(it) => it,
            None => Component::new(Ecosystem::Go, module, version),
        };
        component.scope = Scope::Required;
        let is_exact = component.version.as_deref().is_some_and(|it| it.starts_with('v'));
        if !is_exact && component.kind == Kind::Package {
            component = Component::unresolved(Ecosystem::Go, module, version);
        }
        let at = part.add(component);
        if !indirect {
            part.direct.push((at, Scope::Required));
        }
    }
    // Before Go 1.17 `go.mod` lists only what is asked for; the rest stands in `go.sum`, with versions that were
    // merely considered among it. The newest of each module is the one that is built with.
    if !file.lists_everything() {
        for (module, version) in newest(summed) {
            if !file.required.iter().any(|it| it.0 == module) && module != file.module {
                part.add(Component::new(Ecosystem::Go, module, version));
            }
        }
    }
    Ok(part)
}

/// A replacement: the module, the version it replaces if only one, the other module or folder, its version.
type Replace = (String, Option<String>, String, Option<String>);

struct GoMod {
    module: String,
    go: (u32, u32),
    /// Module, version, and whether only others need it.
    required: Vec<(String, String, bool)>,
    replace: Vec<Replace>,
}

impl GoMod {
    fn read(source: &str) -> Result<Self, String> {
        let mut file = Self { module: String::new(), go: (0, 0), required: Vec::new(), replace: Vec::new() };
        let mut block = String::new();
        for line in source.lines() {
            let (code, comment) = line.split_once("//").unwrap_or((line, ""));
            let code = code.trim();
            if code == ")" {
                block.clear();
                continue;
            }
            let words: Vec<&str> = code.split_whitespace().collect();
            match words.as_slice() {
                [verb, "("] => (*verb).clone_into(&mut block),
                [] => {}
                rest if !block.is_empty() => file.directive(&block, rest, comment),
                [verb, rest @ ..] => file.directive(verb, rest, comment),
            }
        }
        if file.module.is_empty() { Err("it names no module".into()) } else { Ok(file) }
    }

    fn directive(&mut self, verb: &str, words: &[&str], comment: &str) {
        let plain = |it: &str| it.trim_matches('"').to_owned();
        match (verb, words) {
            ("module", [name]) => self.module = plain(name),
            ("go", [version]) => {
                let mut numbers = version.split('.').map(|it| it.parse().unwrap_or(0));
                self.go = (numbers.next().unwrap_or(0), numbers.next().unwrap_or(0));
            }
            ("require", [name, version]) => {
                let indirect = comment.trim().split(';').any(|it| it.trim() == "indirect");
                self.required.push((plain(name), plain(version), indirect));
            }
            ("replace", [name, "=>", other @ ..]) => self.replaces(plain(name), None, other),
            ("replace", [name, version, "=>", other @ ..]) => {
                self.replaces(plain(name), Some(plain(version)), other)
            }
            _ => {}
        }
    }

    fn replaces(&mut self, name: String, version: Option<String>, other: &[&str]) {
        if let [place, rest @ ..] = other {
            self.replace.push((name, version, (*place).to_owned(), rest.first().map(|it| (*it).to_owned())));
        }
    }

    fn replaced(&self, module: &str, version: &str) -> Option<Component> {
        let fits = |it: &&Replace| it.0 == module && it.1.as_deref().is_none_or(|it| it == version);
        let (_, _, place, new) = self.replace.iter().find(fits)?;
        Some(match new {
            Some(new) => Component::new(Ecosystem::Go, place, new),
            None => {
                let mut local = Component::new(Ecosystem::Go, module, version);
                (local.kind, local.origin) = (Kind::Project, Origin::Path(place.clone()));
                local
            }
        })
    }

    fn lists_everything(&self) -> bool {
        self.go >= (1, 17)
    }
}

fn modules_of_sum(sum: &str) -> BTreeSet<(&str, &str)> {
    let entries = sum.lines().filter_map(|line| {
        let mut words = line.split_whitespace();
        Some((words.next()?, words.next()?))
    });
    // A line for `go.mod` alone says that the module was only considered.
    entries.filter(|it| !it.1.ends_with("/go.mod")).collect()
}

fn newest<'a>(all: BTreeSet<(&'a str, &'a str)>) -> BTreeMap<&'a str, &'a str> {
    let mut newest: BTreeMap<&str, &str> = BTreeMap::new();
    for (module, version) in all {
        let slot = newest.entry(module).or_insert(version);
        if crate::engine::version::compare(Ecosystem::Go, version, slot).is_gt() {
            *slot = version;
        }
    }
    newest
}

/// Modules of a vendor folder.
pub(crate) fn read_vendor(source: &str) -> Vec<Component> {
    let lines = source.lines().filter_map(|it| it.strip_prefix("# "));
    lines
        .filter_map(|line| {
            let words: Vec<&str> = line.split_whitespace().collect();
            match words.as_slice() {
                [_, _, "=>", name, version] | [_, "=>", name, version] | [name, version] => {
                    Some(Component::new(Ecosystem::Go, name, version))
                }
                _ => None,
            }
        })
        .collect()
}
