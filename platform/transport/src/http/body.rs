//! Bodies: how much of a request we read, and what we answer with.

use std::{
    convert::Infallible,
    pin::Pin,
    task::{Context, Poll},
    time::Duration,
};

use bytes::{Bytes, BytesMut};
use http::{HeaderMap, StatusCode, header};
use http_body_util::BodyExt;
use hyper::body::{Body, Frame, Incoming, SizeHint};

use super::{pulse::Busy, stream::EventStream};

/// Bytes of a refused request that are read, for the answer's sake.
const DRAINED_BYTES_MAX: u64 = 64 * 1024;

/// How long they may take.
const DRAIN_PATIENCE: Duration = Duration::from_millis(500);

/// Reads a whole body of at most `max` bytes within `limit`.
pub(crate) async fn read(
    body: Incoming,
    headers: &HeaderMap,
    max: usize,
    limit: Duration,
) -> Result<Bytes, StatusCode> {
    // An honest length is refused before a byte of it is read.
    let announced = headers.get(header::CONTENT_LENGTH).and_then(|it| it.to_str().ok()?.parse::<u64>().ok());
    if announced.is_some_and(|length| length > max as u64) {
        return Err(StatusCode::PAYLOAD_TOO_LARGE);
    }
    tokio::time::timeout(limit, gather(body, max)).await.unwrap_or(Err(StatusCode::REQUEST_TIMEOUT))
}

async fn gather(mut body: Incoming, max: usize) -> Result<Bytes, StatusCode> {
    let mut whole = BytesMut::new();
    let mut only = Bytes::new();
    while let Some(frame) = body.frame().await {
        let Ok(data) = frame.map_err(|_| StatusCode::BAD_REQUEST)?.into_data() else { continue };
        if only.len() + whole.len() + data.len() > max {
            return Err(StatusCode::PAYLOAD_TOO_LARGE);
        }
        // Most bodies come in one piece, which is then not copied.
        if whole.is_empty() && only.is_empty() {
            only = data;
        } else {
            whole.extend_from_slice(&std::mem::take(&mut only));
            whole.extend_from_slice(&data);
        }
        if body.is_end_stream() {
            break;
        }
    }
    Ok(if whole.is_empty() { only } else { whole.freeze() })
}

/// Takes what is left of a refused request off the connection, if it is little and comes soon.
pub(crate) async fn drain(body: Incoming) {
    if body.size_hint().lower() > DRAINED_BYTES_MAX {
        return;
    }
    let max = usize::try_from(DRAINED_BYTES_MAX).unwrap_or(usize::MAX);
    // Whatever comes of it, the answer is the same.
    drop(tokio::time::timeout(DRAIN_PATIENCE, gather(body, max)).await);
}

/// What we answer with.
pub(crate) enum Answer {
    /// All at once.
    Whole(Option<Bytes>),
    /// Piece by piece.
    Events(Box<EventStream>),
    /// From the pages and APIs mounted beside the protocol.
    Other(axum::body::Body),
}

/// An answer that keeps its connection marked as busy until it has been taken.
pub(crate) struct ReplyBody {
    answer: Answer,
    _busy: Option<Busy>,
}

impl ReplyBody {
    pub(crate) fn new(answer: Answer) -> Self {
        Self { answer, _busy: None }
    }

    pub(crate) fn hold(mut self, busy: Busy) -> Self {
        self._busy = Some(busy);
        self
    }
}

impl Body for ReplyBody {
    type Data = Bytes;
    type Error = axum::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, axum::Error>>> {
        match &mut self.answer {
            Answer::Whole(bytes) => Poll::Ready(bytes.take().map(|bytes| Ok(Frame::data(bytes)))),
            Answer::Events(stream) => {
                Pin::new(stream.as_mut()).poll_frame(cx).map(|it| it.map(|it| it.map_err(never)))
            }
            Answer::Other(body) => Pin::new(body).poll_frame(cx),
        }
    }

    fn is_end_stream(&self) -> bool {
        match &self.answer {
            Answer::Whole(bytes) => bytes.is_none(),
            Answer::Events(_) => false,
            Answer::Other(body) => body.is_end_stream(),
        }
    }

    fn size_hint(&self) -> SizeHint {
        match &self.answer {
            Answer::Whole(bytes) => SizeHint::with_exact(bytes.as_ref().map_or(0, |it| it.len() as u64)),
            Answer::Events(_) => SizeHint::default(),
            Answer::Other(body) => body.size_hint(),
        }
    }
}

fn never(error: Infallible) -> axum::Error {
    match error {}
}
