//! From a path argument to an open target beneath a root.

use guard::path::{Kind, Roots};
use kernel::ToolError;

use crate::engine::scan::Target;

/// Opens what `path` names, and the name under which its scan is kept.
pub(crate) fn open(roots: &Roots, field: &str, path: &str) -> Result<(String, Target), ToolError> {
    let found = roots.resolve_readable(field, path)?;
    let absolute = found.absolute().to_owned();
    let key = absolute.to_string_lossy().into_owned();
    if found.facts().kind == Kind::Folder {
        return Ok((key, Target::Folder(found.open_folder()?)));
    }
    let parent = absolute.parent().unwrap_or(&absolute).to_string_lossy().into_owned();
    let folder = roots.resolve_readable(field, &parent)?.open_folder()?;
    let name = absolute.file_name().map_or_else(String::new, |it| it.to_string_lossy().into_owned());
    Ok((key, Target::File { folder, name, file: found.open_file()? }))
}
