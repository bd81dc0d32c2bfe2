//! What may run here, and under which policy.

use std::{path::PathBuf, sync::Arc, time::Duration};

use guard::{
    Refusal,
    command::{Catalog, Judge, Plan, Stage, parse},
    path::Roots,
};
use kernel::{ErrorKind, Principal, StartContext, ToolError};
use sandbox::{Enforcement, Launcher, ProcessLimits, SandboxPolicy};

use super::{environment::Home, sessions::Sessions};
use crate::{ExecConfig, config::Network, error::refused};

/// Judges and runs commands.
pub(crate) struct Engine {
    pub(super) config: ExecConfig,
    pub(super) sessions: Arc<Sessions>,
    judge: Arc<Judge>,
    launcher: Option<Launcher>,
    enforcement: Enforcement,
    protected: Vec<PathBuf>,
}

impl Engine {
    /// Measures the sandbox once; starts one short process, so it may block for milliseconds.
    pub(crate) fn open(config: ExecConfig, roots: Roots, start: &StartContext) -> Self {
        let launcher = start.launcher.clone().map(Launcher::new);
        let enforcement =
            launcher.as_ref().map_or_else(|| Enforcement::none("there is no launcher"), Launcher::probe);
        let catalog = Catalog::new(config.search_path.iter().cloned())
            .with(config.programs.iter().cloned())
            .without(config.denied_programs.iter().cloned());
        let mut protected = start.protected.clone();
        protected.push(start.state_dir.clone());
        Self {
            sessions: Arc::new(Sessions::new(config.sessions_max, config.session_bytes_max)),
            judge: Arc::new(Judge::new(catalog, roots)),
            config,
            launcher,
            enforcement,
            protected,
        }
    }

    pub(crate) fn judge(&self) -> &Judge {
        &self.judge
    }

    pub(crate) fn config(&self) -> &ExecConfig {
        &self.config
    }

    pub(crate) fn enforcement(&self) -> &Enforcement {
        &self.enforcement
    }

    pub(crate) fn sessions(&self) -> &Arc<Sessions> {
        &self.sessions
    }

    /// Parses and judges a command line.
    pub(crate) async fn plan(&self, command: &str, cwd: Option<&str>) -> Result<Plan, ToolError> {
        self.judged(command, cwd).await?.map_err(refused)
    }

    /// As [`Engine::plan`], with the refusal as the guard words it.
    pub(crate) async fn judged(
        &self,
        command: &str,
        cwd: Option<&str>,
    ) -> Result<Result<Plan, Refusal>, ToolError> {
        let (command, cwd) = (command.to_owned(), cwd.unwrap_or(".").to_owned());
        self.blocking(move |judge| judge.judge(&parse(&command)?, &cwd)).await
    }

    /// Patterns, scripts and settings of repositories are read to judge, which may block.
    pub(crate) async fn blocking<T: Send + 'static>(
        &self,
        work: impl FnOnce(&Judge) -> T + Send + 'static,
    ) -> Result<T, ToolError> {
        let judge = Arc::clone(&self.judge);
        let done = tokio::task::spawn_blocking(move || work(&judge)).await;
        done.map_err(|error| ToolError::wrap(ErrorKind::Internal, error))
    }

    /// Judges one program with arguments that a tool of ours built.
    pub(crate) async fn plan_args(
        &self,
        program: &'static str,
        args: Vec<String>,
        cwd: &str,
    ) -> Result<Plan, ToolError> {
        let cwd = cwd.to_owned();
        self.blocking(move |judge| judge.judge_args(program, &args, &cwd)).await?.map_err(refused)
    }

    /// The launcher, where commands may run at all.
    pub(super) fn launcher(&self) -> Result<&Launcher, ToolError> {
        let refuse = |why: String| {
            ToolError::new(ErrorKind::Unavailable, format!("commands cannot be confined here: {why}"))
                .reason("SANDBOX_UNAVAILABLE")
                .hint("see `get_policy`; the operator can accept this with `exec.allow_unconfined = true`")
        };
        let launcher = self.launcher.as_ref().ok_or_else(|| refuse("there is no launcher".into()))?;
        if self.enforcement.is_confined() || self.config.allow_unconfined {
            return Ok(launcher);
        }
        Err(refuse(self.enforcement.reasons.join("; ")))
    }

    /// Whether a program of a plan may open sockets.
    pub(crate) fn grants_network(&self, stage: &Stage) -> bool {
        match self.config.network {
            Network::Never => false,
            Network::Always => true,
            Network::Declared => stage.needs_network(),
        }
    }

    /// Why a plan that wants the network does not get it; `None` when it gets it or does not want it.
    pub(crate) fn network_closed(&self, plan: &Plan, offline: bool) -> Option<&'static str> {
        match self.config.network {
            _ if !plan.needs_network() => None,
            Network::Never => {
                Some("the operator closed the network: `servers.desktop-commander.exec.network` is \"never\"")
            }
            Network::Declared | Network::Always => {
                offline.then_some("the call closed the network: `network` is false")
            }
        }
    }

    /// What one program may touch.
    pub(super) fn policy(
        &self,
        stage: &Stage,
        home: &Home,
        timeout: Duration,
        offline: bool,
    ) -> SandboxPolicy {
        let roots = self.judge.roots().iter().map(|root| root.path().to_owned());
        let own = [home.path().to_owned()];
        SandboxPolicy {
            writable: roots.chain(own).chain(self.config.write_dirs.iter().cloned()).collect(),
            readable: self
                .config
                .read_dirs
                .iter()
                .cloned()
                .chain(self.judge.catalog().extra_folders().map(PathBuf::from))
                .collect(),
            protected: self.protected.clone(),
            network: !offline && self.grants_network(stage),
            limits: ProcessLimits {
                // Builds use several cores at once.
                cpu_seconds: timeout.as_secs().max(1).saturating_mul(16),
                memory_bytes: self.config.memory_mib_max << 20,
                file_bytes: self.config.file_mib_max << 20,
                processes: self.config.processes_max,
                ..ProcessLimits::default()
            },
            allow_unconfined: self.config.allow_unconfined,
        }
    }

    /// A private home for one run.
    pub(super) fn home(&self, principal: &Principal) -> Result<Home, ToolError> {
        let name = self.config.git_name.as_deref().unwrap_or(&principal.id);
        let fallback =
            format!("{}@core-mcp.invalid", principal.id.replace(|c: char| !c.is_ascii_alphanumeric(), "-"));
        let email = self.config.git_email.as_deref().unwrap_or(&fallback);
        Home::make(name, email).map_err(|error| ToolError::wrap(ErrorKind::Internal, error))
    }

    /// The variables of one program.
    pub(super) fn variables(&self, stage: &Stage, home: &Home) -> Vec<(String, String)> {
        let mut variables = home.variables(&self.judge.catalog().search_path());
        variables.extend(self.config.env.iter().map(|(name, value)| (name.clone(), value.clone())));
        variables.extend(stage.env().iter().cloned());
        variables
    }
}
