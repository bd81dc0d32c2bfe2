//! Which file is what, by its name.

pub(crate) mod cargo;
pub(crate) mod composer;
pub(crate) mod gems;
pub(crate) mod go;
pub(crate) mod gradle;
pub(crate) mod maven;
pub(crate) mod npm_lock;
pub(crate) mod npm_manifest;
pub(crate) mod nuget;
pub(crate) mod pnpm_lock;
pub(crate) mod python_installed;
pub(crate) mod python_lock;
pub(crate) mod requirements;
pub(crate) mod system_packages;
pub(crate) mod yarn_lock;

use super::{component::Ecosystem, tree::file_name};

/// A file that says something about components.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Format {
    NpmLock,
    PnpmLock,
    YarnLock,
    NpmManifest,
    Requirements,
    PythonLock,
    PipfileLock,
    Pipfile,
    PyProject,
    GoMod,
    CargoLock,
    CargoManifest,
    Pom,
    GradleLock,
    GradleCatalogue,
    GradleScript,
    NugetLock,
    NugetProject,
    NugetConfig,
    ComposerLock,
    ComposerManifest,
    GemLock,
    Gemfile,
    Dpkg,
    Apk,
    InstalledNpm,
    InstalledPython,
    VendoredCrate,
    VendoredGo,
    InstalledComposer,
    InstalledGem,
    /// Read only beside another file.
    Aid,
    /// It names components, and nothing here reads it.
    Unreadable,
}

/// Files of package managers that cannot be read; a scan that meets one is not complete.
const UNREADABLE: &[&str] = &[
    "bun.lockb",
    "bun.lock",
    "deno.lock",
    "mix.lock",
    "rebar.lock",
    "pubspec.lock",
    "Podfile.lock",
    "Package.resolved",
    "Cartfile.resolved",
    "conan.lock",
    "conda-lock.yml",
    "environment.yml",
    "pixi.lock",
    "stack.yaml.lock",
    "cabal.project.freeze",
    "flake.lock",
    "Manifest.toml",
    "renv.lock",
    "gems.locked",
    "build.sbt",
    "project.clj",
    "paket.lock",
    "project.assets.json",
    "rpmdb.sqlite",
    "Packages.db",
    "vcpkg.json",
];
/// Archives with components of their own inside.
const ARCHIVES: &[&str] = &[".jar", ".war", ".ear", ".whl", ".egg", ".gem", ".nupkg"];
/// Build tools bring these along in every project; they are no part of it.
const WRAPPERS: &[&str] = &["gradle-wrapper.jar", "maven-wrapper.jar"];

/// What the file at `path` is; `None` when it says nothing about components.
pub(crate) fn of_path(path: &str) -> Option<Format> {
    let name = file_name(path);
    if let Some(format) = installed(path, name) {
        return format;
    }
    Some(match name {
        "package-lock.json" | "npm-shrinkwrap.json" => Format::NpmLock,
        "pnpm-lock.yaml" => Format::PnpmLock,
        "yarn.lock" => Format::YarnLock,
        "package.json" => Format::NpmManifest,
        "poetry.lock" | "uv.lock" | "pdm.lock" => Format::PythonLock,
        "Pipfile.lock" => Format::PipfileLock,
        "Pipfile" => Format::Pipfile,
        "pyproject.toml" => Format::PyProject,
        "go.mod" => Format::GoMod,
        "Cargo.lock" => Format::CargoLock,
        "Cargo.toml" => Format::CargoManifest,
        ".cargo-checksum.json" => Format::VendoredCrate,
        "pom.xml" => Format::Pom,
        "gradle.lockfile" | "buildscript-gradle.lockfile" => Format::GradleLock,
        "build.gradle" | "build.gradle.kts" => Format::GradleScript,
        "packages.lock.json" => Format::NugetLock,
        "packages.config" => Format::NugetConfig,
        "composer.lock" => Format::ComposerLock,
        "composer.json" => Format::ComposerManifest,
        "Gemfile.lock" => Format::GemLock,
        "Gemfile" => Format::Gemfile,
        "go.sum"
        | "Directory.Packages.props"
        | ".npmrc"
        | ".yarnrc"
        | ".yarnrc.yml"
        | "pip.conf"
        | "pip.ini"
        | "uv.toml"
        | "nuget.config"
        | "NuGet.Config"
        | "NuGet.config"
        | "os-release" => Format::Aid,
        _ if UNREADABLE.contains(&name) => Format::Unreadable,
        _ => return by_pattern(path, name),
    })
}

/// Inside of installed trees only the packages' own descriptions count.
#[expect(clippy::option_option, reason = "the outer one says whether the file is in an installed tree")]
fn installed(path: &str, name: &str) -> Option<Option<Format>> {
    if let Some((_, inner)) = path.rsplit_once("node_modules/") {
        let depth = inner.matches('/').count();
        let is_top = depth == usize::from(inner.starts_with('@')) + 1;
        return Some((is_top && name == "package.json").then_some(Format::InstalledNpm));
    }
    if path.contains("site-packages/") || path.contains("dist-packages/") {
        let is_metadata = path.ends_with(".dist-info/METADATA")
            || path.ends_with(".egg-info/PKG-INFO")
            || name.ends_with(".egg-info");
        return Some(is_metadata.then_some(Format::InstalledPython));
    }
    if path.ends_with("vendor/modules.txt") {
        return Some(Some(Format::VendoredGo));
    }
    if path.ends_with("vendor/composer/installed.json") {
        return Some(Some(Format::InstalledComposer));
    }
    if name.ends_with(".gemspec") && path.contains("specifications/") {
        return Some(Some(Format::InstalledGem));
    }
    None
}

fn by_pattern(path: &str, name: &str) -> Option<Format> {
    let is_project = [".csproj", ".fsproj", ".vbproj"].iter().any(|it| name.ends_with(it));
    let is_requirements = name.ends_with(".txt")
        && (name.starts_with("requirements")
            || name.ends_with("requirements.txt")
            || path.contains("requirements/"));
    match () {
        () if is_project => Some(Format::NugetProject),
        () if is_requirements => Some(Format::Requirements),
        () if name.ends_with(".versions.toml") => Some(Format::GradleCatalogue),
        () if name.ends_with(".lockfile") && path.contains("dependency-locks/") => Some(Format::GradleLock),
        () if path.ends_with("var/lib/dpkg/status")
            || path.contains("var/lib/dpkg/status.d/") && !name.ends_with(".md5sums") =>
        {
            Some(Format::Dpkg)
        }
        () if path.ends_with("lib/apk/db/installed") => Some(Format::Apk),
        () if WRAPPERS.contains(&name) => None,
        () if ARCHIVES.iter().any(|it| name.ends_with(it)) => Some(Format::Unreadable),
        () => None,
    }
}

/// Whether a file is worth reading at all.
pub(crate) fn is_wanted(path: &str) -> bool {
    of_path(path).is_some()
}

impl Format {
    /// Lock files that decide what this manifest only asks for, in its folder or, for workspaces, above it.
    pub(crate) fn superseded_by(self) -> (&'static [&'static str], bool) {
        match self {
            Self::NpmManifest => {
                (&["package-lock.json", "npm-shrinkwrap.json", "pnpm-lock.yaml", "yarn.lock"], true)
            }
            Self::PyProject => (&["poetry.lock", "uv.lock", "pdm.lock"], true),
            Self::Pipfile => (&["Pipfile.lock"], false),
            Self::CargoManifest => (&["Cargo.lock", ".cargo-checksum.json"], true),
            Self::GradleCatalogue | Self::GradleScript => (&["gradle.lockfile"], true),
            Self::NugetProject => (&["packages.lock.json"], false),
            Self::ComposerManifest => (&["composer.lock"], false),
            Self::Gemfile => (&["Gemfile.lock"], false),
            _ => (&[], false),
        }
    }

    /// Lock files whose components a scan of an installed tree is compared with.
    pub(crate) fn locks(self) -> Option<Ecosystem> {
        match self {
            Self::NpmLock | Self::PnpmLock | Self::YarnLock => Some(Ecosystem::Npm),
            Self::PythonLock | Self::PipfileLock => Some(Ecosystem::Pypi),
            Self::CargoLock => Some(Ecosystem::Cargo),
            Self::ComposerLock => Some(Ecosystem::Composer),
            Self::GemLock => Some(Ecosystem::Gem),
            _ => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn files_are_known_by_name_and_place() {
        for (path, expected) in [
            ("a/package-lock.json", Some(Format::NpmLock)),
            ("node_modules/.package-lock.json", None),
            ("node_modules/a/package.json", Some(Format::InstalledNpm)),
            ("node_modules/@s/a/package.json", Some(Format::InstalledNpm)),
            ("node_modules/@s/package.json", None),
            ("node_modules/a/lib/package.json", None),
            ("node_modules/a/package-lock.json", None),
            ("node_modules/a/node_modules/b/package.json", Some(Format::InstalledNpm)),
            ("venv/lib/python3/site-packages/a-1.dist-info/METADATA", Some(Format::InstalledPython)),
            ("venv/lib/python3/site-packages/a/requirements.txt", None),
            ("dev-requirements.txt", Some(Format::Requirements)),
            ("requirements/base.txt", Some(Format::Requirements)),
            ("README.txt", None),
            ("gradle/libs.versions.toml", Some(Format::GradleCatalogue)),
            ("gradle/wrapper/gradle-wrapper.jar", None),
            ("lib/x.jar", Some(Format::Unreadable)),
            ("bun.lockb", Some(Format::Unreadable)),
            ("var/lib/dpkg/status", Some(Format::Dpkg)),
            ("src/main.rs", None),
        ] {
            assert_eq!(of_path(path), expected, "{path}");
        }
    }
}
