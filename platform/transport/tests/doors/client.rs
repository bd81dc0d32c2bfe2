//! The other side: a server on a free port, and a client that sends exactly what it is told.

use std::{net::SocketAddr, sync::Arc, time::Duration};

use pipeline::Gate;
use serde_json::{Value, json};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
    task::JoinHandle,
};
use tokio_util::sync::CancellationToken;
use transport::{HttpConfig, HttpServer, Wire, WireConfig};

use crate::fakes::{self, Fakes};

/// Nothing here takes this long; a test that hangs fails instead.
const PATIENCE: Duration = Duration::from_secs(20);

/// A running server.
pub(crate) struct Running {
    pub(crate) address: SocketAddr,
    pub(crate) gate: Arc<Gate>,
    pub(crate) fakes: Arc<Fakes>,
    pub(crate) stop: CancellationToken,
    pub(crate) served: JoinHandle<()>,
}

/// Starts a server with the usual settings.
pub(crate) async fn start() -> Running {
    start_with(|_| {}).await
}

/// Starts a server after `adjust` changed its settings.
pub(crate) async fn start_with(adjust: impl FnOnce(&mut HttpConfig)) -> Running {
    let (gate, fakes) = fakes::gate().await;
    let mut config = HttpConfig::new("127.0.0.1:0".parse().unwrap());
    config.shutdown_grace = Duration::from_secs(10);
    adjust(&mut config);
    let server = HttpServer::bind(wire(&gate), config).await.unwrap();
    let (address, stop) = (server.local_addr().unwrap(), CancellationToken::new());
    let served = tokio::spawn(server.serve(stop.clone()));
    Running { address, gate, fakes, stop, served }
}

/// A dispatcher with two tools per page.
pub(crate) fn wire(gate: &Arc<Gate>) -> Arc<Wire> {
    let mut config = WireConfig::new([7; 32], "1.2.3");
    config.tools_per_page = 4;
    Wire::new(Arc::clone(gate), config)
}

/// What came back.
#[derive(Debug)]
pub(crate) struct Response {
    pub(crate) status: u16,
    pub(crate) head: String,
    pub(crate) body: Vec<u8>,
}

impl Response {
    pub(crate) fn json(&self) -> Value {
        serde_json::from_slice(&self.body).unwrap_or_else(|_| panic!("not JSON: {self:?}"))
    }

    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        self.head.lines().find_map(|line| {
            let (key, value) = line.split_once(':')?;
            key.eq_ignore_ascii_case(name).then(|| value.trim())
        })
    }

    /// The messages of a whole event stream.
    pub(crate) fn events(&self) -> Vec<Value> {
        assert_eq!(self.header("content-type"), Some("text/event-stream"), "{self:?}");
        messages(&String::from_utf8(self.body.clone()).unwrap())
    }
}

/// The messages in event-stream text.
pub(crate) fn messages(text: &str) -> Vec<Value> {
    text.lines()
        .filter_map(|it| it.strip_prefix("data: "))
        .map(|it| serde_json::from_str(it).unwrap())
        .collect()
}

/// One connection.
pub(crate) struct Connection {
    socket: TcpStream,
    unread: Vec<u8>,
}

impl Connection {
    pub(crate) async fn open(address: SocketAddr) -> Self {
        let socket = TcpStream::connect(address).await.unwrap();
        socket.set_nodelay(true).unwrap();
        Self { socket, unread: Vec::new() }
    }

    pub(crate) async fn write(&mut self, bytes: impl AsRef<[u8]>) {
        self.socket.write_all(bytes.as_ref()).await.unwrap();
    }

    /// Writes as long as the other side takes it; it may hang up in the middle.
    pub(crate) async fn write_what_is_taken(&mut self, bytes: impl AsRef<[u8]>) {
        drop(self.socket.write_all(bytes.as_ref()).await);
    }

    /// Reads more; false at the end.
    async fn more(&mut self) -> bool {
        let mut chunk = [0; 16 * 1024];
        let read =
            tokio::time::timeout(PATIENCE, self.socket.read(&mut chunk)).await.expect("an answer in time");
        let count = read.unwrap_or(0);
        self.unread.extend_from_slice(&chunk[..count]);
        count > 0
    }

    /// Waits until the server hangs up; what it said before is returned.
    pub(crate) async fn closed(&mut self) -> Vec<u8> {
        while self.more().await {}
        std::mem::take(&mut self.unread)
    }

    /// Reads one head; `None` when the server hung up.
    pub(crate) async fn head(&mut self) -> Option<Response> {
        loop {
            if let Some(end) = find(&self.unread, b"\r\n\r\n") {
                let head = String::from_utf8(self.unread.drain(..end + 4).collect()).unwrap();
                let status = head.split(' ').nth(1).unwrap().parse().unwrap();
                return Some(Response { status, head, body: Vec::new() });
            }
            if !self.more().await {
                return None;
            }
        }
    }

    /// Reads one whole response.
    pub(crate) async fn response(&mut self) -> Response {
        let mut response = self.head().await.expect("a response");
        if response.header("transfer-encoding") == Some("chunked") {
            while let Some(chunk) = self.chunk().await {
                response.body.extend(chunk);
            }
        } else if let Some(length) = response.header("content-length") {
            let length: usize = length.parse().unwrap();
            while self.unread.len() < length {
                assert!(self.more().await, "the body ends early: {response:?}");
            }
            response.body = self.unread.drain(..length).collect();
        }
        response
    }

    /// Reads one chunk; `None` after the last, or when the server hung up.
    pub(crate) async fn chunk(&mut self) -> Option<Vec<u8>> {
        let end = loop {
            if let Some(end) = find(&self.unread, b"\r\n") {
                break end;
            }
            if !self.more().await {
                return None;
            }
        };
        let size = usize::from_str_radix(std::str::from_utf8(&self.unread[..end]).unwrap(), 16).unwrap();
        while self.unread.len() < end + 2 + size + 2 {
            assert!(self.more().await, "a chunk ends early");
        }
        let chunk = self.unread[end + 2..end + 2 + size].to_vec();
        self.unread.drain(..end + 2 + size + 2);
        (size > 0).then_some(chunk)
    }

    /// The next message of an event stream, comments skipped.
    pub(crate) async fn event(&mut self) -> Option<Value> {
        loop {
            let chunk = self.chunk().await?;
            if let Some(message) = messages(std::str::from_utf8(&chunk).unwrap()).pop() {
                return Some(message);
            }
        }
    }
}

fn find(haystack: &[u8], needle: &[u8]) -> Option<usize> {
    haystack.windows(needle.len()).position(|it| it == needle)
}

/// A request in the making.
#[derive(Clone)]
pub(crate) struct Ask {
    method: &'static str,
    path: String,
    headers: Vec<(String, String)>,
    body: Vec<u8>,
}

impl Ask {
    pub(crate) fn new(method: &'static str, path: &str) -> Self {
        let headers = vec![("host".to_owned(), "localhost".to_owned())];
        Self { method, path: path.to_owned(), headers, body: Vec::new() }
    }

    /// A well-formed POST of `body` by `token`.
    pub(crate) fn post(path: &str, token: &str, body: &Value) -> Self {
        Self::new("POST", path)
            .header("authorization", &format!("Bearer {token}"))
            .header("content-type", "application/json")
            .header("accept", "application/json, text/event-stream")
            .body(body.to_string())
    }

    /// A legacy request.
    pub(crate) fn legacy(token: &str, method: &str, params: Value) -> Self {
        Self::post("/mcp", token, &json!({"jsonrpc": "2.0", "id": 1, "method": method, "params": params}))
    }

    /// A modern request with matching headers.
    pub(crate) fn modern(token: &str, method: &str, params: Value) -> Self {
        Self::modern_to("/mcp", token, method, params)
    }

    pub(crate) fn modern_to(path: &str, token: &str, method: &str, mut params: Value) -> Self {
        let meta = &mut params["_meta"];
        meta["io.modelcontextprotocol/protocolVersion"] = json!("2026-07-28");
        if meta.get("io.modelcontextprotocol/clientCapabilities").is_none() {
            meta["io.modelcontextprotocol/clientCapabilities"] = json!({});
        }
        let name = params["name"].as_str().or(params["uri"].as_str()).map(str::to_owned);
        let ask =
            Self::post(path, token, &json!({"jsonrpc": "2.0", "id": 1, "method": method, "params": params}))
                .header("mcp-protocol-version", "2026-07-28")
                .header("mcp-method", method);
        match name {
            Some(name) => ask.header("mcp-name", &name),
            None => ask,
        }
    }

    /// Sets a header, replacing what was there.
    pub(crate) fn header(self, name: &str, value: &str) -> Self {
        self.without(name).and_header(name, value)
    }

    /// Adds a header next to one of the same name.
    pub(crate) fn and_header(mut self, name: &str, value: &str) -> Self {
        self.headers.push((name.to_owned(), value.to_owned()));
        self
    }

    pub(crate) fn without(mut self, name: &str) -> Self {
        self.headers.retain(|(key, _)| key != name);
        self
    }

    pub(crate) fn body(mut self, body: impl Into<Vec<u8>>) -> Self {
        self.body = body.into();
        self
    }

    pub(crate) fn bytes(&self) -> Vec<u8> {
        let mut out = format!("{} {} HTTP/1.1\r\n", self.method, self.path);
        for (name, value) in &self.headers {
            out.push_str(&format!("{name}: {value}\r\n"));
        }
        if self.method == "POST" && !self.headers.iter().any(|(name, _)| name == "transfer-encoding") {
            out.push_str(&format!("content-length: {}\r\n", self.body.len()));
        }
        out.push_str("\r\n");
        let mut out = out.into_bytes();
        out.extend_from_slice(&self.body);
        out
    }

    /// Sends it on a connection of its own and reads the whole answer.
    pub(crate) async fn send(&self, server: &Running) -> Response {
        let mut connection = Connection::open(server.address).await;
        connection.write(self.bytes()).await;
        connection.response().await
    }
}

/// Opens a legacy session and returns its id.
pub(crate) async fn session(server: &Running, token: &str, revision: &str, capabilities: Value) -> String {
    let params = json!({
        "protocolVersion": revision, "capabilities": capabilities, "clientInfo": {"name": "test", "version": "0"},
    });
    let response = Ask::legacy(token, "initialize", params).send(server).await;
    assert_eq!(response.json()["result"]["protocolVersion"], revision);
    response.header("mcp-session-id").expect("a session id").to_owned()
}
