//! Changes a git repository.

use std::time::Duration;

use kernel::{Caching, CallContext, Effect, Meta, Resource, Tool, ToolError, Trust};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::{
    DesktopCommander,
    git::{check_name, check_revision, git},
};

/// Changes a git repository. Runs no hook.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct GitChange {
    /// Its folder.
    repo: String,
    /// What to do.
    op: Op,
    /// For add; all by default.
    #[serde(default)]
    #[schemars(length(max = 500))]
    paths: Vec<String>,
    /// For commit and stash.
    #[schemars(length(max = 20_000))]
    message: Option<String>,
    /// Branch, for branch, switch, push.
    name: Option<String>,
    /// Start of a new branch.
    rev: Option<String>,
    /// For fetch and push.
    #[serde(default = "origin")]
    remote: String,
    /// Switch: make the branch.
    #[serde(default)]
    create: bool,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
enum Op {
    Add,
    Commit,
    Branch,
    Switch,
    Stash,
    Fetch,
    Push,
}

fn origin() -> String {
    "origin".to_owned()
}

#[derive(Debug, Serialize, JsonSchema)]
pub(crate) struct GitChanged {
    /// HEAD before.
    before: String,
    /// HEAD after.
    after: String,
    text: String,
}

impl Tool for GitChange {
    type Server = DesktopCommander;
    type Output = GitChanged;

    const META: Meta = Meta {
        name: "git_change",
        title: "Change a repository",
        effect: Effect::Destroy { idempotent: false },
        caching: Caching::Never,
        trust: Trust::Untrusted,
    };

    fn resources(&self) -> Vec<Resource> {
        vec![Resource::new("program", "git"), Resource::new("file", &self.repo)]
    }

    fn deadline(&self) -> Option<Duration> {
        Some(Duration::from_secs(320))
    }

    async fn call(self, server: &DesktopCommander, cx: &CallContext) -> Result<GitChanged, ToolError> {
        let args = self.args()?;
        let args: Vec<&str> = args.iter().map(String::as_str).collect();
        // A repository without commits has no HEAD yet.
        let head = async || {
            git(&server.commands, cx, &self.repo, &["rev-parse", "--verify", "--quiet", "HEAD"])
                .await
                .map(|said| said.text.trim().to_owned())
                .unwrap_or_default()
        };
        let before = head().await;
        let said = git(&server.commands, cx, &self.repo, &args).await?;
        Ok(GitChanged { before, after: head().await, text: said.text })
    }
}

impl GitChange {
    fn args(&self) -> Result<Vec<String>, ToolError> {
        if let Some(name) = &self.name {
            check_name("name", name)?;
        }
        if let Some(rev) = &self.rev {
            check_revision("rev", rev)?;
        }
        check_name("remote", &self.remote)?;
        let missing =
            |field: &'static str| ToolError::invalid(field, format!("this operation needs `{field}`"));
        let name = || self.name.as_deref().ok_or_else(|| missing("name"));
        let mut args: Vec<&str> = Vec::new();
        match self.op {
            Op::Add if self.paths.is_empty() => args.extend(["add", "--all"]),
            Op::Add => {
                args.extend(["add", "--"]);
                args.extend(self.paths.iter().map(String::as_str));
            }
            Op::Commit => {
                args.extend(["commit", "-m", self.message.as_deref().ok_or_else(|| missing("message"))?])
            }
            Op::Branch => args.extend(["branch", name()?]),
            Op::Switch if self.create => args.extend(["switch", "-c", name()?]),
            Op::Switch => args.extend(["switch", name()?]),
            Op::Stash => args.extend([
                "stash",
                "push",
                "--include-untracked",
                "-m",
                self.message.as_deref().unwrap_or("stash"),
            ]),
            Op::Fetch => args.extend(["fetch", "--prune", &self.remote]),
            Op::Push => {
                args.extend(["push", "--set-upstream", &self.remote, self.name.as_deref().unwrap_or("HEAD")])
            }
        }
        if self.op == Op::Branch || (self.op == Op::Switch && self.create) {
            args.extend(self.rev.as_deref());
        }
        Ok(args.into_iter().map(str::to_owned).collect())
    }
}
