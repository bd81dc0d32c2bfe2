//! HTTP+SSE of 2024-11-05, as a client: one stream to hear, and POSTs to speak.

use std::{
    sync::Arc,
    time::{Duration, Instant},
};

use bytes::Bytes;
use http::{HeaderMap, HeaderValue, Method, Uri, header};
use serde_json::value::RawValue;
use tokio::sync::{Mutex, mpsc, oneshot};

use super::{
    endpoint::Endpoint,
    exchange::{Letter, Reading, exchange, send},
    link::nobody,
    sse::Events,
};
use crate::{
    agree::agree,
    dialogue::Dialogue,
    error::UpstreamError,
    hear::{Deaf, Hear},
    order::{CLIENT_INFO, Order, nothing, ourselves},
    rpc::RpcError,
};

/// The only revision that has this transport.
const REVISION: &str = "2024-11-05";

type Answer = Result<Box<RawValue>, RpcError>;

/// An upstream over HTTP+SSE. Everybody shares one session; it offers none of its callers' abilities, because
/// the stream does not say whose call a question belongs to.
pub(crate) struct SseLink {
    endpoint: Arc<Endpoint>,
    start_timeout: Duration,
    ambient: Arc<dyn Hear>,
    open: Mutex<Option<Arc<Open>>>,
}

struct Open {
    dialogue: Arc<Dialogue>,
    hello: Arc<RawValue>,
}

impl Drop for Open {
    fn drop(&mut self) {
        self.dialogue.end("it was stopped");
    }
}

impl SseLink {
    pub(crate) fn new(endpoint: Endpoint, start_timeout: Duration, ambient: Arc<dyn Hear>) -> Arc<Self> {
        Arc::new(Self { endpoint: Arc::new(endpoint), start_timeout, ambient, open: Mutex::default() })
    }

    /// What the upstream says of itself.
    pub(crate) async fn hello(&self) -> Result<Arc<RawValue>, UpstreamError> {
        Ok(Arc::clone(&self.open().await?.hello))
    }

    /// Sends one request and waits for its answer, the caller's patience, or the deadline.
    pub(crate) async fn request(&self, order: &Order) -> Result<Answer, UpstreamError> {
        tokio::select! {
            biased;
            answer = async { self.open().await?.dialogue.request(order, false).await } => answer,
            error = order.stopped(&self.endpoint.upstream) => Err(error),
        }
    }

    /// Waits until the stream ends. Returns at once when none is open.
    pub(crate) async fn ended(&self) {
        let over = self.open.lock().await.as_ref().map(|it| it.dialogue.over.clone());
        if let Some(over) = over {
            over.cancelled().await;
        }
    }

    async fn open(&self) -> Result<Arc<Open>, UpstreamError> {
        let mut open = self.open.lock().await;
        if let Some(open) = open.as_ref().filter(|it| !it.dialogue.is_over()) {
            return Ok(Arc::clone(open));
        }
        let slow = || UpstreamError::Slow { upstream: self.endpoint.upstream.clone(), sent: false };
        let fresh = tokio::time::timeout(self.start_timeout, self.connect()).await.map_err(|_| slow())??;
        Ok(Arc::clone(open.insert(Arc::new(fresh))))
    }

    async fn connect(&self) -> Result<Open, UpstreamError> {
        let upstream = &self.endpoint.upstream;
        let (dialogue, written) = Dialogue::new(upstream, Arc::clone(&self.ambient));
        let (found, path) = oneshot::channel();
        tokio::spawn(hear(Arc::clone(&self.endpoint), Arc::clone(&dialogue), found));
        let path = path.await.unwrap_or_else(|_| Err(UpstreamError::unreachable(upstream, "it hung up")))?;
        tokio::spawn(speak(Arc::clone(&self.endpoint), Arc::clone(&dialogue), path, written));
        let params = format!(
            r#"{{"protocolVersion":"{REVISION}","capabilities":{},"clientInfo":{CLIENT_INFO}}}"#,
            nothing().get()
        );
        let order = Order::own("initialize", params, Instant::now() + self.start_timeout);
        let hello = dialogue.request(&order, false).await?;
        let hello =
            hello.map_err(|RpcError { code, message, data }| UpstreamError::Rpc { code, message, data })?;
        let agreed = agree(upstream, hello, None, &ourselves())?;
        dialogue.notify("notifications/initialized", None).await;
        Ok(Open { dialogue, hello: agreed.hello })
    }

    /// Ends the session.
    pub(crate) async fn close(&self) {
        drop(self.open.lock().await.take());
        self.endpoint.pool.clear();
    }
}

/// Hears the stream: first where to speak, then messages.
async fn hear(
    endpoint: Arc<Endpoint>,
    dialogue: Arc<Dialogue>,
    found: oneshot::Sender<Result<Uri, UpstreamError>>,
) {
    let mut found = Some(found);
    let heard = tokio::select! {
        heard = hear_until_end(&endpoint, &dialogue, &mut found) => heard,
        () = dialogue.over.cancelled() => return,
    };
    let why = heard.as_ref().map_or_else(ToString::to_string, |()| "the stream ended".to_owned());
    if let (Some(found), Err(error)) = (found, heard)
        && found.send(Err(error)).is_err()
    {
        tracing::debug!(upstream = endpoint.upstream, "nobody waits for the stream any longer");
    }
    dialogue.end(&why);
}

async fn hear_until_end(
    endpoint: &Arc<Endpoint>,
    dialogue: &Arc<Dialogue>,
    found: &mut Option<oneshot::Sender<Result<Uri, UpstreamError>>>,
) -> Result<(), UpstreamError> {
    let upstream = &endpoint.upstream;
    let mut headers = HeaderMap::with_capacity(4);
    headers.insert(header::ACCEPT, HeaderValue::from_static("text/event-stream"));
    let letter = Letter {
        method: Method::GET,
        headers,
        body: Bytes::new(),
        id: None,
        path: None,
        principal: ourselves(),
    };
    let (mut connection, response) = send(endpoint, letter).await?;
    let (head, mut body) = response.into_parts();
    if head.status.as_u16() == 401 || head.status.as_u16() == 403 {
        return Err(UpstreamError::Refused {
            upstream: upstream.clone(),
            status: head.status.as_u16(),
            challenge: None,
        });
    }
    if !head.status.is_success() {
        return Err(UpstreamError::Odd { upstream: upstream.clone(), status: head.status.as_u16() });
    }
    let kind = head.headers.get(header::CONTENT_TYPE).map_or(&b""[..], HeaderValue::as_bytes);
    if !kind.starts_with(b"text/event-stream") {
        return Err(UpstreamError::garbage(upstream, "it is no event stream"));
    }
    let mut reading = Reading { endpoint, connection: &mut connection, body: &mut body };
    let mut events = Events::new(endpoint.bytes_max);
    while let Some(piece) = reading.piece().await? {
        events
            .push(&piece)
            .map_err(|_| UpstreamError::TooLarge { upstream: upstream.clone(), limit: endpoint.bytes_max })?;
        while let Some(event) = events.next() {
            if event.kind == "endpoint" {
                let path = std::str::from_utf8(&event.data).ok().and_then(|it| endpoint.resolve(it.trim()));
                let path =
                    path.ok_or_else(|| UpstreamError::garbage(upstream, "its endpoint is another server's"))?;
                if let Some(found) = found.take()
                    && found.send(Ok(path)).is_err()
                {
                    return Ok(());
                }
            } else if !event.data.is_empty() {
                dialogue.receive(&event.data).map_err(|why| UpstreamError::garbage(upstream, why))?;
            }
        }
    }
    Ok(())
}

/// Sends what the dialogue wants said, one after another.
async fn speak(
    endpoint: Arc<Endpoint>,
    dialogue: Arc<Dialogue>,
    path: Uri,
    mut written: mpsc::Receiver<Vec<u8>>,
) {
    let deaf: Arc<dyn Hear> = Arc::new(Deaf);
    loop {
        let body = tokio::select! {
            body = written.recv() => body,
            () = dialogue.over.cancelled() => return,
        };
        let Some(body) = body else { return };
        let mut headers = HeaderMap::with_capacity(4);
        headers.insert(header::CONTENT_TYPE, HeaderValue::from_static("application/json"));
        headers.insert(header::ACCEPT, HeaderValue::from_static("application/json, text/event-stream"));
        let letter = Letter {
            method: Method::POST,
            headers,
            body: Bytes::from(body),
            id: None,
            path: Some(path.clone()),
            principal: ourselves(),
        };
        if let Err(error) = exchange(&endpoint, letter, &deaf, &nobody()).await {
            dialogue.end(&format!("it does not take messages: {error}"));
            return;
        }
    }
}
