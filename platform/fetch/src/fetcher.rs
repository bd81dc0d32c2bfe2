//! The fetcher.

use std::{fs, path::Path, time::Duration};

use guard::url::{UrlGuard, UrlRules};
use reqwest::{Certificate, Client, RequestBuilder, StatusCode, redirect};
use serde::Deserialize;
use url::Url;

use crate::FetchError;

/// For the whole of one request.
const TIMEOUT: Duration = Duration::from_secs(5);
/// Largest document read.
pub(crate) const DOCUMENT_BYTES_MAX: usize = 256 * 1024;
/// Largest CA file read.
const CA_BYTES_MAX: u64 = 1 << 20;

/// Reaches what one set of rules allows.
pub struct Fetcher {
    guard: UrlGuard,
    authorities: Vec<Certificate>,
}

impl Fetcher {
    /// `ca_file`: CA certificates in PEM, trusted instead of the system's; empty: the system's.
    ///
    /// # Errors
    /// When the rules or the file make no sense.
    pub fn new(rules: &UrlRules, ca_file: &str) -> Result<Self, FetchError> {
        let wrong = |error: &dyn std::fmt::Display| FetchError::CaFile(error.to_string());
        let guard = UrlGuard::new(rules).map_err(|error| wrong(&error))?;
        let authorities = if ca_file.is_empty() {
            Vec::new()
        } else {
            let path = Path::new(ca_file);
            let size = fs::metadata(path).map_err(|error| wrong(&error))?.len();
            if size > CA_BYTES_MAX {
                return Err(wrong(&"it is larger than 1 MiB"));
            }
            let pem = fs::read(path).map_err(|error| wrong(&error))?;
            Certificate::from_pem_bundle(&pem).map_err(|error| wrong(&error))?
        };
        Ok(Self { guard, authorities })
    }

    /// A document by GET. `field` names where the URL comes from, for the refusal.
    ///
    /// # Errors
    /// When the guard refuses the URL, or no document comes back.
    pub async fn json<T: for<'de> Deserialize<'de>>(&self, field: &str, url: &str) -> Result<T, FetchError> {
        self.send(field, url, |client, url| client.get(url)).await
    }

    /// The answer to a JSON document. 201 is as good as 200.
    ///
    /// # Errors
    /// As [`Fetcher::json`].
    pub async fn post<T: for<'de> Deserialize<'de>>(
        &self,
        field: &str,
        url: &str,
        document: &serde_json::Value,
    ) -> Result<T, FetchError> {
        let body = document.to_string();
        let request =
            |client: &Client, url| client.post(url).header("content-type", "application/json").body(body);
        self.send(field, url, request).await
    }

    /// The answer to a form. `basic`: client id and secret for the `Authorization` header.
    ///
    /// # Errors
    /// As [`Fetcher::json`].
    pub async fn form<T: for<'de> Deserialize<'de>>(
        &self,
        field: &str,
        url: &str,
        basic: Option<(&str, &str)>,
        form: &[(&str, &str)],
    ) -> Result<T, FetchError> {
        let body = url::form_urlencoded::Serializer::new(String::new()).extend_pairs(form).finish();
        // RFC 6749: the id and the secret are form-encoded before they are joined.
        let encode = |it: &str| url::form_urlencoded::byte_serialize(it.as_bytes()).collect::<String>();
        let basic = basic.map(|(user, password)| (encode(user), encode(password)));
        self.send(field, url, |client, url| {
            let request = client.post(url).header("content-type", "application/x-www-form-urlencoded");
            let request = match basic {
                Some((user, password)) => request.basic_auth(user, Some(password)),
                None => request,
            };
            request.body(body)
        })
        .await
    }

    async fn send<T: for<'de> Deserialize<'de>>(
        &self,
        field: &str,
        url: &str,
        request: impl FnOnce(&Client, Url) -> RequestBuilder,
    ) -> Result<T, FetchError> {
        let target = self.guard.check(field, url).await?;
        let mut builder = Client::builder()
            .redirect(redirect::Policy::none())
            .no_proxy()
            .timeout(TIMEOUT)
            .resolve_to_addrs(&target.host(), target.addrs());
        if !self.authorities.is_empty() {
            builder = builder.tls_certs_only(self.authorities.iter().cloned());
        }
        let unreachable = |error: reqwest::Error| FetchError::Unreachable(error.without_url());
        let client = builder.build().map_err(unreachable)?;
        let request = request(&client, target.url().clone()).header("accept", "application/json");
        let mut response = request.send().await.map_err(unreachable)?;
        let mut body = Vec::new();
        while let Some(chunk) = response.chunk().await.map_err(unreachable)? {
            if body.len() + chunk.len() > DOCUMENT_BYTES_MAX {
                return Err(FetchError::TooLarge);
            }
            body.extend_from_slice(&chunk);
        }
        if !matches!(response.status(), StatusCode::OK | StatusCode::CREATED) {
            return Err(FetchError::Status { status: response.status().as_u16(), body });
        }
        serde_json::from_slice(&body).map_err(|_| FetchError::Unreadable)
    }
}

#[cfg(test)]
mod tests {
    use serde_json::Value;
    use tokio::{
        io::{AsyncReadExt, AsyncWriteExt},
        net::TcpListener,
    };

    use super::*;

    /// Answers every request with `reply`; returns its URL.
    async fn answers(reply: Vec<u8>) -> String {
        // Another test of this process may have installed it.
        drop(rustls::crypto::ring::default_provider().install_default());
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
        let url = format!("http://{}", listener.local_addr().expect("an address"));
        tokio::spawn(async move {
            while let Ok((mut socket, _)) = listener.accept().await {
                let mut request = [0; 4096];
                if socket.read(&mut request).await.is_ok() {
                    // A client that has read enough hangs up.
                    drop(socket.write_all(&reply).await);
                }
            }
        });
        url
    }

    fn fetcher(url: &str, cidr: &str) -> Fetcher {
        let port = Url::parse(url).expect("a URL").port().expect("a port");
        let rules = UrlRules {
            schemes: vec!["http".into()],
            allow_cidrs: vec![cidr.into()],
            ports: vec![port],
            ..UrlRules::default()
        };
        Fetcher::new(&rules, "").expect("the rules make sense")
    }

    async fn fetch(reply: impl Into<Vec<u8>>) -> Result<Value, FetchError> {
        let url = answers(reply.into()).await;
        fetcher(&url, "127.0.0.0/8").json("issuer", &url).await
    }

    #[tokio::test]
    async fn only_plain_answers_are_taken() {
        let good = "HTTP/1.1 200 OK\r\ncontent-length: 2\r\nconnection: close\r\n\r\n{}";
        assert!(fetch(good).await.is_ok());
        let redirect = "HTTP/1.1 302 Found\r\nlocation: http://169.254.169.254/\r\ncontent-length: 0\r\nconnection: close\r\n\r\n";
        assert!(
            matches!(fetch(redirect).await, Err(FetchError::Status { status: 302, .. })),
            "no redirect is followed"
        );
        let text = "HTTP/1.1 200 OK\r\ncontent-length: 2\r\nconnection: close\r\n\r\nhi";
        assert!(matches!(fetch(text).await, Err(FetchError::Unreadable)));
        let huge = format!("HTTP/1.1 200 OK\r\ncontent-length: 400000\r\n\r\n{}", " ".repeat(400_000));
        assert!(matches!(fetch(huge).await, Err(FetchError::TooLarge)));
        assert!(matches!(fetch("nonsense\r\n\r\n").await, Err(FetchError::Unreachable(_))));
        let error = fetch("HTTP/1.1 400 Bad\r\ncontent-length: 26\r\nconnection: close\r\n\r\n{\"error\":\"invalid_client\"}").await;
        assert_eq!(
            error.map(drop).map_err(|it| it.to_string()),
            Err("it answered with status 400 (invalid_client)".into())
        );
    }

    #[tokio::test]
    async fn private_addresses_are_reached_only_where_they_were_opened() {
        let url = answers(Vec::new()).await;
        let refused = fetcher(&url, "10.0.0.0/8").json::<Value>("issuer", &url).await;
        assert!(matches!(refused, Err(FetchError::Refused(_))));
    }

    #[test]
    fn a_ca_file_that_is_none_is_refused() {
        for path in ["/nowhere.pem", "/dev/null/x"] {
            assert!(matches!(Fetcher::new(&UrlRules::default(), path), Err(FetchError::CaFile(_))));
        }
    }
}
