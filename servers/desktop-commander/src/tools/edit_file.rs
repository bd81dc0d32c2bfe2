//! Edits one file.

use kernel::{Caching, CallContext, Effect, Meta, Resource, Tool, ToolError, Trust};
use schemars::JsonSchema;
use serde::Deserialize;

use super::AskedPath;
use crate::{
    DesktopCommander,
    files::{Changed, Edit, Who},
};

/// Replaces exact text in a file: all edits or none.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct EditFile {
    /// Which file.
    file_path: AskedPath,
    /// Applied in order.
    #[schemars(length(min = 1, max = 100))]
    edits: Vec<Edit>,
    /// Only show the diff.
    #[serde(default)]
    dry_run: bool,
}

impl Tool for EditFile {
    type Server = DesktopCommander;
    type Output = Changed;

    const META: Meta = Meta {
        name: "edit_file",
        title: "Edit a file",
        effect: Effect::Write { idempotent: false },
        caching: Caching::Never,
        trust: Trust::Untrusted,
    };

    fn resources(&self) -> Vec<Resource> {
        vec![self.file_path.resource()]
    }

    async fn call(self, server: &DesktopCommander, cx: &CallContext) -> Result<Changed, ToolError> {
        let Self { file_path, edits, dry_run } = self;
        let who = Who::of(&cx.principal);
        server.with_files(move |files| files.edit(&who, file_path.as_str(), &edits, dry_run)).await
    }
}
