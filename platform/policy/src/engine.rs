//! The policies in force, and how they change.

use std::{
    path::{Path, PathBuf},
    sync::Arc,
};

use parking_lot::{Mutex, RwLock};
use pipeline::seams::{Decision, Policy, PolicyQuestion};

use crate::{
    Explanation, Finding, Manifest, PolicyErrors, ReloadReport, Severity,
    compiled::Compiled,
    explain,
    folder::{self, SourceFile},
    load::load,
};

/// Decides from the policies of one folder. They change only as a whole, through [`PolicyEngine::reload`].
pub struct PolicyEngine {
    dir: PathBuf,
    manifest: Mutex<Arc<Manifest>>,
    current: RwLock<Arc<Compiled>>,
}

impl PolicyEngine {
    /// Loads `dir/*.cedar`. Without a valid set there is no engine: the caller must refuse to start.
    pub fn open(
        dir: impl Into<PathBuf>,
        manifest: Manifest,
    ) -> Result<(Arc<Self>, ReloadReport), PolicyErrors> {
        let dir = dir.into();
        let sources = folder::read(&dir, ".cedar")?;
        let (compiled, report) = compile(&sources, &manifest, 1)?;
        let engine =
            Self { dir, manifest: Mutex::new(Arc::new(manifest)), current: RwLock::new(Arc::new(compiled)) };
        Ok((Arc::new(engine), report))
    }

    /// Reads the folder again. On any error the old set stays in force, untouched.
    pub fn reload(&self) -> Result<ReloadReport, PolicyErrors> {
        self.reload_from(&folder::read(&self.dir, ".cedar")?)
    }

    /// The same after servers were mounted or roles were defined.
    pub fn reload_with(&self, manifest: Manifest) -> Result<ReloadReport, PolicyErrors> {
        let sources = folder::read(&self.dir, ".cedar")?;
        self.replace(&sources, &mut self.manifest.lock(), Some(Arc::new(manifest)))
    }

    pub(crate) fn reload_from(&self, sources: &[SourceFile]) -> Result<ReloadReport, PolicyErrors> {
        self.replace(sources, &mut self.manifest.lock(), None)
    }

    /// The lock of the manifest is held from compiling to swapping, so that two reloads cannot finish in the
    /// wrong order.
    fn replace(
        &self,
        sources: &[SourceFile],
        manifest: &mut Arc<Manifest>,
        next: Option<Arc<Manifest>>,
    ) -> Result<ReloadReport, PolicyErrors> {
        let next = next.unwrap_or_else(|| Arc::clone(manifest));
        let (compiled, report) = compile(sources, &next, self.generation() + 1)?;
        *self.current.write() = Arc::new(compiled);
        *manifest = next;
        Ok(report)
    }

    /// Why a question is answered the way it is. Costs tens of microseconds and is never remembered.
    pub fn explain(&self, question: &PolicyQuestion<'_>) -> Explanation {
        explain::explain(&self.compiled(), question)
    }

    /// The folder.
    pub fn dir(&self) -> &Path {
        &self.dir
    }

    /// What the names in policies are checked against.
    pub fn manifest(&self) -> Arc<Manifest> {
        Arc::clone(&self.manifest.lock())
    }

    pub(crate) fn is_loaded(&self, sources: &[SourceFile]) -> bool {
        self.compiled().digest == folder::digest(sources)
    }

    fn compiled(&self) -> Arc<Compiled> {
        Arc::clone(&self.current.read())
    }
}

impl Policy for PolicyEngine {
    fn decide(&self, question: &PolicyQuestion<'_>) -> Decision {
        Decision::clone(&self.compiled().decide(question))
    }

    fn generation(&self) -> u64 {
        self.current.read().generation
    }
}

/// Checks a folder without putting anything in force.
pub fn check(dir: &Path, manifest: &Manifest) -> Result<ReloadReport, PolicyErrors> {
    compile(&folder::read(dir, ".cedar")?, manifest, 0).map(|(_, report)| report)
}

pub(crate) fn compile(
    sources: &[SourceFile],
    manifest: &Manifest,
    generation: u64,
) -> Result<(Compiled, ReloadReport), PolicyErrors> {
    let mut loaded = load(sources, manifest)?;
    let mut warnings = std::mem::take(&mut loaded.warnings);
    if loaded.rules.is_empty() {
        let empty = Finding::file("policies", "there is no policy, so everything is denied");
        warnings.push(Finding { severity: Severity::Warning, ..empty });
    }
    let report = ReloadReport { generation, files: sources.len(), policies: loaded.rules.len(), warnings };
    Ok((Compiled::new(loaded, manifest, generation, folder::digest(sources)), report))
}
