//! One program while its rule looks at it.

use std::path::{Path, PathBuf};

use super::refuse::{FIELD, argument, environment, shown};
use crate::{
    Refusal,
    path::{Access, Roots},
};

/// Variables a caller may set for a command. None of them names a program, a library or a file.
pub const SAFE_VARIABLES: &[&str] = &[
    "CARGO_INCREMENTAL",
    "CARGO_TERM_COLOR",
    "CGO_ENABLED",
    "CI",
    "COLUMNS",
    "DEBUG",
    "FORCE_COLOR",
    "GIT_AUTHOR_DATE",
    "GIT_AUTHOR_EMAIL",
    "GIT_AUTHOR_NAME",
    "GIT_COMMITTER_DATE",
    "GIT_COMMITTER_EMAIL",
    "GIT_COMMITTER_NAME",
    "GOARCH",
    "GOOS",
    "LANG",
    "LANGUAGE",
    "LC_ALL",
    "LC_COLLATE",
    "LC_CTYPE",
    "LC_MESSAGES",
    "LC_NUMERIC",
    "LC_TIME",
    "LINES",
    "NODE_ENV",
    "NO_COLOR",
    "PYTHONDONTWRITEBYTECODE",
    "PYTHONHASHSEED",
    "PYTHONUNBUFFERED",
    "RUST_BACKTRACE",
    "RUST_LOG",
    "SOURCE_DATE_EPOCH",
    "TZ",
];

/// What a rule sees and fills in.
pub(super) struct Call<'a> {
    pub(super) name: &'a str,
    pub(super) cwd: &'a Path,
    pub(super) roots: &'a Roots,
    /// Arguments; a rule may add some that make the program safer.
    pub(super) args: Vec<String>,
    pub(super) stdin: Option<PathBuf>,
    /// Whether a program before it feeds it.
    pub(super) piped: bool,
    pub(super) env: Vec<(String, String)>,
    pub(super) reads: Vec<PathBuf>,
    pub(super) writes: Vec<PathBuf>,
    pub(super) network: bool,
}

impl Call<'_> {
    /// The path must be readable: beneath a root, or the empty device.
    pub(super) fn read(&mut self, path: &str) -> Result<(), Refusal> {
        if let Some(path) = self.check(path, Access::Read)? {
            self.reads.push(path);
        }
        Ok(())
    }

    /// The path must be changeable: beneath a root, not a root, not critical; or the empty device.
    pub(super) fn write(&mut self, path: &str) -> Result<(), Refusal> {
        if let Some(path) = self.check(path, Access::Write)? {
            self.writes.push(path);
        }
        Ok(())
    }

    /// As [`Call::write`], for programs that remove or replace what is there: never a root itself.
    pub(super) fn destroy(&mut self, path: &str) -> Result<(), Refusal> {
        self.write(path)?;
        match self.writes.last() {
            Some(last) if self.roots.iter().any(|root| root.path().starts_with(last)) => {
                Err(argument("a root itself cannot be removed or moved", "name files or folders inside it"))
            }
            _ => Ok(()),
        }
    }

    fn check(&self, path: &str, access: Access) -> Result<Option<PathBuf>, Refusal> {
        if path == "/dev/null" || path == "-" {
            return Ok(None);
        }
        self.roots.check(FIELD, Some(self.cwd), path, access).map(Some)
    }

    /// For arguments whose meaning is not known: one that could leave the roots must not.
    pub(super) fn loose(&mut self, arg: &str) -> Result<(), Refusal> {
        let value = match arg.split_once('=') {
            Some((_, value)) => value,
            // `-I/path`: a short option with its value attached.
            None if arg.starts_with('-') && !arg.starts_with("--") => arg.get(2..).unwrap_or_default(),
            None => arg,
        };
        for candidate in [arg, value] {
            let climbs = candidate.split('/').any(|part| part == "..");
            if candidate.starts_with('/') || (climbs && !candidate.starts_with('-')) {
                self.read(candidate)?;
            }
        }
        Ok(())
    }

    pub(super) fn refuse(&self, what: &str, why: &str, fix: &str) -> Refusal {
        let spelled = format!("{} {}", self.name, shown(what));
        argument(format!("`{}` is refused: {why}", spelled.trim_end()), fix)
    }
}

/// Whether a caller may set the variable, and to this value.
pub(super) fn check_variable(name: &str, value: &str) -> Result<(), Refusal> {
    // Some of these are pasted into terminals and log formats; a path has no place in any of them but TZ.
    let plain = value.len() <= 1024 && !value.chars().any(char::is_control);
    let no_path = name != "TZ" || !(value.starts_with([':', '/']) || value.contains(".."));
    if SAFE_VARIABLES.contains(&name) && plain && no_path { Ok(()) } else { Err(environment(name)) }
}
