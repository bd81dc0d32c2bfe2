//! `Cargo.lock`.

use serde::Deserialize;

use super::package::Inventory;

#[derive(Deserialize)]
struct Lock {
    #[serde(default)]
    package: Vec<Entry>,
}

#[derive(Deserialize)]
struct Entry {
    name: String,
    version: String,
    #[serde(default)]
    source: Option<String>,
}

/// What a lock file of Cargo names; packages of the workspace itself are left out.
pub(crate) fn cargo_lock(text: &str) -> Option<Inventory> {
    let lock: Lock = toml::from_str(text).ok()?;
    let mut inventory = Inventory::default();
    for entry in &lock.package {
        match entry.source.as_deref() {
            None => {}
            Some(source) if source.starts_with("registry+") || source.starts_with("sparse+") => {
                inventory.add(&entry.name, &entry.version, false);
            }
            Some(_) => inventory.leave(&entry.name, "not from a registry"),
        }
    }
    Some(inventory.settle())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn packages_of_registries_are_checked_and_others_are_named() {
        let text = "version = 4\n[[package]]\nname = \"own\"\nversion = \"0.1.0\"\n\
            [[package]]\nname = \"a\"\nversion = \"1.2.3\"\nsource = \"registry+https://x\"\n\
            [[package]]\nname = \"g\"\nversion = \"1.0.0\"\nsource = \"git+https://x\"\n";
        let inventory = cargo_lock(text).unwrap();
        assert_eq!((inventory.packages.len(), inventory.unresolved.len()), (1, 1));
        assert!(cargo_lock("[[package").is_none());
    }
}
