//! A served fixture, and a client that sends exactly what it is told.

use std::{net::SocketAddr, sync::Arc, time::Duration};

use everything::Everything;
use pipeline::{LimitOverrides, Mount, Tuning};
use serde_json::{Value, json};
use testkit::Rig;
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
};
use tokio_util::sync::{CancellationToken, DropGuard};
use transport::{HttpConfig, HttpServer, Wire, WireConfig};

/// Nothing here takes this long; a test that hangs fails instead.
const PATIENCE: Duration = Duration::from_secs(30);

pub(crate) const ONE: &str = "/mcp/everything";
pub(crate) const ALL: &str = "/mcp";
pub(crate) const TASKS: &str = "io.modelcontextprotocol/tasks";

/// A running door. It stops when dropped.
pub(crate) struct Served {
    pub(crate) rig: Rig,
    pub(crate) address: SocketAddr,
    _stop: DropGuard,
}

pub(crate) async fn serve() -> Served {
    let many =
        LimitOverrides { rate_per_minute: Some(100_000), semaphore: Some(200), ..LimitOverrides::default() };
    let tuning = Tuning { defaults: many, beyond_documented: true, ..Tuning::default() };
    let rig = Rig::new(&[], tuning).await;
    let registry = rig.gate.registry().clone();
    let server = Everything::new(registry.clone());
    registry.mount(Mount::ready(server.mounted())).unwrap();
    let wire = Wire::new(Arc::clone(&rig.gate), WireConfig::new([7; 32], "1.0.0"));
    let mut config = HttpConfig::new(([127, 0, 0, 1], 0).into());
    config.refusals_burst = 10_000;
    let http = HttpServer::bind(wire, config).await.unwrap();
    let (address, stop) = (http.local_addr().unwrap(), CancellationToken::new());
    tokio::spawn(http.serve(stop.clone()));
    Served { rig, address, _stop: stop.drop_guard() }
}

/// What came back: the status and every message, in order.
pub(crate) struct Answer {
    pub(crate) status: u16,
    pub(crate) messages: Vec<Value>,
}

impl Answer {
    pub(crate) fn last(&self) -> &Value {
        self.messages.last().unwrap()
    }

    pub(crate) fn code(&self) -> i64 {
        self.last()["error"]["code"].as_i64().unwrap_or(0)
    }

    pub(crate) fn text(&self) -> &str {
        self.last()["result"]["content"][0]["text"].as_str().unwrap_or_default()
    }
}

/// One request on its own connection.
pub(crate) struct Exchange {
    socket: TcpStream,
    read: Vec<u8>,
    taken: usize,
}

impl Served {
    /// A modern request; `capabilities` are what the client declares with it.
    pub(crate) async fn modern(
        &self,
        who: &str,
        path: &str,
        method: &str,
        params: Value,
        capabilities: Value,
    ) -> Answer {
        self.open_modern(who, path, method, params, capabilities, &[]).await.rest().await
    }

    pub(crate) async fn open_modern(
        &self,
        who: &str,
        path: &str,
        method: &str,
        mut params: Value,
        capabilities: Value,
        headers: &[(&str, &str)],
    ) -> Exchange {
        params["_meta"] = json!({
            "io.modelcontextprotocol/protocolVersion": "2026-07-28",
            "io.modelcontextprotocol/clientCapabilities": capabilities,
        });
        let named = match method {
            "resources/read" => &params["uri"],
            "tasks/get" | "tasks/update" | "tasks/cancel" => &params["taskId"],
            _ => &params["name"],
        };
        let name = named.as_str().unwrap_or_default().to_owned();
        let mut all =
            vec![("MCP-Protocol-Version", "2026-07-28"), ("Mcp-Method", method), ("Mcp-Name", &name)];
        all.extend_from_slice(headers);
        let body = json!({ "jsonrpc": "2.0", "id": 1, "method": method, "params": params });
        self.open(who, path, &all, &body).await
    }

    pub(crate) async fn open(
        &self,
        who: &str,
        path: &str,
        headers: &[(&str, &str)],
        body: &Value,
    ) -> Exchange {
        let body = body.to_string();
        let mut head = format!(
            "POST {path} HTTP/1.1\r\nHost: {}\r\nAuthorization: Bearer token-of-{who}\r\nConnection: close\r\n\
             Content-Type: application/json\r\nAccept: application/json, text/event-stream\r\nContent-Length: {}\r\n",
            self.address,
            body.len()
        );
        for (name, value) in headers.iter().filter(|(_, value)| !value.is_empty()) {
            head.push_str(&format!("{name}: {value}\r\n"));
        }
        let mut socket = TcpStream::connect(self.address).await.unwrap();
        socket.write_all(format!("{head}\r\n{body}").as_bytes()).await.unwrap();
        Exchange { socket, read: Vec::new(), taken: 0 }
    }
}

impl Exchange {
    /// Reads until there is one message more.
    pub(crate) async fn next(&mut self) -> Value {
        loop {
            if let Some(message) = self.messages().get(self.taken) {
                self.taken += 1;
                return message.clone();
            }
            assert!(self.more().await, "the stream ended: {}", String::from_utf8_lossy(&self.read));
        }
    }

    /// Reads to the end.
    pub(crate) async fn rest(mut self) -> Answer {
        while self.more().await {}
        Answer { status: self.status(), messages: self.messages() }
    }

    /// Reads to the end; what came is of no interest.
    pub(crate) async fn rest_status(self) -> u16 {
        self.rest().await.status
    }

    /// The value of a header, once the head is there.
    pub(crate) async fn header(&mut self, name: &str) -> String {
        while !self.text().contains("\r\n\r\n") {
            assert!(self.more().await);
        }
        let text = self.text();
        let line = text.lines().find(|it| it.to_ascii_lowercase().starts_with(&format!("{name}:"))).unwrap();
        line.split_once(':').unwrap().1.trim().to_owned()
    }

    async fn more(&mut self) -> bool {
        let read = tokio::time::timeout(PATIENCE, self.socket.read_buf(&mut self.read));
        read.await.expect("an answer in time").unwrap() > 0
    }

    fn text(&self) -> String {
        String::from_utf8_lossy(&self.read).into_owned()
    }

    fn status(&self) -> u16 {
        self.text().split(' ').nth(1).and_then(|it| it.parse().ok()).unwrap_or(0)
    }

    /// Messages stand on lines of their own, as JSON or as the data of an event.
    fn messages(&self) -> Vec<Value> {
        let text = self.text();
        let body = text.split_once("\r\n\r\n").map_or("", |(_, body)| body);
        let lines = body.lines().map(|line| line.strip_prefix("data: ").unwrap_or(line));
        lines
            .filter(|line| line.starts_with('{'))
            .filter_map(|line| serde_json::from_str(line).ok())
            .collect()
    }
}
