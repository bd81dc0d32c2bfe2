//! Build tools, package managers, checkers. They run the project's own code, which the sandbox holds;
//! the rules refuse what would load code from elsewhere, publish, or change the machine.

use super::{Program, Verdict};
use crate::{
    Refusal,
    command::{
        call::Call,
        cli::{Cli, Item, Operands, stands_for},
    },
};

const LOOSE: Cli = Cli::plain(Operands::Loose);

/// The family.
pub(super) const PROGRAMS: &[Program] = &[
    Program::table("black", "check", &LOOSE),
    Program::own("cargo", "build.cargo", |call| CARGO.judge(call)),
    Program::table("eslint", "check", &ESLINT),
    Program::table("flake8", "check", &LOOSE),
    Program::own("go", "build.go", |call| GO.judge(call)),
    Program::table("gofmt", "check", &LOOSE),
    Program::table("isort", "check", &LOOSE),
    Program::own("make", "build.make", make),
    Program::table("mypy", "check", &MYPY),
    Program::own("npm", "build.npm", |call| NPM.judge(call)),
    Program::own("pip", "build.pip", |call| PIP.judge(call)),
    Program::own("pip3", "build.pip", |call| PIP.judge(call)),
    Program::own("pnpm", "build.npm", |call| NPM.judge(call)),
    Program::table("prettier", "check", &ESLINT),
    Program::table("pylint", "check", &LOOSE),
    Program::table("pytest", "check.pytest", &PYTEST),
    Program::table("ruff", "check", &LOOSE),
    Program::own("rustc", "build.rustc", rustc),
    Program::table("rustfmt", "check", &LOOSE),
    Program::table("tsc", "build.tsc", &LOOSE),
    Program::own("yarn", "build.npm", |call| NPM.judge(call)),
];

const ESLINT: Cli = Cli {
    refuse: &[
        ("--resolve-plugins-relative-to", "it loads code from a folder"),
        ("--rulesdir", "it loads code from a folder"),
        ("--plugin-search-dir", "it loads code from a folder"),
        ("--stdin-filepath", "nothing feeds it"),
    ],
    ..LOOSE
};
const MYPY: Cli = Cli {
    refuse: &[
        ("-c", "code on the command line is not judged"),
        ("--command", "code on the command line is not judged"),
        ("--install-types", "it installs packages"),
    ],
    ..LOOSE
};
const PYTEST: Cli = Cli {
    refuse: &[("--pdb", "nobody can answer a debugger"), ("--pastebin", "it publishes the output")],
    text: &["-k", "-m", "-n"],
    ..LOOSE
};
const RUSTC: Cli = Cli {
    refuse: &[("-Z", "unstable options can start programs")],
    text: &[
        "-C",
        "--codegen",
        "--edition",
        "--crate-type",
        "--crate-name",
        "--emit",
        "--cfg",
        "--explain",
        "--print",
    ],
    write: &["-o", "--out-dir"],
    ..LOOSE
};

/// A tool with sub-commands.
struct Commands {
    /// Known sub-commands that work on what is here.
    local: &'static [&'static str],
    /// Known sub-commands that cannot work without network.
    network: &'static [&'static str],
    /// Refused anywhere in the arguments.
    refuse: &'static [(&'static str, &'static str)],
    /// Options whose value is a path that is written.
    write: &'static [&'static str],
    /// Sub-commands whose further arguments go to the project's own program.
    passes_on: &'static [&'static str],
}

const CARGO: Commands = Commands {
    local: &[
        "fmt",
        "clean",
        "metadata",
        "tree",
        "new",
        "init",
        "version",
        "locate-project",
        "pkgid",
        "--version",
        "-V",
        "--list",
        "nextest",
    ],
    network: &[
        "build",
        "b",
        "check",
        "c",
        "test",
        "t",
        "run",
        "r",
        "bench",
        "clippy",
        "doc",
        "fetch",
        "update",
        "add",
        "remove",
        "search",
        "fix",
        "generate-lockfile",
        "vendor",
    ],
    refuse: &[
        ("--config", "it can name other programs to run"),
        ("-Z", "unstable options can start programs"),
        ("--index", "it names another package source"),
        ("--registry", "it names another package source"),
        ("--git", "it names another package source"),
    ],
    write: &["--target-dir", "--manifest-path", "--artifact-dir", "--out-dir"],
    passes_on: &["run", "r", "test", "t", "bench"],
};
const GO: Commands = Commands {
    local: &["build", "test", "vet", "fmt", "run", "list", "version", "clean", "doc"],
    network: &["get", "mod"],
    refuse: &[
        ("-toolexec", "it starts another program"),
        ("-exec", "it starts another program"),
        ("-vettool", "it starts another program"),
        ("-overlay", "it replaces files"),
        ("-modfile", "it replaces the module file"),
        ("-C", "name the folder as working_directory"),
        ("-ldflags", "it can name another linker"),
        ("-gcflags", "it passes options on"),
        ("-compiler", "it starts another program"),
    ],
    write: &["-o"],
    passes_on: &["run"],
};
const NPM: Commands = Commands {
    local: &[
        "test",
        "t",
        "tst",
        "run",
        "run-script",
        "ls",
        "list",
        "ll",
        "start",
        "stop",
        "restart",
        "version",
        "-v",
        "--version",
        "help",
        "prune",
        "dedupe",
        "explain",
        "why",
        "pack",
        "build",
        "lint",
    ],
    network: &[
        "install",
        "i",
        "ci",
        "add",
        "uninstall",
        "remove",
        "rm",
        "outdated",
        "audit",
        "update",
        "up",
        "upgrade",
        "view",
        "info",
        "show",
        "search",
        "install-test",
        "it",
    ],
    refuse: &[
        ("-g", "it changes the machine"),
        ("--global", "it changes the machine"),
        ("--location", "it changes the machine"),
        ("--prefix", "name the folder as working_directory"),
        ("--script-shell", "it starts another program"),
        ("--shell", "it starts another program"),
        ("--node-options", "it loads other code"),
        ("--userconfig", "it loads other settings"),
        ("--globalconfig", "it loads other settings"),
        ("--registry", "it names another package source"),
        ("--git", "it names another program"),
        ("--editor", "it starts another program"),
        ("--viewer", "it starts another program"),
        ("--init-module", "it loads other code"),
        ("--cafile", "it changes whom to trust"),
    ],
    write: &["--cache", "--pack-destination"],
    passes_on: &["run", "run-script", "test", "t", "start"],
};
const PIP: Commands = Commands {
    local: &["list", "show", "freeze", "check", "--version", "-V", "help", "inspect", "debug"],
    network: &["install", "download", "wheel", "index"],
    refuse: &[
        ("-i", "it names another package source"),
        ("--index-url", "it names another package source"),
        ("--extra-index-url", "it names another package source"),
        ("--find-links", "it names another package source"),
        ("-f", "it names another package source"),
        ("--trusted-host", "it turns checks off"),
        ("--proxy", "it changes the way out"),
        ("--python", "it starts another program"),
        ("--cert", "it changes whom to trust"),
        ("--global-option", "it passes options on"),
        ("--build-option", "it passes options on"),
    ],
    write: &[
        "-t",
        "--target",
        "--root",
        "--prefix",
        "--src",
        "-d",
        "--dest",
        "-w",
        "--wheel-dir",
        "--log",
        "--cache-dir",
        "--report",
    ],
    passes_on: &[],
};

impl Commands {
    fn judge(&self, call: &mut Call<'_>) -> Result<Verdict, Refusal> {
        let cli = Cli { refuse: &[], text: &[], read: &[], write: self.write, operands: Operands::Loose };
        let args = call.args.clone();
        // `cargo +nightly build` picks an installed toolchain.
        let is_toolchain = |arg: &String| {
            arg.strip_prefix('+')
                .is_some_and(|it| it.bytes().all(|b| b.is_ascii_alphanumeric() || b"-._".contains(&b)))
        };
        let at = usize::from(args.first().is_some_and(is_toolchain));
        let Some(command) = args.get(at).map(String::as_str) else { return Ok(Verdict::Fine) };
        call.network = self.network.contains(&command);
        if !call.network && !self.local.contains(&command) {
            return Err(call.refuse(
                command,
                "this sub-command is not allowed",
                &format!("use one of {}", self.listed()),
            ));
        }
        let mut rest = &args[at + 1..];
        if self.passes_on.contains(&command)
            && let Some(end) = rest.iter().position(|arg| arg == "--")
        {
            for arg in &rest[end + 1..] {
                call.loose(arg)?;
            }
            rest = &rest[..end];
        }
        for arg in rest.iter().filter(|arg| arg.starts_with('-')) {
            let name = arg.split_once('=').map_or(arg.as_str(), |(name, _)| name);
            let hit = self.refuse.iter().find(|(flag, _)| {
                stands_for(name, flag) || glued(name, flag) || name.strip_prefix('-') == Some(flag)
            });
            if let Some((_, why)) = hit {
                return Err(call.refuse(name, why, "leave the option out"));
            }
        }
        for item in cli.items(rest) {
            match item {
                Item::Operand(text) => refuse_foreign_source(call, &text)?,
                Item::Flag { name, value: Some(value) }
                    if self.write.iter().any(|flag| stands_for(&name, flag)) =>
                {
                    call.write(&value)?
                }
                Item::Flag { value, .. } => value.map_or(Ok(()), |value| call.loose(&value))?,
            }
        }
        Ok(Verdict::Fine)
    }

    fn listed(&self) -> String {
        let names =
            self.local.iter().chain(self.network).filter(|name| name.len() > 2 && !name.starts_with('-'));
        names.take(12).copied().collect::<Vec<_>>().join(", ")
    }
}

/// `-Zfoo`, `-fURL`: a short option with its value attached.
fn glued(written: &str, flag: &str) -> bool {
    flag.len() == 2 && !written.starts_with("--") && written.starts_with(flag)
}

/// A package is named, not fetched from an address that the caller chose.
fn refuse_foreign_source(call: &mut Call<'_>, text: &str) -> Result<(), Refusal> {
    if text.contains("://")
        || text.starts_with("git+")
        || text.starts_with("github:")
        || text.starts_with("file:")
    {
        return Err(call.refuse(text, "packages come from the configured source only", "name the package"));
    }
    call.loose(text)
}

/// Arguments in a file would not be judged.
fn rustc(call: &mut Call<'_>) -> Result<Verdict, Refusal> {
    if let Some(arg) = call.args.iter().find(|arg| arg.starts_with('@')) {
        return Err(call.refuse(arg, "its arguments cannot be judged", "write them on the command line"));
    }
    // `-Clinker=x`, `-C linker=x`, `--codegen=link-arg=x`.
    let names_linker = |arg: &&String| {
        let value = arg.strip_prefix("--codegen=").or_else(|| arg.strip_prefix("-C")).unwrap_or(arg);
        ["link", "ar=", "dlltool"].iter().any(|start| value.starts_with(start)) && value.contains('=')
    };
    if let Some(arg) = call.args.iter().find(names_linker) {
        return Err(call.refuse(arg, "it starts another program", "leave the option out"));
    }
    RUSTC.judge(call).map(|()| Verdict::Fine)
}

const MAKE: Cli = Cli {
    refuse: &[
        ("-E", "it adds rules that are not in the makefile"),
        ("--eval", "it adds rules that are not in the makefile"),
        ("-e", "it lets variables replace those of the makefile"),
        ("--environment-overrides", "it lets variables replace those of the makefile"),
    ],
    text: &["-j", "-l", "-O", "--jobs", "--load-average", "--output-sync", "--debug"],
    read: &[
        "-f",
        "-I",
        "-o",
        "-W",
        "--file",
        "--makefile",
        "--include-dir",
        "--old-file",
        "--new-file",
        "--what-if",
        "--assume-new",
        "--assume-old",
    ],
    write: &["-C", "--directory"],
    operands: Operands::Loose,
};

/// Variables of make that name the program its recipes run in, or smuggle options.
const MAKE_VARIABLES: &[&str] = &[
    "SHELL",
    ".SHELLFLAGS",
    "MAKE",
    "MAKEFLAGS",
    "MFLAGS",
    "MAKEFILES",
    "MAKEOVERRIDES",
    "GNUMAKEFLAGS",
    "VPATH",
    ".INCLUDE_DIRS",
];

fn make(call: &mut Call<'_>) -> Result<Verdict, Refusal> {
    for arg in call.args.clone() {
        // `-j8` and plain `-j` take no next argument.
        if let Some((name, value)) = arg.split_once('=').filter(|_| !arg.starts_with('-')) {
            let name = name.trim_end_matches([':', '?', '+', '!']).trim();
            if MAKE_VARIABLES.contains(&name) {
                return Err(call.refuse(name, "it decides how recipes are run", "leave the variable out"));
            }
            // make itself expands these: `X=$(shell id)` would be a command line of its own.
            if value.contains('$') || name.contains('$') {
                return Err(call.refuse(name, "make would expand `$`", "write the value out"));
            }
        } else if arg.contains('$') {
            return Err(call.refuse(&arg, "make would expand `$`", "write the value out"));
        }
    }
    let bare_jobs = |arg: &&String| !matches!(arg.as_str(), "-j" | "-l" | "-O" | "--jobs");
    let whole = std::mem::take(&mut call.args);
    call.args = whole.iter().filter(bare_jobs).cloned().collect();
    let verdict = MAKE.judge(call);
    call.args = whole;
    verdict.map(|()| Verdict::Fine)
}
