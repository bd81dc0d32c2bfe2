//! An HTTP server that answers what it is told, and remembers what it was asked.

use std::sync::{Arc, Mutex};

use guard::url::UrlRules;
use serde_json::Value;
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpListener,
};

/// A running server.
pub(crate) struct Server {
    pub(crate) url: String,
    log: Arc<Mutex<Vec<String>>>,
}

impl Server {
    /// The requests for a path, in order.
    pub(crate) fn asked(&self, path: &str) -> Vec<String> {
        let log = self.log.lock().unwrap();
        log.iter().filter(|it| it.split(' ').nth(1) == Some(path)).cloned().collect()
    }
}

/// Serves what `reply` makes of our URL and a request, as JSON.
pub(crate) async fn serve(reply: impl Fn(&str, &str) -> (u16, Value) + Send + Sync + 'static) -> Server {
    // Another test of this process may have installed it.
    rustls::crypto::ring::default_provider().install_default().ok();
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    let log = Arc::new(Mutex::new(Vec::new()));
    let (own, shared, reply) = (url.clone(), Arc::clone(&log), Arc::new(reply));
    tokio::spawn(async move {
        while let Ok((mut socket, _)) = listener.accept().await {
            let (own, log, reply) = (own.clone(), Arc::clone(&shared), Arc::clone(&reply));
            tokio::spawn(async move {
                let mut bytes = Vec::new();
                while !is_whole(&bytes) {
                    if socket.read_buf(&mut bytes).await.unwrap_or(0) == 0 {
                        return;
                    }
                }
                let request = String::from_utf8(bytes).unwrap();
                log.lock().unwrap().push(request.clone());
                let (status, body) = reply(&own, &request);
                let body = body.to_string();
                let head = format!(
                    "HTTP/1.1 {status} X\r\ncontent-length: {}\r\nconnection: close\r\n\r\n",
                    body.len()
                );
                socket.write_all(format!("{head}{body}").as_bytes()).await.ok();
            });
        }
    });
    Server { url, log }
}

/// Rules that let this machine's servers be reached.
pub(crate) fn rules(url: &str) -> UrlRules {
    let ports = url.rsplit(':').next().and_then(|it| it.parse().ok()).into_iter().collect();
    let schemes = vec!["http".into(), "https".into()];
    UrlRules { schemes, allow_cidrs: vec!["127.0.0.0/8".into()], ports, ..UrlRules::default() }
}

fn is_whole(bytes: &[u8]) -> bool {
    let text = String::from_utf8_lossy(bytes);
    let Some((head, body)) = text.split_once("\r\n\r\n") else { return false };
    let length =
        head.lines().find_map(|it| it.to_ascii_lowercase().strip_prefix("content-length: ")?.parse().ok());
    body.len() >= length.unwrap_or(0)
}
