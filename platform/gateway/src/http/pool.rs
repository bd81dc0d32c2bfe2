//! Connections that are kept open, and the rights to open more.

use std::{
    future::{Future, poll_fn},
    pin::{Pin, pin},
    sync::Arc,
    task::Poll,
    time::{Duration, Instant},
};

use bytes::Bytes;
use http::{Request, Response};
use http_body_util::{BodyExt, Full};
use hyper::{
    body::{Frame, Incoming},
    client::conn::http1::SendRequest,
};
use parking_lot::Mutex;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

/// Servers close idle connections, many after a minute; ours go first, so that a request seldom meets a closed one.
const IDLE_MAX: Duration = Duration::from_secs(25);

type Driver = Pin<Box<dyn Future<Output = hyper::Result<()>> + Send>>;

/// One connection. It has no task of its own: whoever uses it also moves it, which saves two wake-ups a call.
pub(crate) struct Connection {
    sender: SendRequest<Full<Bytes>>,
    /// `None` once it has ended.
    driver: Option<Driver>,
    idle_since: Instant,
    turn: Option<OwnedSemaphorePermit>,
}

/// Why a request has no response.
#[derive(Debug)]
pub(crate) enum SendFailure {
    /// It never left; here it is again.
    Unsent(Box<Request<Full<Bytes>>>),
    /// It left, at least in part.
    Sent(hyper::Error),
}

impl Connection {
    pub(crate) fn new(sender: SendRequest<Full<Bytes>>, driver: Driver) -> Self {
        Self { sender, driver: Some(driver), idle_since: Instant::now(), turn: None }
    }

    /// Sends one request and waits for the head of its response.
    pub(crate) async fn send(
        &mut self,
        request: Request<Full<Bytes>>,
    ) -> Result<Response<Incoming>, SendFailure> {
        let sending = self.sender.try_send_request(request);
        let sent = moving(&mut self.driver, sending).await;
        sent.map_err(|mut error| match error.take_message() {
            Some(request) => SendFailure::Unsent(Box::new(request)),
            None => SendFailure::Sent(error.into_error()),
        })
    }

    /// The next piece of a body.
    pub(crate) async fn frame(&mut self, body: &mut Incoming) -> Option<hyper::Result<Frame<Bytes>>> {
        moving(&mut self.driver, body.frame()).await
    }

    /// Whether it can take another request now. Looks once, without waiting.
    fn is_open(&mut self) -> bool {
        let mut cx = std::task::Context::from_waker(std::task::Waker::noop());
        if self.driver.as_mut().is_some_and(|it| it.as_mut().poll(&mut cx).is_ready()) {
            self.driver = None;
        }
        self.driver.is_some() && self.sender.is_ready()
    }
}

/// Waits for `future` while the connection reads and writes.
async fn moving<F: Future>(driver: &mut Option<Driver>, future: F) -> F::Output {
    let mut future = pin!(future);
    poll_fn(|cx| {
        if let Some(moved) = driver.as_mut()
            && moved.as_mut().poll(cx).is_ready()
        {
            *driver = None;
        }
        match future.as_mut().poll(cx) {
            Poll::Ready(output) => Poll::Ready(output),
            Poll::Pending => {
                // What the future just asked for may be possible at once.
                if let Some(moved) = driver.as_mut()
                    && moved.as_mut().poll(cx).is_ready()
                {
                    *driver = None;
                    return future.as_mut().poll(cx);
                }
                Poll::Pending
            }
        }
    })
    .await
}

/// The connections of one endpoint.
pub(crate) struct Pool {
    idle: Mutex<Vec<Connection>>,
    turns: Arc<Semaphore>,
}

impl Pool {
    pub(crate) fn new(connections_max: usize) -> Self {
        Self { idle: Mutex::default(), turns: Arc::new(Semaphore::new(connections_max)) }
    }

    /// The right to use one connection. Waits when all are in use.
    pub(crate) async fn turn(&self) -> OwnedSemaphorePermit {
        let turns = Arc::clone(&self.turns);
        turns.acquire_owned().await.expect("the semaphore is never closed")
    }

    /// The most recently used connection that is still open.
    pub(crate) fn take(&self, turn: OwnedSemaphorePermit) -> Result<Connection, OwnedSemaphorePermit> {
        loop {
            let Some(mut connection) = self.idle.lock().pop() else { return Err(turn) };
            if connection.idle_since.elapsed() < IDLE_MAX && connection.is_open() {
                connection.turn = Some(turn);
                return Ok(connection);
            }
        }
    }

    /// Gives a new connection its right.
    pub(crate) fn admit(mut connection: Connection, turn: OwnedSemaphorePermit) -> Connection {
        connection.turn = Some(turn);
        connection
    }

    /// Keeps a connection for the next request.
    pub(crate) fn put(&self, mut connection: Connection) {
        connection.idle_since = Instant::now();
        connection.turn = None;
        let mut idle = self.idle.lock();
        // The oldest stand first: they are let go before they are too old to use.
        let stale = idle.iter().take_while(|it| it.idle_since.elapsed() >= IDLE_MAX).count();
        idle.drain(..stale);
        idle.push(connection);
    }

    /// Lets every idle connection go.
    pub(crate) fn clear(&self) {
        self.idle.lock().clear();
    }
}
