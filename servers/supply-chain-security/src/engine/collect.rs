//! From files to one graph.

use std::collections::{BTreeMap, BTreeSet};

use super::{
    cache::Inputs,
    component::Ecosystem,
    coverage::{Coverage, SkipReason},
    digest,
    formats::{
        self, Format, cargo, composer, gems, go, gradle, maven, npm_lock, npm_manifest, nuget, pnpm_lock,
        python_lock, requirements, system_packages, yarn_lock,
    },
    graph::{Graph, Part},
    installed::Installed,
    tree::{Bounds, Tree, beside, file_name, folder_of},
};

/// Manifests of one workspace that are read beside its lock file.
const MANIFESTS_MAX: usize = 2_000;

/// Everything one scan found.
#[derive(Debug, Default)]
pub(crate) struct Inventory {
    pub(crate) graph: Graph,
    pub(crate) coverage: Coverage,
    /// Installed, but not what the lock file says.
    pub(crate) disagreements: Vec<String>,
    /// Settings of package managers that decide which registry is asked, by path.
    pub(crate) settings: BTreeMap<String, String>,
    /// What a document said that is not kept; empty for scans.
    pub(crate) losses: Vec<String>,
    /// The name a document gives to what it describes.
    pub(crate) described: Option<String>,
    /// SHA-256 over the paths and contents of everything that was read.
    pub(crate) digest: String,
}

/// One scan of one tree.
pub(crate) struct Collect<'a> {
    tree: &'a Tree,
    bounds: Bounds,
    is_stopped: &'a dyn Fn() -> bool,
    coverage: Coverage,
    found: BTreeSet<String>,
    /// Content digests of what was read, by path; `None` for what is not there.
    read: BTreeMap<String, Option<String>>,
}

impl<'a> Collect<'a> {
    pub(crate) fn new(tree: &'a Tree, bounds: Bounds, is_stopped: &'a dyn Fn() -> bool) -> Self {
        Self {
            tree,
            bounds,
            is_stopped,
            coverage: Coverage::default(),
            found: BTreeSet::new(),
            read: BTreeMap::new(),
        }
    }

    /// Starts from a ledger that has entries already.
    pub(crate) fn after(mut self, coverage: Coverage) -> Self {
        self.coverage = coverage;
        self
    }

    /// Reads every file that says something about components; `only` limits it to one file and its aids.
    pub(crate) fn run(mut self, only: Option<&str>, report: &dyn Fn(u64, u64)) -> (Inventory, Inputs) {
        let wanted = |path: &str| formats::is_wanted(path);
        self.found = match only {
            Some(path) => {
                self.coverage.files += 1;
                BTreeSet::from([path.to_owned()])
            }
            None => self.tree.list(&self.bounds, &mut self.coverage, self.is_stopped, &wanted),
        };
        let files: Vec<String> = self.found.iter().cloned().collect();
        let (mut graph, mut installed) = (Graph::default(), Installed::default());
        let distribution = self.distribution();
        for (index, path) in files.iter().enumerate() {
            if (self.is_stopped)() || graph.components.len() > self.bounds.components_max {
                self.coverage.truncated = true;
                break;
            }
            if index % 64 == 0 {
                report(index as u64, files.len() as u64);
            }
            self.file(path, distribution.as_deref(), &mut graph, &mut installed);
        }
        let locked: BTreeMap<&str, Ecosystem> =
            files.iter().filter_map(|it| Some((folder_of(it), formats::of_path(it)?.locks()?))).collect();
        let disagreements = installed.join(&mut graph, &locked);
        let settings = self.settings(&files);
        if graph.components.iter().any(|it| it.name.contains('\u{fffd}')) {
            let named = graph.components.iter().find(|it| it.name.contains('\u{fffd}'));
            let path = named.and_then(|it| it.evidence.first()).cloned().unwrap_or_default();
            self.coverage
                .problem(&path, "a package name holds control characters; they are shown as \u{fffd}");
        }
        let graph = graph.sorted(|_| true);
        let digest = self.digest();
        let inputs = Inputs { found: self.found, read: self.read };
        (
            Inventory {
                graph,
                disagreements,
                settings,
                digest,
                coverage: self.coverage,
                ..Inventory::default()
            },
            inputs,
        )
    }

    fn digest(&self) -> String {
        let lines = self.read.iter().map(|(path, it)| format!("{path}\0{}\n", it.as_deref().unwrap_or("-")));
        digest::sha256(lines.collect::<String>().as_bytes())
    }

    fn file(&mut self, path: &str, distribution: Option<&str>, graph: &mut Graph, installed: &mut Installed) {
        let Some(format) = formats::of_path(path) else {
            return self
                .coverage
                .problem(path, "its name is of no format that is known; pass its folder, or rename it");
        };
        match format {
            Format::Aid => return,
            Format::Unreadable | Format::GradleScript if self.is_superseded(path, format) => return,
            Format::Unreadable | Format::GradleScript => {
                return self.coverage.skip(path, SkipReason::Unsupported);
            }
            _ if self.is_superseded(path, format) => return,
            _ => {}
        }
        let Some(source) = self.text(path) else { return };
        let result = match format {
            Format::InstalledNpm
            | Format::InstalledPython
            | Format::VendoredCrate
            | Format::VendoredGo
            | Format::InstalledComposer
            | Format::InstalledGem => self.installed(format, path, &source, installed),
            Format::Dpkg => {
                graph.add(system_packages::read_dpkg(path, &source, distribution));
                Ok(())
            }
            Format::Apk => {
                graph.add(system_packages::read_apk(path, &source, distribution));
                Ok(())
            }
            _ => self.part(format, path, &source).map(|part| graph.add(part)),
        };
        if let Err(what) = result {
            self.coverage.problem(path, super::component::clean(&what));
        }
    }

    fn part(&mut self, format: Format, path: &str, source: &str) -> Result<Part, String> {
        match format {
            Format::NpmLock => npm_lock::read(path, source),
            Format::PnpmLock => pnpm_lock::read(path, source),
            Format::YarnLock => yarn_lock::read(path, source, &self.manifests(path, "package.json")),
            Format::NpmManifest => npm_manifest::read(path, source),
            Format::Requirements => requirements::read(path, source, &mut |it| self.named(it)),
            Format::PythonLock => {
                python_lock::read(path, source, self.aid(path, "pyproject.toml").as_deref())
            }
            Format::PipfileLock => python_lock::read_pipfile(path, source),
            Format::Pipfile => python_lock::read_pipfile_manifest(path, source),
            Format::PyProject => python_lock::read_manifest(path, source),
            Format::GoMod => go::read(path, source, self.aid(path, "go.sum").as_deref()),
            Format::CargoLock => cargo::read(path, source, &self.manifests(path, "Cargo.toml")),
            Format::CargoManifest => cargo::read_manifest(path, source),
            Format::Pom => maven::read(path, source, &mut |it| self.quiet(it)),
            Format::GradleLock => gradle::read(path, source),
            Format::GradleCatalogue => gradle::read_catalogue(path, source),
            Format::NugetLock => nuget::read(path, source),
            Format::NugetProject => {
                nuget::read_project(path, source, self.above(path, "Directory.Packages.props").as_deref())
            }
            Format::NugetConfig => nuget::read_config(path, source),
            Format::ComposerLock => composer::read(path, source, self.aid(path, "composer.json").as_deref()),
            Format::ComposerManifest => composer::read_manifest(path, source),
            Format::GemLock => gems::read(path, source, self.aid(path, "Gemfile").as_deref()),
            Format::Gemfile => gems::read_manifest(path, source),
            _ => Err("it is not read here".into()),
        }
    }

    fn installed(
        &mut self,
        format: Format,
        path: &str,
        source: &str,
        installed: &mut Installed,
    ) -> Result<(), String> {
        match format {
            Format::InstalledNpm => installed.npm(path, source),
            Format::InstalledPython => {
                installed.python(path, source);
                Ok(())
            }
            Format::VendoredCrate => match self.aid(path, "Cargo.toml") {
                Some(manifest) => installed.crates(&beside(path, "Cargo.toml"), &manifest, source),
                None => Ok(()),
            },
            Format::VendoredGo => {
                go::read_vendor(source).into_iter().for_each(|it| installed.add(it, path));
                Ok(())
            }
            Format::InstalledComposer => {
                composer::installed(path, source)?.into_iter().for_each(|it| installed.add(it, path));
                Ok(())
            }
            _ => {
                gems::installed(path, source).into_iter().for_each(|it| installed.add(it, path));
                Ok(())
            }
        }
    }

    /// Whether a lock file that was found decides what this manifest asks for.
    fn is_superseded(&self, path: &str, format: Format) -> bool {
        let (locks, above) = format.superseded_by();
        let mut folder = folder_of(path);
        loop {
            let has = |it: &&str| {
                self.found.contains(&if folder.is_empty() {
                    (**it).to_owned()
                } else {
                    format!("{folder}/{it}")
                })
            };
            if locks.iter().any(has) {
                return true;
            }
            if folder.is_empty() || !above {
                return false;
            }
            folder = folder_of(folder);
        }
    }

    /// The text of a file that must be readable; the ledger learns what happened.
    fn text(&mut self, path: &str) -> Option<String> {
        self.named(path).ok()
    }

    fn named(&mut self, path: &str) -> Result<String, SkipReason> {
        self.quiet(path).inspect_err(|reason| self.coverage.skip(path, *reason))
    }

    /// The text of a file that may be missing.
    fn quiet(&mut self, path: &str) -> Result<String, SkipReason> {
        let bytes = match self.tree.read(path, self.bounds.file_bytes_max) {
            Ok(bytes) => bytes,
            Err(reason) => {
                self.read.insert(path.to_owned(), None);
                return Err(reason);
            }
        };
        let is_new = self.read.insert(path.to_owned(), Some(digest::sha256(&bytes))).is_none();
        if is_new {
            self.coverage.parsed(bytes.len() as u64);
        }
        Ok(decoded(bytes).unwrap_or_else(|text| {
            if is_new {
                self.coverage.problem(path, "it is no UTF-8 text; what is not was replaced");
            }
            text
        }))
    }

    fn aid(&mut self, path: &str, name: &str) -> Option<String> {
        self.quiet(&beside(path, name)).ok()
    }

    /// A file in the folder of `path` or the nearest one above it.
    fn above(&mut self, path: &str, name: &str) -> Option<String> {
        let mut folder = folder_of(path);
        loop {
            let place = if folder.is_empty() { name.to_owned() } else { format!("{folder}/{name}") };
            if self.found.contains(&place) {
                return self.quiet(&place).ok();
            }
            if folder.is_empty() {
                return None;
            }
            folder = folder_of(folder);
        }
    }

    /// The manifests of a workspace, its root first.
    fn manifests(&mut self, lock: &str, name: &str) -> Vec<String> {
        let folder = folder_of(lock);
        let is_inside = |it: &str| folder.is_empty() || it.starts_with(&format!("{folder}/"));
        let root = beside(lock, name);
        let inside = self.found.iter().filter(|it| {
            file_name(it) == name && is_inside(it) && **it != root && !it.contains("node_modules/")
        });
        let inside: Vec<String> =
            std::iter::once(root.clone()).chain(inside.take(MANIFESTS_MAX).cloned()).collect();
        inside.iter().filter_map(|it| self.quiet(it).ok()).collect()
    }

    fn distribution(&mut self) -> Option<String> {
        let places: Vec<String> =
            self.found.iter().filter(|it| file_name(it) == "os-release").cloned().collect();
        places.iter().find_map(|it| system_packages::distribution(&self.quiet(it).ok()?))
    }

    fn settings(&mut self, files: &[String]) -> BTreeMap<String, String> {
        let is_setting = |it: &&String| {
            formats::of_path(it) == Some(Format::Aid)
                && !matches!(file_name(it), "go.sum" | "Directory.Packages.props" | "os-release")
        };
        let extra = [
            Format::Requirements,
            Format::PyProject,
            Format::Pipfile,
            Format::Pom,
            Format::Gemfile,
            Format::ComposerManifest,
        ];
        let also = |it: &&String| formats::of_path(it).is_some_and(|it| extra.contains(&it));
        let wanted: Vec<&String> = files.iter().filter(|it| is_setting(it) || also(it)).collect();
        wanted.into_iter().filter_map(|it| Some((it.clone(), self.quiet(it).ok()?))).collect()
    }
}

/// The text of a file; `Err` holds what could be saved of one that is no text.
fn decoded(bytes: Vec<u8>) -> Result<String, String> {
    let wide = match bytes.as_slice() {
        [0xff, 0xfe, rest @ ..] => Some((rest, u16::from_le_bytes as fn([u8; 2]) -> u16)),
        [0xfe, 0xff, rest @ ..] => Some((rest, u16::from_be_bytes as fn([u8; 2]) -> u16)),
        _ => None,
    };
    if let Some((rest, unit)) = wide {
        let units: Vec<u16> = rest.chunks_exact(2).map(|it| unit([it[0], it[1]])).collect();
        return Ok(String::from_utf16_lossy(&units));
    }
    String::from_utf8(bytes).map_err(|error| String::from_utf8_lossy(error.as_bytes()).into_owned())
}
