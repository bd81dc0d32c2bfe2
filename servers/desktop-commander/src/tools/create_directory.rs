//! Makes a folder.

use kernel::{Caching, CallContext, Effect, Meta, Resource, Tool, ToolError, Trust};
use schemars::JsonSchema;
use serde::Deserialize;

use super::AskedPath;
use crate::{
    DesktopCommander,
    files::{Changed, Who},
};

/// Makes a folder and those above it.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct CreateDirectory {
    /// Where.
    directory_path: AskedPath,
}

impl Tool for CreateDirectory {
    type Server = DesktopCommander;
    type Output = Changed;

    const META: Meta = Meta {
        name: "create_directory",
        title: "Make a folder",
        effect: Effect::Write { idempotent: true },
        caching: Caching::Never,
        trust: Trust::Own,
    };

    fn resources(&self) -> Vec<Resource> {
        vec![self.directory_path.resource()]
    }

    async fn call(self, server: &DesktopCommander, cx: &CallContext) -> Result<Changed, ToolError> {
        let who = Who::of(&cx.principal);
        server.with_files(move |files| files.make_folder(&who, self.directory_path.as_str())).await
    }
}
