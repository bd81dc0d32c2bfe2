//! Undoes one change.

use kernel::{Caching, CallContext, Effect, Meta, Resource, Tool, ToolError, Trust};
use schemars::JsonSchema;
use serde::Deserialize;

use crate::{
    DesktopCommander,
    files::{Changed, Later, Who},
};

/// Brings back what was there before a change.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct UndoChange {
    /// From list_changes.
    change_id: i64,
    /// Even if changed again since.
    #[serde(default)]
    force: bool,
}

impl Tool for UndoChange {
    type Server = DesktopCommander;
    type Output = Changed;

    const META: Meta = Meta {
        name: "undo_change",
        title: "Undo a change",
        effect: Effect::Destroy { idempotent: false },
        caching: Caching::Never,
        trust: Trust::Own,
    };

    fn resources(&self) -> Vec<Resource> {
        vec![Resource::new("file.change", self.change_id)]
    }

    async fn call(self, server: &DesktopCommander, cx: &CallContext) -> Result<Changed, ToolError> {
        let who = Who::of(&cx.principal);
        let later = if self.force { Later::Override } else { Later::Respect };
        server.with_files(move |files| files.undo(&who, self.change_id, later)).await
    }
}
