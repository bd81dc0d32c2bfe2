//! A tree of source code that is the same wherever the lock file is.

use std::{
    fs,
    path::{Path, PathBuf},
};

use anyhow::Context;

use crate::workspace::Places;

const FILE_BYTES_MAX: u64 = 1 << 20;

/// A folder, and how much text it holds.
pub(super) struct Tree {
    pub(super) folder: PathBuf,
    pub(super) bytes: u64,
}

/// Copies text of the locked crates to the folder called `name` until there is `wanted` bytes of it.
pub(super) fn sources(places: &Places, name: &str, wanted: u64) -> anyhow::Result<Tree> {
    let folder = places.cache.join("bench").join(name);
    let lock = fs::read_to_string(places.root.join("Cargo.lock")).context("Cargo.lock is missing")?;
    let stamp = places.cache.join("bench").join(format!("{name}.stamp"));
    let kept = fs::read_to_string(&stamp).unwrap_or_default();
    if let Some((bytes, of)) = kept.split_once('\n')
        && of == format!("{wanted}\n{lock}")
    {
        return Ok(Tree { folder, bytes: bytes.parse().context("the stamp holds a number")? });
    }
    if folder.exists() {
        fs::remove_dir_all(&folder).context("the old tree cannot be removed")?;
    }
    let metadata = places.metadata(true)?;
    let mut left = wanted;
    for package in metadata["packages"].as_array().into_iter().flatten() {
        let text = |key: &str| package[key].as_str().unwrap_or_default();
        let from = Path::new(text("manifest_path")).parent().context("a manifest stands in a folder")?;
        if !text("source").is_empty() {
            copy(from, &folder.join(format!("{}-{}", text("name"), text("version"))), &mut left)?;
        }
    }
    let bytes = wanted - left;
    eprintln!("  {} holds {} MB", folder.display(), bytes / 1_000_000);
    fs::write(&stamp, format!("{bytes}\n{wanted}\n{lock}")).context("the stamp cannot be written")?;
    Ok(Tree { folder, bytes })
}

fn copy(from: &Path, to: &Path, left: &mut u64) -> anyhow::Result<()> {
    let mut waiting = vec![(from.to_owned(), to.to_owned())];
    while let Some((from, to)) = waiting.pop() {
        fs::create_dir_all(&to)?;
        let mut entries: Vec<_> = fs::read_dir(&from)?.collect::<Result<_, _>>()?;
        entries.sort_by_key(fs::DirEntry::file_name);
        for entry in entries {
            let (kind, place) = (entry.file_type()?, to.join(entry.file_name()));
            let size = entry.metadata()?.len();
            if kind.is_dir() {
                waiting.push((entry.path(), place));
            } else if kind.is_file() && size <= FILE_BYTES_MAX && size <= *left {
                fs::copy(entry.path(), place)?;
                *left -= size;
            }
        }
    }
    Ok(())
}
