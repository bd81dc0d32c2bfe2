//! Says what commands may do here.

use std::path::PathBuf;

use kernel::{Caching, CallContext, Effect, Meta, Resource, Tool, ToolError, Trust};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::brief::brief_schema;
use crate::{DesktopCommander, config::Network};

/// Shows roots, allowed programs, limits and what the sandbox holds.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct GetPolicy {}

/// The policy in force.
#[derive(Debug, Serialize)]
pub(crate) struct PolicyView {
    roots: Vec<PathBuf>,
    /// Allowed and installed.
    programs: Vec<String>,
    /// Allowed, not installed.
    missing: Vec<String>,
    network: Network,
    timeout_seconds_max: u64,
    memory_mib_max: u64,
    processes_max: u64,
    sandbox: SandboxView,
}

brief_schema!(PolicyView {
    roots: "string[]",
    programs: "string[]",
    missing: "string[]",
    network: "string",
    timeout_seconds_max: "integer",
    memory_mib_max: "integer",
    processes_max: "integer",
    sandbox: "object",
});

/// What the kernel was measured to hold.
#[derive(Debug, Serialize)]
pub(crate) struct SandboxView {
    filesystem: bool,
    /// Modes and times of files outside.
    modes: bool,
    network: bool,
    syscalls: bool,
    signals: bool,
    landlock_abi: i32,
    /// Commands run although something is not held.
    unconfined_allowed: bool,
    reasons: Vec<String>,
}

impl Tool for GetPolicy {
    type Server = DesktopCommander;
    type Output = PolicyView;

    const META: Meta = Meta {
        name: "get_policy",
        title: "Show the command policy",
        effect: Effect::Read,
        caching: Caching::Never,
        trust: Trust::Own,
    };

    fn resources(&self) -> Vec<Resource> {
        Vec::new()
    }

    async fn call(self, server: &DesktopCommander, _cx: &CallContext) -> Result<PolicyView, ToolError> {
        let commands = &server.commands;
        let (config, held) = (commands.config(), commands.enforcement());
        let roots = commands.judge().roots();
        let (installed, missing): (Vec<_>, Vec<_>) =
            commands.judge().catalog().list(roots).into_iter().partition(|program| program.path.is_some());
        let names =
            |programs: Vec<guard::command::ProgramInfo>| programs.into_iter().map(|it| it.name).collect();
        Ok(PolicyView {
            roots: roots.iter().map(|root| root.path().to_owned()).collect(),
            programs: names(installed),
            missing: names(missing),
            network: config.network,
            timeout_seconds_max: config.timeout_seconds_max,
            memory_mib_max: config.memory_mib_max,
            processes_max: config.processes_max,
            sandbox: SandboxView {
                filesystem: held.filesystem,
                modes: held.modes,
                network: held.network,
                syscalls: held.syscalls,
                signals: held.signals,
                landlock_abi: held.landlock_abi,
                unconfined_allowed: config.allow_unconfined,
                reasons: held.reasons.clone(),
            },
        })
    }
}
