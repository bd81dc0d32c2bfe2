//! Looks at a git repository.

use kernel::{Caching, CallContext, Effect, Meta, Resource, Tool, ToolError, Trust};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::{
    DesktopCommander,
    git::{
        BRANCH_FORMAT, LOG_FORMAT, Row, blame_rows, branch_rows, check_revision, git, log_rows, status_rows,
    },
};

/// Looks at a git repository. Runs no hook, filter or pager.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct GitQuery {
    /// Its folder.
    repo: String,
    /// What to look at.
    op: Op,
    /// For diff, log, show, blame.
    rev: Option<String>,
    /// Narrows to a path.
    path: Option<String>,
    /// Diff of what is staged.
    #[serde(default)]
    staged: bool,
    /// Rows.
    #[serde(default = "fifty")]
    #[schemars(range(min = 1, max = 1000))]
    limit: usize,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
enum Op {
    Status,
    Diff,
    Log,
    Show,
    Branches,
    Blame,
}

fn fifty() -> usize {
    50
}

#[derive(Debug, Default, Serialize, JsonSchema)]
pub(crate) struct GitAnswer {
    /// Status: the branch first, then paths.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    rows: Vec<Row>,
    #[serde(skip_serializing_if = "String::is_empty")]
    text: String,
    truncated: bool,
}

impl Tool for GitQuery {
    type Server = DesktopCommander;
    type Output = GitAnswer;

    const META: Meta = Meta {
        name: "git_query",
        title: "Look at a repository",
        effect: Effect::Read,
        caching: Caching::Never,
        trust: Trust::Untrusted,
    };

    fn resources(&self) -> Vec<Resource> {
        vec![Resource::new("program", "git"), Resource::new("file", &self.repo)]
    }

    async fn call(self, server: &DesktopCommander, cx: &CallContext) -> Result<GitAnswer, ToolError> {
        if let Some(rev) = &self.rev {
            check_revision("rev", rev)?;
        }
        let args = self.args()?;
        let args: Vec<&str> = args.iter().map(String::as_str).collect();
        let said = git(&server.commands, cx, &self.repo, &args).await?;
        let rows = match self.op {
            Op::Status => status_rows(&said.text),
            Op::Log => log_rows(&said.text),
            Op::Branches => branch_rows(&said.text),
            Op::Blame => blame_rows(&said.text),
            Op::Diff | Op::Show => {
                return Ok(GitAnswer { text: said.text, truncated: said.truncated, ..GitAnswer::default() });
            }
        };
        let truncated = said.truncated || rows.len() > self.limit;
        Ok(GitAnswer { rows: rows.into_iter().take(self.limit).collect(), truncated, ..GitAnswer::default() })
    }
}

impl GitQuery {
    fn args(&self) -> Result<Vec<String>, ToolError> {
        let rev = self.rev.as_deref();
        let count = format!("--max-count={}", self.limit + 1);
        let mut args: Vec<&str> = vec!["--no-optional-locks", "--literal-pathspecs"];
        match self.op {
            Op::Status => args.extend(["status", "--porcelain=v2", "--branch", "-z"]),
            Op::Diff => args.extend(["diff", "--no-ext-diff", "--no-textconv", "--no-color"]),
            Op::Log => args.extend(["log", LOG_FORMAT, &count]),
            Op::Show => args.extend(["show", "--no-ext-diff", "--no-textconv", "--no-color"]),
            Op::Branches => args.extend(["branch", "--all", BRANCH_FORMAT]),
            Op::Blame => args.extend(["blame", "--line-porcelain"]),
        }
        if self.op == Op::Diff && self.staged {
            args.push("--cached");
        }
        let takes_rev = !matches!(self.op, Op::Status | Op::Branches);
        args.extend(rev.filter(|_| takes_rev));
        match (&self.path, self.op) {
            (Some(path), op) if op != Op::Branches => args.extend(["--", path]),
            (None, Op::Blame) => {
                return Err(
                    ToolError::invalid("path", "blame needs a path").hint("name a file of the repository")
                );
            }
            _ => {}
        }
        Ok(args.into_iter().map(str::to_owned).collect())
    }
}
