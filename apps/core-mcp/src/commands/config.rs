//! `core-mcp config`: write, check, explain, and describe the configuration.

use std::{
    fs,
    io::Write,
    os::unix::fs::OpenOptionsExt,
    path::{Path, PathBuf},
};

use clap::{Args, Subcommand};
use serde::Serialize;
use serde_json::{Value, json};

use crate::{
    app::App,
    config::{self, FILE_NAME, Loaded, nearest},
    failure::Failure,
    output::Table,
    platform::{SetUp, set_up},
};

/// Write, check and explain the configuration.
#[derive(Debug, Args)]
#[command(after_help = "Examples:\n  core-mcp config init --root ~/src\n  core-mcp config check\n  \
    core-mcp config explain tuning.rate_per_minute\n  core-mcp config schema > core-mcp.schema.json")]
pub(crate) struct Config {
    #[command(subcommand)]
    action: ConfigAction,
}

#[derive(Debug, Subcommand)]
enum ConfigAction {
    /// Write core.toml with comments and the recommended values
    Init {
        /// A folder to open to tools; repeat for more [default: the current folder]
        #[arg(long = "root", value_name = "DIR")]
        roots: Vec<PathBuf>,
        /// Replace a file that is already there
        #[arg(long)]
        force: bool,
    },
    /// Say everything that is wrong, with file, line and fix
    Check,
    /// Show values and where each came from
    Explain {
        /// A key such as `server.listen`, or a section; all keys when left out
        key: Option<String>,
    },
    /// Print the JSON Schema of core.toml
    Schema,
}

impl Config {
    pub(crate) fn run(self, app: &App) -> Result<(), Failure> {
        match self.action {
            ConfigAction::Init { roots, force } => init(app, &roots, force),
            ConfigAction::Check => check(app),
            ConfigAction::Explain { key } => explain(app, key.as_deref()),
            ConfigAction::Schema => {
                let schema = config::schema();
                app.output.one(&schema, || serde_json::to_string_pretty(&schema).unwrap_or_default())
            }
        }
    }
}

/// Makes the data directory with the shipped policies when there is none, like quickstart does.
fn init(app: &App, roots: &[PathBuf], force: bool) -> Result<(), Failure> {
    let data_root = app.data_root()?;
    let here = [PathBuf::from(".")];
    let roots = if roots.is_empty() { &here } else { roots };
    let roots = roots.iter().map(|it| resolve_folder(it)).collect::<Result<Vec<_>, _>>()?;
    let roots: Vec<&Path> = roots.iter().map(PathBuf::as_path).collect();
    let path = app.common.config.clone().unwrap_or_else(|| data_root.join(FILE_NAME));
    let SetUp { wrote_config, .. } = set_up(&data_root, &roots, None)?;
    // The set-up has written it just now, or it is another file, or it was there before.
    if !(wrote_config && path == data_root.join(FILE_NAME)) {
        write_private(&path, &config::template(&roots, None), force)?;
    }
    app.output.one(&json!({ "path": path }), || format!("wrote {}", path.display()))
}

/// A folder that exists, as an absolute path without links.
pub(crate) fn resolve_folder(path: &Path) -> Result<PathBuf, Failure> {
    let found = fs::canonicalize(path).map_err(|error| {
        Failure::usage(format!("the folder {} cannot be opened: {error}", path.display()))
    })?;
    if found.is_dir() {
        Ok(found)
    } else {
        Err(Failure::usage(format!("{} is not a folder", path.display())))
    }
}

/// Writes a file only its owner can read. Refuses to replace one unless told to.
pub(crate) fn write_private(path: &Path, text: &str, replace: bool) -> Result<(), Failure> {
    let mut options = fs::OpenOptions::new();
    options.write(true).mode(0o600);
    if replace {
        options.create(true).truncate(true);
    } else {
        options.create_new(true);
    }
    match options.open(path).and_then(|mut file| file.write_all(text.as_bytes())) {
        Ok(()) => Ok(()),
        Err(error) if error.kind() == std::io::ErrorKind::AlreadyExists => {
            Err(Failure::usage(format!("{} is already there", path.display()))
                .hint("replace it with --force"))
        }
        Err(error) => Err(Failure::local(format!("{} cannot be written", path.display()), error)),
    }
}

fn check(app: &App) -> Result<(), Failure> {
    let sources = app.sources(&app.data_root()?);
    let problems = config::load(&sources).err().unwrap_or_default();
    let files: Vec<&Path> = sources.files().filter(|it| it.exists()).collect();
    if problems.is_empty() {
        let names: Vec<String> = files.iter().map(|it| it.display().to_string()).collect();
        return app.output.one(&json!({ "ok": true, "files": files, "problems": [] }), || {
            if names.is_empty() {
                "ok: no config file, defaults are in force".into()
            } else {
                format!("ok: {}", names.join(", "))
            }
        });
    }
    app.output.one(&json!({ "ok": false, "files": files, "problems": problems }), || {
        problems.iter().map(config::Problem::line).collect::<Vec<_>>().join("\n")
    })?;
    Err(Failure::usage(format!("problems found: {}", problems.len())))
}

#[derive(Serialize)]
struct Explained<'a> {
    key: String,
    value: &'a Value,
    origin: String,
}

fn explain(app: &App, key: Option<&str>) -> Result<(), Failure> {
    let loaded = app.load_config(&app.sources(&app.data_root()?))?;
    let all = explained(&loaded);
    let wanted: Vec<&Explained<'_>> = match key {
        None => all.iter().collect(),
        Some(key) => {
            let section = format!("{key}.");
            all.iter().filter(|it| it.key == key || it.key.starts_with(&section)).collect()
        }
    };
    if let (true, Some(key)) = (wanted.is_empty(), key) {
        let failure = Failure::usage(format!("`{key}` has no value"));
        return Err(match nearest(key, all.iter().map(|it| it.key.as_str())) {
            Some(near) => failure.hint(format!("did you mean `{near}`?")),
            None => failure.hint("`core-mcp config explain` lists every key that has one"),
        });
    }
    app.output.list(&wanted, || {
        let mut table = Table::new(&["key", "value", "from"]);
        for it in &wanted {
            table.row([&it.key, &it.value.to_string(), &it.origin]);
        }
        table.render("no values")
    })
}

/// Server sections may hold secrets: what the schema marks `writeOnly` is not shown.
fn explained(loaded: &Loaded) -> Vec<Explained<'_>> {
    static HIDDEN: Value = Value::Null;
    let schema = config::schema();
    let leaves = loaded.tree.leaves();
    let shown = leaves.into_iter().map(|(key, value, origin)| {
        // The name of a secret is none.
        let is_reference = value.as_str().is_some_and(|it| it.starts_with(vault::REFERENCE_PREFIX));
        let hidden = is_write_only(&schema, &key) && !is_reference;
        let origin = if hidden { format!("{origin} (secret, not shown)") } else { origin.to_string() };
        Explained { key, value: if hidden { &HIDDEN } else { value }, origin }
    });
    shown.collect()
}

fn is_write_only(schema: &Value, key: &str) -> bool {
    let mut here = schema;
    for part in key.split('.') {
        here = &here["properties"][part];
        if here["writeOnly"] == true {
            return true;
        }
    }
    false
}
