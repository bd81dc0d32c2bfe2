//! The stdio door: one JSON-RPC message per line, both eras, one client.

use std::{sync::Arc, time::Duration};

use bytes::Bytes;
use kernel::Raw;
use parking_lot::Mutex;
use pipeline::{Door, Scope, Verified};
use protocol::{Fault, Id, Message, Params, Revision, read_message, write_result};
use serde_json::value::RawValue;
use tokio::{
    io::{AsyncBufRead, AsyncWrite, AsyncWriteExt, BufReader},
    sync::mpsc,
};
use tokio_util::{sync::CancellationToken, task::TaskTracker};

use self::lines::{Line, Lines};
use crate::{
    Wire,
    wire::{Exchange, Listener, Opened, Reply, Session, Watch, Work, reply_of, watch},
};

mod lines;

/// Lines waiting for a client that does not read; then we stop reading too.
const OUTBOX_LINES_MAX: usize = 256;

/// Requests and subscriptions at the same time.
const TASKS_MAX: usize = 128;

/// How often a quiet subscription asks whether its token still is good. Before each message it asks anyway.
const CHECK_EVERY: Duration = Duration::from_secs(60);

/// The knobs of the stdio door.
#[derive(Clone, Copy, Debug)]
pub struct StdioConfig {
    /// Longest line in bytes.
    pub max_line: usize,
    /// Running calls get this long after the client closed its end; then they are cancelled.
    pub shutdown_grace: Duration,
}

impl Default for StdioConfig {
    fn default() -> Self {
        Self { max_line: 4 << 20, shutdown_grace: Duration::from_secs(5) }
    }
}

/// MCP over a pair of streams.
pub struct StdioServer {
    wire: Arc<Wire>,
    caller: Verified,
    scope: Scope,
    config: StdioConfig,
    /// Everything that runs. Stands in for the session before, or without, a handshake.
    session: Arc<Session>,
    /// What the handshake agreed on, if there was one.
    agreed: Mutex<Option<Arc<Session>>>,
    outbox: mpsc::Sender<Bytes>,
    tasks: TaskTracker,
}

impl StdioServer {
    /// Serves `caller` until `reader` ends, then lets running calls finish within the grace.
    ///
    /// Nothing but messages is written to `writer`. Fails only when `reader` or `writer` does.
    pub async fn run<R, W>(
        wire: Arc<Wire>,
        caller: Verified,
        scope: Scope,
        config: StdioConfig,
        reader: R,
        writer: W,
    ) -> std::io::Result<()>
    where
        R: tokio::io::AsyncRead + Unpin,
        W: AsyncWrite + Unpin + Send + 'static,
    {
        let (outbox, inbox) = mpsc::channel(OUTBOX_LINES_MAX);
        let writing = tokio::spawn(write_lines(inbox, writer));
        let opened = Opened {
            principal: &caller.principal().id,
            scope: &scope,
            revision: Revision::UNSTATED,
            can_ask: false,
            capabilities: Raw::of(&serde_json::json!({})),
            client_info: None,
        };
        let session = Session::new(&opened);
        let server = Arc::new(Self {
            wire,
            session,
            agreed: Mutex::default(),
            tasks: TaskTracker::new(),
            caller,
            scope,
            config,
            outbox,
        });
        let read = server.read_all(BufReader::with_capacity(64 * 1024, reader)).await;
        server.finish().await;
        drop(server);
        // A client that does not read its last answers does not keep us.
        match tokio::time::timeout(config.shutdown_grace, writing).await {
            Ok(written) => read.and(written.unwrap_or_else(|error| Err(std::io::Error::other(error)))),
            Err(_) => read,
        }
    }

    async fn read_all(self: &Arc<Self>, reader: impl AsyncBufRead + Unpin) -> std::io::Result<()> {
        let mut lines = Lines::new(reader, self.config.max_line);
        loop {
            // A client that is gone from the other end takes no answers either.
            let line = tokio::select! {
                line = lines.next() => line?,
                () = self.outbox.closed() => return Ok(()),
            };
            match line {
                Line::End => return Ok(()),
                Line::Whole(line) if line.iter().all(u8::is_ascii_whitespace) => {}
                Line::Whole(line) => self.take(line).await,
                Line::TooLong => {
                    let fault = Fault::invalid_request(format!(
                        "a line is longer than {} bytes",
                        self.config.max_line
                    ));
                    self.send(Reply::fault(None, &fault, Revision::UNSTATED)).await;
                }
            }
        }
    }

    async fn take(self: &Arc<Self>, line: &[u8]) {
        let message = match protocol::read_frame(line) {
            Ok(protocol::Frame::One(message)) => message,
            Ok(protocol::Frame::Batch(messages)) => return self.batch(&messages).await,
            Err((id, fault)) => {
                return self.send(Reply::fault(id.as_ref(), &fault, Revision::UNSTATED)).await;
            }
        };
        self.dispatch(message).await;
    }

    /// Only 2025-03-26 has batches. Answers may come one by one: a line is a message either way.
    async fn batch(self: &Arc<Self>, messages: &[&RawValue]) {
        let allowed = self.agreed.lock().as_ref().is_some_and(|session| session.revision.has_batches());
        if !allowed {
            let fault = Fault::invalid_request("this protocol version has no batches");
            return self.send(Reply::fault(None, &fault, Revision::UNSTATED)).await;
        }
        for raw in messages {
            match read_message(raw) {
                Ok(message) => self.dispatch(message).await,
                Err((id, fault)) => self.send(Reply::fault(id.as_ref(), &fault, Revision::UNSTATED)).await,
            }
        }
    }

    async fn dispatch(self: &Arc<Self>, message: Message<'_>) {
        match message {
            Message::Request { id, method, params } => {
                let read = Params::read(params);
                if let Some(reply) = match read {
                    Ok(params) => self.request(id, &method, &params),
                    Err(fault) => Some(Reply::fault(Some(&id), &fault, Revision::UNSTATED)),
                } {
                    self.send(reply).await;
                }
            }
            Message::Notification { method, params } if method == "notifications/cancelled" => {
                let params = Params::read(params).unwrap_or_default();
                if let Some(id) = params.request_id.and_then(|raw| Id::read(raw).ok()) {
                    self.session.cancel(&id);
                    if let Some(agreed) = &*self.agreed.lock() {
                        agreed.cancel(&id);
                    }
                }
            }
            Message::Notification { .. } => {}
            Message::Response { id, result, error } => {
                if let Some(agreed) = &*self.agreed.lock() {
                    agreed.answer(&id, reply_of(result, error));
                }
            }
        }
    }

    /// Starts on a request. An answer that is there at once is returned, others come on their own.
    fn request(self: &Arc<Self>, id: Id, method: &str, params: &Params<'_>) -> Option<Reply> {
        let modern = match params.stated_revision() {
            Ok(stated) => stated.is_some() || method == "server/discover",
            Err(fault) => return Some(Reply::fault(Some(&id), &fault, Revision::UNSTATED)),
        };
        if modern && let Err(fault) = params.check_modern() {
            return Some(Reply::fault(Some(&id), &fault, Revision::V2026_07_28));
        }
        if self.tasks.len() >= TASKS_MAX {
            let fault = Fault::busy(format!("more than {TASKS_MAX} requests at the same time"));
            return Some(Reply::fault(Some(&id), &fault, Revision::UNSTATED));
        }
        match (method, modern) {
            ("initialize", false) => Some(self.initialize(&id, params)),
            ("subscriptions/listen", true) => self.subscribe(&id, params),
            _ => self.begin(id, method, params, modern),
        }
    }

    fn begin(self: &Arc<Self>, id: Id, method: &str, params: &Params<'_>, modern: bool) -> Option<Reply> {
        let agreed = self.agreed.lock().clone();
        let revision = match (modern, &agreed) {
            (true, _) => Revision::V2026_07_28,
            (false, Some(session)) => session.revision,
            (false, None) => Revision::UNSTATED,
        };
        let cancel = CancellationToken::new();
        let exchange = Exchange {
            caller: self.caller.clone(),
            scope: self.scope.clone(),
            door: Door::Stdio,
            revision,
            // Modern requests share nothing with the handshake, but they can be cancelled too.
            session: Some(agreed.filter(|_| !modern).unwrap_or_else(|| Arc::clone(&self.session))),
            outbox: Some(self.outbox.clone()),
            cancel: cancel.clone(),
        };
        let later = match self.wire.begin(id, method, params, exchange) {
            Work::Ready(reply) => return Some(reply),
            Work::Later(later) => later,
        };
        let server = Arc::clone(self);
        self.tasks.spawn(async move {
            let reply = later.reply.await;
            // A cancelled request gets no answer.
            if !cancel.is_cancelled() {
                server.send(reply).await;
            }
        });
        None
    }

    fn initialize(&self, id: &Id, params: &Params<'_>) -> Reply {
        let handshake = match self.wire.handshake(params, &self.caller, &self.scope, Door::Stdio) {
            Ok(handshake) => handshake,
            Err(fault) => return Reply::fault(Some(id), &fault, Revision::UNSTATED),
        };
        let opened = Opened {
            principal: &self.caller.principal().id,
            scope: &self.scope,
            revision: handshake.revision,
            can_ask: handshake.can_ask,
            capabilities: handshake.capabilities,
            client_info: handshake.client_info,
        };
        let session = Session::new(&opened);
        let first = self.agreed.lock().replace(Arc::clone(&session)).is_none();
        if first {
            self.announce(session);
        }
        Reply::fine(write_result(id, &handshake.result, handshake.revision, &self.wire.config.server))
    }

    /// Tells a legacy client when the tools change, as its handshake was told we would.
    fn announce(&self, session: Arc<Session>) {
        let listener = self.listener(session.revision, Some(Arc::clone(&session)));
        let (outbox, ended) = (self.outbox.clone(), self.session.ended.clone());
        let (gate, caller) = (Arc::clone(&self.wire.gate), self.caller.clone());
        self.tasks.spawn(async move {
            let still_good = move || gate.confirm(&caller).is_ok();
            watch(listener, Watch::Legacy(session), outbox, ended, CHECK_EVERY, still_good).await
        });
    }

    fn listener(&self, revision: Revision, session: Option<Arc<Session>>) -> Listener {
        let exchange = Exchange {
            caller: self.caller.clone(),
            scope: self.scope.clone(),
            door: Door::Stdio,
            revision,
            session,
            outbox: None,
            cancel: CancellationToken::new(),
        };
        Listener { wire: Arc::clone(&self.wire), exchange }
    }

    fn subscribe(self: &Arc<Self>, id: &Id, params: &Params<'_>) -> Option<Reply> {
        let fault = |fault: &Fault| Some(Reply::fault(Some(id), fault, Revision::V2026_07_28));
        let subject = match Watch::read(id, params) {
            Ok(subject) => subject,
            Err(refused) => return fault(&refused),
        };
        let ended = self.session.ended.child_token();
        let running = match self.session.run(id, &ended) {
            Ok(running) => running,
            Err(refused) => return fault(&refused),
        };
        let (server, session_ended) = (Arc::clone(self), self.session.ended.clone());
        self.tasks.spawn(async move {
            let listener = server.listener(Revision::V2026_07_28, None);
            let still_good = || server.wire.gate.confirm(&server.caller).is_ok();
            let last = watch(listener, subject, server.outbox.clone(), ended, CHECK_EVERY, still_good).await;
            drop(running);
            // A client that cancels hears nothing more; one that we leave is told.
            if session_ended.is_cancelled()
                && let Some(last) = last
            {
                server.send(Reply::fine(last.to_vec())).await;
            }
        });
        None
    }

    async fn send(&self, reply: Reply) {
        // The writer is gone only when the client is: there is nobody left to tell.
        if self.outbox.send(reply.body.into()).await.is_err() {
            tracing::debug!("the client closed its end before its answer");
        }
    }

    /// Lets calls finish, then cancels what is left.
    async fn finish(&self) {
        self.tasks.close();
        self.session.ended.cancel();
        if tokio::time::timeout(self.config.shutdown_grace, self.tasks.wait()).await.is_ok() {
            return;
        }
        self.session.end();
        let agreed = self.agreed.lock().clone();
        if let Some(agreed) = agreed {
            agreed.end();
        }
        if tokio::time::timeout(self.config.shutdown_grace, self.tasks.wait()).await.is_err() {
            tracing::warn!("calls did not stop in time and are left behind");
        }
    }
}

/// The only place that writes: messages never mix.
async fn write_lines<W: AsyncWrite + Unpin>(
    mut inbox: mpsc::Receiver<Bytes>,
    mut writer: W,
) -> std::io::Result<()> {
    let mut lines = Vec::with_capacity(16);
    let mut buffer = Vec::with_capacity(8 * 1024);
    while inbox.recv_many(&mut lines, 16).await > 0 {
        buffer.clear();
        for line in lines.drain(..) {
            buffer.extend_from_slice(&line);
            buffer.push(b'\n');
        }
        writer.write_all(&buffer).await?;
        writer.flush().await?;
    }
    writer.shutdown().await
}
