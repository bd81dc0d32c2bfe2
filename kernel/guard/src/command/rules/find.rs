//! find: tests and printing; no actions that run, delete or write.

use super::Verdict;
use crate::{Refusal, command::call::Call};

const ACTIONS: &[(&str, &str)] = &[
    ("-exec", "it starts other programs"),
    ("-execdir", "it starts other programs"),
    ("-ok", "it starts other programs"),
    ("-okdir", "it starts other programs"),
    ("-delete", "it deletes what it finds"),
    ("-fprint", "it writes a file"),
    ("-fprint0", "it writes a file"),
    ("-fprintf", "it writes a file"),
    ("-fls", "it writes a file"),
    ("-files0-from", "it reads a list of folders"),
];

/// Tests that take the name of a file.
const REFERENCES: &[&str] = &["-newer", "-anewer", "-cnewer", "-samefile"];

/// Tests and options that take a value which may begin with anything.
const VALUED: &[&str] = &[
    "-name",
    "-iname",
    "-path",
    "-ipath",
    "-wholename",
    "-iwholename",
    "-regex",
    "-iregex",
    "-lname",
    "-ilname",
    "-type",
    "-xtype",
    "-size",
    "-perm",
    "-user",
    "-group",
    "-uid",
    "-gid",
    "-mtime",
    "-mmin",
    "-atime",
    "-amin",
    "-ctime",
    "-cmin",
    "-newermt",
    "-maxdepth",
    "-mindepth",
    "-printf",
    "-regextype",
    "-links",
    "-inum",
    "-fstype",
    "-used",
    "-context",
];

pub(super) fn judge(call: &mut Call<'_>) -> Result<Verdict, Refusal> {
    let args = call.args.clone();
    let mut args = args.iter();
    let mut before_tests = true;
    while let Some(arg) = args.next() {
        let name = arg.strip_prefix("--").map_or_else(|| arg.clone(), |rest| format!("-{rest}"));
        if let Some((_, why)) = ACTIONS.iter().find(|(action, _)| *action == name) {
            return Err(call.refuse(arg, why, "print the names, and give them to the program you need"));
        }
        if REFERENCES.contains(&name.as_str()) || (name.starts_with("-newer") && !name.ends_with('t')) {
            if let Some(file) = args.next() {
                call.read(file)?;
            }
        } else if VALUED.contains(&name.as_str()) || name.starts_with("-newer") {
            args.next();
        }
        let is_folder = before_tests && !arg.starts_with(['-', '(', '!', ',']);
        if is_folder {
            call.read(arg)?;
        } else if !matches!(arg.as_str(), "-H" | "-L" | "-P") && !arg.starts_with("-O") {
            before_tests = false;
        }
    }
    Ok(Verdict::Fine)
}
