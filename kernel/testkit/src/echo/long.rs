//! Tools that take their time.

use std::time::Duration;

use kernel::{Caching, CallContext, Effect, ErrorKind, Meta, Resource, Tool, ToolError, Trust};
use schemars::JsonSchema;
use serde::Deserialize;

use super::{Counted, EchoServer};

/// Reports progress step by step, then answers with the number of steps.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct Steps {
    /// How many steps.
    #[schemars(range(max = 10_000))]
    steps: u32,
}

impl Tool for Steps {
    type Server = EchoServer;
    type Output = Counted;

    const META: Meta = Meta {
        name: "progress",
        title: "Go step by step",
        effect: Effect::Read,
        caching: Caching::Never,
        trust: Trust::Own,
    };

    fn resources(&self) -> Vec<Resource> {
        Vec::new()
    }

    async fn call(self, echo: &EchoServer, cx: &CallContext) -> Result<Counted, ToolError> {
        echo.arrived();
        for step in 1..=self.steps {
            cx.progress.report(step.into(), Some(self.steps.into()), format!("step {step}"));
            tokio::task::yield_now().await;
        }
        Ok(Counted { count: self.steps.into() })
    }
}

/// Waits, then answers with the milliseconds waited. Gives up when the caller does.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct Slow {
    /// How long.
    #[schemars(range(max = 3_600_000))]
    milliseconds: u64,
}

impl Tool for Slow {
    type Server = EchoServer;
    type Output = Counted;

    const META: Meta = Meta {
        name: "slow",
        title: "Take a while",
        effect: Effect::Write { idempotent: true },
        caching: Caching::Never,
        trust: Trust::Own,
    };

    fn resources(&self) -> Vec<Resource> {
        Vec::new()
    }

    async fn call(self, echo: &EchoServer, cx: &CallContext) -> Result<Counted, ToolError> {
        echo.arrived();
        tokio::select! {
            () = tokio::time::sleep(Duration::from_millis(self.milliseconds)) => {
                Ok(Counted { count: self.milliseconds })
            }
            () = cx.cancel.cancelled() => Err(ToolError::new(ErrorKind::Cancelled, "the caller gave up")),
        }
    }
}
