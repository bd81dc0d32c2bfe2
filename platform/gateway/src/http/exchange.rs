//! One request to an endpoint and everything that comes back on the same connection.

use std::{sync::Arc, time::Duration};

use bytes::{Bytes, BytesMut};
use futures_util::{FutureExt, future::BoxFuture};
use http::{HeaderMap, HeaderValue, Method, Request, Response, StatusCode, header};
use http_body_util::Full;
use hyper::body::Incoming;
use kernel::Principal;
use serde_json::value::RawValue;
use tokio::task::JoinSet;

use super::{
    endpoint::Endpoint,
    pool::{Connection, Pool, SendFailure},
    sse::Events,
};
use crate::{
    Shown,
    error::UpstreamError,
    hear::Hear,
    rpc::{RpcError, Said, read, write_reply},
};

/// `Mcp-Session-Id`.
pub(super) const SESSION: &str = "mcp-session-id";

/// Longest body of a refusal that is read.
const REFUSAL_BYTES_MAX: usize = 64 << 10;

/// Questions of an upstream that wait for their answers during one request.
const QUESTIONS_MAX: usize = 8;

/// What a request ended with.
pub(super) type Answer = Result<Box<RawValue>, RpcError>;

/// Sends an answer to an upstream's question.
pub(super) type Replier = Arc<dyn Fn(Vec<u8>) -> BoxFuture<'static, ()> + Send + Sync>;

/// What is sent.
#[derive(Clone)]
pub(super) struct Letter {
    pub(super) method: Method,
    pub(super) headers: HeaderMap,
    pub(super) body: Bytes,
    /// Ours, when it wants an answer.
    pub(super) id: Option<u64>,
    /// Another path than the endpoint's.
    pub(super) path: Option<http::Uri>,
    /// On whose behalf.
    pub(super) principal: Arc<Principal>,
}

/// What came back.
pub(super) enum Returned {
    /// The answer, and the session that was opened with it.
    Answer { answer: Answer, session: Option<HeaderValue> },
    /// Taken, and that was all.
    Accepted,
    /// A stream that ended before the answer: it goes on where `last_id` says.
    Broken { last_id: Option<String>, retry: Option<Duration> },
}

/// Sends `letter` and hears everything until its answer. Credentials that are refused are replaced once.
pub(super) async fn exchange(
    endpoint: &Arc<Endpoint>,
    letter: Letter,
    hear: &Arc<dyn Hear>,
    reply: &Replier,
) -> Result<Returned, UpstreamError> {
    let Some(credentials) = &endpoint.credentials else { return once(endpoint, letter, hear, reply).await };
    let failed = |error| UpstreamError::Credentials(Box::new(error));
    let shown = credentials.headers(&letter.principal).await.map_err(failed)?;
    let first = once(endpoint, with(letter.clone(), &shown), hear, reply).await;
    let Err(UpstreamError::Refused { status, challenge, .. }) = &first else { return first };
    credentials.refused(&shown, *status, challenge.as_deref()).map_err(failed)?;
    let shown = credentials.headers(&letter.principal).await.map_err(failed)?;
    once(endpoint, with(letter, &shown), hear, reply).await
}

fn with(mut letter: Letter, shown: &Shown) -> Letter {
    for (name, value) in &shown.headers {
        letter.headers.insert(name, value.clone());
    }
    letter
}

async fn once(
    endpoint: &Arc<Endpoint>,
    letter: Letter,
    hear: &Arc<dyn Hear>,
    reply: &Replier,
) -> Result<Returned, UpstreamError> {
    let (id, has_session) = (letter.id, letter.headers.contains_key(SESSION));
    let (mut connection, response) = send(endpoint, letter).await?;
    let (head, mut body) = response.into_parts();
    let mut reading = Reading { endpoint, connection: &mut connection, body: &mut body };
    if !head.status.is_success() {
        let refusal = reading.whole(REFUSAL_BYTES_MAX).await.unwrap_or_default();
        endpoint.pool.put(connection);
        return refused(endpoint, head.status, &head.headers, &refusal, has_session);
    }
    let session = head.headers.get(SESSION).filter(|it| it.len() <= 1024).cloned();
    let kind = head.headers.get(header::CONTENT_TYPE).map_or(&b""[..], HeaderValue::as_bytes);
    let returned = if let Some(id) = id {
        if kind.starts_with(b"application/json") {
            let whole = reading.whole(endpoint.bytes_max).await?;
            Returned::Answer { answer: answer_of(endpoint, &whole, id)?, session }
        } else if kind.starts_with(b"text/event-stream") {
            match reading.until_answer(id, hear, reply).await? {
                Ok(answer) => {
                    finish(endpoint, connection, body);
                    return Ok(Returned::Answer { answer, session });
                }
                Err((last_id, retry)) => return Ok(Returned::Broken { last_id, retry }),
            }
        } else {
            return Err(UpstreamError::garbage(&endpoint.upstream, "neither JSON nor an event stream"));
        }
    } else {
        reading.whole(REFUSAL_BYTES_MAX).await?;
        Returned::Accepted
    };
    endpoint.pool.put(connection);
    Ok(returned)
}

/// How long a stream may go on after its answer before the connection is given up.
const TAIL: Duration = Duration::from_secs(1);

/// Most bytes of such a tail.
const TAIL_BYTES_MAX: usize = 64 << 10;

/// Reads what little follows an answer, so that the connection can be used again. The caller does not wait.
fn finish(endpoint: &Arc<Endpoint>, mut connection: Connection, mut body: Incoming) {
    let endpoint = Arc::clone(endpoint);
    let reading = async move {
        let mut left = TAIL_BYTES_MAX;
        while let Some(Ok(frame)) = connection.frame(&mut body).await {
            left = left.saturating_sub(frame.data_ref().map_or(0, Bytes::len));
            if left == 0 {
                return;
            }
        }
        drop(body);
        endpoint.pool.put(connection);
    };
    let mut reading = Box::pin(tokio::time::timeout(TAIL, reading));
    // Mostly the end is here already.
    if reading.as_mut().now_or_never().is_none() {
        tokio::spawn(reading);
    }
}

/// Sends `letter` over an open connection, or a new one; returns the head.
pub(super) async fn send(
    endpoint: &Endpoint,
    letter: Letter,
) -> Result<(Connection, Response<Incoming>), UpstreamError> {
    let turn = endpoint.pool.turn().await;
    let (mut connection, is_new) = match endpoint.pool.take(turn) {
        Ok(connection) => (connection, false),
        Err(turn) => (Pool::admit(endpoint.connect().await?, turn), true),
    };
    let request = request(endpoint, letter);
    let failed = match connection.send(request).await {
        Ok(response) => return Ok((connection, response)),
        Err(failed) => failed,
    };
    match failed {
        // It was closed while it lay idle; nothing left, so it can be sent again.
        SendFailure::Unsent(request) if !is_new => {
            drop(connection);
            let turn = endpoint.pool.turn().await;
            let mut connection = Pool::admit(endpoint.connect().await?, turn);
            match connection.send(*request).await {
                Ok(response) => Ok((connection, response)),
                Err(failed) => Err(send_error(endpoint, &failed)),
            }
        }
        failed => Err(send_error(endpoint, &failed)),
    }
}

fn send_error(endpoint: &Endpoint, failed: &SendFailure) -> UpstreamError {
    match failed {
        SendFailure::Unsent(_) => UpstreamError::unreachable(&endpoint.upstream, "it closed the connection"),
        SendFailure::Sent(error) if error.is_parse() => {
            UpstreamError::garbage(&endpoint.upstream, "its answer is not HTTP")
        }
        SendFailure::Sent(error) => {
            tracing::debug!(upstream = endpoint.upstream, %error, "a request was not answered");
            UpstreamError::lost(&endpoint.upstream, "the connection ended")
        }
    }
}

fn request(endpoint: &Endpoint, letter: Letter) -> Request<Full<Bytes>> {
    let mut request = Request::new(Full::new(letter.body));
    *request.method_mut() = letter.method;
    *request.uri_mut() = letter.path.unwrap_or_else(|| endpoint.path.clone());
    let headers = request.headers_mut();
    *headers = letter.headers;
    headers.insert(header::HOST, endpoint.host.clone());
    for (name, value) in &endpoint.headers {
        headers.entry(name).or_insert_with(|| value.clone());
    }
    request
}

/// A response that is being read.
pub(super) struct Reading<'a> {
    pub(super) endpoint: &'a Endpoint,
    pub(super) connection: &'a mut Connection,
    pub(super) body: &'a mut Incoming,
}

impl Reading<'_> {
    /// The next piece; `None` at the end.
    pub(super) async fn piece(&mut self) -> Result<Option<Bytes>, UpstreamError> {
        loop {
            match self.connection.frame(self.body).await {
                None => return Ok(None),
                Some(Ok(frame)) => {
                    if let Ok(data) = frame.into_data() {
                        return Ok(Some(data));
                    }
                }
                Some(Err(_)) => {
                    return Err(UpstreamError::lost(&self.endpoint.upstream, "the connection ended"));
                }
            }
        }
    }

    /// All of it, if it is not too much.
    async fn whole(&mut self, bytes_max: usize) -> Result<Bytes, UpstreamError> {
        let too_large =
            || UpstreamError::TooLarge { upstream: self.endpoint.upstream.clone(), limit: bytes_max };
        let announced = hyper::body::Body::size_hint(&*self.body).exact();
        if announced.is_some_and(|it| it > bytes_max as u64) {
            return Err(too_large());
        }
        let Some(first) = self.piece().await? else { return Ok(Bytes::new()) };
        if first.len() > bytes_max {
            return Err(too_large());
        }
        let mut all: Option<BytesMut> = None;
        while let Some(piece) = self.piece().await? {
            let all = all.get_or_insert_with(|| BytesMut::from(&first[..]));
            if all.len() + piece.len() > bytes_max {
                return Err(UpstreamError::TooLarge {
                    upstream: self.endpoint.upstream.clone(),
                    limit: bytes_max,
                });
            }
            all.extend_from_slice(&piece);
        }
        Ok(all.map_or(first, BytesMut::freeze))
    }

    /// Hears an event stream until the answer to `id`. `Err`: it ended before, and where it can go on.
    pub(super) async fn until_answer(
        &mut self,
        id: u64,
        hear: &Arc<dyn Hear>,
        reply: &Replier,
    ) -> Result<Result<Answer, (Option<String>, Option<Duration>)>, UpstreamError> {
        let mut events = Events::new(self.endpoint.bytes_max);
        let mut questions = JoinSet::new();
        loop {
            while let Some(event) = events.next() {
                if event.data.is_empty() {
                    continue;
                }
                if let Some(answer) = self.hear_one(&event.data, id, hear, reply, &mut questions)? {
                    return Ok(Ok(answer));
                }
            }
            let piece = tokio::select! {
                piece = self.piece() => piece,
                Some(_) = questions.join_next() => continue,
            };
            match piece {
                Ok(Some(piece)) => events.push(&piece).map_err(|_| UpstreamError::TooLarge {
                    upstream: self.endpoint.upstream.clone(),
                    limit: self.endpoint.bytes_max,
                })?,
                // An old server may close the stream and expect us back.
                Ok(None) => {
                    let retry = events.retry_ms.map(Duration::from_millis);
                    return Ok(Err((events.last_id.take(), retry)));
                }
                Err(error) if events.last_id.is_none() => return Err(error),
                Err(_) => return Ok(Err((events.last_id.take(), None))),
            }
        }
    }

    fn hear_one(
        &self,
        data: &[u8],
        id: u64,
        hear: &Arc<dyn Hear>,
        reply: &Replier,
        questions: &mut JoinSet<()>,
    ) -> Result<Option<Answer>, UpstreamError> {
        let said = read(data).map_err(|why| UpstreamError::garbage(&self.endpoint.upstream, why))?;
        match said {
            Said::Reply { id: Some(found), outcome } if found == id => {
                Ok(Some(outcome.map(ToOwned::to_owned)))
            }
            // An answer to nothing we asked here: ids are ours, so it is noise.
            Said::Reply { .. } => Ok(None),
            Said::Notice { method, params } => {
                hear.notice(&method, params);
                Ok(None)
            }
            Said::Question { id, method, params } => {
                if questions.len() >= QUESTIONS_MAX {
                    return Err(UpstreamError::garbage(
                        &self.endpoint.upstream,
                        "it asks too many questions at once",
                    ));
                }
                let (id, reply) = (id.to_owned(), Arc::clone(reply));
                let asking = Arc::clone(hear).ask(method.into_owned(), params.map(ToOwned::to_owned));
                questions.spawn(async move {
                    let outcome = asking.await;
                    reply(write_reply(&id, &outcome)).await;
                });
                Ok(None)
            }
        }
    }
}

fn answer_of(endpoint: &Endpoint, text: &[u8], id: u64) -> Result<Answer, UpstreamError> {
    let garbage = |why: &str| UpstreamError::garbage(&endpoint.upstream, why);
    match read(text).map_err(garbage)? {
        Said::Reply { id: Some(found), outcome } if found == id => Ok(outcome.map(ToOwned::to_owned)),
        Said::Reply { id: None, outcome: Err(error) } => Ok(Err(error)),
        Said::Reply { .. } => Err(garbage("it answers another request")),
        _ => Err(garbage("it is no answer")),
    }
}

/// What a status other than success means.
fn refused(
    endpoint: &Endpoint,
    status: StatusCode,
    headers: &HeaderMap,
    body: &[u8],
    has_session: bool,
) -> Result<Returned, UpstreamError> {
    let upstream = endpoint.upstream.clone();
    let text = |name| headers.get(name).and_then(|it: &HeaderValue| it.to_str().ok());
    let error = match read(body) {
        Ok(Said::Reply { outcome: Err(error), .. }) => Some(error),
        _ => None,
    };
    let names_session = error.as_ref().is_some_and(|it| it.message.to_ascii_lowercase().contains("session"))
        || (error.is_none() && contains_session(body));
    let is_gone = match status {
        // Some servers say so to a method they do not know.
        StatusCode::NOT_FOUND => has_session && error.as_ref().is_none_or(|it| it.code != -32601),
        StatusCode::BAD_REQUEST => has_session && names_session,
        _ => false,
    };
    if is_gone {
        return Err(UpstreamError::SessionGone { upstream });
    }
    match status.as_u16() {
        status @ (401 | 403) => {
            let challenge = text(header::WWW_AUTHENTICATE).map(ToOwned::to_owned);
            Err(UpstreamError::Refused { upstream, status, challenge })
        }
        status @ (429 | 502 | 503 | 504) => {
            let after = text(header::RETRY_AFTER).and_then(|it| it.parse().ok()).map(Duration::from_secs);
            Err(UpstreamError::Busy { upstream, status, after })
        }
        status => match error {
            Some(error) => Ok(Returned::Answer { answer: Err(error), session: None }),
            None if (300..400).contains(&status) => Err(UpstreamError::unreachable(
                &upstream,
                format!("it redirects (HTTP {status}); use the URL it leads to"),
            )),
            None => Err(UpstreamError::Odd { upstream, status }),
        },
    }
}

fn contains_session(body: &[u8]) -> bool {
    String::from_utf8_lossy(body).to_ascii_lowercase().contains("session")
}
