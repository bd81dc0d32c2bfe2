//! Pages written from the code: one manual page per server, and the list of errors.

mod errors;
mod server_page;

use std::{fs, path::PathBuf};

use anyhow::Context;
use serde::Deserialize;

use crate::workspace::Places;

/// What `catalog`'s example `print_manifest` prints.
#[derive(Deserialize)]
struct Manifest {
    servers: Vec<server_page::Server>,
    errors: Vec<errors::Kind>,
}

/// Writes the pages; with `check`, fails instead when one differs.
pub(crate) fn run(places: &Places, check: bool) -> anyhow::Result<()> {
    let printed = places
        .command("cargo")
        .args(["run", "--quiet", "--locked", "-p", "catalog", "--example", "print_manifest"])
        .output()?;
    let manifest: Manifest = serde_json::from_str(&printed).context("print_manifest prints JSON")?;
    let mut stale = Vec::new();
    for (path, text) in pages(&manifest) {
        let place = places.root.join(&path);
        if fs::read_to_string(&place).is_ok_and(|old| old == text) {
            continue;
        }
        if !check {
            fs::create_dir_all(place.parent().context("a page stands in a folder")?)?;
            fs::write(&place, text).with_context(|| format!("{} cannot be written", path.display()))?;
        }
        stale.push(path.display().to_string());
    }
    anyhow::ensure!(!check || stale.is_empty(), "run `cargo xtask docs`: out of date: {}", stale.join(", "));
    println!("{} pages {}", stale.len(), if check { "are out of date" } else { "were written" });
    Ok(())
}

fn pages(manifest: &Manifest) -> Vec<(PathBuf, String)> {
    let mut pages: Vec<(PathBuf, String)> = manifest
        .servers
        .iter()
        .map(|it| (PathBuf::from(format!("docs/servers/{}.md", it.name)), it.page()))
        .collect();
    pages.push(("docs/servers/README.md".into(), server_page::index(&manifest.servers)));
    pages.push(("docs/errors.md".into(), errors::page(&manifest.errors)));
    pages
}
