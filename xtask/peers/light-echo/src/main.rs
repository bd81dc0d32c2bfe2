//! An MCP server that costs as little as it can, so that what stands in front of it is measured and not this.
//!
//! A thread for each connection, no parser: it looks for the method and the id and answers with a constant. It
//! is right for the requests of the bench and for nothing else.

use std::{
    io::{self, Read, Write},
    net::{TcpListener, TcpStream},
    process::ExitCode,
    thread,
};

/// Longest request it takes.
const REQUEST_MAX: usize = 64 << 10;

const DISCOVER: &str = r#"{"supportedVersions":["2026-07-28","2025-11-25"],"capabilities":{"tools":{}},"resultType":"complete","ttlMs":3600000,"cacheScope":"public"}"#;
const INITIALIZE: &str = r#"{"protocolVersion":"2025-11-25","capabilities":{"tools":{}},"serverInfo":{"name":"light-echo","version":"0.1.0"}}"#;
const TOOLS: &str = r#"{"tools":[{"name":"echo","description":"Says it again.","inputSchema":{"type":"object","properties":{"message":{"type":"string"}}},"annotations":{"readOnlyHint":true}}],"resultType":"complete","ttlMs":3600000,"cacheScope":"public"}"#;
const ECHO: &str = r#"{"content":[{"type":"text","text":"hi"}],"resultType":"complete"}"#;

fn main() -> ExitCode {
    let address = std::env::args().nth(1).unwrap_or_else(|| "127.0.0.1:0".into());
    let listener = match TcpListener::bind(&address) {
        Ok(listener) => listener,
        Err(error) => {
            eprintln!("{address}: {error}");
            return ExitCode::FAILURE;
        }
    };
    match listener.local_addr() {
        Ok(bound) => println!("listening on http://{bound}"),
        Err(error) => eprintln!("{error}"),
    }
    for stream in listener.incoming().filter_map(Result::ok) {
        let made = thread::Builder::new().stack_size(128 << 10).spawn(move || {
            // A client that goes away ends its thread, whatever it did before.
            drop(serve(stream));
        });
        if let Err(error) = made {
            eprintln!("{error}");
        }
    }
    ExitCode::SUCCESS
}

fn serve(mut stream: TcpStream) -> io::Result<()> {
    stream.set_nodelay(true)?;
    let (mut buffer, mut filled) = (vec![0_u8; REQUEST_MAX], 0);
    let mut out = Vec::with_capacity(1024);
    loop {
        let Some(head) = find(&buffer[..filled], b"\r\n\r\n") else {
            let read = stream.read(&mut buffer[filled..])?;
            if read == 0 {
                return Ok(());
            }
            filled += read;
            continue;
        };
        let whole = head + 4 + length(&buffer[..head]);
        if whole > REQUEST_MAX {
            return Ok(());
        }
        while filled < whole {
            let read = stream.read(&mut buffer[filled..])?;
            if read == 0 {
                return Ok(());
            }
            filled += read;
        }
        out.clear();
        answer(&buffer[..head], &buffer[head + 4..whole], &mut out);
        stream.write_all(&out)?;
        buffer.copy_within(whole..filled, 0);
        filled -= whole;
    }
}

fn answer(head: &[u8], body: &[u8], out: &mut Vec<u8>) {
    if !head.starts_with(b"POST") {
        out.extend_from_slice(b"HTTP/1.1 405 Method Not Allowed\r\ncontent-length: 0\r\n\r\n");
        return;
    }
    let (method, id) = (text_after(body, b"\"method\":\""), number_after(body, b"\"id\":"));
    let result = match method {
        b"server/discover" => DISCOVER,
        b"initialize" => INITIALIZE,
        b"tools/list" => TOOLS,
        b"tools/call" => ECHO,
        _ if id.is_empty() => {
            out.extend_from_slice(b"HTTP/1.1 202 Accepted\r\ncontent-length: 0\r\n\r\n");
            return;
        }
        _ => "{}",
    };
    let size = result.len() + id.len() + br#"{"jsonrpc":"2.0","id":,"result":}"#.len();
    let session = if method == b"initialize" { "mcp-session-id: one-for-all\r\n" } else { "" };
    let head = format!("HTTP/1.1 200 OK\r\ncontent-type: application/json\r\n{session}content-length: {size}\r\n\r\n");
    out.extend_from_slice(head.as_bytes());
    out.extend_from_slice(br#"{"jsonrpc":"2.0","id":"#);
    out.extend_from_slice(id);
    out.extend_from_slice(br#","result":"#);
    out.extend_from_slice(result.as_bytes());
    out.push(b'}');
}

fn find(text: &[u8], what: &[u8]) -> Option<usize> {
    text.windows(what.len()).position(|it| it == what)
}

fn length(head: &[u8]) -> usize {
    let lower = head.to_ascii_lowercase();
    let digits = number_after(&lower, b"content-length: ");
    std::str::from_utf8(digits).ok().and_then(|it| it.parse().ok()).unwrap_or(0)
}

/// Up to the closing quote.
fn text_after<'a>(text: &'a [u8], what: &[u8]) -> &'a [u8] {
    let Some(at) = find(text, what) else { return b"" };
    let rest = &text[at + what.len()..];
    &rest[..rest.iter().position(|it| *it == b'"').unwrap_or(0)]
}

/// A number or a quoted text, as it stands.
fn number_after<'a>(text: &'a [u8], what: &[u8]) -> &'a [u8] {
    let Some(at) = find(text, what) else { return b"" };
    let rest = &text[at + what.len()..];
    &rest[..rest.iter().position(|it| matches!(it, b',' | b'}' | b'\r' | b' ')).unwrap_or(rest.len())]
}
