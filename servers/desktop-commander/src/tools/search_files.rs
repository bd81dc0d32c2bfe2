//! Searches a folder.

use kernel::{Caching, CallContext, Effect, Meta, Resource, Tool, ToolError, Trust};
use schemars::JsonSchema;
use serde::Deserialize;

use super::AskedPath;
use crate::{
    DesktopCommander,
    files::{SearchKind, SearchOrder, SearchResult},
};

/// Searches text files or names beneath a folder.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct SearchFiles {
    /// Which folder.
    directory_path: AskedPath,
    /// What to find.
    #[schemars(length(min = 1, max = 4096))]
    pattern: String,
    /// Where to look.
    #[serde(default)]
    kind: SearchKind,
    /// Regular expression.
    #[serde(default)]
    regex: bool,
    /// `*.rs` or `src/**`.
    glob: Option<String>,
    /// Lines around.
    #[serde(default)]
    #[schemars(range(max = 10))]
    context: u8,
    /// Also what .gitignore hides.
    #[serde(default)]
    include_ignored: bool,
    /// Page size.
    #[serde(default = "one_hundred")]
    #[schemars(range(min = 1, max = 1000))]
    limit: u32,
    /// From `next_cursor`.
    cursor: Option<String>,
}

fn one_hundred() -> u32 {
    100
}

impl Tool for SearchFiles {
    type Server = DesktopCommander;
    type Output = SearchResult;

    const META: Meta = Meta {
        name: "search_files",
        title: "Search files",
        effect: Effect::Read,
        caching: Caching::Never,
        trust: Trust::Untrusted,
    };

    fn resources(&self) -> Vec<Resource> {
        vec![self.directory_path.resource()]
    }

    async fn call(self, server: &DesktopCommander, cx: &CallContext) -> Result<SearchResult, ToolError> {
        let path = self.directory_path.into_string();
        let Self { pattern, kind, regex, glob, context, include_ignored, limit, cursor, .. } = self;
        let order = SearchOrder { path, pattern, kind, regex, glob, context, include_ignored, limit, cursor };
        let cx = cx.clone();
        server.with_files(move |files| files.search(&order, &cx)).await
    }
}
