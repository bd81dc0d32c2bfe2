//! Folders in which package managers keep what they fetched: licences are read there.

use guard::path::Folder;

use super::{
    component::{Component, Ecosystem},
    formats::{cargo, gems, maven, npm_manifest, python_installed},
    licence::{self, Licence},
    tree::Tree,
    xml,
};

/// A description or a licence text.
const FILE_BYTES_MAX: u64 = 1 << 20;
/// Registries in cargo's cache.
const FOLDERS_MAX: usize = 32;
const LICENCE_FILES: [&str; 6] =
    ["LICENSE", "LICENSE.md", "LICENSE.txt", "COPYING", "LICENCE", "LICENSE-MIT"];

/// One such folder, with the folders directly in it.
pub(crate) struct PackageCache {
    tree: Tree,
    folders: Vec<String>,
}

impl PackageCache {
    pub(crate) fn new(folder: Folder) -> Self {
        let inside = folder.entries(FOLDERS_MAX).map(|it| it.0).unwrap_or_default();
        let mut folders: Vec<String> = vec![String::new()];
        let named = inside.iter().filter(|it| it.kind == guard::path::Kind::Folder);
        folders.extend(named.map(|it| format!("{}/", it.name.to_string_lossy())));
        Self { tree: Tree::Folder(folder), folders }
    }

    /// The licence of a package, as its own files say it.
    pub(crate) fn licence(&self, component: &Component) -> Option<Licence> {
        let version = component.version.as_deref()?;
        match component.ecosystem {
            Ecosystem::Cargo => self.of_crate(&component.name, version),
            Ecosystem::Npm => self.first(&format!("{}/package.json", component.name), |path, text| {
                let found = npm_manifest::installed(path, text).ok()??;
                found.licence.filter(|_| found.version.as_deref() == Some(version))
            }),
            Ecosystem::Pypi => self.of_python(&component.name, version),
            Ecosystem::Maven => self.of_maven(&component.name, version),
            Ecosystem::Go => self.by_text(&format!("{}@{version}", escaped(&component.name))),
            Ecosystem::Gem => {
                let path = format!("specifications/{}-{version}.gemspec", component.name);
                self.first(&path, |path, text| gems::installed(path, text)?.licence)
            }
            _ => None,
        }
    }

    fn first<T>(&self, path: &str, read: impl Fn(&str, &str) -> Option<T>) -> Option<T> {
        self.folders.iter().find_map(|folder| {
            let path = format!("{folder}{path}");
            let bytes = self.tree.read(&path, FILE_BYTES_MAX).ok()?;
            read(&path, &String::from_utf8_lossy(&bytes))
        })
    }

    fn of_crate(&self, name: &str, version: &str) -> Option<Licence> {
        let folder = format!("{name}-{version}");
        self.first(&format!("{folder}/Cargo.toml"), |path, text| cargo::installed(path, text).ok()??.licence)
            .or_else(|| self.by_text(&folder))
    }

    fn of_python(&self, name: &str, version: &str) -> Option<Licence> {
        let spellings = [name.replace('-', "_"), name.to_owned(), name.replace('-', ".")];
        spellings.iter().find_map(|name| {
            self.first(&format!("{name}-{version}.dist-info/METADATA"), |path, text| {
                python_installed::read(path, text)?.0.licence
            })
        })
    }

    fn of_maven(&self, name: &str, version: &str) -> Option<Licence> {
        let (group, artifact) = name.split_once(':')?;
        let path = format!("{}/{artifact}/{version}/{artifact}-{version}.pom", group.replace('.', "/"));
        self.first(&path, |path, text| maven::licence_of(&xml::parse(text).ok()?, path))
    }

    fn by_text(&self, folder: &str) -> Option<Licence> {
        LICENCE_FILES.iter().find_map(|name| {
            self.first(&format!("{folder}/{name}"), |path, text| Licence::read(licence::of_text(text)?, path))
        })
    }
}

/// Go writes capital letters as `!` and the small letter.
fn escaped(module: &str) -> String {
    let mut out = String::new();
    for it in module.chars() {
        if it.is_ascii_uppercase() {
            out.push('!');
        }
        out.push(it.to_ascii_lowercase());
    }
    out
}
