//! The client behind a call: what it can do, how to tell it something, how to ask it.

use std::{fmt, sync::Arc, time::Duration};

use crate::{BoxFuture, ErrorKind, Raw, ToolError};

/// The client that waits for a call. Silent when there is none, as on the command line.
#[derive(Clone, Default)]
pub struct Client(Option<Arc<dyn ClientChannel>>);

/// How a door reaches its client while a call runs. Implemented by doors.
pub trait ClientChannel: Send + Sync {
    /// Whether the request was written in a revision without sessions.
    fn is_modern(&self) -> bool;
    /// The capabilities declared for this request, as an object.
    fn capabilities(&self) -> Raw;
    /// Name and version of the client, if it said them.
    fn info(&self) -> Option<Raw>;
    /// The least severe level of log messages the client wants; `None`: it wants none.
    fn log_level(&self) -> Option<String>;
    /// Sends one notification on the stream of the call. Must not block; a full stream drops it.
    fn notify(&self, method: &str, params: Raw);
    /// How long this call has waited for the client's answers so far, the open question included.
    fn waited(&self) -> Duration;
    /// Asks and waits for the result.
    fn ask<'a>(&'a self, method: &'a str, params: Raw) -> BoxFuture<'a, Result<Raw, ToolError>>;
}

impl Client {
    /// Nobody listens and nobody can be asked.
    pub fn nobody() -> Self {
        Self(None)
    }

    /// The client behind `channel`.
    pub fn behind(channel: Arc<dyn ClientChannel>) -> Self {
        Self(Some(channel))
    }

    /// Whether there is a client at all.
    pub fn is_there(&self) -> bool {
        self.0.is_some()
    }

    /// Whether the request was written in a revision without sessions.
    pub fn is_modern(&self) -> bool {
        self.0.as_ref().is_some_and(|it| it.is_modern())
    }

    /// The capabilities the caller declared for this request (in older revisions: for the session).
    pub fn capabilities(&self) -> Raw {
        self.0.as_ref().map_or_else(|| Raw::of(&serde_json::json!({})), |it| it.capabilities())
    }

    /// Whether the caller declared this capability for this request.
    pub fn declares(&self, capability: &str) -> bool {
        self.capabilities().member(capability).is_some_and(|it| it.get() != "null")
    }

    /// Whether the caller declared this extension for this request.
    pub fn declares_extension(&self, id: &str) -> bool {
        self.capabilities()
            .member("extensions")
            .and_then(|it| Raw::from(it).member(id).map(|it| it.get() != "null"))
            .unwrap_or(false)
    }

    /// Name and version of the client, if it said them.
    pub fn info(&self) -> Option<Raw> {
        self.0.as_ref()?.info()
    }

    /// The least severe level of log messages the client wants; `None`: send none.
    pub fn log_level(&self) -> Option<String> {
        self.0.as_ref()?.log_level()
    }

    /// How long this call has waited for the client's answers so far: that time is the client's, not the call's.
    pub fn waited(&self) -> Duration {
        self.0.as_ref().map_or(Duration::ZERO, |it| it.waited())
    }

    /// Sends a notification on the stream of the call, if there is one.
    pub fn notify(&self, method: &str, params: Raw) {
        if let Some(channel) = &self.0 {
            channel.notify(method, params);
        }
    }

    /// Asks the client (`sampling/createMessage`, `elicitation/create`, `roots/list`) and waits.
    ///
    /// Fails when the caller did not declare that it can answer, or when nobody is there.
    pub async fn ask(&self, method: &str, params: Raw) -> Result<Raw, ToolError> {
        match &self.0 {
            Some(channel) => channel.ask(method, params).await,
            None => Err(ToolError::new(
                ErrorKind::ToolExecutionFailed,
                format!("nobody is there to answer {method}"),
            )
            .hint("call the tool from a client that can be asked")),
        }
    }
}

impl fmt::Debug for Client {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Client").field("there", &self.is_there()).finish()
    }
}
