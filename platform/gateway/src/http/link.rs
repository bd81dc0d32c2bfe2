//! One endpoint of an upstream, whichever era it speaks.

use std::{
    sync::{
        Arc, LazyLock,
        atomic::{AtomicU64, Ordering},
    },
    time::{Duration, Instant},
};

use base64::{Engine, prelude::BASE64_STANDARD};
use bytes::Bytes;
use http::{HeaderMap, HeaderName, HeaderValue, Method, header};
use kernel::{Principal, Raw};
use parking_lot::RwLock;
use serde_json::value::RawValue;

use super::{
    courtesy::Farewell,
    endpoint::Endpoint,
    exchange::{Answer, Letter, Replier, Returned, SESSION, exchange},
    session::{Sessions, Slot},
};
use crate::{
    EraChoice,
    agree::{Agreed, agree, speaks_modern},
    error::UpstreamError,
    hear::Hear,
    order::{CLIENT_INFO, LEGACY, MODERN, Order, nothing, ourselves},
    rpc::{RpcError, write_notice, write_request},
};

/// How often a broken stream is taken up again before it counts as lost.
const RESUMES_MAX: usize = 5;

/// Capabilities larger than this open no session of their own.
const CAPABILITIES_BYTES_MAX: usize = 4096;

static ACCEPT: HeaderValue = HeaderValue::from_static("application/json, text/event-stream");
static JSON: HeaderValue = HeaderValue::from_static("application/json");
pub(super) static VERSION: HeaderName = HeaderName::from_static("mcp-protocol-version");
static METHOD: HeaderName = HeaderName::from_static("mcp-method");
static NAME: HeaderName = HeaderName::from_static("mcp-name");

/// What is known about the endpoint.
#[derive(Clone)]
pub(super) enum Mode {
    /// Every request describes itself. Holds what `server/discover` said.
    Modern(Arc<RawValue>),
    /// There is a handshake, and mostly a session.
    Legacy,
}

/// An upstream's endpoint over Streamable HTTP.
pub(crate) struct HttpLink {
    pub(super) endpoint: Arc<Endpoint>,
    era: EraChoice,
    mode: RwLock<Option<Mode>>,
    /// Held while somebody finds out.
    asking: tokio::sync::Mutex<()>,
    pub(super) sessions: Sessions,
    last_id: AtomicU64,
    pub(super) start_timeout: Duration,
    warm: usize,
}

impl HttpLink {
    pub(crate) fn new(endpoint: Endpoint, era: EraChoice, start_timeout: Duration, warm: usize) -> Arc<Self> {
        Arc::new(Self {
            endpoint: Arc::new(endpoint),
            era,
            mode: RwLock::default(),
            asking: tokio::sync::Mutex::default(),
            sessions: Sessions::default(),
            last_id: AtomicU64::new(0),
            start_timeout,
            warm,
        })
    }

    /// What the upstream says of itself: the result of `server/discover` or `initialize`.
    pub(crate) async fn hello(self: &Arc<Self>) -> Result<(Arc<RawValue>, bool), UpstreamError> {
        let order = Order::own("ping", "{}", Instant::now() + self.start_timeout);
        tokio::select! {
            biased;
            hello = async {
                match self.mode().await? {
                    Mode::Modern(hello) => Ok((hello, true)),
                    Mode::Legacy => {
                        let (_, agreed) = self.session(&nothing(), &ourselves()).await?;
                        Ok((Arc::clone(&agreed.hello), false))
                    }
                }
            } => hello,
            error = order.stopped(&self.endpoint.upstream) => Err(error),
        }
    }

    /// Sends one request and waits for its answer, the caller's patience, or the deadline.
    pub(crate) async fn request(self: &Arc<Self>, order: &Order) -> Result<Answer, UpstreamError> {
        tokio::select! {
            biased;
            answer = self.attempt(order) => answer,
            error = order.stopped(&self.endpoint.upstream) => Err(error),
        }
    }

    async fn attempt(self: &Arc<Self>, order: &Order) -> Result<Answer, UpstreamError> {
        let answer = self.once(order).await;
        match &answer {
            // It did nothing: the session is opened anew and the request sent once more.
            Err(UpstreamError::SessionGone { .. }) => self.once(order).await,
            // It may have become another kind of server.
            Err(UpstreamError::Odd { status: 400..=499, .. }) if self.era == EraChoice::Auto => {
                *self.mode.write() = None;
                answer
            }
            _ => answer,
        }
    }

    async fn once(self: &Arc<Self>, order: &Order) -> Result<Answer, UpstreamError> {
        match self.mode().await? {
            Mode::Modern(_) => self.modern(order).await,
            Mode::Legacy => self.legacy(order).await,
        }
    }

    /// Which era, asked once and remembered.
    pub(super) async fn mode(self: &Arc<Self>) -> Result<Mode, UpstreamError> {
        if let Some(mode) = self.mode.read().as_ref() {
            return Ok(mode.clone());
        }
        let _asking = self.asking.lock().await;
        if let Some(mode) = self.mode.read().as_ref() {
            return Ok(mode.clone());
        }
        let mode = if self.era == EraChoice::Legacy { Mode::Legacy } else { self.discover().await? };
        *self.mode.write() = Some(mode.clone());
        self.endpoint.warm(self.warm).await;
        Ok(mode)
    }

    async fn discover(self: &Arc<Self>) -> Result<Mode, UpstreamError> {
        let order = Order::own("server/discover", "{}", Instant::now() + self.start_timeout);
        let may_be_old = self.era == EraChoice::Auto;
        match self.modern(&order).await {
            Ok(Ok(result)) if speaks_modern(&result) => Ok(Mode::Modern(Arc::from(result))),
            Ok(Ok(_) | Err(_)) | Err(UpstreamError::Odd { .. } | UpstreamError::Garbage { .. })
                if may_be_old =>
            {
                Ok(Mode::Legacy)
            }
            Ok(Ok(_)) => Err(UpstreamError::garbage(&self.endpoint.upstream, "it does not speak 2026-07-28")),
            Ok(Err(RpcError { code, message, data })) => Err(UpstreamError::Rpc { code, message, data }),
            Err(error) => Err(error),
        }
    }

    pub(super) fn next_id(&self) -> u64 {
        self.last_id.fetch_add(1, Ordering::Relaxed) + 1
    }

    async fn modern(self: &Arc<Self>, order: &Order) -> Result<Answer, UpstreamError> {
        let id = self.next_id();
        let letter = self.modern_letter(order, id)?;
        match exchange(&self.endpoint, letter, &order.hear, &nobody()).await? {
            Returned::Answer { answer, .. } => Ok(answer),
            Returned::Accepted | Returned::Broken { .. } => {
                Err(UpstreamError::lost(&self.endpoint.upstream, "the stream ended"))
            }
        }
    }

    pub(super) fn modern_letter(&self, order: &Order, id: u64) -> Result<Letter, UpstreamError> {
        let params = order.modern_params(id).map_err(|_| bad_params())?;
        let mut headers = HeaderMap::with_capacity(8 + order.mirrored.len());
        headers.insert(&VERSION, const { HeaderValue::from_static(MODERN) });
        let method = match &order.method {
            std::borrow::Cow::Borrowed(method) => HeaderValue::from_static(method),
            std::borrow::Cow::Owned(method) => HeaderValue::from_str(method).map_err(|_| bad_params())?,
        };
        headers.insert(&METHOD, method);
        if let Some(name) = &order.name {
            headers.insert(&NAME, header_value(name));
        }
        for (name, value) in &order.mirrored {
            headers.insert(name, value.clone());
        }
        let body = write_request(id, &order.method, Some(&params));
        Ok(self.letter(headers, body, Some(id), &order.principal))
    }

    pub(super) fn letter(
        &self,
        mut headers: HeaderMap,
        body: Vec<u8>,
        id: Option<u64>,
        principal: &Arc<Principal>,
    ) -> Letter {
        headers.insert(header::ACCEPT, ACCEPT.clone());
        headers.insert(header::CONTENT_TYPE, JSON.clone());
        let principal = Arc::clone(principal);
        Letter { method: Method::POST, headers, body: Bytes::from(body), id, path: None, principal }
    }

    async fn legacy(self: &Arc<Self>, order: &Order) -> Result<Answer, UpstreamError> {
        let (slot, agreed) = self.session(&order.capabilities, &order.principal).await?;
        if let Some(level) = &order.log_level {
            self.raise_level(&agreed, level).await;
        }
        let answer = self.legacy_with(&agreed, order).await;
        if matches!(answer, Err(UpstreamError::SessionGone { .. })) {
            self.sessions.forget(&slot);
        }
        answer
    }

    pub(super) async fn legacy_with(
        self: &Arc<Self>,
        agreed: &Arc<Agreed>,
        order: &Order,
    ) -> Result<Answer, UpstreamError> {
        let id = self.next_id();
        let params = order.legacy_params(id).map_err(|_| bad_params())?;
        let body = write_request(id, &order.method, Some(&params));
        let letter = self.letter(session_headers(agreed), body, Some(id), &order.principal);
        let reply = self.replier(agreed);
        // If nobody waits any longer, the upstream is told; an old server does not notice by itself.
        let mut farewell = Farewell { link: self, agreed, id, is_due: true };
        let mut returned = exchange(&self.endpoint, letter, &order.hear, &reply).await;
        for _ in 0..RESUMES_MAX {
            let Ok(Returned::Broken { last_id: Some(last_id), retry }) = &returned else { break };
            tokio::time::sleep(retry.unwrap_or(Duration::from_millis(100)).min(Duration::from_secs(30)))
                .await;
            returned = self.resume(agreed, last_id, id, &order.hear, &reply).await;
        }
        farewell.is_due = false;
        match returned? {
            Returned::Answer { answer, .. } => Ok(answer),
            Returned::Accepted | Returned::Broken { .. } => {
                Err(UpstreamError::lost(&self.endpoint.upstream, "the stream ended"))
            }
        }
    }

    /// Goes on with a stream where it broke.
    async fn resume(
        self: &Arc<Self>,
        agreed: &Arc<Agreed>,
        last_id: &str,
        id: u64,
        hear: &Arc<dyn Hear>,
        reply: &Replier,
    ) -> Result<Returned, UpstreamError> {
        let mut headers = session_headers(agreed);
        let last_id = HeaderValue::from_str(last_id)
            .map_err(|_| UpstreamError::garbage(&self.endpoint.upstream, "an event id cannot be sent"))?;
        headers.insert(HeaderName::from_static("last-event-id"), last_id);
        headers.insert(header::ACCEPT, HeaderValue::from_static("text/event-stream"));
        let principal = Arc::clone(&agreed.principal);
        let letter =
            Letter { method: Method::GET, headers, body: Bytes::new(), id: Some(id), path: None, principal };
        exchange(&self.endpoint, letter, hear, reply).await
    }

    /// The session for callers with these capabilities; opened by whoever comes first.
    pub(super) async fn session(
        self: &Arc<Self>,
        capabilities: &Raw,
        principal: &Arc<Principal>,
    ) -> Result<(Slot, Arc<Agreed>), UpstreamError> {
        let nothing = nothing();
        let known = capabilities.get().len() <= CAPABILITIES_BYTES_MAX;
        let capabilities = if known { capabilities } else { &nothing };
        // People with credentials of their own never share a session.
        let is_personal = self.endpoint.credentials.as_ref().is_some_and(|it| it.are_personal());
        let owner = if is_personal { principal.id.as_str() } else { "" };
        let (slot, pushed_out) = self.sessions.slot(capabilities, owner);
        if let Some(old) = pushed_out.and_then(|it| it.get().cloned()) {
            self.end_later(old);
        }
        let agreed = slot.get_or_try_init(|| self.initialize(capabilities, principal)).await;
        match agreed {
            Ok(agreed) => Ok((Arc::clone(&slot), Arc::clone(agreed))),
            Err(error) => {
                self.sessions.forget(&slot);
                *self.mode.write() = None;
                Err(error)
            }
        }
    }

    async fn initialize(
        self: &Arc<Self>,
        capabilities: &Raw,
        principal: &Arc<Principal>,
    ) -> Result<Arc<Agreed>, UpstreamError> {
        let upstream = &self.endpoint.upstream;
        let id = self.next_id();
        let params = format!(
            r#"{{"protocolVersion":"{LEGACY}","capabilities":{},"clientInfo":{CLIENT_INFO}}}"#,
            capabilities.get()
        );
        let body = write_request(id, "initialize", Some(&params));
        let letter = self.letter(HeaderMap::with_capacity(4), body, Some(id), principal);
        let deaf: Arc<dyn Hear> = Arc::new(crate::hear::Deaf);
        let nobody = nobody();
        let returned = exchange(&self.endpoint, letter, &deaf, &nobody);
        let returned = tokio::time::timeout(self.start_timeout, returned)
            .await
            .map_err(|_| UpstreamError::Slow { upstream: upstream.clone(), sent: true })??;
        let Returned::Answer { answer, session } = returned else {
            return Err(UpstreamError::garbage(upstream, "`initialize` was not answered"));
        };
        let hello =
            answer.map_err(|RpcError { code, message, data }| UpstreamError::Rpc { code, message, data })?;
        let agreed = Arc::new(agree(upstream, hello, session, principal)?);
        let body = write_notice("notifications/initialized", None);
        let letter = self.letter(session_headers(&agreed), body, None, principal);
        exchange(&self.endpoint, letter, &deaf, &nobody).await?;
        Ok(agreed)
    }
}

/// For requests on which nobody may ask anything.
pub(super) fn nobody() -> Replier {
    static NOBODY: LazyLock<Replier> = LazyLock::new(|| Arc::new(|_| Box::pin(std::future::ready(()))));
    Arc::clone(&NOBODY)
}

pub(super) fn session_headers(agreed: &Agreed) -> HeaderMap {
    let mut headers = HeaderMap::with_capacity(8);
    if let Some(id) = &agreed.id {
        headers.insert(HeaderName::from_static(SESSION), id.clone());
    }
    headers.insert(&VERSION, agreed.version.clone());
    headers
}

/// A value as headers carry it: plain if it is safe, else in Base64.
pub(crate) fn header_value(text: &str) -> HeaderValue {
    let poses_as_encoded = text.starts_with("=?base64?") && text.ends_with("?=");
    let is_plain = text.bytes().all(|it| (0x20..0x7f).contains(&it)) && text.trim() == text;
    let is_safe = !text.is_empty() && is_plain && !poses_as_encoded;
    let plain = if is_safe { HeaderValue::from_str(text).ok() } else { None };
    plain.unwrap_or_else(|| {
        let encoded = format!("=?base64?{}?=", BASE64_STANDARD.encode(text));
        HeaderValue::from_str(&encoded).expect("Base64 is plain text")
    })
}

fn bad_params() -> UpstreamError {
    UpstreamError::Rpc { code: -32602, message: "the parameters are no object".into(), data: None }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use protocol::decode_value;

    use super::*;

    proptest! {
        #[test]
        fn every_text_survives_the_way_through_a_header(text in r"(\PC|[ \t\r\n\x00]){0,40}|=\?base64\?[a-zA-Z=]{0,8}\?=") {
            let value = header_value(&text);
            prop_assert_eq!(decode_value(value.to_str().unwrap()).unwrap(), text);
        }
    }
}
