//! One plan from start to end.

use std::{
    sync::Arc,
    time::{Duration, Instant},
};

use guard::command::{Connector, Plan};
use kernel::{ErrorKind, Principal, ToolError};
use tokio::sync::mpsc;
use tokio_util::sync::CancellationToken;

use super::{Engine, Stream, pipeline};

/// What to run, and within which bounds.
pub(crate) struct Request {
    pub(crate) plan: Plan,
    pub(crate) principal: Arc<Principal>,
    pub(crate) timeout: Duration,
    pub(crate) cancel: CancellationToken,
    /// Bytes for the first program; it sees the end when the channel closes. `None`: nothing to read.
    pub(crate) stdin: Option<mpsc::Receiver<Vec<u8>>>,
    /// Keep programs off the network even where they would get it.
    pub(crate) offline: bool,
}

/// How a run ended.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Ended {
    /// Of the last program that ran. `None` when a signal ended it.
    pub(crate) exit_code: Option<i32>,
    pub(crate) signal: Option<i32>,
    pub(crate) timed_out: bool,
    pub(crate) cancelled: bool,
    /// More processes than allowed.
    pub(crate) overgrown: bool,
    pub(crate) duration: Duration,
}

impl Ended {
    fn is_success(self) -> bool {
        self.exit_code == Some(0)
    }

    fn was_stopped(self) -> bool {
        self.timed_out || self.cancelled || self.overgrown
    }
}

impl Engine {
    /// Runs a plan. `collect` gets every piece of output as it comes and must not block.
    pub(crate) async fn run(
        &self,
        mut request: Request,
        collect: &(dyn Fn(Stream, &[u8]) + Send + Sync),
    ) -> Result<Ended, ToolError> {
        let started = Instant::now();
        let launcher = self.launcher()?;
        let home = self.home(&request.principal)?;
        let mut ended = Ended { exit_code: Some(0), ..Ended::default() };
        for step in request.plan.steps() {
            let runs = match step.connector() {
                Connector::Always => true,
                Connector::OnSuccess => ended.is_success(),
                Connector::OnFailure => !ended.is_success(),
            };
            if !runs {
                continue;
            }
            let left = request.timeout.saturating_sub(started.elapsed());
            let setting = pipeline::Setting {
                engine: self,
                launcher,
                home: &home,
                cwd: request.plan.cwd(),
                timeout: left,
                cancel: &request.cancel,
                offline: request.offline,
            };
            ended = setting.run(step.stages(), request.stdin.take(), collect).await?;
            if ended.was_stopped() {
                break;
            }
        }
        ended.duration = started.elapsed();
        if ended.cancelled {
            return Err(ToolError::new(
                ErrorKind::Cancelled,
                "the command was stopped because the call was cancelled",
            ));
        }
        Ok(ended)
    }
}
