//! Tools that answer at once.

use std::time::Duration;

use kernel::{Caching, CallContext, Effect, ErrorKind, Meta, Resource, Tool, ToolError, Trust};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{Counted, EchoServer, Said};

/// Says the message back.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct Echo {
    /// What to say.
    #[schemars(length(max = 65536))]
    message: String,
}

impl Tool for Echo {
    type Server = EchoServer;
    type Output = Said;

    const META: Meta = Meta {
        name: "echo",
        title: "Say it back",
        effect: Effect::Read,
        caching: Caching::Never,
        trust: Trust::Own,
    };

    fn resources(&self) -> Vec<Resource> {
        Vec::new()
    }

    async fn call(self, echo: &EchoServer, _cx: &CallContext) -> Result<Said, ToolError> {
        echo.arrived();
        Ok(Said { message: self.message })
    }
}

/// Says the message back as text that somebody outside wrote.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct Relay {
    /// What the outside says.
    message: String,
}

impl Tool for Relay {
    type Server = EchoServer;
    type Output = Said;

    const META: Meta = Meta {
        name: "relay",
        title: "Say what the outside says",
        effect: Effect::Read,
        caching: Caching::Never,
        trust: Trust::Untrusted,
    };

    fn resources(&self) -> Vec<Resource> {
        Vec::new()
    }

    async fn call(self, echo: &EchoServer, _cx: &CallContext) -> Result<Said, ToolError> {
        echo.arrived();
        Ok(Said { message: self.message })
    }
}

/// Counts the calls that reached a tool, this one included. May be answered from the cache.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct Count {
    /// How long it takes to count.
    #[serde(default)]
    #[schemars(range(max = 60_000))]
    milliseconds: u64,
}

impl Tool for Count {
    type Server = EchoServer;
    type Output = Counted;

    const META: Meta = Meta {
        name: "count",
        title: "Count the calls",
        effect: Effect::Read,
        caching: Caching::UntilWrite,
        trust: Trust::Own,
    };

    fn resources(&self) -> Vec<Resource> {
        Vec::new()
    }

    async fn call(self, echo: &EchoServer, cx: &CallContext) -> Result<Counted, ToolError> {
        let count = echo.arrived();
        tokio::select! {
            () = tokio::time::sleep(Duration::from_millis(self.milliseconds)) => Ok(Counted { count }),
            () = cx.cancel.cancelled() => Err(ToolError::new(ErrorKind::Cancelled, "the caller gave up")),
        }
    }
}

/// Answers with as many letters as asked for.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct Big {
    /// Length of the answer in bytes.
    #[schemars(range(max = 16_777_216))]
    bytes: usize,
}

impl Tool for Big {
    type Server = EchoServer;
    type Output = Said;

    const META: Meta = Meta {
        name: "big",
        title: "Answer at length",
        effect: Effect::Read,
        caching: Caching::Never,
        trust: Trust::Own,
    };

    fn resources(&self) -> Vec<Resource> {
        Vec::new()
    }

    async fn call(self, echo: &EchoServer, _cx: &CallContext) -> Result<Said, ToolError> {
        echo.arrived();
        Ok(Said { message: "a".repeat(self.bytes) })
    }
}

/// Pretends to lose a thing for good; policies of tests ask a human first.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct ApproveMe {
    /// The thing that would be lost.
    target: String,
}

/// What would be gone.
#[derive(Debug, Serialize, JsonSchema)]
pub(crate) struct Lost {
    /// The thing.
    target: String,
}

impl Tool for ApproveMe {
    type Server = EchoServer;
    type Output = Lost;

    const META: Meta = Meta {
        name: "approve_me",
        title: "Lose a thing",
        effect: Effect::Destroy { idempotent: false },
        caching: Caching::Never,
        trust: Trust::Own,
    };

    fn resources(&self) -> Vec<Resource> {
        vec![Resource::new("thing", &self.target)]
    }

    async fn call(self, echo: &EchoServer, _cx: &CallContext) -> Result<Lost, ToolError> {
        echo.arrived();
        Ok(Lost { target: self.target })
    }
}
