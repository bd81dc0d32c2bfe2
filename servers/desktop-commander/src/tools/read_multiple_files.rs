//! Reads several files.

use kernel::{Caching, CallContext, Effect, Meta, Resource, Tool, ToolError, Trust};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::AskedPath;
use crate::{DesktopCommander, files::FileOutcome};

/// Reads the beginnings of several files; one that fails does not fail the others.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct ReadMultipleFiles {
    /// UTF-8 files.
    #[schemars(length(min = 1, max = 50))]
    file_paths: Vec<AskedPath>,
}

#[derive(Debug, Serialize, JsonSchema)]
#[schemars(transform = crate::tools::lean::lean)]
pub(crate) struct FilesRead {
    files: Vec<FileOutcome>,
}

impl Tool for ReadMultipleFiles {
    type Server = DesktopCommander;
    type Output = FilesRead;

    const META: Meta = Meta {
        name: "read_multiple_files",
        title: "Read several files",
        effect: Effect::Read,
        caching: Caching::Never,
        trust: Trust::Untrusted,
    };

    fn resources(&self) -> Vec<Resource> {
        self.file_paths.iter().map(AskedPath::resource).collect()
    }

    async fn call(self, server: &DesktopCommander, _cx: &CallContext) -> Result<FilesRead, ToolError> {
        let paths: Vec<String> = self.file_paths.into_iter().map(AskedPath::into_string).collect();
        server.with_files(move |files| Ok(FilesRead { files: files.read_many(&paths) })).await
    }
}
