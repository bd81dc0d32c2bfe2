//! Reads one file.

use kernel::{Caching, CallContext, Effect, Meta, Resource, Tool, ToolError, Trust};
use schemars::JsonSchema;
use serde::Deserialize;

use super::AskedPath;
use crate::{
    DesktopCommander,
    files::{FilePage, Form, PageOrder},
};

/// Reads a file, page by page when it is long.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct ReadFile {
    /// Absolute, or beneath the first root.
    file_path: AskedPath,
    /// As WHATWG names it.
    #[serde(default = "utf_8")]
    encoding: String,
    /// First line (byte, if not text); negative: from the end.
    #[serde(default)]
    offset: i64,
    /// Most lines or bytes.
    #[schemars(range(min = 1))]
    length: Option<u32>,
    /// Form of the content.
    #[serde(rename = "as", default)]
    form: Form,
}

fn utf_8() -> String {
    "utf-8".into()
}

impl Tool for ReadFile {
    type Server = DesktopCommander;
    type Output = FilePage;

    const META: Meta = Meta {
        name: "read_file",
        title: "Read a file",
        effect: Effect::Read,
        caching: Caching::Never,
        trust: Trust::Untrusted,
    };

    fn resources(&self) -> Vec<Resource> {
        vec![self.file_path.resource()]
    }

    async fn call(self, server: &DesktopCommander, _cx: &CallContext) -> Result<FilePage, ToolError> {
        let Self { file_path, encoding, offset, length, form } = self;
        let order = PageOrder { encoding, offset, length, form };
        server.with_files(move |files| files.read(file_path.as_str(), &order)).await
    }
}
