//! The engine without a server: for benchmarks and evaluations.

use std::{io, path::Path, time::Duration};

use guard::path::Roots;

use crate::{
    BomFormat, SupplyChainSecurityConfig,
    engine::{
        bom::{Bom, Stamp},
        cache::Cache,
        scan::Job,
        tree::Bounds,
    },
    server::VERSION,
    target,
};

/// The SBOM of what is at `path`, as a JSON document.
///
/// Applies no roots: the caller answers for what is read.
///
/// # Errors
/// When `path` cannot be opened, or is nothing that can be scanned.
pub fn sbom_of_path(path: &Path, format: BomFormat) -> io::Result<serde_json::Value> {
    let path = path.canonicalize()?;
    let folder = if path.is_dir() { path.clone() } else { path.parent().unwrap_or(&path).to_owned() };
    let roots = Roots::open(&[folder], &[]).map_err(io::Error::other)?;
    let (key, target) = target::open(&roots, "path", &path.to_string_lossy()).map_err(io::Error::other)?;
    let config = SupplyChainSecurityConfig::default();
    let job = Job {
        bounds: Bounds {
            file_bytes_max: config.file_bytes_max,
            files_max: config.files_max,
            components_max: config.components_max,
        },
        cache: &Cache::new(0, Duration::ZERO),
        packages: &[],
        is_stopped: &|| false,
        report: &|_, _| {},
    };
    let scanned = job.run(&key, target)?;
    let bom = Bom::of(&scanned.inventory, &path.to_string_lossy(), |_| true);
    Ok(bom.document(format, &Stamp::now(VERSION)))
}
