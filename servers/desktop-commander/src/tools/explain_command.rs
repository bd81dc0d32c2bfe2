//! Says what would happen to a command line, without running it.

use std::path::PathBuf;

use guard::command::Plan;
use kernel::{Caching, CallContext, Effect, Meta, Resource, Tool, ToolError, Trust};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{brief::brief_schema, command_result::resources};
use crate::{DesktopCommander, exec::Commands};

/// Says whether and why a command would be allowed and what it would touch. Runs nothing.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct ExplainCommand {
    /// As for `execute_command`.
    command: String,
    /// As for `execute_command`.
    working_directory: Option<String>,
}

/// The judgement.
#[derive(Debug, Default, Serialize)]
pub(crate) struct Explanation {
    allowed: bool,
    #[serde(skip_serializing_if = "Option::is_none")]
    code: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    reason: Option<String>,
    /// What to do instead.
    #[serde(skip_serializing_if = "Option::is_none")]
    safer_alternative: Option<String>,
    programs: Vec<String>,
    rule_ids: Vec<String>,
    reads: Vec<PathBuf>,
    writes: Vec<PathBuf>,
    network: bool,
}

brief_schema!(Explanation {
    allowed: "boolean",
    code: "string",
    reason: "string",
    safer_alternative: "string",
    programs: "string[]",
    rule_ids: "string[]",
    reads: "string[]",
    writes: "string[]",
    network: "boolean",
});

impl Tool for ExplainCommand {
    type Server = DesktopCommander;
    type Output = Explanation;

    const META: Meta = Meta {
        name: "explain_command",
        title: "Explain a command",
        effect: Effect::Read,
        caching: Caching::Never,
        trust: Trust::Own,
    };

    fn resources(&self) -> Vec<Resource> {
        resources(&self.command)
    }

    async fn call(self, server: &DesktopCommander, _cx: &CallContext) -> Result<Explanation, ToolError> {
        let commands = &server.commands;
        let judged = commands.judged(&self.command, self.working_directory.as_deref()).await?;
        Ok(match judged {
            Ok(plan) => explain(commands, &plan),
            Err(refusal) => Explanation {
                code: Some(refusal.code.to_owned()),
                reason: Some(refusal.rule),
                safer_alternative: Some(refusal.fix),
                ..Explanation::default()
            },
        })
    }
}

fn explain(commands: &Commands, plan: &Plan) -> Explanation {
    let reason = commands.network_closed(plan, false).map(str::to_owned);
    let mut explanation = Explanation { allowed: true, reason, ..Explanation::default() };
    for stage in plan.stages() {
        explanation.programs.push(stage.program().to_string_lossy().into_owned());
        explanation.rule_ids.push(stage.rule().to_owned());
        explanation.reads.extend(stage.reads().iter().cloned());
        explanation.writes.extend(stage.writes().iter().cloned());
        explanation.network |= commands.grants_network(stage);
    }
    explanation.rule_ids.dedup();
    explanation
}
