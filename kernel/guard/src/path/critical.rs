//! Files that decide what runs or who gets in. Tools may read them and never change them.
//!
//! Names are compared folded: without case, compatibility forms (full-width letters), invisible
//! characters, stream suffixes and trailing dots or spaces, so that a twin which some file system takes
//! for the same name is caught as well.

use std::path::{Component, Path};

use unicode_normalization::UnicodeNormalization;

use crate::name::is_invisible;

/// Folders whose every entry, and which themselves, are critical.
const FOLDERS: &[(&str, &str)] =
    &[(".git", "a git directory"), (".ssh", "an ssh directory"), (".gnupg", "a key ring")];

/// Short names that some file systems give those folders.
const SHORT_NAMES: &[&str] = &["git~", "gi7eba~", "ssh~", "gnupg~"];

/// Folders beneath a folder, with everything in them.
const NESTED_FOLDERS: &[(&str, &str)] =
    &[(".github", "workflows"), (".gitea", "workflows"), (".forgejo", "workflows")];

/// Files beneath a folder.
const NESTED_FILES: &[(&str, &str)] = &[
    (".vscode", "mcp.json"),
    (".vscode", "settings.json"),
    (".vscode", "tasks.json"),
    (".cursor", "mcp.json"),
    (".claude", "settings.json"),
    (".claude", "settings.local.json"),
    (".circleci", "config.yml"),
    ("fish", "config.fish"),
];

/// Files, wherever they are.
const FILES: &[&str] = &[
    ".bashrc",
    ".bash_profile",
    ".bash_login",
    ".bash_logout",
    ".bash_aliases",
    ".profile",
    ".zshrc",
    ".zshenv",
    ".zprofile",
    ".zlogin",
    ".zlogout",
    ".kshrc",
    ".cshrc",
    ".tcshrc",
    ".login",
    ".envrc",
    ".gitconfig",
    ".mcp.json",
    ".gitlab-ci.yml",
];

/// Why a path is critical, in a few words; `None` when it is not.
pub(super) fn reason(path: &Path) -> Option<&'static str> {
    let names = folded_names(path);
    for name in &names {
        if let Some((_, what)) = FOLDERS.iter().find(|(folder, _)| folder == name) {
            return Some(what);
        }
        if SHORT_NAMES.iter().any(|short| name.starts_with(short)) {
            return Some("a git or ssh directory");
        }
    }
    for pair in names.windows(2) {
        if NESTED_FILES.iter().any(|(folder, file)| pair[0] == *folder && pair[1] == *file) {
            return Some("a file that configures tools or shells");
        }
    }
    for triple in names.windows(3) {
        if NESTED_FOLDERS.iter().any(|(outer, inner)| triple[0] == *outer && triple[1] == *inner) {
            return Some("a workflow of the build system");
        }
    }
    let last = names.last()?;
    FILES.contains(&last.as_str()).then_some("a file that configures tools, shells or builds")
}

/// Why a whole folder may not be moved or removed: something critical could come or go with it.
pub(super) fn reason_for_folder(path: &Path) -> Option<&'static str> {
    if let Some(what) = reason(path) {
        return Some(what);
    }
    let names = folded_names(path);
    let ends_in = |outer: &str, inner: &str| names.ends_with(&[outer.to_owned(), inner.to_owned()]);
    let last = names.last()?;
    let holds = NESTED_FILES.iter().any(|(folder, _)| last == folder)
        || NESTED_FOLDERS.iter().any(|(outer, inner)| last == outer || ends_in(outer, inner));
    holds.then_some("a folder of build or tool configuration")
}

fn folded_names(path: &Path) -> Vec<String> {
    path.components()
        .filter_map(|component| match component {
            Component::Normal(name) => Some(fold(&name.to_string_lossy())),
            _ => None,
        })
        .collect()
}

/// One spelling for all names that some file system takes for the same.
fn fold(name: &str) -> String {
    let folded: String = name
        .nfkc()
        .flat_map(char::to_lowercase)
        .nfkc()
        .filter(|letter| !is_invisible(*letter) && !letter.is_control())
        .collect();
    // NTFS: what follows a colon names a stream of the same file.
    let without_stream = folded.split(':').next().unwrap_or_default();
    without_stream.trim_end_matches(['.', ' ']).to_owned()
}
