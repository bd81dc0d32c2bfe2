//! From a path argument to an open target beneath a root.

use guard::path::{Kind, Roots};
use kernel::ToolError;

use crate::{
    engine::{scan::Target, source::Root},
    error::ScanError,
};

/// Opens what `path` names. The root itself is `.`.
pub(crate) fn open(roots: &Roots, field: &str, path: &str) -> Result<Target, ToolError> {
    let found = roots.resolve_readable(field, path)?;
    let absolute = found.absolute().to_owned();
    if found.facts().kind == Kind::Folder {
        let root = Root::open(&absolute, found.facts().identity).map_err(ScanError::Changed)?;
        return Ok(Target::Folder { root, path: absolute });
    }
    // Rules that look at paths need the folder too: `.docker/config.json`.
    let relative = absolute.strip_prefix(found.root().path()).unwrap_or(&absolute);
    Ok(Target::File { file: found.open_file()?, path: relative.to_string_lossy().into_owned() })
}
