//! A judged command line. Only the judge can make one.

use std::path::{Path, PathBuf};

use super::syntax::Connector;

/// What will run, in order.
#[derive(Clone, Debug)]
pub struct Plan {
    pub(super) cwd: PathBuf,
    pub(super) steps: Vec<Step>,
}

/// One pipeline of a plan.
#[derive(Clone, Debug)]
pub struct Step {
    pub(super) connector: Connector,
    pub(super) stages: Vec<Stage>,
}

/// One program of a plan.
#[derive(Clone, Debug)]
pub struct Stage {
    pub(super) name: String,
    pub(super) program: PathBuf,
    pub(super) args: Vec<String>,
    pub(super) env: Vec<(String, String)>,
    pub(super) stdin: Option<PathBuf>,
    pub(super) stdout: Sink,
    pub(super) stderr: Sink,
    pub(super) reads: Vec<PathBuf>,
    pub(super) writes: Vec<PathBuf>,
    pub(super) network: bool,
    pub(super) rule: &'static str,
}

/// Where an output stream goes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Sink {
    /// Into the next program, or to the caller as standard output.
    Out,
    /// To the caller as standard error.
    Err,
    /// Into a file.
    File {
        /// Beneath a root, or `/dev/null`.
        path: PathBuf,
        /// Whether what is there is kept.
        append: bool,
    },
}

impl Plan {
    /// The folder it runs in, links resolved.
    pub fn cwd(&self) -> &Path {
        &self.cwd
    }

    /// Its pipelines, in order.
    pub fn steps(&self) -> &[Step] {
        &self.steps
    }

    /// Every program of every pipeline, in order.
    pub fn stages(&self) -> impl Iterator<Item = &Stage> {
        self.steps.iter().flat_map(|step| &step.stages)
    }

    /// Whether any program cannot work without network.
    pub fn needs_network(&self) -> bool {
        self.stages().any(Stage::needs_network)
    }
}

impl Step {
    /// When it runs.
    pub fn connector(&self) -> Connector {
        self.connector
    }

    /// Its programs, left to right.
    pub fn stages(&self) -> &[Stage] {
        &self.stages
    }
}

impl Stage {
    /// The program's name on the allow-list.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// The absolute program file.
    pub fn program(&self) -> &Path {
        &self.program
    }

    /// Its arguments, patterns expanded, without the program's own name.
    pub fn args(&self) -> &[String] {
        &self.args
    }

    /// Variables it gets besides the usual ones.
    pub fn env(&self) -> &[(String, String)] {
        &self.env
    }

    /// The file it reads its input from, if not from the program before it.
    pub fn stdin(&self) -> Option<&Path> {
        self.stdin.as_deref()
    }

    /// Where its standard output goes.
    pub fn stdout(&self) -> &Sink {
        &self.stdout
    }

    /// Where its standard error goes.
    pub fn stderr(&self) -> &Sink {
        &self.stderr
    }

    /// Paths it was seen to read.
    pub fn reads(&self) -> &[PathBuf] {
        &self.reads
    }

    /// Paths it was seen to change.
    pub fn writes(&self) -> &[PathBuf] {
        &self.writes
    }

    /// Whether it cannot work without network.
    pub fn needs_network(&self) -> bool {
        self.network
    }

    /// The rule that let it pass.
    pub fn rule(&self) -> &'static str {
        self.rule
    }
}
