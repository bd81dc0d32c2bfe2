//! One piece of software, as a lock file, a manifest or an installed tree names it.

use std::collections::BTreeSet;

use super::licence::Licence;

/// Places kept of one component; the rest only prove the same.
const EVIDENCE_MAX: usize = 8;

/// Where a component's name is meant.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) enum Ecosystem {
    /// npm, pnpm, yarn.
    Npm,
    /// pip, poetry, uv, PDM, Pipenv.
    Pypi,
    /// Go modules.
    Go,
    /// crates.
    Cargo,
    /// Maven and Gradle.
    Maven,
    /// .NET.
    Nuget,
    /// PHP.
    Composer,
    /// Ruby.
    Gem,
    /// Debian packages of an image.
    Deb,
    /// Alpine packages of an image.
    Apk,
    /// Anything else.
    Generic,
}

impl Ecosystem {
    /// All that have a registry of packages.
    pub(crate) const ALL: [Self; 11] = [
        Self::Npm,
        Self::Pypi,
        Self::Go,
        Self::Cargo,
        Self::Maven,
        Self::Nuget,
        Self::Composer,
        Self::Gem,
        Self::Deb,
        Self::Apk,
        Self::Generic,
    ];

    /// The type in a package URL.
    pub(crate) fn purl_type(self) -> &'static str {
        match self {
            Self::Npm => "npm",
            Self::Pypi => "pypi",
            Self::Go => "golang",
            Self::Cargo => "cargo",
            Self::Maven => "maven",
            Self::Nuget => "nuget",
            Self::Composer => "composer",
            Self::Gem => "gem",
            Self::Deb => "deb",
            Self::Apk => "apk",
            Self::Generic => "generic",
        }
    }

    /// From the type in a package URL.
    pub(crate) fn of_purl_type(text: &str) -> Self {
        Self::ALL.into_iter().find(|it| it.purl_type() == text).unwrap_or(Self::Generic)
    }

    /// The name vulnerability databases use.
    pub(crate) fn osv_name(self) -> &'static str {
        match self {
            Self::Npm => "npm",
            Self::Pypi => "PyPI",
            Self::Go => "Go",
            Self::Cargo => "crates.io",
            Self::Maven => "Maven",
            Self::Nuget => "NuGet",
            Self::Composer => "Packagist",
            Self::Gem => "RubyGems",
            Self::Deb => "Debian",
            Self::Apk => "Alpine",
            Self::Generic => "",
        }
    }

    /// The spelling under which two names are the same package.
    pub(crate) fn canonical(self, name: &str) -> String {
        match self {
            Self::Pypi => {
                let mut out = String::with_capacity(name.len());
                for it in name.chars() {
                    let it = if matches!(it, '_' | '.') { '-' } else { it.to_ascii_lowercase() };
                    if it != '-' || !out.ends_with('-') {
                        out.push(it);
                    }
                }
                out
            }
            Self::Nuget | Self::Composer => name.to_lowercase(),
            _ => name.to_owned(),
        }
    }
}

/// What a component is to the project that names it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) enum Scope {
    /// Part of what ships.
    Required,
    /// Ships on some platforms or with some feature.
    Optional,
    /// Only builds or tests need it.
    Dev,
}

impl Scope {
    /// For results.
    pub(crate) fn as_str(self) -> &'static str {
        match self {
            Self::Required => "required",
            Self::Optional => "optional",
            Self::Dev => "dev",
        }
    }
}

/// How much is known of a component.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) enum Kind {
    /// A package at an exact version.
    Package,
    /// A part of the scanned project itself.
    Project,
    /// A package whose version nothing on disk decides.
    Unresolved,
}

/// Where a package comes from.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) enum Origin {
    /// The ecosystem's usual registry, or an unnamed one.
    #[default]
    Registry,
    /// A download that the lock file names.
    Url(String),
    /// A repository, with its revision.
    Git(String),
    /// A folder of the project.
    Path(String),
}

/// A digest of a package's archive.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) struct Digest {
    /// `SHA-256`, as CycloneDX spells it.
    pub algorithm: &'static str,
    /// Lower case hex digits.
    pub hex: String,
}

/// One piece of software.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Component {
    /// Where the name is meant.
    pub ecosystem: Ecosystem,
    /// The whole name: `@scope/name`, `group:artifact`, `vendor/package`.
    pub name: String,
    /// The exact version, if anything decides it.
    pub version: Option<String>,
    /// What was asked for, when nothing decides the version.
    pub wanted: Option<String>,
    /// How much is known.
    pub kind: Kind,
    /// What it is to its project.
    pub scope: Scope,
    /// Where it comes from.
    pub origin: Origin,
    /// Digests the lock file pins.
    pub digests: Vec<Digest>,
    /// Its licence, if anything on disk says it.
    pub licence: Option<Licence>,
    /// Files that name it.
    pub evidence: BTreeSet<String>,
    /// It runs a program while it is installed.
    pub install_script: bool,
    /// Its author's word that it should not be used.
    pub deprecated: Option<String>,
    /// Distribution of an operating system's package, for example `debian-12`.
    pub distribution: Option<String>,
}

impl Component {
    /// A package; `version` empty means unresolved.
    pub(crate) fn new(ecosystem: Ecosystem, name: &str, version: &str) -> Self {
        let version = Some(version.trim()).filter(|it| !it.is_empty()).map(clean);
        Self {
            ecosystem,
            name: ecosystem.canonical(&clean(name.trim())),
            kind: if version.is_some() { Kind::Package } else { Kind::Unresolved },
            version,
            wanted: None,
            scope: Scope::Required,
            origin: Origin::Registry,
            digests: Vec::new(),
            licence: None,
            evidence: BTreeSet::new(),
            install_script: false,
            deprecated: None,
            distribution: None,
        }
    }

    /// A package of which only a range is known.
    pub(crate) fn unresolved(ecosystem: Ecosystem, name: &str, wanted: &str) -> Self {
        let wanted = Some(wanted.trim()).filter(|it| !it.is_empty()).map(clean);
        Self { wanted, ..Self::new(ecosystem, name, "") }
    }

    /// Says where it comes from.
    #[must_use]
    pub(crate) fn at_origin(mut self, origin: Origin) -> Self {
        self.origin = origin;
        self
    }

    /// Says what it is to its project.
    #[must_use]
    pub(crate) fn in_scope(mut self, scope: Scope) -> Self {
        self.scope = scope;
        self
    }

    /// Adds one more place that names it.
    pub(crate) fn seen_in(&mut self, path: &str) {
        if self.evidence.len() < EVIDENCE_MAX {
            self.evidence.insert(path.to_owned());
        }
    }

    /// Under which two mentions are one component.
    pub(crate) fn key(&self) -> (Ecosystem, String, Option<String>, Kind) {
        (self.ecosystem, self.name.clone(), self.version.clone().or_else(|| self.wanted.clone()), self.kind)
    }

    /// `name@version`, or the name with what was asked for.
    pub(crate) fn label(&self) -> String {
        match (&self.version, &self.wanted) {
            (Some(version), _) => format!("{}@{version}", self.name),
            (None, Some(wanted)) => format!("{} ({wanted})", self.name),
            (None, None) => self.name.clone(),
        }
    }

    /// Takes over what another mention of the same component knows more.
    pub(crate) fn join(&mut self, other: Self) {
        self.scope = self.scope.min(other.scope);
        if self.origin == Origin::Registry {
            self.origin = other.origin;
        }
        for digest in other.digests {
            if !self.digests.contains(&digest) {
                self.digests.push(digest);
            }
        }
        self.licence = self.licence.take().or(other.licence);
        self.install_script |= other.install_script;
        self.deprecated = self.deprecated.take().or(other.deprecated);
        for path in other.evidence {
            self.seen_in(&path);
        }
    }
}

/// Whether the licence is known well enough to be judged.
pub(crate) fn has_expression(component: &Component) -> bool {
    component.licence.as_ref().is_some_and(|it| it.expression.is_some())
}

/// Control characters and bidirectional overrides never belong into a name; what is left of it stays readable.
pub(crate) fn clean(text: &str) -> String {
    let cut = text.char_indices().nth(1024).map_or(text, |(at, _)| &text[..at]);
    if cut.chars().all(|it| !is_hostile(it)) {
        return cut.to_owned();
    }
    cut.chars().map(|it| if is_hostile(it) { '\u{fffd}' } else { it }).collect()
}

/// Whether a character can only be meant to deceive a terminal or a reader.
pub(crate) fn is_hostile(it: char) -> bool {
    it.is_control()
        || matches!(it, '\u{200b}'..='\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2060}'..='\u{2069}' | '\u{feff}')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_compared_as_their_registry_does() {
        for (ecosystem, name, same) in [
            (Ecosystem::Pypi, "Foo__Bar.baz", "foo-bar-baz"),
            (Ecosystem::Nuget, "Newtonsoft.Json", "newtonsoft.json"),
            (Ecosystem::Npm, "JSONStream", "JSONStream"),
        ] {
            assert_eq!(ecosystem.canonical(name), same);
        }
    }

    #[test]
    fn a_hostile_name_is_made_harmless() {
        let it = Component::new(Ecosystem::Npm, "a\u{1b}[31m\u{202e}b\n", "1");
        assert_eq!(it.name, "a\u{fffd}[31m\u{fffd}b");
        assert_eq!(Component::new(Ecosystem::Npm, &"x".repeat(5000), "1").name.len(), 1024);
    }
}
