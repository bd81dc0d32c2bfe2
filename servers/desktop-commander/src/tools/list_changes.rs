//! Lists what was changed.

use kernel::{Caching, CallContext, Effect, Meta, Resource, Tool, ToolError, Trust};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::{
    DesktopCommander,
    files::{ChangeRecord, Who},
};

/// Lists your file changes, newest first.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct ListChanges {
    /// Page size.
    #[serde(default = "fifty")]
    #[schemars(range(min = 1, max = 500))]
    limit: u32,
}

fn fifty() -> u32 {
    50
}

#[derive(Debug, Serialize, JsonSchema)]
#[schemars(transform = crate::tools::lean::lean)]
pub(crate) struct Changes {
    changes: Vec<ChangeRecord>,
}

impl Tool for ListChanges {
    type Server = DesktopCommander;
    type Output = Changes;

    const META: Meta = Meta {
        name: "list_changes",
        title: "List changes",
        effect: Effect::Read,
        caching: Caching::Never,
        trust: Trust::Own,
    };

    fn resources(&self) -> Vec<Resource> {
        Vec::new()
    }

    async fn call(self, server: &DesktopCommander, cx: &CallContext) -> Result<Changes, ToolError> {
        let who = Who::of(&cx.principal);
        server.with_files(move |files| Ok(Changes { changes: files.changes(&who, self.limit)? })).await
    }
}
