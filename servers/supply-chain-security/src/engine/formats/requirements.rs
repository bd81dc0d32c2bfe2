//! `requirements.txt`, with what it includes.

use std::collections::BTreeSet;

use crate::engine::{
    component::{Component, Ecosystem, Origin, Scope},
    coverage::SkipReason,
    digest,
    graph::Part,
    tree::{beside, normal},
};

/// Files one requirements file may draw in, itself counted.
const FILES_MAX: usize = 64;

/// Reads the file at `path` and every file it includes. `load` gives the text of another file.
pub(crate) fn read(
    path: &str,
    source: &str,
    load: &mut dyn FnMut(&str) -> Result<String, SkipReason>,
) -> Result<Part, String> {
    let mut part = Part::new(path);
    let mut reader = Reader { part: &mut part, load, seen: BTreeSet::new() };
    reader.file(path, source, scope_of(path))?;
    Ok(part)
}

/// The name says whether a file is for development.
fn scope_of(path: &str) -> Scope {
    let name = path.rsplit('/').next().unwrap_or(path).to_lowercase();
    let words = ["dev", "test", "lint", "docs", "typing", "ci"];
    let is_dev =
        name.split(|it: char| !it.is_ascii_alphanumeric()).any(|it| words.contains(&it) || it == "tests");
    if is_dev { Scope::Dev } else { Scope::Required }
}

struct Reader<'a> {
    part: &'a mut Part,
    load: &'a mut dyn FnMut(&str) -> Result<String, SkipReason>,
    seen: BTreeSet<String>,
}

impl Reader<'_> {
    fn file(&mut self, path: &str, source: &str, scope: Scope) -> Result<(), String> {
        // A file that includes itself, or one that was read already, adds nothing.
        if !self.seen.insert(path.to_owned()) || self.seen.len() > FILES_MAX {
            return Ok(());
        }
        for line in joined(source) {
            let line = without_comment(&line).trim();
            if let Some(included) = option(line, &["-r", "--requirement"]) {
                self.include(path, included, scope)?;
            } else if let Some(place) = option(line, &["-e", "--editable"]) {
                self.part.add_direct(located(place, scope));
            } else if !line.is_empty() && !line.starts_with('-') {
                if line.contains('\0') {
                    return Err("it is no text".into());
                }
                self.part.add_direct(requirement(line).in_scope(scope));
            }
        }
        Ok(())
    }

    fn include(&mut self, path: &str, included: &str, scope: Scope) -> Result<(), String> {
        let Some(place) = normal(&beside(path, included)) else {
            return Err(format!("it includes a file outside of the target: {included}"));
        };
        match (self.load)(&place) {
            Ok(text) => self.file(&place, &text, scope),
            // The ledger has it already.
            Err(_) => Ok(()),
        }
    }
}

/// Lines, with those that end in a backslash joined to the next.
fn joined(source: &str) -> Vec<String> {
    let mut lines: Vec<String> = Vec::new();
    let mut open = false;
    for line in source.trim_start_matches('\u{feff}').lines() {
        let (text, goes_on) = line.strip_suffix('\\').map_or((line, false), |it| (it, true));
        match lines.last_mut().filter(|_| open) {
            Some(last) => {
                last.push(' ');
                last.push_str(text);
            }
            None => lines.push(text.to_owned()),
        }
        open = goes_on;
    }
    lines
}

fn without_comment(line: &str) -> &str {
    if line.starts_with('#') {
        return "";
    }
    line.split_once(" #").or_else(|| line.split_once("\t#")).map_or(line, |it| it.0)
}

fn option<'a>(line: &'a str, names: &[&str]) -> Option<&'a str> {
    names.iter().find_map(|name| {
        let rest = line.strip_prefix(name)?;
        let value = rest.trim_start_matches([' ', '\t', '=']).trim();
        (rest.len() > value.len() || *name == "-r").then_some(value).filter(|it| !it.is_empty())
    })
}

fn located(place: &str, scope: Scope) -> Component {
    let egg = place.split_once("#egg=").map(|it| it.1.split(['&', '[']).next().unwrap_or_default());
    let folder = place.split('#').next().unwrap_or(place).trim_end_matches('/');
    let name = egg.or_else(|| folder.rsplit('/').next()).filter(|it| !it.is_empty() && *it != ".");
    let origin =
        if place.contains("://") { Origin::Git(place.to_owned()) } else { Origin::Path(place.to_owned()) };
    Component::unresolved(Ecosystem::Pypi, name.unwrap_or("editable"), "").at_origin(origin).in_scope(scope)
}

/// One requirement of PEP 508, as pip writes it.
pub(crate) fn requirement(line: &str) -> Component {
    let (spec, options) = line.split_once(" --").map_or((line, ""), |it| (it.0, it.1));
    let spec = spec.split(';').next().unwrap_or(spec).trim();
    let mut component = if let Some((name, url)) = spec.split_once(" @ ").or_else(|| spec.split_once("@ ")) {
        let origin = if url.starts_with("git+") {
            Origin::Git(url.trim().into())
        } else {
            Origin::Url(url.trim().into())
        };
        Component::unresolved(Ecosystem::Pypi, bare_name(name), "").at_origin(origin)
    } else if spec.contains("://") || spec.starts_with(['.', '/']) {
        located(spec, Scope::Required)
    } else {
        let end = spec
            .find(|it: char| !(it.is_alphanumeric() || matches!(it, '.' | '-' | '_')))
            .unwrap_or(spec.len());
        let rest = spec[end..].trim_start();
        let rest = rest.strip_prefix('[').and_then(|it| it.split_once(']')).map_or(rest, |it| it.1).trim();
        let wanted = rest.trim_start_matches('(').trim_end_matches(')').trim();
        let exact = wanted.strip_prefix("===").or_else(|| wanted.strip_prefix("==")).map(str::trim);
        match exact.filter(|it| !it.contains([',', '*'])) {
            Some(version) => Component::new(Ecosystem::Pypi, &spec[..end], version),
            None => Component::unresolved(Ecosystem::Pypi, &spec[..end], wanted),
        }
    };
    for option in options.split("--").map(str::trim) {
        if let Some(hash) = option.strip_prefix("hash").map(|it| it.trim_start_matches(['=', ' '])) {
            component.digests.extend(digest::of_prefixed(hash.trim()));
        }
    }
    component
}

fn bare_name(text: &str) -> &str {
    text.split('[').next().unwrap_or(text).trim()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_spelling_of_a_requirement_is_read() {
        for (line, label) in [
            ("Flask==2.0.1", "flask@2.0.1"),
            ("flask [async] == 2.0.1 ; python_version > '3'", "flask@2.0.1"),
            ("a_b>=1,<2", "a-b (>=1,<2)"),
            ("x==1.*", "x (==1.*)"),
            ("y===1.0+local", "y@1.0+local"),
            ("z", "z"),
            ("w (>=3)", "w (>=3)"),
            ("pkg @ git+https://h.example/p.git@v1", "pkg"),
            ("git+https://h.example/q.git#egg=q[extra]", "q"),
            ("./local/folder", "folder"),
        ] {
            assert_eq!(requirement(line).label(), label, "{line}");
        }
    }

    #[test]
    fn hashes_includes_and_comments_are_followed_once() {
        let source =
            "-r more.txt\n-c limits.txt\n# no\na==1 --hash=sha256:AA \\\n --hash=sha256:BB # c\n-e ./lib\n";
        let source = source.replace("AA", &"a".repeat(64)).replace("BB", &"b".repeat(64));
        let mut asked = Vec::new();
        let mut load = |path: &str| {
            asked.push(path.to_owned());
            if path == "x/more.txt" {
                Ok("-r requirements.txt\n-r more.txt\nb==2\n-r gone.txt".into())
            } else {
                Err(SkipReason::Missing)
            }
        };
        let part = read("x/requirements.txt", &source, &mut load).unwrap();
        let labels: Vec<String> = part.components.iter().map(Component::label).collect();
        assert_eq!(labels, ["b@2", "a@1", "lib"]);
        assert_eq!(part.components[1].digests.len(), 2);
        assert_eq!(asked, ["x/more.txt", "x/requirements.txt", "x/more.txt", "x/gone.txt"]);
        assert!(read("requirements.txt", "-r ../../etc/passwd", &mut |_| Ok(String::new())).is_err());
    }
}
