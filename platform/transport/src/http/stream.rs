//! Server-sent events: messages that precede an answer, then the answer.

use std::{
    convert::Infallible,
    pin::Pin,
    task::{Context, Poll},
    time::Duration,
};

use bytes::Bytes;
use futures_util::future::BoxFuture;
use hyper::body::{Body, Frame};
use tokio::{
    sync::mpsc,
    time::{Interval, MissedTickBehavior},
};
use tokio_util::sync::DropGuard;

/// One stream. Dropping it means that the client is gone.
pub(crate) struct EventStream {
    first: Option<Bytes>,
    events: Option<mpsc::Receiver<Bytes>>,
    last: Option<BoxFuture<'static, Option<Bytes>>>,
    closing: Option<Bytes>,
    beat: Interval,
    /// Cancels the work when the stream is dropped before its end.
    guard: Option<DropGuard>,
}

impl EventStream {
    pub(crate) fn new(
        first: Option<Bytes>,
        events: Option<mpsc::Receiver<Bytes>>,
        last: BoxFuture<'static, Option<Bytes>>,
        guard: Option<DropGuard>,
        keep_alive: Duration,
    ) -> Self {
        // The first beat comes at once: it makes the head go out, so the client knows that we listen.
        let mut beat = tokio::time::interval(keep_alive);
        beat.set_missed_tick_behavior(MissedTickBehavior::Delay);
        Self { first, events, last: Some(last), closing: None, beat, guard }
    }

    fn next_event(&mut self, cx: &mut Context<'_>) -> Option<Bytes> {
        match self.events.as_mut()?.poll_recv(cx) {
            Poll::Ready(Some(event)) => Some(event),
            Poll::Ready(None) => {
                self.events = None;
                None
            }
            Poll::Pending => None,
        }
    }
}

impl Body for EventStream {
    type Data = Bytes;
    type Error = Infallible;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Infallible>>> {
        if let Some(first) = self.first.take() {
            return Poll::Ready(Some(Ok(event(&first))));
        }
        if let Some(last) = self.last.as_mut()
            && let Poll::Ready(closing) = last.as_mut().poll(cx)
        {
            self.last = None;
            self.closing = closing;
            if let Some(guard) = self.guard.take() {
                guard.disarm();
            }
        }
        // What was said before the answer goes out before it.
        if let Some(message) = self.next_event(cx) {
            return Poll::Ready(Some(Ok(event(&message))));
        }
        if self.last.is_none() {
            return Poll::Ready(self.closing.take().map(|message| Ok(event(&message))));
        }
        if self.beat.poll_tick(cx).is_ready() {
            return Poll::Ready(Some(Ok(Frame::data(Bytes::from_static(b":\n\n")))));
        }
        Poll::Pending
    }
}

/// Messages are JSON on one line, so one `data` line is enough.
fn event(message: &[u8]) -> Frame<Bytes> {
    let mut out = Vec::with_capacity(message.len() + 32);
    out.extend_from_slice(b"event: message\ndata: ");
    out.extend_from_slice(message);
    out.extend_from_slice(b"\n\n");
    Frame::data(out.into())
}
