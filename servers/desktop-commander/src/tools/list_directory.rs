//! Lists one folder.

use kernel::{Caching, CallContext, Effect, Meta, Resource, Tool, ToolError, Trust};
use schemars::JsonSchema;
use serde::Deserialize;

use super::AskedPath;
use crate::{
    DesktopCommander,
    files::{ListOrder, Listing, Sort},
};

/// Lists a folder; links are shown, not followed.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct ListDirectory {
    /// Which folder.
    directory_path: AskedPath,
    /// Show dot files.
    #[serde(default)]
    show_hidden: bool,
    /// Levels.
    #[serde(default = "one")]
    #[schemars(range(min = 1, max = 5))]
    depth: u8,
    /// `*.rs` or `src/**`.
    glob: Option<String>,
    /// Largest or newest first.
    #[serde(default)]
    sort: Sort,
    /// Page size.
    #[serde(default = "two_hundred")]
    #[schemars(range(min = 1, max = 1000))]
    limit: u32,
    /// From `next_cursor`.
    cursor: Option<String>,
}

fn one() -> u8 {
    1
}

fn two_hundred() -> u32 {
    200
}

impl Tool for ListDirectory {
    type Server = DesktopCommander;
    type Output = Listing;

    const META: Meta = Meta {
        name: "list_directory",
        title: "List a folder",
        effect: Effect::Read,
        caching: Caching::Never,
        trust: Trust::Untrusted,
    };

    fn resources(&self) -> Vec<Resource> {
        vec![self.directory_path.resource()]
    }

    async fn call(self, server: &DesktopCommander, cx: &CallContext) -> Result<Listing, ToolError> {
        let Self { directory_path, show_hidden, depth, glob, sort, limit, cursor } = self;
        let path = directory_path.into_string();
        let order = ListOrder { path, show_hidden, depth, glob, sort, limit, cursor };
        let cx = cx.clone();
        server.with_files(move |files| files.list(&order, &cx)).await
    }
}
