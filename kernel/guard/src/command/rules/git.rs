//! git: known sub-commands only, so no alias is ever reached; nothing that names a program, an editor, a
//! hook folder or a transport helper; paths and addresses are checked.

use std::path::{Path, PathBuf};

use super::{
    Program, Verdict, git_config, git_settings,
    git_url::{self, Remote},
};
use crate::{
    Refusal,
    command::{
        call::Call,
        cli::{Cli, Item, Operands, stands_for},
        refuse::FIELD,
    },
    path::Access,
};

/// The family.
pub(super) const PROGRAMS: &[Program] = &[Program::own("git", "git", judge)];

/// Work on what is here.
const LOCAL: &[&str] = &[
    "add",
    "am",
    "apply",
    "archive",
    "bisect",
    "blame",
    "branch",
    "cat-file",
    "check-attr",
    "check-ignore",
    "check-ref-format",
    "checkout",
    "cherry",
    "cherry-pick",
    "clean",
    "commit",
    "config",
    "count-objects",
    "describe",
    "diff",
    "diff-files",
    "diff-index",
    "diff-tree",
    "for-each-ref",
    "format-patch",
    "fsck",
    "gc",
    "grep",
    "hash-object",
    "init",
    "log",
    "ls-files",
    "ls-tree",
    "merge",
    "merge-base",
    "mv",
    "name-rev",
    "notes",
    "prune",
    "range-diff",
    "rebase",
    "reflog",
    "remote",
    "reset",
    "restore",
    "rev-list",
    "rev-parse",
    "revert",
    "rm",
    "shortlog",
    "show",
    "show-branch",
    "show-ref",
    "sparse-checkout",
    "stash",
    "status",
    "submodule",
    "switch",
    "symbolic-ref",
    "tag",
    "update-ref",
    "version",
    "whatchanged",
    "worktree",
];

/// Talk to a remote.
const REMOTE: &[&str] = &["clone", "fetch", "ls-remote", "pull", "push"];

/// Before the sub-command: without value.
const GLOBAL_FLAGS: &[&str] = &[
    "--no-pager",
    "-P",
    "--no-optional-locks",
    "--literal-pathspecs",
    "--no-replace-objects",
    "--icase-pathspecs",
    "--glob-pathspecs",
    "--noglob-pathspecs",
];

/// Refused with every sub-command, abbreviations too.
const REFUSED: &[(&str, &str)] = &[
    ("--upload-pack", "it names a program"),
    ("--receive-pack", "it names a program"),
    ("--exec", "it names a program"),
    ("--ext-diff", "it starts a configured program"),
    ("--open-files-in-pager", "it starts a program"),
    ("--template", "it brings hooks along"),
    ("--config-env", "it changes settings"),
    ("--separate-git-dir", "it moves the repository elsewhere"),
    ("--server-option", "it passes options on"),
    ("--show-signature", "it starts a configured program"),
    ("--editor", "it starts a program"),
    ("--trailer-program", "it starts a program"),
    ("--reference", "it borrows another repository"),
    ("--reference-if-able", "it borrows another repository"),
    ("--git-completion-helper", "it is not for people"),
];

/// Refused with one sub-command.
const REFUSED_FOR: &[(&str, &str, &str)] = &[
    ("clone", "-c", "it changes settings"),
    ("clone", "--config", "it changes settings"),
    ("clone", "-u", "it names a program"),
    ("clone", "--bundle-uri", "it fetches from another address"),
    ("grep", "-O", "it starts a program"),
    ("rebase", "-x", "it starts programs"),
    ("rebase", "-i", "nobody can answer an editor"),
    ("rebase", "--interactive", "nobody can answer an editor"),
    ("add", "-i", "nobody can answer it"),
    ("add", "-e", "nobody can answer an editor"),
    ("add", "--interactive", "nobody can answer it"),
    ("cat-file", "--textconv", "it starts a configured program"),
    ("cat-file", "--filters", "it starts a configured program"),
    ("grep", "--textconv", "it starts a configured program"),
];

/// Second words that are refused.
const REFUSED_WORDS: &[(&str, &str, &str)] = &[
    ("bisect", "run", "it starts a program"),
    ("bisect", "visualize", "it starts a program"),
    ("bisect", "view", "it starts a program"),
    ("submodule", "foreach", "it starts a program"),
    ("remote", "update", "use `git fetch`"),
];

/// Options whose value is a file that is written.
const WRITES: &[(&str, &str)] = &[
    ("", "--output"),
    ("archive", "-o"),
    ("format-patch", "-o"),
    ("format-patch", "--output-directory"),
    ("bisect", "--log"),
];

/// Options whose value is a file that is read.
const READS: &[(&str, &str)] = &[
    ("commit", "-F"),
    ("commit", "--file"),
    ("commit", "-t"),
    ("tag", "-F"),
    ("notes", "-F"),
    ("merge", "-F"),
    ("", "--pathspec-from-file"),
    ("blame", "--contents"),
    ("blame", "--ignore-revs-file"),
    ("ls-files", "-X"),
    ("ls-files", "--exclude-from"),
    ("grep", "-f"),
    ("", "--exclude-from"),
    ("apply", "--directory"),
    ("add", "--pathspec-from-file"),
    ("", "--orderfile"),
    ("log", "-O"),
    ("diff", "-O"),
    ("show", "-O"),
];

fn judge(call: &mut Call<'_>) -> Result<Verdict, Refusal> {
    let Globals { at, cwd, git_dir } = global_options(call)?;
    // After `-C` every path starts from there.
    let mut inner = Call {
        name: call.name,
        cwd: &cwd,
        roots: call.roots,
        args: std::mem::take(&mut call.args),
        stdin: call.stdin.take(),
        piped: call.piped,
        env: std::mem::take(&mut call.env),
        reads: std::mem::take(&mut call.reads),
        writes: std::mem::take(&mut call.writes),
        network: false,
    };
    let verdict = sub_command(&mut inner, at, git_dir.as_deref());
    let Call { args, stdin, env, reads, writes, network, .. } = inner;
    (call.args, call.stdin, call.env, call.network) = (args, stdin, env, network);
    (call.reads, call.writes) = (reads, writes);
    verdict
}

fn sub_command(call: &mut Call<'_>, at: usize, git_dir: Option<&Path>) -> Result<Verdict, Refusal> {
    let Some(command) = call.args.get(at).cloned() else { return Ok(Verdict::Fine) };
    let is_remote = REMOTE.contains(&command.as_str());
    if command == "--version" {
        return Ok(Verdict::Fine);
    }
    if !is_remote && !LOCAL.contains(&command.as_str()) {
        return Err(call.refuse(
            &command,
            "this sub-command is not allowed",
            "use status, log, diff, add, commit, branch, switch, fetch, push and the like",
        ));
    }
    let rest: Vec<String> = call.args[at + 1..].to_vec();
    refuse_raw(call, &command, &rest)?;
    let words = options(call, &command, &rest)?;
    operands(call, &command, &words)?;
    let talks = is_remote || command == "submodule";
    let remotes =
        if talks { git_url::local_folders(call, words.first().map(String::as_str)) } else { Vec::new() };
    git_settings::judge(call, &command, git_dir, &remotes)?;
    Ok(Verdict::Fine)
}

/// What stands before the sub-command.
struct Globals {
    /// The index of the sub-command.
    at: usize,
    /// The folder git works in.
    cwd: PathBuf,
    git_dir: Option<PathBuf>,
}

fn global_options(call: &mut Call<'_>) -> Result<Globals, Refusal> {
    let args = call.args.clone();
    let mut git_dir = None;
    let mut cwd = call.cwd.to_owned();
    let mut at = 0;
    while let Some(arg) = args.get(at).filter(|arg| arg.starts_with('-') && *arg != "--version") {
        let (name, attached) = match arg.split_once('=') {
            Some((name, value)) => (name, Some(value)),
            None => (arg.as_str(), None),
        };
        at += 1;
        match name {
            "-C" | "--git-dir" | "--work-tree" => {
                let value = attached.or_else(|| args.get(at).map(String::as_str)).unwrap_or_default();
                // The folder of a repository is critical for changes by name; git itself works in it.
                let folder = call.roots.check(FIELD, Some(&cwd), value, Access::Read)?;
                call.reads.push(folder.clone());
                match name {
                    "-C" => cwd = folder,
                    "--git-dir" => git_dir = Some(folder),
                    _ => {}
                }
                at += usize::from(attached.is_none());
            }
            _ if GLOBAL_FLAGS.contains(&arg.as_str()) => {}
            _ => {
                return Err(call.refuse(
                    name,
                    "this option before the sub-command is not allowed",
                    "leave it out; settings are fixed by the operator",
                ));
            }
        }
    }
    Ok(Globals { at, cwd, git_dir })
}

/// Refusals that do not depend on which option takes a value: a word that spells a refused option is
/// refused wherever it stands before `--`.
fn refuse_raw(call: &Call<'_>, command: &str, rest: &[String]) -> Result<(), Refusal> {
    for arg in rest.iter().take_while(|arg| *arg != "--").filter(|arg| arg.starts_with("--")) {
        let name = arg.split_once('=').map_or(arg.as_str(), |(name, _)| name);
        let everywhere = REFUSED.iter().find(|(flag, _)| name_hits(name, flag)).map(|(_, why)| *why);
        let here = REFUSED_FOR
            .iter()
            .find(|(only, flag, _)| *only == command && name_hits(name, flag))
            .map(|(_, _, why)| *why);
        if let Some(why) = everywhere.or(here) {
            return Err(call.refuse(name, why, "leave the option out"));
        }
    }
    Ok(())
}

/// `--ex` could stand for `--exec`; but whole names of harmless options stay what they are.
fn name_hits(name: &str, flag: &str) -> bool {
    const WHOLE: &[&str] = &["--edit", "--ref"];
    stands_for(name, flag) && (name == flag || !WHOLE.contains(&name))
}

/// Judges options with values and gives back what is left.
fn options(call: &mut Call<'_>, command: &str, rest: &[String]) -> Result<Vec<String>, Refusal> {
    let (options, paths) = match rest.iter().position(|arg| arg == "--") {
        Some(at) => (&rest[..at], &rest[at + 1..]),
        None => (rest, &[][..]),
    };
    let cli = Cli { text: text_options(command), ..Cli::plain(Operands::Text) };
    let mut words = Vec::new();
    for item in cli.items(options) {
        let (name, value) = match item {
            Item::Operand(text) => {
                words.push(text);
                continue;
            }
            Item::Flag { name, value } => (name, value),
        };
        if let Some((_, _, why)) =
            REFUSED_FOR.iter().find(|(only, flag, _)| *only == command && *flag == name)
        {
            return Err(call.refuse(&name, why, "leave the option out"));
        }
        let applies = |table: &[(&str, &str)]| {
            table.iter().any(|(only, flag)| (only.is_empty() || *only == command) && stands_for(&name, flag))
        };
        // `--output FILE` takes the next word, which the table of text options does not know.
        let value = match value {
            None if applies(WRITES) || applies(READS) => next_word(options, &name),
            value => value,
        };
        let Some(value) = value else { continue };
        if applies(WRITES) {
            call.write(&value)?;
        } else if applies(READS) {
            call.read(&value)?;
        }
    }
    for path in paths {
        call.loose(path)?;
    }
    words.extend(paths.iter().cloned());
    Ok(words)
}

fn next_word(options: &[String], name: &str) -> Option<String> {
    let at = options.iter().position(|arg| arg == name)?;
    options.get(at + 1).cloned()
}

/// `-t`, `-c`, `-s` and others take a value with some sub-commands only.
fn text_options(command: &str) -> &'static [&'static str] {
    const FLAGS_ONLY: &[&str] = &[
        "--message",
        "--author",
        "--date",
        "--grep",
        "--since",
        "--until",
        "--format",
        "--pretty",
        "--max-count",
        "--output",
        "--sort",
    ];
    const COMMIT: &[&str] = &[
        "-m",
        "-C",
        "-c",
        "-F",
        "-t",
        "--message",
        "--author",
        "--date",
        "--trailer",
        "--fixup",
        "--squash",
        "--file",
        "--template",
        "--cleanup",
    ];
    const CHECKOUT: &[&str] = &["-b", "-B", "-c", "-C", "--orphan", "--conflict"];
    const CLONE: &[&str] = &[
        "-b",
        "-o",
        "-j",
        "-c",
        "-u",
        "--branch",
        "--origin",
        "--depth",
        "--jobs",
        "--shallow-since",
        "--filter",
    ];
    const INIT: &[&str] = &["-b", "--initial-branch", "--object-format"];
    const ARCHIVE: &[&str] = &["-o", "--format", "--prefix", "--output"];
    const HISTORY: &[&str] = &[
        "-n",
        "-S",
        "-G",
        "-U",
        "-L",
        "-O",
        "--author",
        "--committer",
        "--grep",
        "--since",
        "--until",
        "--after",
        "--before",
        "--max-count",
        "--skip",
        "--date",
        "--output",
        "--inter-hunk-context",
    ];
    match command {
        "commit" | "tag" | "notes" | "merge" | "stash" => COMMIT,
        "checkout" | "switch" | "restore" => CHECKOUT,
        "clone" => CLONE,
        "init" => INIT,
        "archive" | "format-patch" => ARCHIVE,
        "log" | "diff" | "show" | "blame" | "shortlog" | "rev-list" | "whatchanged" | "reflog" => HISTORY,
        "rebase" => &["--onto", "-s", "-X", "-x", "--strategy", "--strategy-option"],
        "grep" => &["-e", "-A", "-B", "-C", "-m", "-f", "-O", "--max-depth", "--threads"],
        "cherry-pick" | "revert" => &["-m", "-s", "-X"],
        "fetch" | "pull" | "push" | "ls-remote" => {
            &["-o", "-j", "-s", "-X", "--depth", "--shallow-since", "--push-option", "--jobs", "--strategy"]
        }
        "branch" => &[
            "-u",
            "--set-upstream-to",
            "--contains",
            "--points-at",
            "--sort",
            "--format",
            "--merged",
            "--no-merged",
        ],
        "for-each-ref" => &["--format", "--sort", "--count"],
        "submodule" => &["-b", "--depth", "--branch", "--name"],
        "worktree" => &["-b", "-B"],
        "clean" => &["-e", "--exclude"],
        "remote" => &["-t", "-m"],
        _ => FLAGS_ONLY,
    }
}

fn operands(call: &mut Call<'_>, command: &str, words: &[String]) -> Result<(), Refusal> {
    let second = words.first().map(String::as_str).unwrap_or_default();
    if let Some((_, word, why)) =
        REFUSED_WORDS.iter().find(|(only, word, _)| *only == command && *word == second)
    {
        return Err(call.refuse(&format!("{command} {word}"), why, "use another sub-command"));
    }
    match command {
        "clone" => {
            if let Some(source) = words.first() {
                call.network = git_url::judge(call, source)? == Remote::Far;
            }
            words.get(1).map_or(Ok(()), |folder| call.write(folder))?;
        }
        "init" => words.first().map_or(Ok(()), |folder| call.write(folder))?,
        "fetch" | "pull" | "push" | "ls-remote" => {
            let all = call.args.iter().any(|arg| matches!(arg.as_str(), "--all" | "--multiple"));
            let remote = match words.first() {
                Some(remote) => git_url::judge(call, remote)?,
                None => git_url::configured(call, "origin"),
            };
            call.network = all || remote == Remote::Far;
        }
        "remote" => {
            if matches!(second, "add" | "set-url")
                && let Some(address) = words.get(2)
            {
                git_url::judge(call, address)?;
            }
            call.network = matches!(second, "show" | "prune")
                && words.get(1).is_some_and(|name| git_url::configured(call, name) == Remote::Far);
        }
        "submodule" => {
            if second == "add"
                && let Some(address) = words.get(1)
            {
                git_url::judge(call, address)?;
            }
            call.network = matches!(second, "add" | "update");
        }
        "config" => git_config::judge(call, words)?,
        "worktree" if second == "add" => words.get(1).map_or(Ok(()), |folder| call.write(folder))?,
        "apply" | "am" | "hash-object" => words.iter().try_for_each(|file| call.read(file))?,
        _ => words.iter().try_for_each(|word| loose_revision(call, word))?,
    }
    Ok(())
}

/// A revision range such as `main..topic` climbs nowhere; a path does.
fn loose_revision(call: &mut Call<'_>, word: &str) -> Result<(), Refusal> {
    if word.starts_with('/') || word.split('/').any(|part| part == "..") { call.read(word) } else { Ok(()) }
}
