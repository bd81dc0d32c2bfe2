//! Bytes on a socket: what a client sends that no library would.

use std::{
    io::{ErrorKind, Read, Write},
    net::TcpStream,
    time::Duration,
};

use serde_json::{Value, json};

/// The revision in force.
pub(crate) const REVISION: &str = "2026-07-28";

/// Longest wait for one read.
const READ_TIMEOUT: Duration = Duration::from_secs(60);
/// Largest answer that is read.
const ANSWER_BYTES_MAX: u64 = 64 << 20;

/// One connection.
pub struct Raw {
    stream: TcpStream,
}

/// An HTTP answer.
#[derive(Debug)]
pub struct Reply {
    /// The status code; 0 when the connection closed without an answer.
    pub status: u16,
    /// Head lines in lower case.
    pub head: String,
    /// The body, with chunk sizes taken out.
    pub body: String,
}

impl Reply {
    /// The message in the body, alone or as the last event of a stream.
    #[track_caller]
    pub fn message(&self) -> Value {
        let lines = self.body.lines().map(|it| it.strip_prefix("data:").unwrap_or(it).trim());
        let messages: Vec<Value> =
            lines.filter_map(|it| serde_json::from_str(it).ok()).filter(Value::is_object).collect();
        messages.into_iter().next_back().unwrap_or_else(|| panic!("no message in {self:?}"))
    }

    /// What a failed tool call says for programs: `code`, `reason`, `field`, `hints`.
    #[track_caller]
    pub fn failure(&self) -> Value {
        let message = self.message();
        assert_eq!(message["result"]["isError"], true, "{self:?}");
        message["result"]["_meta"]["core-mcp/error"].clone()
    }
}

/// A request message of revision 2026-07-28.
pub fn message(method: &str, mut params: Value) -> Value {
    params["_meta"] = json!({
        "io.modelcontextprotocol/protocolVersion": REVISION,
        "io.modelcontextprotocol/clientCapabilities": {},
        "io.modelcontextprotocol/clientInfo": { "name": "blackbox", "version": "1.0.0" },
    });
    json!({ "jsonrpc": "2.0", "id": 1, "method": method, "params": params })
}

/// The head of a POST, without length and end.
pub fn post(path: &str, host: &str, token: &str, method: &str, name: &str) -> String {
    let mut head = format!(
        "POST {path} HTTP/1.1\r\nHost: {host}\r\nContent-Type: application/json\r\n\
         Accept: application/json, text/event-stream\r\nMCP-Protocol-Version: {REVISION}\r\nMcp-Method: {method}\r\n"
    );
    if !name.is_empty() {
        head.push_str(&format!("Mcp-Name: {name}\r\n"));
    }
    if !token.is_empty() {
        head.push_str(&format!("Authorization: Bearer {token}\r\n"));
    }
    head
}

impl Raw {
    /// Connects.
    #[track_caller]
    pub fn connect(address: &str) -> Self {
        Self::try_connect(address).expect("the server takes connections")
    }

    /// Connects, or says why not.
    pub fn try_connect(address: &str) -> std::io::Result<Self> {
        let stream = TcpStream::connect(address)?;
        stream.set_read_timeout(Some(READ_TIMEOUT))?;
        stream.set_write_timeout(Some(READ_TIMEOUT))?;
        Ok(Self { stream })
    }

    /// Sends bytes; a server that hung up already is no failure.
    pub fn send(&mut self, bytes: &[u8]) -> bool {
        self.stream.write_all(bytes).and_then(|()| self.stream.flush()).is_ok()
    }

    /// Sends a whole request and reads the answer to its end.
    pub fn exchange(mut self, head: &str, body: &[u8]) -> Reply {
        let head = format!("{head}Content-Length: {}\r\nConnection: close\r\n\r\n", body.len());
        // A refusal may come, and the connection go, before the whole body is sent.
        let _all_sent = self.send(head.as_bytes()) && self.send(body);
        self.reply()
    }

    /// Reads the answer to its end.
    pub fn reply(mut self) -> Reply {
        let mut bytes = Vec::new();
        let read = (&mut self.stream).take(ANSWER_BYTES_MAX).read_to_end(&mut bytes);
        if let Err(error) = read
            && bytes.is_empty()
            && error.kind() != ErrorKind::ConnectionReset
        {
            panic!("no answer: {error}");
        }
        parse(&bytes)
    }

    /// Whether the server hangs up within `patience`, having answered or not.
    pub fn is_closed_within(&mut self, patience: Duration) -> bool {
        self.stream.set_read_timeout(Some(patience)).expect("a timeout can be set");
        let mut buffer = [0; 4096];
        loop {
            match self.stream.read(&mut buffer) {
                Ok(0) => return true,
                Ok(_) => {}
                Err(error) => return !matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::TimedOut),
            }
        }
    }
}

fn parse(bytes: &[u8]) -> Reply {
    let text = String::from_utf8_lossy(bytes);
    let (head, body) = text.split_once("\r\n\r\n").unwrap_or((&text, ""));
    let status = head.split(' ').nth(1).and_then(|it| it.parse().ok()).unwrap_or(0);
    let head = head.to_ascii_lowercase();
    let body =
        if head.contains("transfer-encoding: chunked") { without_chunk_sizes(body) } else { body.to_owned() };
    Reply { status, head, body }
}

fn without_chunk_sizes(mut body: &str) -> String {
    let mut whole = String::new();
    while let Some((size, rest)) = body.split_once("\r\n") {
        let size = usize::from_str_radix(size.trim(), 16).unwrap_or(0);
        if size == 0 || !rest.is_char_boundary(size.min(rest.len())) {
            break;
        }
        whole.push_str(&rest[..size.min(rest.len())]);
        body = rest.get(size + 2..).unwrap_or_default();
    }
    whole
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn answers_are_understood() {
        let reply = parse(b"HTTP/1.1 200 OK\r\nContent-Length: 7\r\n\r\n{\"a\":1}");
        assert_eq!((reply.status, reply.message()), (200, json!({ "a": 1 })));
        let chunked =
            b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n8\r\ndata: {}\r\n2\r\n\n\n\r\n0\r\n\r\n";
        assert_eq!(parse(chunked).body, "data: {}\n\n");
        assert_eq!(parse(b"").status, 0);
    }
}
