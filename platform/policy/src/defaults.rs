//! The policies that ship.

use std::{
    fs::{self, OpenOptions},
    io::{self, ErrorKind, Write},
    path::Path,
};

/// The roles the shipped policies give rights to.
pub const BUILT_IN_ROLES: [&str; 4] = ["admin", "operator", "security", "viewer"];

/// Every shipped file.
const FILES: [(&str, &str); 6] = [
    ("admin.cedar", include_str!("../policies/admin.cedar")),
    ("custom.cedar", include_str!("../policies/custom.cedar")),
    ("operator.cedar", include_str!("../policies/operator.cedar")),
    ("roles.test.toml", include_str!("../policies/roles.test.toml")),
    ("security.cedar", include_str!("../policies/security.cedar")),
    ("viewer.cedar", include_str!("../policies/viewer.cedar")),
];

/// Writes the shipped files into `dir`, which is made if it is absent, and returns the names it wrote.
///
/// A file that exists is never touched. Call this when a data directory is set up and not at every start:
/// a role file that the operator deleted must stay deleted.
pub fn write_defaults(dir: &Path) -> io::Result<Vec<&'static str>> {
    fs::create_dir_all(dir)?;
    let mut written = Vec::new();
    for (name, text) in FILES {
        match OpenOptions::new().write(true).create_new(true).open(dir.join(name)) {
            Ok(mut file) => {
                file.write_all(text.as_bytes())?;
                file.sync_all()?;
                written.push(name);
            }
            Err(error) if error.kind() == ErrorKind::AlreadyExists => {}
            Err(error) => return Err(error),
        }
    }
    Ok(written)
}
