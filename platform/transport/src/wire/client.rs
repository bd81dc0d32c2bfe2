//! The client behind one call, as mounted servers see it: told through the call's stream, asked in its own era.

use std::{
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    time::{Duration, Instant},
};

use bytes::Bytes;
use kernel::ProgressUpdate;
use kernel::{BoxFuture, ClientChannel, ErrorKind, Raw, RelayedFault, ToolError};
use parking_lot::Mutex;
use protocol::{client_request, progress_notice, raw_notice};
use serde_json::{Value, json, value::RawValue};
use tokio::sync::{Notify, mpsc, oneshot};

use super::Session;

/// How long a client may take for one answer.
const PATIENCE: Duration = Duration::from_secs(300);

/// Questions of one call that wait to be put into a round.
const ASKS_MAX: usize = 16;

/// The levels of log messages, least severe first.
pub(super) const LEVELS: [&str; 8] =
    ["debug", "info", "notice", "warning", "error", "critical", "alert", "emergency"];

/// A question that a modern client gets with the next answer.
pub(super) struct Ask {
    /// Names it in `inputRequests`.
    pub(super) key: String,
    pub(super) method: String,
    pub(super) params: Raw,
    pub(super) reply: oneshot::Sender<Result<Raw, RelayedFault>>,
}

/// Where a call's messages go now.
#[derive(Clone)]
pub(super) struct Way {
    pub(super) outbox: Option<mpsc::Sender<Bytes>>,
    /// Under which token the client wants progress.
    pub(super) token: Option<Arc<RawValue>>,
    /// The last progress sent: the protocol wants it to grow with every message.
    pub(super) done: f64,
}

/// One call's way back to its client.
pub(super) struct WireClient {
    modern: bool,
    capabilities: Raw,
    info: Option<Raw>,
    /// Of the request; a session's level may change while the call runs.
    log_level: Option<String>,
    session: Option<Arc<Session>>,
    way: Mutex<Way>,
    asks: Mutex<Vec<Ask>>,
    new_ask: Notify,
    asked: AtomicU64,
    /// Time spent waiting so far, and since when the open question waits.
    waits: Mutex<(Duration, Option<Instant>, u32)>,
}

/// What a call's client is made of.
pub(super) struct Behind {
    pub(super) modern: bool,
    pub(super) capabilities: Raw,
    pub(super) info: Option<Raw>,
    pub(super) log_level: Option<String>,
    pub(super) session: Option<Arc<Session>>,
    pub(super) outbox: Option<mpsc::Sender<Bytes>>,
    pub(super) token: Option<Box<RawValue>>,
}

impl WireClient {
    pub(super) fn new(behind: Behind) -> Arc<Self> {
        let Behind { modern, capabilities, info, log_level, session, outbox, token } = behind;
        let way = Way { outbox, token: token.map(Arc::from), done: f64::NEG_INFINITY };
        Arc::new(Self {
            modern,
            capabilities,
            info,
            log_level,
            session,
            way: Mutex::new(way),
            asks: Mutex::default(),
            new_ask: Notify::new(),
            asked: AtomicU64::new(0),
            waits: Mutex::default(),
        })
    }

    /// The questions that were asked since the last look; waits until there is one.
    pub(super) async fn asks(&self) -> Vec<Ask> {
        loop {
            let asks = std::mem::take(&mut *self.asks.lock());
            if !asks.is_empty() {
                return asks;
            }
            self.new_ask.notified().await;
        }
    }

    /// From now on the call's messages go to another stream: the client came back with an answer.
    pub(super) fn redirect(&self, to: &Self) {
        let way = to.way.lock().clone();
        *self.way.lock() = way;
    }

    /// Whether the client can hear of progress.
    pub(super) fn hears_progress(&self) -> bool {
        let way = self.way.lock();
        way.token.is_some() && way.outbox.is_some()
    }

    /// Sends one step of progress. A full stream drops it.
    pub(super) fn progress(&self, update: &ProgressUpdate) {
        let mut way = self.way.lock();
        let (Some(token), Some(outbox)) = (&way.token, &way.outbox) else { return };
        if update.done > way.done && outbox.try_send(progress_notice(token, update).into()).is_ok() {
            way.done = update.done;
        }
    }

    fn send(&self, message: Vec<u8>) {
        let outbox = self.way.lock().outbox.clone();
        if let Some(outbox) = outbox
            && outbox.try_send(message.into()).is_err()
        {
            tracing::debug!("a notice was dropped: the stream is full or gone");
        }
    }

    async fn ask_session(&self, method: &str, params: Raw) -> Result<Raw, ToolError> {
        let cannot = |why: &str| ToolError::new(ErrorKind::ToolExecutionFailed, why.to_owned());
        let outbox = self.way.lock().outbox.clone();
        let (Some(session), Some(outbox)) = (&self.session, outbox) else {
            return Err(cannot("this client takes no questions: it has no session or accepts no stream"));
        };
        let Some(mut question) = session.question() else {
            return Err(cannot("too many questions wait for this client"));
        };
        if outbox.send(client_request(&question.id, method, &params).into()).await.is_err() {
            return Err(cannot("the client went away before it was asked"));
        }
        match question.answer().await {
            Some(Ok(answer)) => Ok(answer),
            Some(Err(fault)) => Err(ToolError::relayed(fault.code, fault.message, fault.data)),
            None => Err(cannot("the session ended before the client answered")),
        }
    }

    async fn ask_in_round(&self, method: &str, params: Raw) -> Result<Raw, ToolError> {
        let key = format!("ask-{}", self.asked.fetch_add(1, Ordering::Relaxed));
        let (reply, answer) = oneshot::channel();
        let ask = Ask { key, method: method.to_owned(), params, reply };
        let gone =
            || ToolError::new(ErrorKind::ToolExecutionFailed, "the client did not come back with an answer");
        {
            let mut asks = self.asks.lock();
            if asks.len() >= ASKS_MAX {
                return Err(ToolError::new(ErrorKind::Overloaded, "too many questions wait for this client"));
            }
            asks.push(ask);
        }
        self.new_ask.notify_one();
        match answer.await {
            Ok(Ok(answer)) => Ok(answer),
            Ok(Err(fault)) => Err(ToolError::relayed(fault.code, fault.message, fault.data)),
            Err(_) => Err(gone()),
        }
    }

    /// The least severe level that is sent now.
    fn level(&self) -> Option<String> {
        match (&self.session, self.modern) {
            (Some(session), false) => Some(session.log_level()),
            _ => self.log_level.clone(),
        }
    }
}

impl ClientChannel for WireClient {
    fn is_modern(&self) -> bool {
        self.modern
    }

    fn capabilities(&self) -> Raw {
        self.capabilities.clone()
    }

    fn info(&self) -> Option<Raw> {
        self.info.clone()
    }

    fn log_level(&self) -> Option<String> {
        self.level()
    }

    fn notify(&self, method: &str, params: Raw) {
        let wanted = match method {
            "notifications/message" => is_heard(&params, self.level().as_deref()),
            // Progress and cancellation carry ids that only the door knows.
            "notifications/progress" | "notifications/cancelled" => false,
            _ => method.starts_with("notifications/"),
        };
        if wanted {
            self.send(raw_notice(method, &params));
        }
    }

    fn waited(&self) -> Duration {
        let (done, since, _) = *self.waits.lock();
        done + since.map_or(Duration::ZERO, |it| it.elapsed())
    }

    fn ask<'a>(&'a self, method: &'a str, params: Raw) -> BoxFuture<'a, Result<Raw, ToolError>> {
        Box::pin(async move {
            if let Some(missing) = undeclared(method, &params, &self.capabilities)? {
                return Err(not_declared(&missing, self.modern));
            }
            let _clock = Clock::start(&self.waits);
            let asked = async {
                if self.modern {
                    self.ask_in_round(method, params).await
                } else {
                    self.ask_session(method, params).await
                }
            };
            tokio::time::timeout(PATIENCE, asked).await.unwrap_or_else(|_| {
                Err(ToolError::new(ErrorKind::Timeout, "the client did not answer the question in time"))
            })
        })
    }
}

/// Counts the time in which at least one question is open.
struct Clock<'a>(&'a Mutex<(Duration, Option<Instant>, u32)>);

impl<'a> Clock<'a> {
    fn start(waits: &'a Mutex<(Duration, Option<Instant>, u32)>) -> Self {
        let mut now = waits.lock();
        now.1.get_or_insert_with(Instant::now);
        now.2 += 1;
        drop(now);
        Self(waits)
    }
}

impl Drop for Clock<'_> {
    fn drop(&mut self) {
        let mut now = self.0.lock();
        now.2 -= 1;
        if now.2 == 0
            && let Some(since) = now.1.take()
        {
            now.0 += since.elapsed();
        }
    }
}

/// Whether a log message is severe enough for a client that wants `level`.
pub(super) fn is_heard(params: &Raw, level: Option<&str>) -> bool {
    let rank = |name: &str| LEVELS.iter().position(|it| *it == name);
    let Some(wanted) = level.and_then(rank) else { return false };
    let said: Option<String> = params.member("level").and_then(|it| serde_json::from_str(it.get()).ok());
    said.as_deref().and_then(rank).is_some_and(|it| it >= wanted)
}

/// The capability a question needs and the client did not declare; an error for what may not be asked at all.
pub(super) fn undeclared(method: &str, params: &Raw, capabilities: &Raw) -> Result<Option<Value>, ToolError> {
    let declared = capabilities.to_value();
    let has = |name: &str| declared.get(name).is_some_and(|it| !it.is_null() && *it != Value::Bool(false));
    let missing = match method {
        "sampling/createMessage" if !has("sampling") => json!({ "sampling": {} }),
        "sampling/createMessage" => {
            let uses_tools = params.member("tools").is_some() || params.member("toolChoice").is_some();
            if !uses_tools || !declared["sampling"]["tools"].is_null() {
                return Ok(None);
            }
            json!({ "sampling": { "tools": {} } })
        }
        "elicitation/create" => {
            let by_url = params.member("mode").is_some_and(|it| it.get() == r#""url""#);
            let modes = declared["elicitation"].as_object();
            let fits = modes.is_some_and(|modes| {
                if by_url {
                    modes.contains_key("url")
                } else {
                    modes.contains_key("form") || modes.is_empty()
                }
            });
            match (fits, by_url) {
                (true, _) => return Ok(None),
                (false, true) => json!({ "elicitation": { "url": {} } }),
                (false, false) => json!({ "elicitation": {} }),
            }
        }
        "roots/list" if !has("roots") => json!({ "roots": {} }),
        "roots/list" => return Ok(None),
        _ => {
            let why = format!("a client cannot be asked for `{method}`");
            return Err(ToolError::new(ErrorKind::ToolExecutionFailed, why));
        }
    };
    Ok(Some(missing))
}

/// What a caller hears that did not declare what the call needs.
pub(super) fn not_declared(missing: &Value, modern: bool) -> ToolError {
    let message = "the call needs a capability the client did not declare";
    if modern {
        let data = Raw::of(&json!({ "requiredCapabilities": missing }));
        return ToolError::relayed(RelayedFault::MISSING_CAPABILITY, message, Some(data));
    }
    ToolError::new(ErrorKind::ToolExecutionFailed, format!("{message}: {missing}"))
        .hint("use a client that has it")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn raw(text: &str) -> Raw {
        Raw::parse(text.into()).unwrap()
    }

    #[test]
    fn only_what_was_declared_is_asked() {
        for (method, params, capabilities, missing) in [
            ("elicitation/create", "{}", r#"{"elicitation":{}}"#, None),
            ("elicitation/create", "{}", r#"{"elicitation":{"form":{}}}"#, None),
            ("elicitation/create", "{}", r#"{"elicitation":{"url":{}}}"#, Some(json!({"elicitation":{}}))),
            ("elicitation/create", r#"{"mode":"url"}"#, r#"{"elicitation":{"url":{}}}"#, None),
            (
                "elicitation/create",
                r#"{"mode":"url"}"#,
                r#"{"elicitation":{}}"#,
                Some(json!({"elicitation":{"url":{}}})),
            ),
            ("elicitation/create", "{}", r#"{"elicitation":true}"#, Some(json!({"elicitation":{}}))),
            ("sampling/createMessage", "{}", r#"{"sampling":{}}"#, None),
            ("sampling/createMessage", "{}", "{}", Some(json!({"sampling":{}}))),
            (
                "sampling/createMessage",
                r#"{"tools":[]}"#,
                r#"{"sampling":{}}"#,
                Some(json!({"sampling":{"tools":{}}})),
            ),
            ("sampling/createMessage", r#"{"tools":[]}"#, r#"{"sampling":{"tools":{}}}"#, None),
            ("roots/list", "{}", r#"{"roots":{}}"#, None),
            ("roots/list", "{}", r#"{"roots":null}"#, Some(json!({"roots":{}}))),
        ] {
            let found = undeclared(method, &raw(params), &raw(capabilities)).unwrap();
            assert_eq!(found, missing, "{method} {params} {capabilities}");
        }
        assert!(undeclared("tools/call", &raw("{}"), &raw("{}")).is_err());
    }

    #[test]
    fn log_messages_are_sent_from_the_wanted_level_up() {
        for (said, wanted, heard) in [
            (r#"{"level":"info"}"#, Some("info"), true),
            (r#"{"level":"debug"}"#, Some("info"), false),
            (r#"{"level":"emergency"}"#, Some("debug"), true),
            (r#"{"level":"loud"}"#, Some("debug"), false),
            ("{}", Some("debug"), false),
            (r#"{"level":"error"}"#, None, false),
        ] {
            assert_eq!(is_heard(&raw(said), wanted), heard, "{said} {wanted:?}");
        }
    }
}
