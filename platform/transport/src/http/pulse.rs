//! Watches one connection: heads that trickle in, and silence.
//!
//! One coarse clock per connection instead of one timer per request.

use std::{
    io,
    pin::Pin,
    sync::{
        Arc,
        atomic::{AtomicU32, AtomicU64, Ordering},
    },
    task::{Context, Poll},
    time::{Duration, Instant},
};

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

/// When things last happened on a connection.
pub(crate) struct Pulse {
    born: Instant,
    /// Requests between their head and the end of their answer.
    busy: AtomicU32,
    /// When the head that is being read began, in milliseconds since `born` plus one; 0: none is.
    head: AtomicU64,
    /// When the last answer ended, or was last seen to move.
    idle: AtomicU64,
}

impl Pulse {
    /// A new connection owes us a head.
    pub(crate) fn new() -> Arc<Self> {
        Arc::new(Self {
            born: Instant::now(),
            busy: AtomicU32::new(0),
            head: AtomicU64::new(1),
            idle: AtomicU64::new(1),
        })
    }

    /// A head is complete; the connection is busy until the guard is dropped.
    pub(crate) fn begin(self: &Arc<Self>) -> Busy {
        self.busy.fetch_add(1, Ordering::Relaxed);
        self.head.store(0, Ordering::Relaxed);
        Busy(Arc::clone(self))
    }

    /// Whether the connection should be closed.
    pub(crate) fn is_overdue(&self, head_limit: Duration, idle_limit: Duration) -> bool {
        if self.busy.load(Ordering::Relaxed) > 0 {
            return false;
        }
        let since = |mark: u64| Duration::from_millis(self.now().saturating_sub(mark));
        match self.head.load(Ordering::Relaxed) {
            0 => since(self.idle.load(Ordering::Relaxed)) > idle_limit,
            mark => since(mark) > head_limit,
        }
    }

    fn now(&self) -> u64 {
        u64::try_from(self.born.elapsed().as_millis()).unwrap_or(u64::MAX - 1) + 1
    }

    /// A client that takes its answer slowly is not idle.
    fn bytes_went(&self) {
        self.idle.store(self.now(), Ordering::Relaxed);
    }

    fn bytes_came(&self) {
        if self.busy.load(Ordering::Relaxed) == 0 && self.head.load(Ordering::Relaxed) == 0 {
            self.head.store(self.now(), Ordering::Relaxed);
        }
    }
}

/// A request in the works.
pub(crate) struct Busy(Arc<Pulse>);

impl Drop for Busy {
    fn drop(&mut self) {
        self.0.idle.store(self.0.now(), Ordering::Relaxed);
        self.0.busy.fetch_sub(1, Ordering::Relaxed);
    }
}

/// A socket that tells its pulse when bytes come in.
pub(crate) struct Watched<S> {
    socket: S,
    pulse: Arc<Pulse>,
}

impl<S> Watched<S> {
    pub(crate) fn new(socket: S, pulse: Arc<Pulse>) -> Self {
        Self { socket, pulse }
    }
}

impl<S: AsyncRead + Unpin> AsyncRead for Watched<S> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let before = buf.filled().len();
        let polled = Pin::new(&mut self.socket).poll_read(cx, buf);
        if buf.filled().len() > before {
            self.pulse.bytes_came();
        }
        polled
    }
}

impl<S: AsyncWrite + Unpin> AsyncWrite for Watched<S> {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &[u8]) -> Poll<io::Result<usize>> {
        let polled = Pin::new(&mut self.socket).poll_write(cx, buf);
        if matches!(polled, Poll::Ready(Ok(_))) {
            self.pulse.bytes_went();
        }
        polled
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.socket).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.socket).poll_shutdown(cx)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bufs: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        let polled = Pin::new(&mut self.socket).poll_write_vectored(cx, bufs);
        if matches!(polled, Poll::Ready(Ok(_))) {
            self.pulse.bytes_went();
        }
        polled
    }

    fn is_write_vectored(&self) -> bool {
        self.socket.is_write_vectored()
    }
}
