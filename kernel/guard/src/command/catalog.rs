//! Which programs exist for callers, and where they are.

use std::{
    collections::BTreeSet,
    os::unix::fs::{MetadataExt, PermissionsExt},
    path::{Path, PathBuf},
};

use serde::Serialize;

use super::{
    refuse::{not_found, program},
    rules::{self, Program},
};
use crate::{Refusal, path::Roots};

/// Where programs are looked for, before the operator's own folders.
const SYSTEM_PATH: &[&str] = &["/usr/local/bin", "/usr/bin", "/bin", "/usr/sbin", "/sbin"];

/// Names that start another program from their arguments or hide one, with what to do instead.
const WRAPPERS: &[&str] = &[
    "bash", "busybox", "chroot", "command", "coproc", "dash", "doas", "eval", "exec", "fish", "ionice",
    "ksh", "nohup", "nsenter", "parallel", "script", "setsid", "sh", "source", "ssh", "stdbuf", "strace",
    "su", "sudo", "taskset", "time", "toybox", "unshare", "watch", "zsh",
];

/// The allow-list of one server.
#[derive(Clone, Debug)]
pub struct Catalog {
    path: Vec<PathBuf>,
    denied: BTreeSet<String>,
    extra: BTreeSet<String>,
}

/// One allowed program, for people.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct ProgramInfo {
    /// Its name.
    pub name: String,
    /// The rule that judges its arguments.
    pub rule: &'static str,
    /// Where it is; `None` when it is not installed.
    pub path: Option<PathBuf>,
}

impl Catalog {
    /// The built-in allow-list, looked up in the system's folders and then in `path`.
    pub fn new(path: impl IntoIterator<Item = PathBuf>) -> Self {
        let path = SYSTEM_PATH.iter().map(PathBuf::from).chain(path).collect();
        Self { path, denied: BTreeSet::new(), extra: BTreeSet::new() }
    }

    /// Takes programs off the list.
    #[must_use]
    pub fn without(mut self, names: impl IntoIterator<Item = String>) -> Self {
        self.denied.extend(names);
        self
    }

    /// Adds programs that have no rule of their own: their path-like arguments are checked, the sandbox
    /// does the rest. Wrappers cannot be added.
    #[must_use]
    pub fn with(mut self, names: impl IntoIterator<Item = String>) -> Self {
        self.extra.extend(names.into_iter().filter(|name| !is_wrapper(name)));
        self
    }

    /// The folders programs are looked for in, joined for a `PATH`.
    pub fn search_path(&self) -> String {
        self.path.iter().map(|folder| folder.to_string_lossy()).collect::<Vec<_>>().join(":")
    }

    /// The folders that the operator added.
    pub fn extra_folders(&self) -> impl Iterator<Item = &Path> {
        self.path.iter().skip(SYSTEM_PATH.len()).map(PathBuf::as_path)
    }

    /// Every allowed program, by name.
    pub fn list(&self, roots: &Roots) -> Vec<ProgramInfo> {
        let mut list: Vec<_> = rules::programs()
            .map(|program| (program.name, program.rule))
            .chain(self.extra.iter().map(|name| (name.as_str(), rules::LOOSE.rule)))
            .filter(|(name, _)| !self.denied.contains(*name))
            .map(|(name, rule)| ProgramInfo { name: name.to_owned(), rule, path: self.locate(name, roots) })
            .collect();
        list.sort_unstable_by(|left, right| left.name.cmp(&right.name));
        list.dedup_by(|left, right| left.name == right.name);
        list
    }

    /// The program a word in command position means.
    pub(super) fn resolve(
        &self,
        word: &str,
        roots: &Roots,
    ) -> Result<(&'static Program, String, PathBuf), Refusal> {
        let name = word.rsplit('/').next().unwrap_or_default();
        let rule = self.rule_for(name).ok_or_else(|| self.not_allowed(word, name))?;
        let Some(found) = self.locate(name, roots) else {
            return Err(if self.path.iter().any(|folder| folder.join(name).exists()) {
                program(word, "the file of that name lies beneath a root, where callers could change it")
            } else {
                not_found(word, &self.search_path())
            });
        };
        if word.contains('/') && !(word.starts_with('/') && is_same_file(Path::new(word), &found)) {
            return Err(program(
                word,
                format!("only `{}` goes by that name; call it as `{name}`", found.display()),
            ));
        }
        Ok((rule, name.to_owned(), found))
    }

    fn rule_for(&self, name: &str) -> Option<&'static Program> {
        if self.denied.contains(name) {
            return None;
        }
        rules::find(name).or_else(|| self.extra.contains(name).then_some(&rules::LOOSE))
    }

    fn not_allowed(&self, word: &str, name: &str) -> Refusal {
        if is_wrapper(name) {
            return program(word, "it starts other programs; call the program itself");
        }
        program(
            word,
            "see `get_policy` for the programs that are; the operator can add one with `servers.desktop-commander.exec.programs`",
        )
    }

    /// The first file of that name on the search path that can be run and lies in no root: a program that
    /// callers can change is not the program the operator allowed.
    fn locate(&self, name: &str, roots: &Roots) -> Option<PathBuf> {
        self.path.iter().map(|folder| folder.join(name)).find(|file| {
            let runs =
                file.metadata().is_ok_and(|meta| meta.is_file() && meta.permissions().mode() & 0o111 != 0);
            let real = file.canonicalize();
            runs && real.is_ok_and(|real| {
                !roots.iter().any(|root| real.starts_with(root.path()) || file.starts_with(root.path()))
            })
        })
    }
}

fn is_wrapper(name: &str) -> bool {
    WRAPPERS.binary_search(&name).is_ok()
}

fn is_same_file(left: &Path, right: &Path) -> bool {
    match (left.metadata(), right.metadata()) {
        (Ok(left), Ok(right)) => (left.dev(), left.ino()) == (right.dev(), right.ino()),
        _ => false,
    }
}
