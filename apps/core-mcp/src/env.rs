//! Every environment variable core-mcp reads, in one list. Nothing else in the project reads any.

use std::{ffi::OsString, path::PathBuf};

use kernel::Secret;

/// One documented variable.
pub(crate) struct Variable {
    /// Its name.
    pub(crate) name: &'static str,
    /// What it does.
    pub(crate) help: &'static str,
}

/// The documented variables, in the order a reader should meet them.
pub(crate) const VARIABLES: &[Variable] = &[
    Variable {
        name: "CORE_MCP_TOKEN",
        help: "the access token; there is no flag for it, so it stays out of `ps`",
    },
    Variable { name: "CORE_MCP_DATA_DIR", help: "the data directory, like --data-dir" },
    Variable { name: "CORE_MCP_CONFIG", help: "one more config file, like --config" },
    Variable { name: "CORE_MCP_URL", help: "the server `call` talks to, like --url" },
    Variable {
        name: "CORE_MCP__SECTION__KEY",
        help: "one config value, for example CORE_MCP__TUNING__RATE_PER_MINUTE=30",
    },
    Variable { name: "NAME", help: "whatever `${env:NAME}` in [upstreams] names" },
    Variable { name: "CORE_MCP_LOG", help: "what to log, like log.level: `info`, `debug`, `pipeline=trace`" },
    Variable { name: "HTTPS_PROXY", help: "the proxy `call` uses for a --url that is https" },
    Variable { name: "NO_COLOR", help: "any value turns colour off" },
    Variable { name: "XDG_DATA_HOME", help: "where the default data directory lives" },
    Variable { name: "HOME", help: "where the default data directory lives when XDG_DATA_HOME is unset" },
];

/// Prefix of the variables that override one config value each.
const OVERRIDE_PREFIX: &str = "CORE_MCP__";

/// What the process was started with. Read once, then passed by value.
#[derive(Debug, Default)]
pub(crate) struct Environment {
    /// `CORE_MCP_TOKEN`.
    pub(crate) token: Option<Secret<String>>,
    /// `CORE_MCP_DATA_DIR`.
    pub(crate) data_dir: Option<PathBuf>,
    /// `CORE_MCP_CONFIG`.
    pub(crate) config: Option<PathBuf>,
    /// `CORE_MCP_URL`.
    pub(crate) url: Option<String>,
    /// `CORE_MCP_LOG`.
    pub(crate) log: Option<String>,
    /// `NO_COLOR` is set and not empty.
    pub(crate) no_color: bool,
    /// `XDG_DATA_HOME` or what stands for it.
    pub(crate) data_home: Option<PathBuf>,
    /// `CORE_MCP__SECTION__KEY` variables, sorted by name.
    pub(crate) overrides: Vec<(String, String)>,
}

impl Environment {
    /// Reads the environment of this process.
    pub(crate) fn capture() -> Self {
        Self::from_variables(std::env::vars_os())
    }

    /// The variable that `${env:NAME}` in an upstream's section names.
    #[expect(clippy::disallowed_methods, reason = "this is the one file that reads the environment")]
    pub(crate) fn variable(name: &str) -> Option<String> {
        std::env::var(name).ok()
    }

    fn from_variables(variables: impl Iterator<Item = (OsString, OsString)>) -> Self {
        let mut found = Self::default();
        let (mut xdg, mut home) = (None, None);
        for (name, value) in variables {
            let Some(name) = name.to_str() else { continue };
            if value.is_empty() {
                continue;
            }
            let text = || value.to_str().map(str::to_owned);
            match name {
                "CORE_MCP_TOKEN" => found.token = text().map(|it| Secret::new(it.trim().to_owned())),
                "CORE_MCP_DATA_DIR" => found.data_dir = Some(PathBuf::from(value)),
                "CORE_MCP_CONFIG" => found.config = Some(PathBuf::from(value)),
                "CORE_MCP_URL" => found.url = text(),
                "CORE_MCP_LOG" => found.log = text(),
                "NO_COLOR" => found.no_color = true,
                "XDG_DATA_HOME" => xdg = Some(PathBuf::from(value)),
                "HOME" => home = Some(PathBuf::from(value)),
                _ if name.starts_with(OVERRIDE_PREFIX) => {
                    found.overrides.extend(text().map(|value| (name.to_owned(), value)));
                }
                _ => {}
            }
        }
        found.data_home = xdg.filter(|it| it.is_absolute()).or(home.map(|it| it.join(".local/share")));
        found.overrides.sort();
        found
    }
}

/// The variables as the help shows them.
pub(crate) fn help_text() -> String {
    let width = VARIABLES.iter().map(|it| it.name.len()).max().unwrap_or(0);
    let lines: Vec<String> =
        VARIABLES.iter().map(|it| format!("  {:width$}  {}", it.name, it.help)).collect();
    format!("Environment:\n{}", lines.join("\n"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn environment(variables: &[(&str, &str)]) -> Environment {
        Environment::from_variables(variables.iter().map(|(name, value)| ((*name).into(), (*value).into())))
    }

    #[test]
    fn the_data_home_is_xdg_then_home_and_never_relative() {
        let check = |variables: &[(&str, &str)], expected: Option<&str>| {
            assert_eq!(environment(variables).data_home, expected.map(PathBuf::from), "{variables:?}");
        };
        check(&[("XDG_DATA_HOME", "/data"), ("HOME", "/home/a")], Some("/data"));
        check(&[("HOME", "/home/a")], Some("/home/a/.local/share"));
        check(&[("XDG_DATA_HOME", "data"), ("HOME", "/home/a")], Some("/home/a/.local/share"));
        check(&[], None);
    }

    #[test]
    fn an_empty_variable_is_an_unset_one() {
        let found = environment(&[("CORE_MCP_TOKEN", ""), ("NO_COLOR", ""), ("CORE_MCP__LOG__LEVEL", "")]);
        assert!(found.token.is_none() && !found.no_color && found.overrides.is_empty());
    }

    #[test]
    fn a_token_never_shows_in_debug_output() {
        let found = environment(&[("CORE_MCP_TOKEN", "hunter2\n")]);
        assert!(!format!("{found:?}").contains("hunter2"));
        assert_eq!(found.token.map(|it| it.expose().clone()), Some("hunter2".into()));
    }

    #[test]
    fn every_variable_that_is_read_is_documented() {
        let source = include_str!("env.rs");
        let read =
            source.split("match name {").nth(1).and_then(|it| it.split("_ if name").next()).unwrap_or("");
        let names: Vec<&str> = read
            .split('"')
            .filter(|it| it.chars().all(|c| c.is_ascii_uppercase() || c == '_'))
            .filter(|it| it.len() > 3)
            .collect();
        assert!(names.len() >= 8);
        for name in names {
            assert!(VARIABLES.iter().any(|it| it.name == name), "{name} is read but not documented");
        }
    }
}
