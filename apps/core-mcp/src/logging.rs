//! The log: lines on stderr, never on stdout.

use std::io::{self, IsTerminal};

use tracing_subscriber::{EnvFilter, fmt};

use crate::{
    config::{LogFormat, LogSection},
    failure::Failure,
};

/// Starts the log of a command that ends: silent unless something is wrong or `CORE_MCP_LOG` asks.
pub(crate) fn start_quiet(wished: Option<&str>, no_color: bool) -> Result<(), Failure> {
    start(&LogSection { level: "error".into(), ..LogSection::default() }, wished, no_color)
}

/// Starts the log of a door that keeps running. `CORE_MCP_LOG` wins over `log.level`.
pub(crate) fn start(section: &LogSection, wished: Option<&str>, no_color: bool) -> Result<(), Failure> {
    let level = wished.unwrap_or(&section.level);
    let filter = EnvFilter::try_new(level).map_err(|error| {
        Failure::usage(format!("the log level `{level}` makes no sense: {error}"))
            .hint("use error, warn, info, debug, trace, or directives such as `info,pipeline=debug`")
    })?;
    let lines = fmt().with_env_filter(filter).with_writer(io::stderr);
    let started = match section.format {
        LogFormat::Text => lines.with_ansi(!no_color && io::stderr().is_terminal()).try_init(),
        LogFormat::Json => lines.json().try_init(),
    };
    started.map_err(|error| Failure::local("the log cannot start", error))
}
