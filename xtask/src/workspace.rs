//! Where things are, and what cargo knows about them.

use std::path::{Path, PathBuf};

use anyhow::Context;
use serde_json::Value;

use crate::shell::Command;

/// The folders a task works with.
#[derive(Clone)]
pub(crate) struct Places {
    /// The checkout.
    pub(crate) root: PathBuf,
    /// Tools that tests need, kept between runs.
    pub(crate) cache: PathBuf,
    /// Where cargo builds.
    pub(crate) target: PathBuf,
}

impl Places {
    /// Takes what was given and the defaults for the rest.
    pub(crate) fn find(
        cache: Option<PathBuf>,
        home: Option<PathBuf>,
        target: Option<PathBuf>,
    ) -> anyhow::Result<Self> {
        let root = Path::new(env!("CARGO_MANIFEST_DIR")).parent().context("xtask stands in the workspace")?;
        let cache = match (cache, home) {
            (Some(cache), _) => cache,
            (None, Some(home)) => home.join(".cache/core-mcp"),
            (None, None) => anyhow::bail!("HOME is not set; give --cache"),
        };
        let target = target.unwrap_or_else(|| cache.join("target"));
        Ok(Self { root: root.to_owned(), cache, target })
    }

    /// A program that runs in the checkout, building where this task builds.
    pub(crate) fn command(&self, program: impl Into<String>) -> Command {
        Command::new(program).folder(&self.root).env("CARGO_TARGET_DIR", &self.target)
    }

    /// The built program, release build.
    pub(crate) fn release_binary(&self) -> PathBuf {
        self.target.join("release/core-mcp")
    }

    /// The Python environment the tests use.
    pub(crate) fn venv(&self) -> PathBuf {
        self.cache.join("venv")
    }

    /// Files git tracks or would track, relative to the root, sorted.
    pub(crate) fn files(&self) -> anyhow::Result<Vec<PathBuf>> {
        let listing = self
            .command("git")
            .args(["ls-files", "-z", "--cached", "--others", "--exclude-standard"])
            .output()?;
        let mut files: Vec<PathBuf> =
            listing.split('\0').filter(|it| !it.is_empty()).map(PathBuf::from).collect();
        files.retain(|it| self.root.join(it).is_file());
        files.sort();
        files.dedup();
        Ok(files)
    }

    /// What `cargo metadata` says; `whole` includes everything that is depended on.
    pub(crate) fn metadata(&self, whole: bool) -> anyhow::Result<Value> {
        let command = self.command("cargo").args(["metadata", "--format-version=1", "--locked"]);
        let command = if whole { command } else { command.args(["--no-deps"]) };
        serde_json::from_str(&command.output()?).context("cargo metadata is JSON")
    }
}
