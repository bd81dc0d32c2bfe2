//! Settings of a repository that name programs. Those with one name are overruled where git is started; the
//! others have names of their own (`filter.x.clean`), or are read where nothing can overrule them, so a
//! repository that has one is refused. Who can write the file could otherwise run anything as `git status`.

use std::{
    fs,
    io::Read,
    path::{Path, PathBuf},
};

use super::git_config_file::{Entry, entries};
use crate::{
    Refusal,
    command::{call::Call, refuse::shown},
};

/// Largest settings file that is judged.
const BYTES_MAX: u64 = 1 << 20;
/// Most repositories that are looked at for one command, submodules included.
const REPOSITORIES_MAX: usize = 256;
/// How deep submodules lie within submodules.
const MODULES_DEPTH_MAX: usize = 8;

/// Sub-commands that start nothing a repository names.
const PLAIN: &[&str] = &["config", "init", "version"];

/// Section and key, whatever name stands between them.
const PROGRAMS: &[(&str, &str)] = &[
    ("core", "alternaterefscommand"),
    ("credential", "helper"),
    ("diff", "command"),
    ("diff", "external"),
    ("diff", "textconv"),
    ("filter", "clean"),
    ("filter", "process"),
    ("filter", "smudge"),
    ("gc", "recentobjectshook"),
    ("gpg", "defaultkeycommand"),
    ("gpg", "program"),
    ("hook", "command"),
    ("include", "path"),
    ("includeif", "path"),
    ("interactive", "difffilter"),
    ("merge", "driver"),
    ("remote", "receivepack"),
    ("remote", "uploadpack"),
    ("remote", "vcs"),
    ("tar", "command"),
    ("trailer", "cmd"),
    ("trailer", "command"),
];

/// Without a name of their own: overruled in the repository that git is started in, but not in its submodules and local remotes: git takes
/// the overruling variables away from the programs it starts there.
const OVERRULED: &[(&str, &str)] = &[
    ("core", "askpass"),
    ("core", "editor"),
    ("core", "fsmonitor"),
    ("core", "gitproxy"),
    ("core", "hookspath"),
    ("core", "pager"),
    ("core", "sshcommand"),
    ("credential", "helper"),
    ("gpg", "program"),
    ("sequence", "editor"),
];

/// Whose settings they are.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Whose {
    /// Of the repository that git is started in.
    Main,
    /// Of one that git starts another git in.
    Inner,
}

/// Judges every repository that `git command` would work in: around the working directory, at `git_dir`,
/// and at the local remotes.
pub(super) fn judge(
    call: &Call<'_>,
    command: &str,
    git_dir: Option<&Path>,
    remotes: &[PathBuf],
) -> Result<(), Refusal> {
    if PLAIN.contains(&command) {
        return Ok(());
    }
    let is_beneath = |folder: &Path| call.roots.iter().any(|root| folder.starts_with(root.path()));
    let around = call.cwd.ancestors().take_while(|folder| is_beneath(folder));
    let main = around.flat_map(git_folders).chain(git_dir.map(Path::to_owned));
    let mut seen = 0;
    for folder in main {
        judge_folder(call, command, &folder, Whose::Main, &mut seen)?;
    }
    for folder in remotes.iter().flat_map(|remote| git_folders(remote)) {
        judge_folder(call, command, &folder, Whose::Inner, &mut seen)?;
    }
    Ok(())
}

/// The git folders that `folder` may stand for: its `.git`, where a file of that name points, and itself.
fn git_folders(folder: &Path) -> Vec<PathBuf> {
    let dot_git = folder.join(".git");
    let mut found = Vec::new();
    if dot_git.is_dir() {
        found.push(dot_git);
    } else if let Some(target) = pointer(&dot_git, "gitdir:") {
        let linked = folder.join(target);
        // A linked worktree has most of its settings in the folder it was made from.
        found.extend(pointer(&linked.join("commondir"), "").map(|common| linked.join(common)));
        found.push(linked);
    }
    if folder.join("HEAD").is_file() && folder.join("objects").is_dir() {
        found.push(folder.to_owned());
    }
    found
}

/// What a one-line file names after `label`.
fn pointer(file: &Path, label: &str) -> Option<PathBuf> {
    let text = read(file)?;
    let target = text.lines().next()?.strip_prefix(label)?.trim();
    (!target.is_empty()).then(|| target.into())
}

/// A small text file; `None` when it is not there, too large or no text.
fn read(file: &Path) -> Option<String> {
    let opened =
        fs::metadata(file).ok().filter(fs::Metadata::is_file).and_then(|_| fs::File::open(file).ok())?;
    let mut text = String::new();
    opened.take(BYTES_MAX + 1).read_to_string(&mut text).ok()?;
    (text.len() as u64 <= BYTES_MAX).then_some(text)
}

fn judge_folder(
    call: &Call<'_>,
    command: &str,
    folder: &Path,
    whose: Whose,
    seen: &mut usize,
) -> Result<(), Refusal> {
    judge_files(call, command, folder, whose)?;
    let mut waiting = vec![(folder.join("modules"), 0)];
    while let Some((modules, depth)) = waiting.pop() {
        for module in fs::read_dir(&modules).into_iter().flatten().filter_map(Result::ok) {
            let module = module.path();
            *seen += 1;
            if *seen > REPOSITORIES_MAX || depth == MODULES_DEPTH_MAX {
                return Err(call.refuse(
                    command,
                    "there are too many submodules to judge",
                    "work in one of them",
                ));
            }
            judge_files(call, command, &module, Whose::Inner)?;
            // A name with slashes, and submodules of submodules.
            let inner = if module.join("HEAD").is_file() { module.join("modules") } else { module };
            if inner.is_dir() {
                waiting.push((inner, depth + 1));
            }
        }
    }
    Ok(())
}

fn judge_files(call: &Call<'_>, command: &str, folder: &Path, whose: Whose) -> Result<(), Refusal> {
    const FIX: &str = "ask the person who keeps this repository to take the setting out of its config";
    for file in
        ["config", "config.worktree"].map(|name| folder.join(name)).iter().filter(|file| file.exists())
    {
        let Some(found) = read(file).and_then(|text| entries(&text)) else {
            return Err(call.refuse(command, "the repository's settings cannot be read", "check its config"));
        };
        if let Some(entry) = found.iter().find(|entry| names_program(entry, whose)) {
            let why = format!(
                "the repository's settings name a program or more settings (`{}`)",
                shown(&entry.name())
            );
            return Err(call.refuse(command, &why, FIX));
        }
    }
    Ok(())
}

fn names_program(entry: &Entry, whose: Whose) -> bool {
    let is = |list: &[(&str, &str)]| list.contains(&(entry.section.as_str(), entry.key.as_str()));
    let is_switch = matches!(
        entry.value.to_ascii_lowercase().as_str(),
        "" | "true" | "false" | "yes" | "no" | "on" | "off" | "0" | "1"
    );
    let updates = entry.section == "submodule" && entry.key == "update" && entry.value.contains('!');
    let is_overruled = entry.subsection.is_none() && is(OVERRULED);
    updates || (!is_switch && if is_overruled { whose == Whose::Inner } else { is(PROGRAMS) })
}
