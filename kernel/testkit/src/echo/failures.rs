//! Tools that fail, once or always.

use kernel::{Caching, CallContext, Effect, ErrorKind, Meta, Resource, Tool, ToolError, Trust};
use schemars::JsonSchema;
use serde::Deserialize;

use super::{Counted, EchoServer};

/// Fails in the way asked for.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct Fail {
    /// How.
    way: Way,
}

/// A way to fail.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
enum Way {
    ToolExecutionFailed,
    NotFound,
    Unavailable,
    OutcomeUnknown,
    Panic,
}

impl Tool for Fail {
    type Server = EchoServer;
    type Output = Counted;

    const META: Meta = Meta {
        name: "fail",
        title: "Fail on purpose",
        effect: Effect::Write { idempotent: false },
        caching: Caching::Never,
        trust: Trust::Own,
    };

    fn resources(&self) -> Vec<Resource> {
        Vec::new()
    }

    async fn call(self, echo: &EchoServer, _cx: &CallContext) -> Result<Counted, ToolError> {
        echo.arrived();
        let kind = match self.way {
            Way::ToolExecutionFailed => ErrorKind::ToolExecutionFailed,
            Way::NotFound => ErrorKind::NotFound,
            Way::Unavailable => ErrorKind::Unavailable,
            Way::OutcomeUnknown => ErrorKind::OutcomeUnknown,
            Way::Panic => panic!("the fixture was told to panic"),
        };
        Err(ToolError::new(kind, "failed on purpose").hint("ask for another way"))
    }
}

/// Is away for the first attempts under a key, then answers with the number of attempts.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct Flaky {
    /// Attempts with the same key are counted together.
    key: String,
    /// How many attempts fail.
    failures: u32,
}

impl Tool for Flaky {
    type Server = EchoServer;
    type Output = Counted;

    const META: Meta = Meta {
        name: "flaky",
        title: "Fail, then answer",
        effect: Effect::Read,
        caching: Caching::Never,
        trust: Trust::Own,
    };

    fn resources(&self) -> Vec<Resource> {
        vec![Resource::new("key", &self.key)]
    }

    async fn call(self, echo: &EchoServer, _cx: &CallContext) -> Result<Counted, ToolError> {
        let attempt = echo.attempt(&self.key);
        if attempt <= self.failures {
            return Err(ToolError::new(ErrorKind::Unavailable, "the fixture is away").before_send());
        }
        Ok(Counted { count: attempt.into() })
    }
}
