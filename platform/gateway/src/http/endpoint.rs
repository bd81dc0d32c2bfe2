//! Where an upstream is, what we send it with every request, and how a connection to it is made.

use std::{fs, io, path::Path, sync::Arc, time::Duration};

use bytes::Bytes;
use guard::url::{UrlGuard, UrlRules};
use http::{HeaderMap, HeaderName, HeaderValue, Uri};
use http_body_util::Full;
use hyper::client::conn::http1;
use hyper_util::rt::TokioIo;
use rustls::pki_types::{CertificateDer, ServerName, pem::PemObject};
use rustls_platform_verifier::Verifier;
use tokio::{
    io::{AsyncRead, AsyncWrite},
    net::TcpStream,
};
use tokio_rustls::TlsConnector;

use super::pool::{Connection, Pool};
use crate::{Credentials, UpstreamConfig, config::expand, error::UpstreamError};

/// Longest time one connection may take to be made, TLS included.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(10);

/// Longest head of a response.
const HEAD_BYTES_MAX: usize = 64 << 10;

/// One URL of an upstream.
pub(crate) struct Endpoint {
    /// The upstream's name, for errors.
    pub(crate) upstream: String,
    /// Path and query.
    pub(crate) path: Uri,
    /// `Host`.
    pub(crate) host: HeaderValue,
    /// The operator's headers.
    pub(crate) headers: HeaderMap,
    /// Largest message taken.
    pub(crate) bytes_max: usize,
    /// Makes what it is shown besides those.
    pub(crate) credentials: Option<Arc<dyn Credentials>>,
    /// Open connections.
    pub(crate) pool: Pool,
    url: String,
    guard: UrlGuard,
    tls: Option<Tls>,
}

struct Tls {
    connector: TlsConnector,
    name: ServerName<'static>,
}

impl Endpoint {
    /// Reads the section; nothing is connected yet. The reason of a failure names the key.
    pub(crate) fn new(
        upstream: &str,
        url: &str,
        config: &UpstreamConfig,
        lookup: &dyn Fn(&str) -> Option<String>,
        credentials: Option<Arc<dyn Credentials>>,
    ) -> Result<Self, String> {
        let parsed: Uri = url.parse().map_err(|_| "url: it is no URL".to_owned())?;
        let authority = parsed.authority().ok_or("url: it names no host")?;
        if authority.as_str().contains('@') {
            return Err("url: credentials go into `headers`".into());
        }
        let is_plain = match parsed.scheme_str() {
            Some("http") => true,
            Some("https") => false,
            _ => return Err("url: it is neither https nor http".into()),
        };
        let default_port = if is_plain { 80 } else { 443 };
        let rules = UrlRules {
            schemes: vec![if is_plain { "http" } else { "https" }.into()],
            allow_hosts: Vec::new(),
            allow_cidrs: config.allow_cidrs.clone(),
            ports: vec![authority.port_u16().unwrap_or(default_port)],
        };
        if is_plain && config.allow_cidrs.is_empty() {
            return Err("url: http is only spoken to ranges listed in `allow_cidrs`; use https".into());
        }
        let guard = UrlGuard::new(&rules).map_err(|error| error.to_string())?;
        let tls = if is_plain { None } else { Some(tls(authority.host(), config.ca_file.as_deref())?) };
        let path = parsed.path_and_query().map_or("/", http::uri::PathAndQuery::as_str);
        Ok(Self {
            upstream: upstream.to_owned(),
            path: path.parse().map_err(|_| "url: its path cannot be sent".to_owned())?,
            host: HeaderValue::from_str(authority.as_str()).map_err(|_| "url: its host cannot be sent")?,
            headers: headers(config, lookup)?,
            bytes_max: config.message_bytes_max,
            credentials,
            pool: Pool::new(config.connections_max),
            url: url.to_owned(),
            guard,
            tls,
        })
    }

    /// The same origin at another path, as an `endpoint` event of HTTP+SSE names it. Refused when it leads
    /// anywhere else.
    pub(crate) fn resolve(&self, reference: &str) -> Option<Uri> {
        let base: Uri = self.url.parse().ok()?;
        let target: Uri = reference.parse().ok()?;
        let same = match (target.authority(), target.scheme()) {
            (None, None) => true,
            (Some(host), scheme) => {
                base.authority() == Some(host) && scheme.is_none_or(|it| base.scheme() == Some(it))
            }
            (None, Some(_)) => false,
        };
        let path = target.path_and_query()?.as_str();
        (same && path.starts_with('/') && !path.starts_with("//")).then(|| path.parse().ok()).flatten()
    }

    /// A new connection to an address the guard has judged just now.
    pub(crate) async fn connect(&self) -> Result<Connection, UpstreamError> {
        let failed = |reason: String| UpstreamError::unreachable(&self.upstream, reason);
        let connecting = async {
            let target =
                self.guard.check("url", &self.url).await.map_err(|refusal| failed(refusal.to_string()))?;
            let mut last = io::Error::from(io::ErrorKind::AddrNotAvailable);
            for address in target.addrs() {
                match TcpStream::connect(address).await {
                    Ok(stream) => return self.shake(stream).await,
                    Err(error) => last = error,
                }
            }
            Err(failed(last.kind().to_string()))
        };
        let slow = || UpstreamError::Slow { upstream: self.upstream.clone(), sent: false };
        tokio::time::timeout(CONNECT_TIMEOUT, connecting).await.map_err(|_| slow())?
    }

    async fn shake(&self, stream: TcpStream) -> Result<Connection, UpstreamError> {
        let failed = |reason: String| UpstreamError::unreachable(&self.upstream, reason);
        // A request in two pieces would otherwise wait for a delayed acknowledgement.
        stream.set_nodelay(true).map_err(|error| failed(error.kind().to_string()))?;
        match &self.tls {
            None => self.speak(stream).await,
            Some(tls) => {
                let secure = tls.connector.connect(tls.name.clone(), stream).await;
                self.speak(secure.map_err(|error| failed(format!("TLS: {error}")))?).await
            }
        }
    }

    async fn speak(
        &self,
        stream: impl AsyncRead + AsyncWrite + Send + Unpin + 'static,
    ) -> Result<Connection, UpstreamError> {
        let mut builder = http1::Builder::new();
        builder.max_buf_size(HEAD_BYTES_MAX);
        let (sender, driver) = builder
            .handshake::<_, Full<Bytes>>(TokioIo::new(stream))
            .await
            .map_err(|error| UpstreamError::unreachable(&self.upstream, error.to_string()))?;
        Ok(Connection::new(sender, Box::pin(driver)))
    }

    /// Opens connections ahead, so that the first calls need not wait for handshakes.
    pub(crate) async fn warm(&self, connections: usize) {
        for _ in 0..connections {
            match self.connect().await {
                Ok(connection) => self.pool.put(connection),
                Err(error) => {
                    tracing::debug!(upstream = self.upstream, %error, "no connection was opened ahead");
                    return;
                }
            }
        }
    }
}

fn headers(config: &UpstreamConfig, lookup: &dyn Fn(&str) -> Option<String>) -> Result<HeaderMap, String> {
    let mut headers = HeaderMap::with_capacity(config.headers.len());
    for (name, value) in &config.headers {
        let wrong = || format!("headers.{name}: it cannot be sent");
        let text = expand(value.expose(), lookup).map_err(|why| format!("headers.{name}: {why}"))?;
        let mut value = HeaderValue::from_str(&text).map_err(|_| wrong())?;
        value.set_sensitive(true);
        headers.insert(HeaderName::from_bytes(name.as_bytes()).map_err(|_| wrong())?, value);
    }
    Ok(headers)
}

fn tls(host: &str, ca_file: Option<&Path>) -> Result<Tls, String> {
    let host = host.trim_start_matches('[').trim_end_matches(']');
    let name = ServerName::try_from(host.to_owned()).map_err(|_| "url: no certificate fits its host")?;
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let extra = ca_file.map(authorities).transpose()?.unwrap_or_default();
    let verifier = Verifier::new_with_extra_roots(extra, Arc::clone(&provider))
        .map_err(|error| format!("the system's certificates cannot be used: {error}"))?;
    let mut config = rustls::ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .map_err(|error| error.to_string())?
        .dangerous()
        .with_custom_certificate_verifier(Arc::new(verifier))
        .with_no_client_auth();
    config.alpn_protocols = vec![b"http/1.1".to_vec()];
    Ok(Tls { connector: TlsConnector::from(Arc::new(config)), name })
}

fn authorities(path: &Path) -> Result<Vec<CertificateDer<'static>>, String> {
    let pem = fs::read(path).map_err(|error| format!("ca_file: {error}"))?;
    let found: Result<Vec<_>, _> = CertificateDer::pem_slice_iter(&pem).collect();
    match found {
        Ok(certificates) if !certificates.is_empty() => Ok(certificates),
        _ => Err("ca_file: it holds no certificates in PEM".into()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn endpoint(url: &str, ranges: &[&str]) -> Result<Endpoint, String> {
        let config = UpstreamConfig {
            allow_cidrs: ranges.iter().map(|it| (*it).to_owned()).collect(),
            ..UpstreamConfig::default()
        };
        Endpoint::new("x", url, &config, &|_| None, None)
    }

    #[test]
    fn only_listed_ranges_are_spoken_to_without_tls() {
        assert!(endpoint("https://example.org/mcp?x=1", &[]).is_ok_and(|it| it.path == "/mcp?x=1"));
        assert!(endpoint("http://127.0.0.1:8080/mcp", &["127.0.0.0/8"]).is_ok());
        for bad in ["http://127.0.0.1:8080/mcp", "https://u:p@example.org/", "nonsense", "/mcp", "https://"] {
            assert!(endpoint(bad, &[]).is_err(), "{bad}");
        }
    }

    #[tokio::test]
    async fn a_private_address_nobody_listed_is_never_connected_to() {
        for url in ["https://127.0.0.1:1/", "https://169.254.169.254/latest", "https://[::1]:1/"] {
            let refused = endpoint(url, &[]).unwrap().connect().await;
            assert!(matches!(refused, Err(UpstreamError::Unreachable { .. })), "{url}");
        }
        let metadata = endpoint("http://169.254.169.254/", &["169.254.0.0/16"]).unwrap().connect().await;
        assert!(matches!(metadata, Err(UpstreamError::Unreachable { .. })));
    }

    #[test]
    fn an_endpoint_event_cannot_lead_elsewhere() {
        let endpoint = endpoint("https://example.org/sse", &[]).unwrap();
        let path = |reference| endpoint.resolve(reference).map(|it| it.to_string());
        assert_eq!(path("/messages?id=1").as_deref(), Some("/messages?id=1"));
        assert_eq!(path("https://example.org/m").as_deref(), Some("/m"));
        for bad in ["https://evil.org/m", "http://example.org/m", "//evil.org/m", "m", ""] {
            assert_eq!(path(bad), None, "{bad}");
        }
    }
}
