//! `core-mcp secret`.

use std::{
    fs::File,
    io::{self, IsTerminal, Read},
    path::{Path, PathBuf},
    time::Duration,
};

use clap::{Args, Subcommand};
use kernel::ToolError;
use serde_json::json;
use vault::{SecretInfo, VALUE_BYTES_MAX, Vault};

use crate::{
    app::App,
    failure::Failure,
    output::{Output, Table, date},
    platform::Local,
};

/// Keep passwords and keys that the configuration names as `secret:NAME`
#[derive(Debug, Args)]
#[command(after_help = "Examples:\n  core-mcp secret set github-token < token.txt\n  \
    core-mcp secret set idp-client --file /run/secrets/idp\n  \
    core-mcp secret rotate github-token --overlap 3600 < new.txt\n  core-mcp secret list\n\n\
    Values come from stdin or a file, never from the command line, and are never shown again. One line break at\n\
    the end is not part of the value. Running servers read a secret when they start.")]
pub(crate) struct Secret {
    #[command(subcommand)]
    action: SecretAction,
}

#[derive(Debug, Subcommand)]
enum SecretAction {
    /// Keep a value under a new name
    Set {
        /// 1 to 64 of a-z, 0-9, `.`, `_`, `-`
        name: String,
        /// Where the value is, instead of stdin
        #[arg(long, value_name = "FILE")]
        file: Option<PathBuf>,
    },
    /// Give a name a new value; the one before works a little longer
    Rotate {
        /// Its name
        name: String,
        /// Where the value is, instead of stdin
        #[arg(long, value_name = "FILE")]
        file: Option<PathBuf>,
        /// Seconds both are good, at most 30 days
        #[arg(long, default_value_t = 3600, value_name = "SECONDS")]
        overlap: u64,
    },
    /// List names and versions, never values
    List,
    /// Forget a name and its values
    Remove {
        /// Its name
        name: String,
    },
}

impl Secret {
    pub(crate) async fn run(self, app: &App) -> Result<(), Failure> {
        let local = Local::open(app)?;
        let vault = Vault::open(&local.data).map_err(ToolError::from)?;
        match self.action {
            SecretAction::Set { name, file } => {
                let value = value(file.as_deref())?;
                let change = async { vault.set(&name, &value).map_err(ToolError::from) };
                let kept = local.recorded("secret.set", json!({ "name": name }), change).await?;
                app.output.one(&kept, || format!("kept {name}; configuration names it as secret:{name}"))
            }
            SecretAction::Rotate { name, file, overlap } => {
                let value = value(file.as_deref())?;
                let detail = json!({ "name": name, "overlap_seconds": overlap });
                let change = async {
                    vault.rotate(&name, &value, Duration::from_secs(overlap)).map_err(ToolError::from)
                };
                let kept = local.recorded("secret.rotated", detail, change).await?;
                app.output.one(&kept, || format!("{name} has version {}", kept.version))
            }
            SecretAction::List => list(app.output, &vault.list().map_err(ToolError::from)?),
            SecretAction::Remove { name } => {
                let change = async { vault.remove(&name).map_err(ToolError::from) };
                local.recorded("secret.removed", json!({ "name": name }), change).await?;
                app.output.one(&json!({ "removed": name }), || format!("removed {name}"))
            }
        }
    }
}

/// Reads a value whole, or refuses one that is too large. Nothing is echoed by us; a terminal would.
fn value(file: Option<&Path>) -> Result<kernel::Secret<String>, Failure> {
    let unreadable = |error: io::Error| Failure::usage(format!("the value cannot be read: {error}"));
    let reader: Box<dyn Read> = match file {
        Some(path) => Box::new(File::open(path).map_err(unreadable)?),
        None if io::stdin().is_terminal() => {
            return Err(Failure::usage("a value typed here would stay on the screen")
                .hint("pipe it in, or name a file: core-mcp secret set NAME --file FILE"));
        }
        None => Box::new(io::stdin()),
    };
    let mut text = String::new();
    let limit = VALUE_BYTES_MAX as u64 + 2;
    reader.take(limit).read_to_string(&mut text).map_err(|error| match error.kind() {
        io::ErrorKind::InvalidData => {
            Failure::usage("the value is not UTF-8 text").hint("encode it first, for example with base64")
        }
        _ => unreadable(error),
    })?;
    if text.ends_with('\n') {
        text.pop();
        if text.ends_with('\r') {
            text.pop();
        }
    }
    Ok(kernel::Secret::new(text))
}

fn list(output: Output, all: &[SecretInfo]) -> Result<(), Failure> {
    output.list(all, || {
        let mut table = Table::new(&["name", "version", "set", "the one before"]);
        for it in all {
            let before = it
                .previous_until
                .map_or_else(|| "ended".to_owned(), |until| format!("until {}", date(until)));
            let before = if it.version == 1 { "none".to_owned() } else { before };
            table.row([&it.name, &it.version.to_string(), &date(it.created_at), &before]);
        }
        table.render("no secrets yet: `core-mcp secret set NAME < FILE`")
    })
}
