//! Writes one file.

use kernel::{Caching, CallContext, Effect, Meta, Resource, Tool, ToolError, Trust};
use schemars::JsonSchema;
use serde::Deserialize;

use super::AskedPath;
use crate::{
    DesktopCommander,
    files::{Changed, Mode, Who, WriteOrder},
};

/// Writes a whole file; undo_change brings the old one back.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct WriteFile {
    /// Where.
    file_path: AskedPath,
    /// UTF-8 text.
    content: String,
    /// Make missing folders.
    #[serde(default = "yes")]
    create_dirs: bool,
    /// For a file that exists.
    #[serde(default)]
    mode: Mode,
    /// SHA-256 it must have now.
    if_match: Option<String>,
    /// Only show the diff.
    #[serde(default)]
    dry_run: bool,
}

fn yes() -> bool {
    true
}

impl Tool for WriteFile {
    type Server = DesktopCommander;
    type Output = Changed;

    const META: Meta = Meta {
        name: "write_file",
        title: "Write a file",
        effect: Effect::Write { idempotent: false },
        caching: Caching::Never,
        trust: Trust::Untrusted,
    };

    fn resources(&self) -> Vec<Resource> {
        vec![self.file_path.resource()]
    }

    async fn call(self, server: &DesktopCommander, cx: &CallContext) -> Result<Changed, ToolError> {
        let Self { file_path, content, create_dirs, mode, if_match, dry_run } = self;
        let path = file_path.into_string();
        let order = WriteOrder { path, content, mode, create_dirs, if_match, dry_run };
        let who = Who::of(&cx.principal);
        server.with_files(move |files| files.write(&who, order)).await
    }
}
