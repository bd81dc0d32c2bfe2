//! `git config`: reading is free, setting is for a few harmless keys.

use crate::{
    Refusal,
    command::{
        call::Call,
        cli::stands_for,
        refuse::{argument, shown},
    },
};

/// Keys a caller may set: who commits, and how text looks. Everything else can name a program.
const SETTABLE: &[&str] = &[
    "user.name",
    "user.email",
    "core.autocrlf",
    "core.filemode",
    "core.ignorecase",
    "core.quotepath",
    "core.eol",
    "core.longpaths",
    "pull.rebase",
    "pull.ff",
    "push.default",
    "push.autosetupremote",
    "init.defaultbranch",
    "merge.ff",
    "merge.conflictstyle",
    "fetch.prune",
    "rebase.autostash",
    "color.ui",
    "advice.detachedhead",
];

pub(super) fn judge(call: &Call<'_>, words: &[String]) -> Result<(), Refusal> {
    let flag = |names: &[&str]| {
        call.args
            .iter()
            .any(|arg| names.iter().any(|name| stands_for(arg.split('=').next().unwrap_or_default(), name)))
    };
    if flag(&[
        "-f",
        "--file",
        "--blob",
        "--global",
        "--system",
        "--edit",
        "-e",
        "--rename-section",
        "--remove-section",
        // It takes any word along, also one that looks like an option which only reads.
        "--comment",
        "--value",
    ]) || call.args.iter().any(|arg| arg.starts_with("-f"))
    {
        return Err(call.refuse(
            "config",
            "only single settings of the repository itself can be used",
            "leave the option out",
        ));
    }
    let mut words: Vec<&str> = words.iter().map(String::as_str).collect();
    let verb = words.first().copied().unwrap_or_default();
    let reads = flag(&[
        "--get",
        "--get-all",
        "--get-regexp",
        "--get-urlmatch",
        "-l",
        "--list",
        "--get-color",
        "--get-colorbool",
    ]) || matches!(verb, "get" | "list");
    if matches!(verb, "edit" | "rename-section" | "remove-section") {
        return Err(call.refuse(verb, "only single settings can be changed", "set one key"));
    }
    if matches!(verb, "set" | "unset" | "get" | "list") {
        words.remove(0);
    }
    let removes = verb == "unset" || flag(&["--unset", "--unset-all"]);
    let changes = removes || words.len() > 1;
    let key = words.first().map(|key| key.to_ascii_lowercase()).unwrap_or_default();
    if !reads && changes && !SETTABLE.contains(&key.as_str()) {
        return Err(argument(
            format!("the git setting `{}` cannot be changed", shown(&key)),
            "settings that can name programs stay as the operator left them; user.name and user.email can be set",
        ));
    }
    Ok(())
}
