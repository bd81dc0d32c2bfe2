//! What an audit asks about.

use schemars::JsonSchema;
use serde::Serialize;

/// Packages of one manifest.
const PACKAGES_MAX: usize = 100_000;

/// Where packages come from; the words are those of the OSV format.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, JsonSchema)]
pub(crate) enum Ecosystem {
    #[serde(rename = "npm")]
    Npm,
    PyPI,
    #[serde(rename = "crates.io")]
    Cargo,
}

impl Ecosystem {
    pub(crate) fn word(self) -> &'static str {
        match self {
            Self::Npm => "npm",
            Self::PyPI => "PyPI",
            Self::Cargo => "crates.io",
        }
    }

    /// The one spelling of a name under which records and manifests meet.
    pub(crate) fn normal(self, name: &str) -> String {
        match self {
            Self::Npm | Self::Cargo => name.trim().to_owned(),
            // PEP 503.
            Self::PyPI => {
                let mut out = String::with_capacity(name.len());
                for part in
                    name.trim().to_ascii_lowercase().split(['-', '_', '.']).filter(|it| !it.is_empty())
                {
                    if !out.is_empty() {
                        out.push('-');
                    }
                    out.push_str(part);
                }
                out
            }
        }
    }
}

/// One package at one version.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Package {
    pub(crate) name: String,
    pub(crate) version: String,
    /// Named by the project itself, not only by another package.
    pub(crate) direct: bool,
}

/// A package whose version nobody can tell from the files.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, JsonSchema)]
pub(crate) struct Unresolved {
    package: String,
    /// Why it was not checked.
    reason: String,
}

/// Everything a manifest names.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Inventory {
    pub(crate) packages: Vec<Package>,
    pub(crate) unresolved: Vec<Unresolved>,
}

impl Inventory {
    pub(crate) fn add(&mut self, name: &str, version: &str, direct: bool) {
        if self.packages.len() >= PACKAGES_MAX {
            self.leave(name, "more packages than are read of one file");
        } else {
            self.packages.push(Package { name: name.to_owned(), version: version.to_owned(), direct });
        }
    }

    pub(crate) fn leave(&mut self, package: &str, reason: impl Into<String>) {
        if self.unresolved.len() < PACKAGES_MAX {
            let package = package.chars().filter(|it| !it.is_control()).take(200).collect();
            self.unresolved.push(Unresolved { package, reason: reason.into() });
        }
    }

    /// The same package once, in the order of names.
    pub(crate) fn settle(mut self) -> Self {
        self.packages.sort();
        self.packages.reverse();
        // Of two that differ only in being direct, the direct one comes first here and stays.
        self.packages.dedup_by(|left, right| left.name == right.name && left.version == right.version);
        self.packages.reverse();
        self.unresolved.sort();
        self.unresolved.dedup();
        self
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn python_names_meet_however_they_are_spelled() {
        for name in ["Flask_SQLAlchemy", "flask-sqlalchemy", "FLASK.sqlalchemy", "flask--sqlalchemy"] {
            assert_eq!(Ecosystem::PyPI.normal(name), "flask-sqlalchemy");
        }
        assert_eq!(Ecosystem::Npm.normal("@Scope/x_y"), "@Scope/x_y");
    }

    #[test]
    fn a_package_named_twice_is_asked_about_once_and_stays_direct() {
        let mut inventory = Inventory::default();
        for (version, direct) in [("1.0.0", false), ("1.0.0", true), ("2.0.0", false)] {
            inventory.add("a", version, direct);
        }
        let settled: Vec<_> =
            inventory.settle().packages.into_iter().map(|it| (it.version, it.direct)).collect();
        assert_eq!(settled, [("1.0.0".to_owned(), true), ("2.0.0".to_owned(), false)]);
    }
}
