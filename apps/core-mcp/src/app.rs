//! What every command is given: flags, environment, and a printer.

use std::{
    fs,
    io::Read,
    os::unix::fs::PermissionsExt,
    path::{Path, PathBuf},
    sync::Arc,
};

use kernel::{ErrorKind, Secret};

use crate::{
    cli::Common,
    config::{self, FILE_NAME, Loaded, Sources},
    env::Environment,
    failure::Failure,
    output::{Output, say},
};

/// The machine's config, under every other layer.
const SYSTEM_CONFIG: &str = "/etc/core-mcp/core.toml";

/// Permission bits that let others read a file.
const OTHERS_MAY_READ: u32 = 0o044;

/// Longest token file that is read.
const TOKEN_BYTES_MAX: u64 = 16 << 10;

/// A command's surroundings.
#[derive(Clone)]
pub(crate) struct App {
    /// The common flags.
    pub(crate) common: Common,
    /// What the process was started with.
    pub(crate) environment: Arc<Environment>,
    /// Where results go.
    pub(crate) output: Output,
}

impl App {
    /// Joins flags and environment.
    pub(crate) fn new(common: Common, environment: Environment) -> Self {
        let output = Output::new(common.output, environment.no_color);
        Self { common, environment: Arc::new(environment), output }
    }

    /// The data directory: flag, `CORE_MCP_DATA_DIR`, `XDG_DATA_HOME/core-mcp`, `~/.local/share/core-mcp`.
    pub(crate) fn data_root(&self) -> Result<PathBuf, Failure> {
        let chosen = self.common.data_dir.clone().or_else(|| self.environment.data_dir.clone());
        let root = chosen.or_else(|| self.environment.data_home.as_ref().map(|it| it.join("core-mcp")));
        let root = root.ok_or_else(|| {
            Failure::usage("there is no home directory to keep the data in")
                .hint("name a folder with --data-dir")
        })?;
        std::path::absolute(&root)
            .map_err(|error| Failure::local("the data directory has no absolute path", error))
    }

    /// The same, and it must have been set up already.
    pub(crate) fn existing_data_root(&self) -> Result<PathBuf, Failure> {
        let root = self.data_root()?;
        if root.is_dir() {
            return Ok(root);
        }
        Err(Failure::new(ErrorKind::NotFound, format!("there is no data directory at {}", root.display()))
            .hint(
                "make one with `core-mcp quickstart` or `core-mcp config init`, or name it with --data-dir",
            ))
    }

    /// Where config comes from, without flags of single commands.
    pub(crate) fn sources(&self, data_root: &Path) -> Sources {
        Sources {
            system: Some(PathBuf::from(SYSTEM_CONFIG)),
            user: Some(data_root.join(FILE_NAME)),
            extra: self.common.config.clone().or_else(|| self.environment.config.clone()),
            variables: self.environment.overrides.clone(),
            flags: Vec::new(),
        }
    }

    /// Loads config, or fails with every problem as a hint.
    pub(crate) fn load_config(&self, sources: &Sources) -> Result<Loaded, Failure> {
        config::load(sources).map_err(|problems| {
            let count = problems.len();
            let noun = if count == 1 { "problem" } else { "problems" };
            let failure = Failure::usage(format!("the configuration has {count} {noun}"));
            problems.iter().fold(failure, |failure, problem| failure.hint(problem.line()))
        })
    }

    /// The access token: `--token-file`, else `CORE_MCP_TOKEN`. No call is anonymous.
    pub(crate) fn token(&self) -> Result<Secret<String>, Failure> {
        match &self.common.token_file {
            Some(path) => token_from_file(path),
            None => self.environment.token.clone().ok_or_else(Failure::no_token),
        }
    }
}

fn token_from_file(path: &Path) -> Result<Secret<String>, Failure> {
    let mut text = String::new();
    let mode = fs::File::open(path)
        .and_then(|file| {
            let mode = file.metadata()?.permissions().mode();
            file.take(TOKEN_BYTES_MAX).read_to_string(&mut text).map(|_| mode)
        })
        .map_err(|error| {
            Failure::usage(format!("the token file {} cannot be read: {error}", path.display()))
        })?;
    if mode & OTHERS_MAY_READ != 0 {
        say(&format!("warning: others can read {}; chmod 600 it", path.display()));
    }
    match text.trim() {
        "" => Err(Failure::no_token().hint(format!("{} is empty", path.display()))),
        token => Ok(Secret::new(token.to_owned())),
    }
}
