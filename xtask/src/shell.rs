//! Running other programs.

use std::{
    ffi::{OsStr, OsString},
    path::{Path, PathBuf},
    process::{self, Stdio},
};

use anyhow::Context;

/// A program to run, and how to show it to a person.
#[derive(Clone)]
pub(crate) struct Command {
    program: String,
    args: Vec<OsString>,
    folder: Option<PathBuf>,
    env: Vec<(String, OsString)>,
}

impl Command {
    pub(crate) fn new(program: impl Into<String>) -> Self {
        Self { program: program.into(), args: Vec::new(), folder: None, env: Vec::new() }
    }

    pub(crate) fn args<A: AsRef<OsStr>>(mut self, args: impl IntoIterator<Item = A>) -> Self {
        self.args.extend(args.into_iter().map(|it| it.as_ref().to_owned()));
        self
    }

    pub(crate) fn folder(mut self, folder: &Path) -> Self {
        self.folder = Some(folder.to_owned());
        self
    }

    pub(crate) fn env(mut self, key: &str, value: impl AsRef<OsStr>) -> Self {
        self.env.push((key.to_owned(), value.as_ref().to_owned()));
        self
    }

    pub(crate) fn shown(&self) -> String {
        let args = self.args.iter().map(|it| it.to_string_lossy());
        std::iter::once(self.program.as_str().into()).chain(args).collect::<Vec<_>>().join(" ")
    }

    /// Runs it with our own output; fails when it fails.
    pub(crate) fn run(&self) -> anyhow::Result<()> {
        let status =
            self.prepared().status().with_context(|| format!("`{}` cannot be started", self.program))?;
        anyhow::ensure!(status.success(), "`{}` failed: {status}", self.shown());
        Ok(())
    }

    /// Runs it and returns what it printed; fails when it fails.
    pub(crate) fn output(&self) -> anyhow::Result<String> {
        let output = self
            .prepared()
            .stderr(Stdio::inherit())
            .output()
            .with_context(|| format!("`{}` cannot be started", self.program))?;
        anyhow::ensure!(output.status.success(), "`{}` failed: {}", self.shown(), output.status);
        String::from_utf8(output.stdout).context("its output is not text")
    }

    /// Whether it starts and succeeds, quietly.
    pub(crate) fn works(&self) -> bool {
        let status =
            self.prepared().stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null()).status();
        status.is_ok_and(|it| it.success())
    }

    /// The command with its output still to be decided.
    pub(crate) fn prepared(&self) -> process::Command {
        let mut command = process::Command::new(&self.program);
        command.args(&self.args).envs(self.env.iter().map(|(key, value)| (key, value)));
        if let Some(folder) = &self.folder {
            command.current_dir(folder);
        }
        command
    }
}
