//! The HTTP door: listens, bounds connections, and stops in good order.

use std::{collections::HashMap, io, net::SocketAddr, sync::Arc, time::Duration};

use futures_util::FutureExt;
use hyper::{server::conn::http1, service::service_fn};
use hyper_util::rt::TokioIo;
use parking_lot::{Mutex, RwLock};
use tokio::{
    io::{AsyncRead, AsyncWrite, AsyncWriteExt},
    net::{TcpListener, TcpStream},
    sync::{OwnedSemaphorePermit, Semaphore},
    time::MissedTickBehavior,
};
use tokio_util::{sync::CancellationToken, task::TaskTracker};

use self::{
    auth::Peer,
    flood::Flood,
    guard::Guard,
    pulse::{Pulse, Watched},
    tls::Tls,
};
use crate::{HttpConfig, Wire, wire::Sessions};

mod auth;
mod batch;
mod body;
mod certificate;
mod flood;
mod guard;
mod inbound;
mod pages;
mod post;
mod pulse;
mod reply;
mod routes;
mod stream;
mod tls;

pub use tls::{TlsError, TlsReload, check_tls};

/// Longest request head in bytes, and so the read buffer of an idle connection.
const HEAD_BYTES_MAX: usize = 32 * 1024;

/// Most header fields of one request.
const HEADERS_MAX: usize = 64;

/// What a connection over the limit is told.
const TURNED_AWAY: &[u8] =
    b"HTTP/1.1 503 Service Unavailable\r\nretry-after: 1\r\nconnection: close\r\ncontent-length: 0\r\n\r\n";

/// MCP over Streamable HTTP, with the pages and APIs that share its port.
pub struct HttpServer {
    listener: TcpListener,
    http: Http,
}

/// Changes the allowed hosts and origins of a running [`HttpServer`].
pub struct AllowLists {
    guard: Arc<RwLock<Guard>>,
    config: HttpConfig,
}

impl AllowLists {
    /// Puts both lists in force, from the next request on.
    pub fn replace(&mut self, hosts: &[String], origins: &[String]) {
        self.config.allowed_hosts = hosts.to_vec();
        self.config.allowed_origins = origins.to_vec();
        *self.guard.write() = Guard::new(&self.config);
    }
}

/// What every request of this door needs.
pub(crate) struct Http {
    wire: Arc<Wire>,
    config: HttpConfig,
    guard: Arc<RwLock<Guard>>,
    sessions: Sessions,
    /// Refusals by address, before the caller is known.
    strangers: Flood,
    /// Refusals by principal.
    denied: Flood,
    streams: Mutex<HashMap<String, usize>>,
    fallback: Option<axum::Router>,
    tls: Option<Arc<Tls>>,
    /// Fires when the server begins to stop.
    draining: CancellationToken,
}

impl HttpServer {
    /// Binds the address. Nothing is served yet.
    pub async fn bind(wire: Arc<Wire>, config: HttpConfig) -> io::Result<Self> {
        let tls = config.tls.as_ref().map(Tls::open).transpose().map_err(io::Error::other)?.map(Arc::new);
        let listener = TcpListener::bind(config.listen).await?;
        let http = Http {
            wire,
            guard: Arc::new(RwLock::new(Guard::new(&config))),
            sessions: Sessions::new(
                config.max_sessions,
                config.max_sessions_per_principal,
                config.session_idle_timeout,
            ),
            strangers: Flood::new(config.refusals_burst, config.refusals_per_minute),
            denied: Flood::new(config.refusals_burst, config.refusals_per_minute),
            streams: Mutex::default(),
            fallback: None,
            tls,
            draining: CancellationToken::new(),
            config,
        };
        Ok(Self { listener, http })
    }

    /// The address in use; the port is real even when 0 was asked for.
    pub fn local_addr(&self) -> io::Result<SocketAddr> {
        self.listener.local_addr()
    }

    /// A handle that changes who may talk to the running server.
    pub fn allow_lists(&self) -> AllowLists {
        AllowLists { guard: Arc::clone(&self.http.guard), config: self.http.config.clone() }
    }

    /// A handle that reads certificates and keys again; `None` when no TLS is spoken.
    pub fn tls_reload(&self) -> Option<TlsReload> {
        self.http.tls.as_ref().map(|tls| TlsReload::new(Arc::clone(tls)))
    }

    /// Serves everything that is not ours from `router`. `Host` and `Origin` were checked before; who
    /// calls was not: the router authenticates.
    #[must_use]
    pub fn with_fallback(mut self, router: axum::Router) -> Self {
        self.http.fallback = Some(router);
        self
    }

    /// Serves until `stop` fires, then lets running requests finish within the configured grace.
    pub async fn serve(self, stop: CancellationToken) {
        let http = Arc::new(self.http);
        let (slots, connections) =
            (Arc::new(Semaphore::new(http.config.max_connections)), TaskTracker::new());
        let killed = CancellationToken::new();
        loop {
            let accepted = tokio::select! {
                () = stop.cancelled() => break,
                accepted = self.listener.accept() => accepted,
            };
            match accepted {
                Ok((socket, peer)) => match Arc::clone(&slots).try_acquire_owned() {
                    Ok(slot) => {
                        connections.spawn(open(Arc::clone(&http), socket, peer, slot, killed.clone()));
                    }
                    Err(_) => turn_away(socket).await,
                },
                Err(error) => wait_for_descriptors(&error).await,
            }
        }
        drop(self.listener);
        http.draining.cancel();
        connections.close();
        if tokio::time::timeout(http.config.shutdown_grace, connections.wait()).await.is_err() {
            killed.cancel();
            connections.wait().await;
        }
    }
}

/// Says in one packet that there is no room. A client that does not take it gets nothing.
async fn turn_away(mut socket: TcpStream) {
    let told = tokio::time::timeout(Duration::from_millis(50), socket.write_all(TURNED_AWAY)).await;
    if !matches!(told, Ok(Ok(()))) {
        tracing::debug!("a connection over the limit left before it was told");
    }
}

/// Without descriptors `accept` fails at once, again and again: waiting lets connections end.
async fn wait_for_descriptors(error: &io::Error) {
    tracing::warn!(%error, "a connection could not be accepted");
    tokio::time::sleep(Duration::from_millis(100)).await;
}

/// Speaks TLS first, where it is spoken.
async fn open(
    http: Arc<Http>,
    socket: TcpStream,
    peer: SocketAddr,
    slot: OwnedSemaphorePermit,
    killed: CancellationToken,
) {
    // An answer in several pieces would otherwise wait for the client's delayed acknowledgement.
    if let Err(error) = socket.set_nodelay(true) {
        tracing::debug!(%error, "a connection ended before it began");
        return;
    }
    let ip = peer.ip();
    let Some(tls) = http.tls.clone() else {
        return serve_one(http, socket, Peer { ip, certificate: None }, slot, killed).await;
    };
    let opened = tokio::select! {
        opened = tls.accept(socket) => opened,
        () = http.draining.cancelled() => return,
    };
    match opened {
        Ok((stream, certificate)) => serve_one(http, stream, Peer { ip, certificate }, slot, killed).await,
        Err(error) => tracing::debug!(%error, %ip, "a TLS handshake failed"),
    }
}

async fn serve_one(
    http: Arc<Http>,
    socket: impl AsyncRead + AsyncWrite + Unpin,
    peer: Peer,
    slot: OwnedSemaphorePermit,
    killed: CancellationToken,
) {
    let (pulse, draining) = (Pulse::new(), http.draining.clone());
    let (head_limit, idle_limit) = (http.config.header_read_timeout, http.config.idle_timeout);
    let io = TokioIo::new(Watched::new(socket, Arc::clone(&pulse)));
    let service = service_fn({
        let pulse = Arc::clone(&pulse);
        move |request| {
            let busy = pulse.begin();
            routes::handle(Arc::clone(&http), peer.clone(), request)
                .map(|response| Ok::<_, std::convert::Infallible>(response.map(|body| body.hold(busy))))
        }
    });
    let mut builder = http1::Builder::new();
    builder.max_buf_size(HEAD_BYTES_MAX).max_headers(HEADERS_MAX).half_close(false);
    let mut connection = std::pin::pin!(builder.serve_connection(io, service));
    let mut tick =
        tokio::time::interval((head_limit / 4).clamp(Duration::from_millis(20), Duration::from_secs(5)));
    tick.set_missed_tick_behavior(MissedTickBehavior::Delay);
    let mut stopping = false;
    loop {
        tokio::select! {
            biased;
            ended = connection.as_mut() => {
                if let Err(error) = ended {
                    tracing::debug!(%error, "a connection broke");
                }
                break;
            }
            () = draining.cancelled(), if !stopping => {
                stopping = true;
                connection.as_mut().graceful_shutdown();
            }
            () = killed.cancelled() => break,
            _ = tick.tick() => if pulse.is_overdue(head_limit, idle_limit) { break },
        }
    }
    drop(slot);
}
