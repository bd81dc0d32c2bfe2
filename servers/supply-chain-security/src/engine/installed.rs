//! Packages that are there, next to those that lock files promise.

use std::collections::{BTreeMap, HashMap};

use super::{
    component::{Component, Ecosystem},
    fields::{json, pairs},
    formats::{cargo, npm_manifest, python_installed},
    graph::{Graph, Part},
    tree::folder_of,
};

/// Disagreements that are named.
const NAMED_MAX: usize = 100;

/// Installed packages, by where they are.
#[derive(Default)]
pub(crate) struct Installed {
    part: Part,
    paths: Vec<String>,
    /// Folder of an npm package to its position, with what it needs.
    npm: HashMap<String, (usize, Vec<String>)>,
    /// Folder of a Python environment and name to position.
    python: HashMap<(String, String), usize>,
    python_needs: Vec<(usize, String, Vec<String>)>,
}

impl Installed {
    pub(crate) fn add(&mut self, component: Component, path: &str) {
        self.put(component, path);
    }

    fn put(&mut self, mut component: Component, path: &str) -> usize {
        component.seen_in(path);
        self.paths.push(path.to_owned());
        self.part.add(component)
    }

    pub(crate) fn npm(&mut self, path: &str, source: &str) -> Result<(), String> {
        let Some(component) = npm_manifest::installed(path, source)? else { return Ok(()) };
        let manifest = json(source)?;
        let needs = ["dependencies", "optionalDependencies"].iter().flat_map(|it| pairs(&manifest, it));
        let needs = needs.map(|it| it.0.clone()).collect();
        let at = self.put(component, path);
        self.npm.insert(folder_of(path).to_owned(), (at, needs));
        Ok(())
    }

    pub(crate) fn python(&mut self, path: &str, source: &str) {
        let Some((component, needs)) = python_installed::read(path, source) else { return };
        let environment = folder_of(folder_of(path)).to_owned();
        let name = component.name.clone();
        let at = self.put(component, path);
        self.python.insert((environment.clone(), name), at);
        self.python_needs.push((at, environment, needs));
    }

    pub(crate) fn crates(&mut self, path: &str, source: &str, checksum: &str) -> Result<(), String> {
        let Some(mut component) = cargo::installed(path, source)? else { return Ok(()) };
        let package = json(checksum)?;
        component.digests.extend(package.get("package").and_then(|it| super::digest::of_bare(it.as_str()?)));
        self.put(component, path);
        Ok(())
    }

    /// Adds what is installed to what is promised, and says where they differ.
    pub(crate) fn join(mut self, graph: &mut Graph, locked: &BTreeMap<&str, Ecosystem>) -> Vec<String> {
        self.connect();
        let known: std::collections::HashSet<_> = graph.components.iter().map(Component::key).collect();
        let mut differ = Vec::new();
        for (component, path) in self.part.components.iter().zip(&self.paths) {
            let is_locked = locked.iter().any(|(folder, ecosystem)| {
                *ecosystem == component.ecosystem
                    && (folder.is_empty() || path.starts_with(&format!("{folder}/")))
            });
            if is_locked && !known.contains(&component.key()) && differ.len() < NAMED_MAX {
                differ.push(format!("{} is installed at {path} and not in the lock file", component.label()));
            }
        }
        self.part.has_edges = true;
        graph.add(self.part);
        differ
    }

    fn connect(&mut self) {
        let mut edges = Vec::new();
        for (folder, (from, needs)) in &self.npm {
            for name in needs {
                let mut base = folder.as_str();
                // As Node resolves: the nearest `node_modules` on the way up.
                loop {
                    let place = if base.is_empty() {
                        format!("node_modules/{name}")
                    } else {
                        format!("{base}/node_modules/{name}")
                    };
                    if let Some((to, _)) = self.npm.get(&place) {
                        edges.push((*from, *to));
                        break;
                    }
                    if base.is_empty() {
                        break;
                    }
                    base = folder_of(base);
                }
            }
        }
        for (from, environment, needs) in &self.python_needs {
            let found = needs.iter().filter_map(|it| self.python.get(&(environment.clone(), it.clone())));
            edges.extend(found.map(|to| (*from, *to)));
        }
        edges.sort_unstable();
        self.part.edges = edges;
    }
}
