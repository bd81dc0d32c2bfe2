//! Making a data directory from nothing, or completing one; never overwriting.

use std::path::Path;

use store::DataDir;

use crate::{commands::write_private, config::template, failure::Failure};

/// What a set-up found or made.
pub(crate) struct SetUp {
    /// The directory.
    pub(crate) data: DataDir,
    /// True when `core.toml` was written now.
    pub(crate) wrote_config: bool,
}

/// Opens or makes the directory. Without a policy folder's content the shipped policies are written; a
/// file the operator changed or deleted later stays as it is.
pub(crate) fn set_up(root: &Path, roots: &[&Path], listen: Option<&str>) -> Result<SetUp, Failure> {
    let data =
        DataDir::open(root).map_err(|error| Failure::local("the data directory cannot be used", error))?;
    let cannot = |error: std::io::Error| Failure::local("the policies cannot be written", error);
    let is_fresh = std::fs::read_dir(data.policies()).map_err(cannot)?.next().is_none();
    if is_fresh {
        policy::write_defaults(&data.policies()).map_err(cannot)?;
    }
    let wrote_config = !data.config().exists();
    if wrote_config {
        write_private(&data.config(), &template(roots, listen), false)?;
    }
    Ok(SetUp { data, wrote_config })
}
