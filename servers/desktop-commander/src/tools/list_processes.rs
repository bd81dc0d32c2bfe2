//! Lists background sessions.

use kernel::{Caching, CallContext, Effect, Meta, Resource, Tool, ToolError, Trust};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::brief::brief_schema;
use crate::{DesktopCommander, exec::SessionInfo};

/// Lists your background sessions, finished ones included.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct ListProcesses {}

#[derive(Debug, Serialize)]
pub(crate) struct ProcessList {
    sessions: Vec<SessionInfo>,
}

brief_schema!(ProcessList { sessions: "object[]" });

impl Tool for ListProcesses {
    type Server = DesktopCommander;
    type Output = ProcessList;

    const META: Meta = Meta {
        name: "list_processes",
        title: "List sessions",
        effect: Effect::Read,
        caching: Caching::Never,
        trust: Trust::Own,
    };

    fn resources(&self) -> Vec<Resource> {
        Vec::new()
    }

    async fn call(self, server: &DesktopCommander, cx: &CallContext) -> Result<ProcessList, ToolError> {
        Ok(ProcessList { sessions: server.commands.sessions().list(&cx.principal) })
    }
}
