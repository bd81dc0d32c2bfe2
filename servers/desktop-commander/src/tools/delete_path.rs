//! Deletes a file or folder.

use kernel::{Caching, CallContext, Effect, Meta, Resource, Tool, ToolError, Trust};
use schemars::JsonSchema;
use serde::Deserialize;

use super::AskedPath;
use crate::{
    DesktopCommander,
    files::{Changed, Who},
};

/// Deletes a file or folder; undo_change brings it back.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct DeletePath {
    /// What.
    path: AskedPath,
    /// With what it holds.
    #[serde(default)]
    recursive: bool,
}

impl Tool for DeletePath {
    type Server = DesktopCommander;
    type Output = Changed;

    const META: Meta = Meta {
        name: "delete_path",
        title: "Delete a path",
        effect: Effect::Destroy { idempotent: false },
        caching: Caching::Never,
        trust: Trust::Own,
    };

    fn resources(&self) -> Vec<Resource> {
        vec![self.path.resource()]
    }

    async fn call(self, server: &DesktopCommander, cx: &CallContext) -> Result<Changed, ToolError> {
        let who = Who::of(&cx.principal);
        server.with_files(move |files| files.delete(&who, self.path.as_str(), self.recursive)).await
    }
}
