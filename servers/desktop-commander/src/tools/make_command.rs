//! Runs a make target.

use std::{path::Path, sync::Arc, time::Duration};

use guard::{
    command::{Redirect, parse},
    path::Roots,
};
use kernel::{Caching, CallContext, Effect, ErrorKind, Meta, Resource, Tool, ToolError, Trust};
use schemars::JsonSchema;
use serde::Deserialize;

use super::command_result::{CommandResult, OUTPUT_BYTES, run};
use crate::{DesktopCommander, exec::Request};

/// Runs a make target in a sandbox; a missing one lists those there are.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct MakeCommand {
    /// For example `build`.
    #[schemars(length(min = 1, max = 200))]
    target: String,
    /// `NAME=value`, `-j4`, `-k`, `-n`.
    args: Option<String>,
    /// Folder of the makefile; the first root by default.
    working_directory: Option<String>,
    /// Seconds.
    #[serde(default = "half_an_hour")]
    #[schemars(range(min = 1, max = 3600))]
    timeout: u32,
}

fn half_an_hour() -> u32 {
    1800
}

/// Makefiles, in make's order.
const MAKEFILES: &[&str] = &["GNUmakefile", "makefile", "Makefile"];
/// Largest makefile that is looked through for targets.
const MAKEFILE_BYTES_MAX: u64 = 1 << 20;
/// Most targets that are listed.
const TARGETS_MAX: usize = 100;

impl Tool for MakeCommand {
    type Server = DesktopCommander;
    type Output = CommandResult;

    const META: Meta = Meta {
        name: "make_command",
        title: "Run a make target",
        effect: Effect::Destroy { idempotent: false },
        caching: Caching::Never,
        trust: Trust::Untrusted,
    };

    fn resources(&self) -> Vec<Resource> {
        let folder = self.working_directory.iter().map(|folder| Resource::new("file", folder));
        [Resource::new("program", "make"), Resource::new("make.target", &self.target)]
            .into_iter()
            .chain(folder)
            .collect()
    }

    fn deadline(&self) -> Option<Duration> {
        Some(Duration::from_secs(u64::from(self.timeout) + 10))
    }

    async fn call(self, server: &DesktopCommander, cx: &CallContext) -> Result<CommandResult, ToolError> {
        let commands = &server.commands;
        let mut args = options(self.args.as_deref().unwrap_or_default())?;
        args.push(target(&self.target)?);
        let cwd = self.working_directory.as_deref().unwrap_or(".");
        let plan = commands.plan_args("make", args, cwd).await?;
        let folder = plan.cwd().to_owned();
        let timeout = u64::from(self.timeout).min(commands.config().timeout_seconds_max);
        let request = Request {
            plan,
            principal: Arc::clone(&cx.principal),
            timeout: Duration::from_secs(timeout),
            cancel: cx.cancel.clone(),
            stdin: None,
            offline: false,
        };
        let mut result = run(commands, request, OUTPUT_BYTES, cx).await?;
        if result.exit_code == Some(2) {
            let targets = commands.blocking(move |judge| targets_in(judge.roots(), &folder)).await?;
            if !targets.contains(&self.target) {
                result.targets = targets;
            }
        }
        Ok(result)
    }
}

fn refused(field: &str, rule: &str, hint: &str) -> ToolError {
    ToolError::new(ErrorKind::ValidationFailed, rule).reason("ARG_REFUSED").field(field).hint(hint)
}

/// A plain name: no option, no variable, nothing that make expands.
fn target(name: &str) -> Result<String, ToolError> {
    let plain = name.chars().all(|c| c.is_alphanumeric() || "_./%+-@".contains(c));
    if plain && !name.starts_with(['-', '/']) && !name.split('/').any(|part| part == "..") {
        return Ok(name.to_owned());
    }
    Err(refused("target", "the target is not a plain name", "name one target, such as `build`"))
}

/// Words by the grammar of command lines, each `NAME=value` or a plain option.
fn options(text: &str) -> Result<Vec<String>, ToolError> {
    const HINT: &str = "use NAME=value, -jN, -k, -n, -B or -s, quoted as in a command line";
    let line = parse(&format!("make {text}")).map_err(|refusal| ToolError::from(refusal).field("args"))?;
    let [(_, pipeline)] = line.pipelines.as_slice() else {
        return Err(refused("args", "only options of make are taken", HINT));
    };
    let [command] = pipeline.commands.as_slice() else {
        return Err(refused("args", "only options of make are taken", HINT));
    };
    let redirects: &[Redirect] = &command.redirects;
    if !redirects.is_empty() || command.words.iter().any(|word| word.is_pattern()) {
        return Err(refused("args", "only options of make are taken", HINT));
    }
    let words: Vec<String> = command.words[1..].iter().map(guard::command::Word::text).collect();
    match words.iter().find(|word| !is_option(word)) {
        Some(_) => Err(refused("args", "an argument is neither NAME=value nor a known option", HINT)),
        None => Ok(words),
    }
}

fn is_option(word: &str) -> bool {
    let is_name = |name: &str| {
        name.starts_with(|c: char| c.is_ascii_alphabetic() || c == '_')
            && name.chars().all(|c| c.is_ascii_alphanumeric() || c == '_')
    };
    let jobs = word
        .strip_prefix("-j")
        .is_some_and(|count| count.len() <= 3 && count.bytes().all(|b| b.is_ascii_digit()));
    jobs || matches!(
        word,
        "-k" | "-n"
            | "-B"
            | "-s"
            | "--no-print-directory"
            | "--silent"
            | "--dry-run"
            | "--keep-going"
            | "--always-make"
    ) || word.split_once('=').is_some_and(|(name, _)| is_name(name))
}

/// The targets of the makefile that make takes in `folder`.
fn targets_in(roots: &Roots, folder: &Path) -> Vec<String> {
    let found = MAKEFILES.iter().find_map(|name| {
        let file = roots.resolve_readable("working_directory", folder.join(name).to_str()?).ok()?;
        file.read(MAKEFILE_BYTES_MAX).ok()
    });
    targets(&String::from_utf8_lossy(&found.unwrap_or_default()))
}

/// `name:` at the beginning of a line, but no assignment, pattern rule or special target.
fn targets(makefile: &str) -> Vec<String> {
    let mut targets: Vec<String> = makefile
        .lines()
        .filter(|line| !line.starts_with(['\t', ' ', '#', '.']))
        .filter_map(|line| line.split_once(':'))
        .filter(|(_, rest)| !rest.starts_with('='))
        .flat_map(|(names, _)| names.split_whitespace())
        .filter(|name| name.chars().all(|c| c.is_alphanumeric() || "_./+-".contains(c)))
        .map(str::to_owned)
        .collect();
    targets.sort_unstable();
    targets.dedup();
    targets.truncate(TARGETS_MAX);
    targets
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn options_are_read_by_the_grammar_of_command_lines() {
        assert_eq!(options("-j4 CC='gcc -O2' -k").unwrap(), ["-j4", "CC=gcc -O2", "-k"]);
        assert_eq!(options("").unwrap(), Vec::<String>::new());
        for bad in [
            "; id", "| sh", "> x", "$(id)", "clean", "-f x", "--eval=x", "-C /", "-j4x", "*", "&& ls", "2>&1",
        ] {
            assert!(options(bad).is_err(), "{bad}");
        }
        for bad in ["-f", "X=y", "a b", "$(x)", "../x", "/etc/x", "a;b", "", "a\nb"] {
            assert!(target(bad).is_err() || bad.is_empty(), "{bad}");
        }
    }

    #[test]
    fn targets_are_found_and_assignments_are_not() {
        assert_eq!(
            targets("all: a b\n\techo x: y\nX := 1\n.PHONY: all\nb c:\n# d:\n%.o: %.c\n"),
            ["all", "b", "c"]
        );
    }
}
