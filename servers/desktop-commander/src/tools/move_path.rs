//! Moves a file or folder.

use kernel::{Caching, CallContext, Effect, Meta, Resource, Tool, ToolError, Trust};
use schemars::JsonSchema;
use serde::Deserialize;

use super::AskedPath;
use crate::{
    DesktopCommander,
    files::{Changed, Who},
};

/// Moves or renames a file or folder.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct MovePath {
    /// What.
    from_path: AskedPath,
    /// Its new path.
    to_path: AskedPath,
    /// Replace a file.
    #[serde(default)]
    overwrite: bool,
}

impl Tool for MovePath {
    type Server = DesktopCommander;
    type Output = Changed;

    const META: Meta = Meta {
        name: "move_path",
        title: "Move a path",
        effect: Effect::Write { idempotent: false },
        caching: Caching::Never,
        trust: Trust::Own,
    };

    fn resources(&self) -> Vec<Resource> {
        vec![self.from_path.resource(), self.to_path.resource()]
    }

    async fn call(self, server: &DesktopCommander, cx: &CallContext) -> Result<Changed, ToolError> {
        let who = Who::of(&cx.principal);
        let Self { from_path, to_path, overwrite } = self;
        server
            .with_files(move |files| files.relocate(&who, from_path.as_str(), to_path.as_str(), overwrite))
            .await
    }
}
