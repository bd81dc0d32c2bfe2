//! Starting the servers of the catalogue with their config sections.

use std::{fs, path::PathBuf, time::Duration};

use kernel::{ServerEntry, StartContext};
use pipeline::{Mount, Registry};
use serde_json::Value;
use store::DataDir;
use vault::Vault;

use crate::config::{Settings, fill_in};

/// Longest time one server may take to start; the others do not wait for it.
const START_TIMEOUT: Duration = Duration::from_secs(20);

/// Which servers to start. The others are known but not running.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Mounts {
    /// Everything that is not switched off.
    All,
    /// These, by name or alias.
    Only(Vec<String>),
    /// None: for commands that only need to know what exists.
    Nothing,
}

impl Mounts {
    /// Whether a server that is not part of the catalogue, an upstream for example, is wanted.
    pub(crate) fn wants_name(&self, name: &str) -> bool {
        match self {
            Self::All => true,
            Self::Nothing => false,
            Self::Only(names) => names.iter().any(|it| it == name),
        }
    }

    fn wants(&self, entry: &ServerEntry) -> bool {
        match self {
            Self::All => true,
            Self::Nothing => false,
            Self::Only(names) => {
                names.iter().any(|it| it == entry.facts.name || entry.facts.aliases.contains(&it.as_str()))
            }
        }
    }
}

/// Starts the wanted servers side by side. One that fails is listed with its reason.
pub(crate) async fn mount(
    wanted: &Mounts,
    settings: &Settings,
    (data, vault): (&DataDir, &Vault),
    config_files: &[PathBuf],
) -> Registry {
    let starts = catalog::native_servers().into_iter().map(|entry| {
        let plan = plan(&entry, wanted, settings, (data, vault), config_files);
        tokio::spawn(async move {
            match plan {
                Ok((config, context)) => start(entry, config, context).await,
                Err(reason) => Mount::unavailable(entry.facts, (entry.specs)(), reason),
            }
        })
    });
    let mut mounts = Vec::new();
    for (start, entry) in starts.collect::<Vec<_>>().into_iter().zip(catalog::native_servers()) {
        let mount = start.await;
        mounts.push(mount.unwrap_or_else(|_| {
            Mount::unavailable(entry.facts, (entry.specs)(), "it crashed while starting; the log says more")
        }));
    }
    Registry::new(mounts)
}

/// What a server needs to start, or why it is not started.
fn plan(
    entry: &ServerEntry,
    wanted: &Mounts,
    settings: &Settings,
    (data, vault): (&DataDir, &Vault),
    config_files: &[PathBuf],
) -> Result<(Value, StartContext), String> {
    let name = entry.facts.name;
    let mut config = settings
        .server_config(name)
        .ok_or_else(|| format!("switched off; remove `enabled = false` from [servers.{name}] and restart"))?;
    if !wanted.wants(entry) {
        return Err("not started for this command".into());
    }
    fill_in(&mut config, &(entry.config_schema)(), &|reference| {
        vault.resolve(reference).map(|it| it.expose().clone()).map_err(|error| error.to_string())
    })
    .map_err(|error| format!("[servers.{name}] {error}; `core-mcp secret list` shows the names"))?;
    let state_dir = data.server(name).map_err(|error| error.to_string())?;
    // A config file under a root must not be changed by a tool; one that does not exist cannot be named.
    let protected = config_files.iter().filter_map(|it| fs::canonicalize(it).ok());
    let context = StartContext {
        state_dir,
        roots: settings.workspace.roots.clone(),
        protected: std::iter::once(data.root().to_owned()).chain(protected).collect(),
        launcher: std::env::current_exe().ok(),
    };
    Ok((config, context))
}

async fn start(entry: ServerEntry, config: Value, context: StartContext) -> Mount {
    match tokio::time::timeout(START_TIMEOUT, (entry.mount)(config, context)).await {
        Ok(Ok(server)) => Mount::ready(server),
        Ok(Err(error)) => Mount::unavailable(entry.facts, (entry.specs)(), error.reason),
        Err(_) => {
            let reason = format!("it did not start within {} s", START_TIMEOUT.as_secs());
            Mount::unavailable(entry.facts, (entry.specs)(), reason)
        }
    }
}
