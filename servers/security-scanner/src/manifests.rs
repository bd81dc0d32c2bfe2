//! From the path of a manifest or lock file to the packages it names.

use guard::path::{Kind, Roots};
use kernel::ToolError;
use serde_json::Value;

use crate::{
    audit::{Ecosystem, Inventory, cargo_lock, lock_file, package_json, package_lock, requirements},
    error::ScanError,
};

const MANIFEST_BYTES_MAX: u64 = 64 << 20;
const LOCKS: &[&str] = &["npm-shrinkwrap.json", "package-lock.json"];

/// Packages, and the files that named them.
pub(crate) struct Named {
    pub(crate) ecosystem: Ecosystem,
    pub(crate) sources: Vec<String>,
    pub(crate) inventory: Inventory,
}

fn sibling(path: &str, name: &str) -> String {
    path.rsplit_once('/').map_or_else(|| name.to_owned(), |(folder, _)| format!("{folder}/{name}"))
}

fn file_name(path: &str) -> &str {
    path.rsplit('/').next().unwrap_or(path)
}

fn text(roots: &Roots, field: &'static str, path: &str) -> Result<String, ToolError> {
    let bytes = roots.resolve_readable(field, path)?.read(MANIFEST_BYTES_MAX)?;
    let text = String::from_utf8(bytes);
    Ok(text.map_err(|_| ScanError::BadManifest { field, reason: "it is not UTF-8 text".into() })?)
}

fn json(roots: &Roots, field: &'static str, path: &str) -> Result<Value, ToolError> {
    let text = text(roots, field, path)?;
    let parsed: Value = serde_json::from_str(text.trim_start_matches('\u{feff}')).map_err(|error| {
        let reason = format!("it is not JSON: line {}, column {}", error.line(), error.column());
        ScanError::BadManifest { field, reason }
    })?;
    if parsed.is_object() {
        Ok(parsed)
    } else {
        Err(ScanError::BadManifest { field, reason: "it is not a JSON object".into() }.into())
    }
}

/// `package.json`, the folder it stands in, or a lock file of npm.
pub(crate) fn npm(roots: &Roots, field: &'static str, path: &str) -> Result<Named, ToolError> {
    let path = if roots.resolve_readable(field, path)?.facts().kind == Kind::Folder {
        format!("{}/package.json", path.trim_end_matches('/'))
    } else {
        path.to_owned()
    };
    let is_lock = LOCKS.contains(&file_name(&path));
    let manifest_path = if is_lock { sibling(&path, "package.json") } else { path.clone() };
    let manifest = match json(roots, field, &manifest_path) {
        // A lock file speaks for itself; the manifest it belongs to may be elsewhere.
        Err(_) if is_lock => None,
        other => Some(other?),
    };
    let here = |name: &&&str| roots.resolve_readable(field, &sibling(&path, name)).is_ok();
    let lock =
        if is_lock { Some(path.clone()) } else { LOCKS.iter().find(here).map(|it| sibling(&path, it)) };
    let mut sources = manifest.iter().map(|_| manifest_path.clone()).collect::<Vec<_>>();
    let inventory = match lock {
        Some(lock) => {
            let parsed = json(roots, field, &lock)?;
            let read = package_lock(&parsed, manifest.as_ref());
            let reason = || format!("{} is no lock file of version 1, 2 or 3", file_name(&lock));
            let read = read.ok_or_else(|| ScanError::BadManifest { field, reason: reason() })?;
            sources.push(lock);
            read
        }
        None => package_json(&manifest.unwrap_or_default(), |name| installed(roots, field, &path, name)),
    };
    Ok(Named { ecosystem: Ecosystem::Npm, sources, inventory })
}

fn installed(roots: &Roots, field: &'static str, manifest: &str, name: &str) -> Option<String> {
    let is_name =
        name.bytes().all(|it| it.is_ascii_alphanumeric() || b"@/-_.".contains(&it)) && !name.contains("..");
    let place = sibling(manifest, &format!("node_modules/{name}/package.json"));
    let found = is_name.then(|| json(roots, field, &place).ok()).flatten()?;
    found["version"].as_str().map(str::to_owned)
}

/// A requirement file of pip, or a lock file of pipenv, poetry, pdm or uv.
pub(crate) fn python(roots: &Roots, field: &'static str, path: &str) -> Result<Named, ToolError> {
    let first = text(roots, field, path)?;
    let name = file_name(path);
    let inventory = if name.ends_with(".lock") {
        let reason = "it is no lock file of pipenv, poetry, pdm or uv";
        lock_file(name, &first).ok_or_else(|| ScanError::BadManifest { field, reason: reason.into() })?
    } else {
        // A NUL in the first file means it is no text at all; pip would refuse it too.
        if first.contains('\0') {
            return Err(ScanError::BadManifest { field, reason: "it is not a text file".into() }.into());
        }
        requirements(path, |other| {
            if other == path {
                return Ok(first.clone());
            }
            text(roots, field, other).map_err(|_| "an included file that cannot be read".to_owned())
        })
    };
    Ok(Named { ecosystem: Ecosystem::PyPI, sources: vec![path.to_owned()], inventory })
}

/// `Cargo.lock`.
pub(crate) fn cargo(roots: &Roots, field: &'static str, path: &str) -> Result<Named, ToolError> {
    let read = cargo_lock(&text(roots, field, path)?);
    let reason = "it is not a Cargo.lock";
    let inventory = read.ok_or_else(|| ScanError::BadManifest { field, reason: reason.into() })?;
    Ok(Named { ecosystem: Ecosystem::Cargo, sources: vec![path.to_owned()], inventory })
}

/// Reads the manifest at `path` by its name; `None` when the name is none we know.
pub(crate) fn any(roots: &Roots, field: &'static str, path: &str) -> Option<Result<Named, ToolError>> {
    match file_name(path) {
        "package-lock.json" | "npm-shrinkwrap.json" | "package.json" => Some(npm(roots, field, path)),
        "Cargo.lock" => Some(cargo(roots, field, path)),
        "poetry.lock" | "uv.lock" | "pdm.lock" | "Pipfile.lock" => Some(python(roots, field, path)),
        name if name.starts_with("requirements") && name.ends_with(".txt") => {
            Some(python(roots, field, path))
        }
        _ => None,
    }
}
