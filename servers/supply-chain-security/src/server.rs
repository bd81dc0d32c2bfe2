//! What this server offers, and how it starts.

use std::{
    path::PathBuf,
    sync::Arc,
    time::{Duration, Instant},
};

use guard::path::{Folder, Roots};
use kernel::{CallContext, Server, ServerFacts, StartContext, StartError, ToolError, Toolbox};

use crate::{
    SupplyChainSecurityConfig,
    engine::{
        advisory_data::{AdvisoryData, Loaded},
        cache::{Cache, Listed},
        package_cache::PackageCache,
        scan::{Job, Scanned},
        tree::Bounds,
    },
    error::SupplyError,
    target, tools,
};

pub(crate) const NAME: &str = "supply-chain-security";
pub(crate) const VERSION: &str = "1.0.0";
/// A large tree takes minutes; a scan is cancelled with its call.
pub(crate) const DEADLINE: Duration = Duration::from_secs(30 * 60);

/// Roots, bounds and kept scans.
pub struct SupplyChainSecurity {
    pub(crate) roots: Roots,
    pub(crate) config: SupplyChainSecurityConfig,
    cache: Arc<Cache>,
    packages: Arc<[PackageCache]>,
    advisories: Arc<AdvisoryData>,
}

/// What the catalogue mounts.
pub fn entry() -> kernel::ServerEntry {
    kernel::ServerEntry::of::<SupplyChainSecurity>()
}

impl Server for SupplyChainSecurity {
    const FACTS: ServerFacts = ServerFacts {
        name: NAME,
        version: VERSION,
        category: "Security",
        aliases: &[],
        description: "Knows what software is made of: SBOMs with the whole dependency graph, licences, known \
                      vulnerabilities, doubtful packages. Works offline and says what it could not see.",
        concurrency: 3,
        open_world: false,
    };
    type Config = SupplyChainSecurityConfig;

    fn tools() -> Toolbox<Self> {
        Toolbox::new()
            .with::<tools::GenerateSbom>()
            .with::<tools::WriteSbom>()
            .with::<tools::DependencyTree>()
            .with::<tools::WhyDependency>()
            .with::<tools::CheckVulnerabilities>()
            .with::<tools::ProposeUpgrades>()
            .with::<tools::CheckLicenses>()
            .with::<tools::ScanPackageBehavior>()
            .with::<tools::DetectDependencyConfusion>()
            .with::<tools::DetectTyposquat>()
            .with::<tools::DiffSbom>()
            .with::<tools::ValidateSbom>()
            .with::<tools::ConvertSbom>()
            .with::<tools::MergeSbom>()
            .with::<tools::CreateVex>()
            .with::<tools::VerifyProvenance>()
            .with::<tools::SbomCacheList>()
            .with::<tools::SbomCacheClear>()
    }

    async fn connect(config: Self::Config, start: StartContext) -> Result<Self, StartError> {
        let failed = |reason: String| StartError::new(NAME, reason);
        let open = Roots::open(&start.roots, &start.protected).map_err(|error| failed(error.to_string()))?;
        let roots = open.narrowed(&config.roots).map_err(|error| failed(error.to_string()))?;
        let packages = folders("package_caches", &config.package_caches, &start).map_err(failed)?;
        let packages = packages.into_iter().map(PackageCache::new).collect();
        let advisories = folders("advisories", &config.advisories, &start).map_err(failed)?;
        let lifetime = Duration::from_secs(config.cache_ttl_seconds);
        let cache = Arc::new(Cache::new(config.cache_entries_max, lifetime));
        let advisories = Arc::new(AdvisoryData::new(advisories, lifetime));
        Ok(Self { roots, cache, packages, advisories, config })
    }
}

/// The operator named the folders, so they need no root; what is protected stays protected.
fn folders(key: &str, paths: &[PathBuf], start: &StartContext) -> Result<Vec<Folder>, String> {
    let open = |path: &PathBuf| {
        let failed =
            |error: &dyn std::fmt::Display| format!("{key}: {} cannot be opened: {error}", path.display());
        let own =
            Roots::open(std::slice::from_ref(path), &start.protected).map_err(|error| failed(&error))?;
        own.resolve_readable(key, ".").and_then(|it| it.open_folder()).map_err(|error| failed(&error))
    };
    paths.iter().map(open).collect()
}

impl SupplyChainSecurity {
    fn bounds(&self) -> Bounds {
        Bounds {
            file_bytes_max: self.config.file_bytes_max,
            files_max: self.config.files_max,
            components_max: self.config.components_max,
        }
    }

    /// Scans what `path` names on a blocking thread.
    pub(crate) async fn scan(&self, field: &str, path: &str, cx: &CallContext) -> Result<Scanned, ToolError> {
        let (key, target) = target::open(&self.roots, field, path)?;
        let (cache, packages, bounds) = (Arc::clone(&self.cache), Arc::clone(&self.packages), self.bounds());
        let (cancel, progress) = (cx.cancel.clone(), cx.progress.clone());
        let work = move || {
            let report = |done: u64, total: u64| {
                progress.report(done as f64, Some(total as f64), format!("{done} of {total} files read"));
            };
            let is_stopped = || cancel.is_cancelled();
            let job =
                Job { bounds, cache: &cache, packages: &packages, is_stopped: &is_stopped, report: &report };
            let scanned = job.run(&key, target);
            (scanned, cancel.is_cancelled())
        };
        match tokio::task::spawn_blocking(work).await.map_err(SupplyError::Worker)? {
            (_, true) => Err(SupplyError::Cancelled.into()),
            (scanned, false) => Ok(scanned.map_err(SupplyError::Target)?),
        }
    }

    /// The local vulnerability data, read on a blocking thread when it is not in memory.
    pub(crate) async fn advisories(&self, cx: &CallContext) -> Result<Arc<Loaded>, ToolError> {
        let (data, cancel) = (Arc::clone(&self.advisories), cx.cancel.clone());
        let work = move || (data.get(&|| cancel.is_cancelled()), cancel.is_cancelled());
        match tokio::task::spawn_blocking(work).await.map_err(SupplyError::Worker)? {
            (_, true) => Err(SupplyError::Cancelled.into()),
            (loaded, false) => Ok(loaded),
        }
    }

    pub(crate) fn kept(&self) -> Vec<Listed> {
        self.cache.list(Instant::now())
    }

    pub(crate) fn forget(&self) -> usize {
        self.cache.clear()
    }
}
