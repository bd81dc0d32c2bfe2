//! Puts a bearer token into each request on its way: for clients that cannot send one.
//!
//! `bearer-proxy HOST:PORT` reads the token as the first line of its standard input, prints its own address and runs until
//! that input ends. Everything but the head of a request passes untouched, `Host` and `Origin` too.

use std::io;

use tokio::{
    io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader, copy_bidirectional},
    net::{TcpListener, TcpStream},
};

/// Longest head that is looked at.
const HEAD_BYTES_MAX: usize = 64 * 1024;

#[tokio::main]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    let upstream = std::env::args().nth(1).ok_or("usage: bearer-proxy HOST:PORT")?;
    let mut stdin = BufReader::new(tokio::io::stdin());
    let mut token = String::new();
    stdin.read_line(&mut token).await?;
    let token = token.trim().to_owned();
    let listener = TcpListener::bind(("127.0.0.1", 0)).await?;
    println!("{}", listener.local_addr()?);
    let mut rest = Vec::new();
    tokio::select! {
        ended = stdin.read_to_end(&mut rest) => { ended?; }
        served = serve(&listener, &upstream, &token) => served?,
    }
    Ok(())
}

async fn serve(listener: &TcpListener, upstream: &str, token: &str) -> io::Result<()> {
    loop {
        let (client, _) = listener.accept().await?;
        let (upstream, token) = (upstream.to_owned(), token.to_owned());
        tokio::spawn(async move {
            // A client that hangs up is part of what is tested.
            pass(client, &upstream, &token).await.ok();
        });
    }
}

/// One request for each connection: the head is rewritten, then bytes flow until one side ends.
async fn pass(client: TcpStream, upstream: &str, token: &str) -> io::Result<()> {
    client.set_nodelay(true)?;
    let mut client = client;
    let (head, body) = read_head(&mut client).await?;
    if head.is_empty() {
        return Ok(());
    }
    let mut server = TcpStream::connect(upstream).await?;
    server.set_nodelay(true)?;
    server.write_all(rewritten(&head, token).as_bytes()).await?;
    server.write_all(&body).await?;
    copy_bidirectional(&mut client, &mut server).await?;
    Ok(())
}

/// The head up to its empty line, and what came with it.
async fn read_head(client: &mut TcpStream) -> io::Result<(String, Vec<u8>)> {
    let mut bytes = Vec::new();
    loop {
        if let Some(end) = bytes.windows(4).position(|it| it == b"\r\n\r\n") {
            let body = bytes.split_off(end + 4);
            bytes.truncate(end);
            return Ok((String::from_utf8_lossy(&bytes).into_owned(), body));
        }
        if bytes.len() > HEAD_BYTES_MAX {
            return Err(io::Error::other("the head is too long"));
        }
        if client.read_buf(&mut bytes).await? == 0 {
            return Ok((String::new(), Vec::new()));
        }
    }
}

fn rewritten(head: &str, token: &str) -> String {
    let replaced = ["authorization:", "connection:"];
    let kept = head.split("\r\n").filter(|line| {
        let line = line.to_ascii_lowercase();
        !replaced.iter().any(|it| line.starts_with(it))
    });
    let lines: Vec<_> = kept.collect();
    format!("{}\r\nAuthorization: Bearer {token}\r\nConnection: close\r\n\r\n", lines.join("\r\n"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_token_goes_in_and_everything_else_stays() {
        let head =
            "POST /mcp HTTP/1.1\r\nHost: evil.example.com\r\nConnection: keep-alive\r\nauthorization: x";
        assert_eq!(
            rewritten(head, "t"),
            "POST /mcp HTTP/1.1\r\nHost: evil.example.com\r\nAuthorization: Bearer t\r\nConnection: close\r\n\r\n"
        );
    }
}
