//! What a running tool knows about its call.

use std::{fmt, sync::Arc, time::Instant};

use serde::{Deserialize, Serialize};
use tokio_util::sync::CancellationToken;

use crate::{Client, Principal, PrincipalKind, Raw};

/// Who is calling, how long they will wait, and how to talk to them while working.
#[derive(Clone, Debug)]
pub struct CallContext {
    /// The authenticated caller.
    pub principal: Arc<Principal>,
    /// Names this call in audit, traces and results.
    pub call_id: CallId,
    /// The context the call belongs to, if any.
    pub context_id: Option<String>,
    /// When the caller stops waiting.
    pub deadline: Option<Instant>,
    /// Fires when the client cancels, hangs up on a read, or the deadline passes. Long work must watch it.
    pub cancel: CancellationToken,
    /// Where progress goes. Reporting is free when nobody listens.
    pub progress: Progress,
    /// Same key, same call: lets a backend recognise a repetition.
    pub idempotency_key: Option<String>,
    /// The client, to tell it something or to ask it.
    pub client: Client,
    /// The parameters of the request as the client wrote them, for servers that relay them.
    pub params: Option<Raw>,
}

impl CallContext {
    /// A context for tests: a service called `test`, no deadline, nobody listening.
    pub fn for_tests() -> Self {
        Self {
            principal: Arc::new(Principal {
                id: "test".into(),
                kind: PrincipalKind::Service,
                roles: vec!["admin".into()],
                token_id: None,
            }),
            call_id: CallId::random(),
            context_id: None,
            deadline: None,
            cancel: CancellationToken::new(),
            progress: Progress::silent(),
            idempotency_key: None,
            client: Client::nobody(),
            params: None,
        }
    }
}

/// 128 random bits as 32 hex digits; doubles as the W3C trace id when the client sent none.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct CallId(String);

impl CallId {
    /// A fresh id.
    pub fn random() -> Self {
        use ring::rand::SecureRandom;
        use std::fmt::Write;
        let mut bytes = [0_u8; 16];
        ring::rand::SystemRandom::new().fill(&mut bytes).expect("the system has randomness");
        let mut text = String::with_capacity(32);
        for byte in bytes {
            write!(text, "{byte:02x}").expect("a String takes every write");
        }
        Self(text)
    }

    /// The id as text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for CallId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// One step of a long call. `done` only grows.
#[derive(Clone, Debug, PartialEq)]
pub struct ProgressUpdate {
    /// Work finished, in the tool's own unit.
    pub done: f64,
    /// Work in all, if known.
    pub total: Option<f64>,
    /// What is happening now, in a few words.
    pub message: Option<String>,
}

/// Where a tool reports progress.
#[derive(Clone)]
pub struct Progress(Option<Arc<dyn Fn(ProgressUpdate) + Send + Sync>>);

impl Progress {
    /// Nobody listens.
    pub fn silent() -> Self {
        Self(None)
    }

    /// Every report goes to `sink`, which must not block.
    pub fn to(sink: impl Fn(ProgressUpdate) + Send + Sync + 'static) -> Self {
        Self(Some(Arc::new(sink)))
    }

    /// Whether anybody listens.
    pub fn is_heard(&self) -> bool {
        self.0.is_some()
    }

    /// Reports one step as it was reported to us.
    pub fn update(&self, update: ProgressUpdate) {
        if let Some(sink) = &self.0 {
            sink(update);
        }
    }

    /// Reports one step.
    pub fn report(&self, done: f64, total: Option<f64>, message: impl Into<String>) {
        if self.is_heard() {
            self.update(ProgressUpdate { done, total, message: Some(message.into()) });
        }
    }
}

impl fmt::Debug for Progress {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Progress").field("heard", &self.is_heard()).finish()
    }
}
