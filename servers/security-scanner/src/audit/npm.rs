//! `package.json` and the lock files of npm.

use serde_json::{Map, Value};

use super::package::Inventory;

const GROUPS: &[&str] = &["dependencies", "devDependencies", "optionalDependencies"];

/// The packages that `manifest` asks for, and in which range.
fn asked(manifest: &Value) -> impl Iterator<Item = (&String, &str)> {
    let groups = GROUPS.iter().filter_map(|it| manifest[*it].as_object());
    groups.flatten().map(|(name, range)| (name, range.as_str().unwrap_or_default()))
}

/// What a manifest without a lock file says: only exact versions can be checked. `installed` knows what lies in
/// `node_modules`.
pub(crate) fn package_json(manifest: &Value, installed: impl Fn(&str) -> Option<String>) -> Inventory {
    let mut inventory = Inventory::default();
    for (name, range) in asked(manifest) {
        let exact =
            semver::Version::parse(range.trim_start_matches(['=', 'v'])).ok().map(|it| it.to_string());
        match installed(name).or(exact) {
            Some(version) => inventory.add(name, &version, true),
            None => {
                inventory.leave(name, "a range, with neither a lock file nor an installed copy beside it")
            }
        }
    }
    inventory.settle()
}

/// What a lock file of version 1, 2 or 3 names; `manifest` is the `package.json` beside it, if there is one.
pub(crate) fn package_lock(lock: &Value, manifest: Option<&Value>) -> Option<Inventory> {
    let mut inventory = Inventory::default();
    if let Some(packages) = lock["packages"].as_object() {
        let direct = |name: &str| {
            GROUPS.iter().any(|it| !packages.get("").unwrap_or(&Value::Null)[*it][name].is_null())
        };
        for (place, entry) in packages.iter().filter(|(place, _)| !place.is_empty()) {
            modern(&mut inventory, place, entry, direct);
        }
    } else {
        let direct = |name: &str| manifest.is_some_and(|it| asked(it).any(|(asked, _)| asked == name));
        old(&mut inventory, lock["dependencies"].as_object()?, &direct, 0);
    }
    let missing = manifest.into_iter().flat_map(asked).filter(|(name, range)| {
        let is_local = ["file:", "link:", "workspace:"].iter().any(|it| range.starts_with(it));
        !is_local && !inventory.packages.iter().any(|it| it.name == **name)
    });
    let missing: Vec<String> = missing.map(|(name, _)| name.clone()).collect();
    for name in missing {
        inventory.leave(&name, "asked for by package.json and not in the lock file");
    }
    Some(inventory.settle())
}

fn modern(inventory: &mut Inventory, place: &str, entry: &Value, direct: impl Fn(&str) -> bool) {
    // A link stands for a folder of this project, which has its own entry.
    if entry["link"] == true || !place.contains("node_modules/") {
        return;
    }
    let nested = place.rsplit("node_modules/").next().unwrap_or(place);
    let name = entry["name"].as_str().unwrap_or(nested);
    match entry["version"].as_str() {
        Some(version) => {
            let is_top = place == format!("node_modules/{nested}");
            inventory.add(name, version, is_top && direct(nested));
        }
        None => inventory.leave(name, "no version in the lock file"),
    }
}

fn old(
    inventory: &mut Inventory,
    entries: &Map<String, Value>,
    direct: &impl Fn(&str) -> bool,
    depth: usize,
) {
    for (name, entry) in entries {
        let version = entry["version"].as_str().unwrap_or_default();
        // `npm:real-name@1.2.3` is an alias.
        let aliased = version.strip_prefix("npm:").and_then(|it| it.rsplit_once('@'));
        let (name, version) = aliased.unwrap_or((name, version));
        if semver::Version::parse(version).is_ok() {
            inventory.add(name, version, depth == 0 && direct(name));
        } else {
            inventory.leave(name, "not from a registry");
        }
        // The parser bounds how deep a document goes.
        if let Some(nested) = entry["dependencies"].as_object() {
            old(inventory, nested, direct, depth + 1);
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn shown(inventory: &Inventory) -> Vec<String> {
        let packages = inventory
            .packages
            .iter()
            .map(|it| format!("{}@{}{}", it.name, it.version, if it.direct { "!" } else { "" }));
        packages
            .chain(
                inventory.unresolved.iter().map(|it| format!("{it:?}").split('"').nth(1).unwrap().to_owned()),
            )
            .collect()
    }

    #[test]
    fn every_version_of_the_lock_format_is_read() {
        let manifest = json!({"dependencies": {"a": "^1.0.0", "gone": "^1.0.0", "own": "file:own"}});
        let three = json!({"lockfileVersion": 3, "packages": {
            "": {"dependencies": {"a": "^1.0.0"}},
            "own": {"version": "1.0.0"}, "node_modules/own": {"link": true, "resolved": "own"},
            "node_modules/a": {"version": "1.2.3"},
            "node_modules/a/node_modules/@s/b": {"version": "2.0.0"},
            "node_modules/c": {"name": "real", "version": "3.0.0"},
            "node_modules/d": {}}});
        let inventory = package_lock(&three, Some(&manifest)).unwrap();
        assert_eq!(shown(&inventory), ["@s/b@2.0.0", "a@1.2.3!", "real@3.0.0", "d", "gone"]);
        let one = json!({"lockfileVersion": 1, "dependencies": {
            "a": {"version": "1.2.3", "dependencies": {"b": {"version": "npm:real@2.0.0"}}},
            "g": {"version": "git+ssh://x"}}});
        let inventory = package_lock(&one, Some(&manifest)).unwrap();
        assert_eq!(shown(&inventory), ["a@1.2.3!", "real@2.0.0", "g", "gone"]);
        assert!(package_lock(&json!({"lockfileVersion": 9}), None).is_none());
    }

    #[test]
    fn without_a_lock_file_only_exact_and_installed_versions_count() {
        let manifest = json!({"dependencies": {"a": "1.2.3", "b": "^2.0.0"}, "devDependencies": {"c": "*"}});
        let inventory = package_json(&manifest, |name| (name == "c").then(|| "3.0.0".to_owned()));
        assert_eq!(shown(&inventory), ["a@1.2.3!", "c@3.0.0!", "b"]);
    }

    #[test]
    fn what_is_no_manifest_names_nothing() {
        for odd in [json!(null), json!([]), json!({"dependencies": 3}), json!({"dependencies": {"a": {}}})] {
            assert!(package_json(&odd, |_| None).packages.is_empty());
            assert!(package_lock(&odd, Some(&odd)).is_none_or(|it| it.packages.is_empty()));
        }
    }
}
