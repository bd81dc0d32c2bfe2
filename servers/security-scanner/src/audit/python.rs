//! Requirement files of pip, and the lock files of pipenv, poetry and uv.

use std::collections::BTreeSet;

use serde::Deserialize;

use super::package::{Ecosystem, Inventory};

/// Files that include each other.
const FILES_MAX: usize = 32;

#[derive(Deserialize)]
struct Lock {
    #[serde(default)]
    package: Vec<Entry>,
}

#[derive(Deserialize)]
struct Entry {
    name: String,
    #[serde(default)]
    version: Option<String>,
}

/// What a lock file called `name` names; `None` when it is none of the three kinds.
pub(crate) fn lock_file(name: &str, text: &str) -> Option<Inventory> {
    let mut inventory = Inventory::default();
    match name {
        "poetry.lock" | "uv.lock" | "pdm.lock" => {
            for entry in toml::from_str::<Lock>(text).ok()?.package {
                match entry.version {
                    Some(version) => inventory.add(&Ecosystem::PyPI.normal(&entry.name), &version, false),
                    None => inventory.leave(&entry.name, "no version in the lock file"),
                }
            }
        }
        "Pipfile.lock" => {
            let lock: serde_json::Value = serde_json::from_str(text).ok()?;
            for (name, entry) in
                ["default", "develop"].iter().filter_map(|it| lock[*it].as_object()).flatten()
            {
                match entry["version"].as_str().and_then(|it| it.strip_prefix("==")) {
                    Some(version) => inventory.add(&Ecosystem::PyPI.normal(name), version, false),
                    None => inventory.leave(name, "no version in the lock file"),
                }
            }
        }
        _ => return None,
    }
    Some(inventory.settle())
}

/// What the requirement file `first` names, and the files it includes; `read` gives a file's text by its path.
pub(crate) fn requirements(first: &str, read: impl Fn(&str) -> Result<String, String>) -> Inventory {
    let mut inventory = Inventory::default();
    let mut waiting = vec![first.to_owned()];
    let mut seen: BTreeSet<String> = waiting.iter().cloned().collect();
    while let Some(path) = waiting.pop() {
        let text = match read(&path) {
            Ok(text) => text,
            Err(reason) => {
                inventory.leave(&path, reason);
                continue;
            }
        };
        for line in logical_lines(&text) {
            let Some(included) = included(&line, &path) else {
                requirement(&mut inventory, &line);
                continue;
            };
            if seen.len() >= FILES_MAX {
                inventory.leave(&included, "more included files than are read");
            } else if seen.insert(included.clone()) {
                waiting.push(included);
            }
        }
    }
    inventory.settle()
}

/// Lines joined at backslashes, without comments and blanks.
fn logical_lines(text: &str) -> Vec<String> {
    let mut lines = Vec::new();
    let mut open = String::new();
    for line in text.trim_start_matches('\u{feff}').lines() {
        let line = match line.find('#') {
            Some(at) if at == 0 || line[..at].ends_with(char::is_whitespace) => &line[..at],
            _ => line,
        };
        match line.trim_end().strip_suffix('\\') {
            Some(head) => open.push_str(head),
            None => {
                open.push_str(line);
                let whole = std::mem::take(&mut open);
                if !whole.trim().is_empty() {
                    lines.push(whole.trim().to_owned());
                }
            }
        }
    }
    lines.extend(Some(open.trim().to_owned()).filter(|it| !it.is_empty()));
    lines
}

/// The file that a `-r` or `-c` line names, relative to the file it stands in.
fn included(line: &str, from: &str) -> Option<String> {
    let flags = ["-r", "--requirement", "-c", "--constraint"];
    let rest = flags.iter().find_map(|flag| {
        let rest = line.strip_prefix(flag)?;
        rest.starts_with([' ', '\t', '='])
            .then_some(rest)
            .or((flag.len() == 2 && !rest.is_empty()).then_some(rest))
    })?;
    let name = rest.trim_start_matches(['=', ' ', '\t']).trim();
    let folder = from.rsplit_once('/').map_or("", |(folder, _)| folder);
    Some(if folder.is_empty() || name.starts_with('/') {
        name.to_owned()
    } else {
        format!("{folder}/{name}")
    })
}

fn requirement(inventory: &mut Inventory, line: &str) {
    let is_option = line.starts_with('-');
    if is_option && !["-e", "--editable"].iter().any(|it| line.starts_with(it)) {
        return;
    }
    // Markers say when a requirement counts; it is checked whether or not it counts here.
    let spec = line.split(';').next().unwrap_or_default();
    let spec = spec.split(" --").next().unwrap_or_default().trim();
    let end = spec
        .find(|it: char| !(it.is_ascii_alphanumeric() || matches!(it, '-' | '_' | '.')))
        .unwrap_or(spec.len());
    let (name, mut rest) = spec.split_at(end);
    if is_option || name.is_empty() || spec.contains("://") || spec.contains('@') {
        inventory.leave(spec, "not from an index");
        return;
    }
    rest = rest.trim_start();
    if rest.starts_with('[') {
        rest = rest.split_once(']').map_or("", |(_, rest)| rest).trim_start();
    }
    let exact = rest.strip_prefix("===").or_else(|| rest.strip_prefix("==")).map(str::trim);
    match exact.filter(|it| !it.is_empty() && !it.contains([',', '*', ' '])) {
        Some(version) => inventory.add(&Ecosystem::PyPI.normal(name), version, true),
        None => inventory.leave(name, "no exact version: pin it with =="),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shown(inventory: &Inventory) -> (Vec<String>, usize) {
        (
            inventory.packages.iter().map(|it| format!("{}@{}", it.name, it.version)).collect(),
            inventory.unresolved.len(),
        )
    }

    #[test]
    fn every_way_to_write_a_requirement_is_read() {
        let text = "\u{feff}# a comment\nDjango==4.2.1  # why\nrequests[socks, security] == 2.31.0 ; python_version >= '3.8'\n\
            a_b.c===1.0 \\\n    --hash=sha256:00 \\\n    --hash=sha256:11\nflask>=2\nnumpy\nx==1.*\ny==1,<2\n\
            -e git+https://x/y#egg=z\nhttps://x/y.whl\npkg @ https://x/y.whl\n--index-url https://x\n-i https://x\n";
        let inventory = requirements("requirements.txt", |_| Ok(text.to_owned()));
        assert_eq!(
            shown(&inventory),
            (vec!["a-b-c@1.0".into(), "django@4.2.1".into(), "requests@2.31.0".into()], 7)
        );
    }

    #[test]
    fn included_files_are_read_once_and_loops_end() {
        let read = |path: &str| match path {
            "d/requirements.txt" => Ok("-r base.txt\n--constraint=../c.txt\na==1\n".to_owned()),
            "d/base.txt" => Ok("-r requirements.txt\nb==2\n".to_owned()),
            other => Err(format!("{other} is not there")),
        };
        let inventory = requirements("d/requirements.txt", read);
        assert_eq!(shown(&inventory), (vec!["a@1".into(), "b@2".into()], 1));
    }

    #[test]
    fn lock_files_are_read() {
        let toml = "[[package]]\nname = \"A_b\"\nversion = \"1.0\"\n[[package]]\nname = \"own\"\n";
        assert_eq!(shown(&lock_file("uv.lock", toml).unwrap()), (vec!["a-b@1.0".into()], 1));
        let json = r#"{"default": {"a": {"version": "==1.0"}}, "develop": {"b": {"git": "x"}}}"#;
        assert_eq!(shown(&lock_file("Pipfile.lock", json).unwrap()), (vec!["a@1.0".into()], 1));
        assert!(lock_file("other.lock", "").is_none() && lock_file("Pipfile.lock", "{").is_none());
    }
}
