//! Describes one path.

use kernel::{Caching, CallContext, Effect, Meta, Resource, Tool, ToolError, Trust};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::AskedPath;
use crate::DesktopCommander;

/// Describes a path without opening it.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct GetPathInfo {
    /// What to describe.
    path: AskedPath,
}

#[derive(Debug, Serialize, JsonSchema)]
#[schemars(transform = crate::tools::lean::lean)]
pub(crate) struct PathInfo {
    path: String,
    #[serde(rename = "type")]
    kind: &'static str,
    #[schemars(skip)]
    size: u64,
    /// Octal.
    #[schemars(skip)]
    mode: String,
    /// Unix seconds.
    #[schemars(skip)]
    modified: i64,
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(skip)]
    link_target: Option<String>,
    /// Why tools may not change it.
    #[serde(skip_serializing_if = "Option::is_none")]
    read_only: Option<String>,
}

impl Tool for GetPathInfo {
    type Server = DesktopCommander;
    type Output = PathInfo;

    const META: Meta = Meta {
        name: "get_path_info",
        title: "Describe a path",
        effect: Effect::Read,
        caching: Caching::Never,
        trust: Trust::Untrusted,
    };

    fn resources(&self) -> Vec<Resource> {
        vec![self.path.resource()]
    }

    async fn call(self, server: &DesktopCommander, _cx: &CallContext) -> Result<PathInfo, ToolError> {
        server
            .with_files(move |files| {
                let found = files.roots().describe("path", self.path.as_str())?;
                Ok(PathInfo {
                    path: found.absolute.to_string_lossy().into_owned(),
                    kind: found.facts.kind.as_str(),
                    size: found.facts.size,
                    mode: format!("{:04o}", found.facts.mode),
                    modified: found.facts.modified,
                    link_target: found.link_target.map(|it| it.to_string_lossy().into_owned()),
                    read_only: found.unchangeable.map(|refusal| refusal.rule),
                })
            })
            .await
    }
}
