//! The command line: flags that every command takes, and the tree of commands.

use std::path::PathBuf;

use clap::{Args, Parser};

use crate::{commands::Command, output::Format};

/// One gate between AI agents and real infrastructure.
///
/// Every tool call is authenticated, authorised, validated, limited, audited and traced, whichever way
/// it comes in.
#[derive(Debug, Parser)]
#[command(name = "core-mcp", version, max_term_width = 110)]
#[command(arg_required_else_help = true, subcommand_required = true)]
#[command(after_long_help = after_help())]
pub(crate) struct Cli {
    #[command(flatten)]
    pub(crate) common: Common,
    #[command(subcommand)]
    pub(crate) command: Command,
}

/// Flags of every command.
#[derive(Clone, Debug, Default, Args)]
#[command(next_help_heading = "Common options")]
pub(crate) struct Common {
    /// The data directory [env: CORE_MCP_DATA_DIR] [default: ~/.local/share/core-mcp]
    #[arg(long, global = true, value_name = "DIR")]
    pub(crate) data_dir: Option<PathBuf>,
    /// One more config file, laid over the others [env: CORE_MCP_CONFIG]
    #[arg(long, global = true, value_name = "FILE")]
    pub(crate) config: Option<PathBuf>,
    /// A file that holds the access token; else CORE_MCP_TOKEN is used
    #[arg(long, global = true, value_name = "FILE")]
    pub(crate) token_file: Option<PathBuf>,
    /// What to print on stdout
    #[arg(long, global = true, value_enum, default_value_t = Format::Human, value_name = "FORMAT")]
    pub(crate) output: Format,
    /// Show no progress
    #[arg(long, global = true)]
    pub(crate) no_progress: bool,
}

fn after_help() -> String {
    format!(
        "Exit codes:\n  0 done  1 the tool failed  2 usage  3 not authenticated  4 denied\n  \
         5 rate limited  6 circuit open  7 timed out  8 needs approval\n\n{}",
        crate::env::help_text()
    )
}

#[cfg(test)]
mod tests {
    use std::fmt::Write;

    use clap::CommandFactory;

    use super::*;

    /// Where the handwritten part of docs/cli.md ends.
    const MARK: &str = "<!-- From here on a test keeps this page equal to `core-mcp help`. -->\n";

    /// The whole help as one page, in the order of the commands.
    fn page() -> String {
        let mut text = String::new();
        let mut root = Cli::command().term_width(110).color(clap::ColorChoice::Never);
        root.build();
        describe(&mut root, "core-mcp", &mut text);
        text
    }

    fn describe(command: &mut clap::Command, path: &str, text: &mut String) {
        // Below the commands themselves the short form has everything.
        let is_action = path.split(' ').count() > 2;
        let help = if is_action { command.render_help() } else { command.render_long_help() }.to_string();
        let lines = help.lines().map(str::trim_end).filter(|it| !it.contains("Print help"));
        let lines: Vec<&str> = lines.filter(|it| *it != "  -h, --help").collect();
        // The flags of every command are shown once, at the top.
        let own = match lines.iter().position(|it| *it == "Common options:") {
            Some(start) if path != "core-mcp" => {
                let end = lines[start + 1..].iter().position(|it| !it.is_empty() && !it.starts_with(' '));
                let rest = end.map_or(&[][..], |end| &lines[start + 1 + end..]);
                [&lines[..start], rest].concat().join("\n")
            }
            _ => lines.join("\n"),
        };
        let own = own.trim_end().trim_end_matches("Options:").trim_end();
        let own = own.replace("\nOptions:\n\n", "\n").replace("\n\n\n", "\n\n");
        write!(text, "\n## {path}\n\n```text\n{own}\n```\n").unwrap();
        for inner in command.get_subcommands_mut().filter(|it| it.get_name() != "help") {
            let path = format!("{path} {}", inner.get_name());
            describe(inner, &path, text);
        }
    }

    #[test]
    fn the_documented_command_line_is_the_real_one() {
        let (written, documented) = include_str!("../../../docs/cli.md").split_once(MARK).expect("the mark");
        let page = page();
        if page != documented {
            let fresh = std::env::temp_dir().join(format!("core-mcp-cli-{}.md", std::process::id()));
            std::fs::write(&fresh, format!("{written}{MARK}{page}")).unwrap();
            panic!("docs/cli.md is not what the commands say: look at {} and copy it there", fresh.display());
        }
    }

    #[test]
    fn examples_call_tools_that_exist() {
        let servers = catalog::native_servers();
        let mut checked = 0;
        for command in Cli::command().get_subcommands() {
            let examples = command.get_after_help().map(ToString::to_string).unwrap_or_default();
            for (server, tool) in examples.split_whitespace().filter_map(|word| word.split_once('.')) {
                let Some(entry) = servers.iter().find(|it| it.facts.name == server) else { continue };
                let known = (entry.specs)().iter().any(|it| it.name == tool);
                assert!(known, "{}: there is no {server}.{tool}", command.get_name());
                checked += 1;
            }
        }
        assert!(checked >= 5, "only {checked} tools are named");
    }

    #[test]
    fn every_command_explains_itself_with_examples() {
        Cli::command().debug_assert();
        for command in Cli::command().get_subcommands() {
            let name = command.get_name();
            assert!(command.get_about().is_some(), "{name} does not say what it does");
            let examples = command.get_after_help().map(ToString::to_string).unwrap_or_default();
            assert!(name == "help" || examples.contains("core-mcp "), "{name} has no example");
        }
    }
}
