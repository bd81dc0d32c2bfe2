//! What can be said about a path before the file system is asked.

use std::path::{Component, Path};

use super::{Access, critical, wording};
use crate::{Refusal, name::is_invisible};

/// Longest path that is looked at, in bytes.
pub const PATH_BYTES_MAX: usize = 4096;

/// Refuses text that no honest path has.
pub(super) fn check_text(field: &str, path: &str, access: Access) -> Result<(), Refusal> {
    if path.is_empty() {
        return Err(wording::name(field, "the path is empty"));
    }
    if path.len() > PATH_BYTES_MAX {
        return Err(wording::name(field, "the path is longer than 4096 bytes"));
    }
    if access == Access::Write
        && let Some(what) = critical::reason(Path::new(path))
    {
        return Err(wording::critical(field, what));
    }
    if path.chars().any(char::is_control) {
        return Err(wording::name(field, "the path has a control character"));
    }
    if path == "~" || path.starts_with("~/") {
        return Err(wording::name(field, "`~` is not expanded"));
    }
    // New names that a person or another system would read differently are not made.
    if access == Access::Write && path.chars().any(|it| it == '\\' || is_invisible(it)) {
        return Err(wording::name(field, "the path has a backslash or an invisible character"));
    }
    Ok(())
}

/// Splits a relative path into its folder and its last name, which must be a plain one.
pub(super) fn split_last(relative: &Path) -> Option<(&Path, &std::ffi::OsStr)> {
    match relative.components().next_back()? {
        Component::Normal(name) => Some((relative.parent().unwrap_or(Path::new("")), name)),
        _ => None,
    }
}
