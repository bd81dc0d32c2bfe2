//! The bytes of artifacts: one file each, named by its id, in a folder per owner.

use std::{
    fs::{self, File},
    io::{self, ErrorKind, Read, Seek, SeekFrom},
    path::Path,
    time::Duration,
};

use super::is_id;
use crate::{StoreError, private_file};

/// A file younger than this may belong to a `put` that is still under way.
const ORPHAN_AGE: Duration = Duration::from_secs(3600);

pub(super) fn write(folder: &Path, id: &str, bytes: &[u8]) -> Result<(), StoreError> {
    private_file::private_dir(folder)?;
    private_file::write_durably(&folder.join(id), bytes)?;
    private_file::sync_dir(folder)
}

/// At most `limit` bytes from `offset`; `None` when the file is gone.
pub(super) fn read(
    folder: &Path,
    id: &str,
    offset: u64,
    limit: usize,
) -> Result<Option<Vec<u8>>, StoreError> {
    let path = folder.join(id);
    let mut file = match File::open(&path) {
        Ok(file) => file,
        Err(error) if error.kind() == ErrorKind::NotFound => return Ok(None),
        Err(error) => return Err(StoreError::io(&path)(error)),
    };
    let mut bytes = Vec::new();
    let done =
        file.seek(SeekFrom::Start(offset)).and_then(|_| file.take(limit as u64).read_to_end(&mut bytes));
    done.map(|_| Some(bytes)).map_err(StoreError::io(&path))
}

pub(super) fn remove(folder: &Path, id: &str) -> io::Result<()> {
    match fs::remove_file(folder.join(id)) {
        Err(error) if error.kind() != ErrorKind::NotFound => Err(error),
        _ => Ok(()),
    }
}

/// Removes old files that no row stands for: a crash fell between the two.
pub(super) fn remove_orphans(
    root: &Path,
    is_known: impl Fn(&str) -> Result<bool, StoreError>,
) -> Result<(), StoreError> {
    for folder in fs::read_dir(root).map_err(StoreError::io(root))? {
        let folder = folder.map_err(StoreError::io(root))?;
        if !folder.file_type().map_err(StoreError::io(root))?.is_dir() {
            continue;
        }
        for file in fs::read_dir(folder.path()).map_err(StoreError::io(root))? {
            let file = file.map_err(StoreError::io(root))?;
            let name = file.file_name();
            let Some(id) = name.to_str().filter(|id| is_id(id)) else { continue };
            // Another process may have removed it meanwhile.
            let Ok(facts) = file.metadata() else { continue };
            let age = facts.modified().ok().and_then(|it| it.elapsed().ok()).unwrap_or_default();
            if age > ORPHAN_AGE && !is_known(id)? {
                remove(&folder.path(), id).map_err(StoreError::io(root))?;
            }
        }
    }
    Ok(())
}
