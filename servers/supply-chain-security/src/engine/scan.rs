//! One target, scanned once, with what is already known of it.

use std::{
    fs::File,
    io::{self, BufReader},
    sync::Arc,
    time::{Duration, Instant},
};

use guard::path::Folder;

use super::{
    bom::Bom,
    cache::{Cache, Inputs},
    collect::{Collect, Inventory},
    component::{Component, Ecosystem, Kind},
    coverage::Coverage,
    digest, formats, image,
    package_cache::PackageCache,
    tree::{Bounds, Tree},
};

/// What is to be scanned.
pub(crate) enum Target {
    /// A folder and everything below it.
    Folder(Folder),
    /// One file, with the folder it is in.
    File { folder: Folder, name: String, file: File },
}

/// A scan and whether it had to be done.
#[derive(Clone, Debug)]
pub(crate) struct Scanned {
    pub(crate) inventory: Arc<Inventory>,
    /// How old it is, when it came from the cache.
    pub(crate) age: Option<Duration>,
}

/// Everything a scan needs besides its target.
pub(crate) struct Job<'a> {
    pub(crate) bounds: Bounds,
    pub(crate) cache: &'a Cache,
    pub(crate) packages: &'a [PackageCache],
    pub(crate) is_stopped: &'a dyn Fn() -> bool,
    pub(crate) report: &'a dyn Fn(u64, u64),
}

impl Job<'_> {
    /// Scans `target`; `key` names it in the cache.
    pub(crate) fn run(&self, key: &str, target: Target) -> io::Result<Scanned> {
        match target {
            Target::Folder(folder) => Ok(self.tree(key, &Tree::Folder(folder), None)),
            Target::File { folder, name, .. } if formats::is_wanted(&name) => {
                Ok(self.tree(key, &Tree::Folder(folder), Some(&name)))
            }
            Target::File { folder, name, .. } if name.ends_with(".json") => {
                self.sbom(&Tree::Folder(folder), &name)
            }
            Target::File { name, file, .. } => self.image(key, &name, file),
        }
    }

    fn tree(&self, key: &str, tree: &Tree, only: Option<&str>) -> Scanned {
        let now = Instant::now();
        if let Some(known) = self.cache.inputs(key, now)
            && let Some(kept) = self.cache.get(key, &self.inputs_now(tree, only, &known), now)
        {
            return Scanned { inventory: kept.0, age: Some(kept.1) };
        }
        let collect = Collect::new(tree, self.bounds, self.is_stopped);
        let (mut inventory, inputs) = collect.run(only, self.report);
        self.add_licences(&mut inventory);
        self.keep(key, inventory, inputs, now)
    }

    /// A document that somebody made before.
    fn sbom(&self, tree: &Tree, name: &str) -> io::Result<Scanned> {
        let refused = |what: String| io::Error::new(io::ErrorKind::InvalidInput, what);
        let bytes =
            tree.read(name, self.bounds.file_bytes_max).map_err(|it| refused(format!("it is {it:?}")))?;
        let document =
            serde_json::from_slice(&bytes).map_err(|error| refused(format!("it is no JSON: {error}")))?;
        let bom = Bom::read(&document).map_err(refused)?;
        let mut coverage = Coverage { files: 1, ..Coverage::default() };
        coverage.parsed(bytes.len() as u64);
        if !bom.is_complete {
            coverage.problem(name, "the document says that it is incomplete");
        }
        let digest = digest::sha256(&bytes);
        let described = Some(bom.name).filter(|it| !it.is_empty());
        let inventory = Inventory {
            graph: bom.graph,
            coverage,
            digest,
            described,
            losses: bom.losses,
            ..Inventory::default()
        };
        Ok(Scanned { inventory: Arc::new(inventory), age: None })
    }

    fn keep(&self, key: &str, inventory: Inventory, inputs: Inputs, now: Instant) -> Scanned {
        let inventory = Arc::new(inventory);
        // A scan that was stopped is no answer for the next caller.
        if !(self.is_stopped)() {
            self.cache.put(key, inputs, Arc::clone(&inventory), now);
        }
        Scanned { inventory, age: None }
    }

    /// What a scan would read now, looked at without parsing.
    fn inputs_now(&self, tree: &Tree, only: Option<&str>, known: &Inputs) -> Inputs {
        let found = match only {
            Some(_) => known.found.clone(),
            None => tree.list(&self.bounds, &mut Coverage::default(), self.is_stopped, &formats::is_wanted),
        };
        let content = |path: &String| {
            let bytes = tree.read(path, self.bounds.file_bytes_max).ok();
            (path.clone(), bytes.map(|it| digest::sha256(&it)))
        };
        // Another listing is another scan: there is no need to read on.
        let read =
            if found == known.found { known.read.keys().map(content).collect() } else { known.read.clone() };
        Inputs { found, read }
    }

    fn image(&self, key: &str, name: &str, file: File) -> io::Result<Scanned> {
        let now = Instant::now();
        let whole = digest::sha256_of(BufReader::new(file.try_clone()?))?;
        let inputs = Inputs { read: [(name.to_owned(), Some(whole.clone()))].into(), ..Inputs::default() };
        if self.cache.inputs(key, now).is_some()
            && let Some(kept) = self.cache.get(key, &inputs, now)
        {
            return Ok(Scanned { inventory: kept.0, age: Some(kept.1) });
        }
        let mut coverage = Coverage::default();
        let Some(image) = image::open(file, &self.bounds, &mut coverage, self.is_stopped)? else {
            let what = "it is neither a file that names components nor a container image";
            return Err(io::Error::new(io::ErrorKind::InvalidInput, what));
        };
        let files = coverage.files;
        let collect = Collect::new(&image.tree, self.bounds, self.is_stopped).after(coverage);
        let (mut inventory, _) = collect.run(None, self.report);
        inventory.coverage.files = files;
        inventory.digest = whole;
        inventory.graph.hold(Component::new(Ecosystem::Generic, &image.name, ""), name);
        inventory.graph = std::mem::take(&mut inventory.graph).sorted(|_| true);
        self.add_licences(&mut inventory);
        Ok(self.keep(key, inventory, inputs, now))
    }

    fn add_licences(&self, inventory: &mut Inventory) {
        for component in &mut inventory.graph.components {
            if (self.is_stopped)() {
                return;
            }
            if component.kind == Kind::Package && component.licence.is_none() {
                component.licence = self.packages.iter().find_map(|it| it.licence(component));
            }
        }
    }
}
