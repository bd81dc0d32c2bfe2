//! TLS and client certificates, with real certificates of two CAs.

use std::{fs, net::SocketAddr, os::unix::fs::PermissionsExt, path::PathBuf, sync::Arc, time::Duration};

use rcgen::{BasicConstraints, CertificateParams, DnType, IsCa, Issuer, KeyPair, SanType};
use rustls::{
    ClientConfig, ProtocolVersion, RootCertStore,
    crypto::ring,
    pki_types::{CertificateDer, PrivateKeyDer, ServerName, pem::PemObject},
};
use serde_json::json;
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
};
use tokio_rustls::{TlsConnector, client::TlsStream};
use tokio_util::sync::CancellationToken;
use transport::{HttpConfig, HttpServer, TlsConfig, TlsReload};

use crate::{
    client::{Ask, Connection, wire},
    fakes,
};

struct Authority {
    pem: String,
    issuer: Issuer<'static, KeyPair>,
}

/// A certificate and its key, in PEM.
#[derive(Clone)]
struct Pair {
    cert: String,
    key: String,
}

impl Authority {
    fn new(name: &str) -> Self {
        let mut params = CertificateParams::new(Vec::new()).unwrap();
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        params.distinguished_name.push(DnType::CommonName, name);
        let key = KeyPair::generate().unwrap();
        let pem = params.self_signed(&key).unwrap().pem();
        Self { pem, issuer: Issuer::new(params, key) }
    }

    fn sign(&self, names: &[SanType], common_name: &str) -> Pair {
        let mut params = CertificateParams::new(Vec::new()).unwrap();
        params.subject_alt_names = names.to_vec();
        params.distinguished_name.push(DnType::CommonName, common_name);
        let key = KeyPair::generate().unwrap();
        let cert = params.signed_by(&key, &self.issuer).unwrap().pem();
        Pair { cert, key: key.serialize_pem() }
    }

    fn server(&self, common_name: &str) -> Pair {
        self.sign(&[SanType::DnsName("localhost".try_into().unwrap())], common_name)
    }

    fn client(&self, uri: &str) -> Pair {
        self.sign(&[SanType::URI(uri.try_into().unwrap())], "client")
    }
}

struct Site {
    folder: tempfile::TempDir,
    address: SocketAddr,
    reload: TlsReload,
    authority: Authority,
    stop: CancellationToken,
}

impl Site {
    fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }
}

impl Drop for Site {
    fn drop(&mut self) {
        self.stop.cancel();
    }
}

fn write(path: PathBuf, text: &str) {
    fs::write(&path, text).unwrap();
    fs::set_permissions(&path, fs::Permissions::from_mode(0o600)).unwrap();
}

async fn site(adjust: impl FnOnce(&mut TlsConfig)) -> Site {
    let folder = tempfile::tempdir().unwrap();
    let authority = Authority::new("ours");
    let pair = authority.server("first");
    let path = |name: &str| folder.path().join(name);
    write(path("cert.pem"), &pair.cert);
    write(path("key.pem"), &pair.key);
    write(path("ca.pem"), &authority.pem);
    let mut tls = TlsConfig::new(path("cert.pem"), path("key.pem"));
    tls.client_ca_file = Some(path("ca.pem"));
    adjust(&mut tls);
    let mut config = HttpConfig::new("127.0.0.1:0".parse().unwrap());
    config.tls = Some(tls);
    let (gate, _) = fakes::gate().await;
    let server = HttpServer::bind(wire(&gate), config).await.unwrap();
    let (address, reload, stop) =
        (server.local_addr().unwrap(), server.tls_reload().unwrap(), CancellationToken::new());
    tokio::spawn(server.serve(stop.clone()));
    Site { folder, address, reload, authority, stop }
}

async fn connect(
    site: &Site,
    client: Option<&Pair>,
    adjust: impl FnOnce(&mut ClientConfig),
) -> std::io::Result<TlsStream<TcpStream>> {
    let mut roots = RootCertStore::empty();
    roots.add(CertificateDer::from_pem_slice(site.authority.pem.as_bytes()).unwrap()).unwrap();
    let builder = ClientConfig::builder_with_provider(Arc::new(ring::default_provider()))
        .with_protocol_versions(&[&rustls::version::TLS13, &rustls::version::TLS12])
        .unwrap()
        .with_root_certificates(roots);
    let mut config = match client {
        None => builder.with_no_client_auth(),
        Some(pair) => {
            let chain = vec![CertificateDer::from_pem_slice(pair.cert.as_bytes()).unwrap()];
            let key = PrivateKeyDer::from_pem_slice(pair.key.as_bytes()).unwrap();
            builder.with_client_auth_cert(chain, key).unwrap()
        }
    };
    adjust(&mut config);
    let socket = TcpStream::connect(site.address).await?;
    TlsConnector::from(Arc::new(config)).connect(ServerName::try_from("localhost").unwrap(), socket).await
}

/// Sends one request that ends the connection, and returns the answer; empty when there was none.
async fn say(mut stream: TlsStream<TcpStream>, ask: Ask) -> String {
    stream.write_all(&ask.header("connection", "close").bytes()).await.ok();
    let mut answer = Vec::new();
    tokio::time::timeout(Duration::from_secs(20), stream.read_to_end(&mut answer)).await.unwrap().ok();
    String::from_utf8(answer).unwrap()
}

fn list() -> Ask {
    Ask::modern("ann", "tools/list", json!({}))
}

fn without_token() -> Ask {
    list().without("authorization")
}

#[tokio::test]
async fn tls_13_is_preferred_12_is_served_and_only_http_1_is_spoken() {
    let site = site(|_| {}).await;
    let stream = connect(&site, None, |it| it.alpn_protocols = vec![b"h2".to_vec(), b"http/1.1".to_vec()])
        .await
        .unwrap();
    assert_eq!(stream.get_ref().1.protocol_version(), Some(ProtocolVersion::TLSv1_3));
    assert_eq!(stream.get_ref().1.alpn_protocol(), Some(&b"http/1.1"[..]));
    assert!(say(stream, list()).await.starts_with("HTTP/1.1 200"));
    let h2_only = connect(&site, None, |it| it.alpn_protocols = vec![b"h2".to_vec()]).await;
    assert!(h2_only.is_err());
}

#[tokio::test]
async fn a_challenge_over_tls_names_https() {
    let site = site(|_| {}).await;
    let answer = say(connect(&site, None, |_| {}).await.unwrap(), without_token()).await;
    assert!(answer.starts_with("HTTP/1.1 401"), "{answer}");
    assert!(answer.contains("resource_metadata=\"https://localhost/.well-known/"), "{answer}");
}

#[tokio::test]
async fn a_certificate_proves_its_holder_where_no_token_is_shown() {
    let site = site(|_| {}).await;
    let ann = site.authority.client("spiffe://test/ann");
    let status = async |client: Option<&Pair>, ask: Ask| {
        let answer = say(connect(&site, client, |_| {}).await.unwrap(), ask).await;
        answer.split(' ').nth(1).unwrap_or_default().to_owned()
    };
    assert_eq!(status(Some(&ann), without_token()).await, "200");
    assert_eq!(status(None, without_token()).await, "401");
    assert_eq!(status(Some(&site.authority.client("spiffe://test/nobody")), without_token()).await, "401");
    let bad = without_token().header("authorization", "Bearer a b");
    assert_eq!(status(Some(&ann), bad).await, "401", "a broken token is not replaced by a certificate");
    assert_eq!(status(Some(&ann), list().header("authorization", "Bearer nobody")).await, "401");
    assert_eq!(status(Some(&ann), list()).await, "200");
}

#[tokio::test]
async fn certificates_of_strangers_do_not_pass_the_handshake() {
    let site = site(|_| {}).await;
    let forged = Authority::new("ours").client("spiffe://test/ann");
    let answer = match connect(&site, Some(&forged), |_| {}).await {
        // In TLS 1.3 a client hears of it with its first read.
        Ok(stream) => say(stream, without_token()).await,
        Err(_) => String::new(),
    };
    assert_eq!(answer, "");
}

#[tokio::test]
async fn a_required_certificate_is_required() {
    let site = site(|tls| tls.client_required = true).await;
    let answer = match connect(&site, None, |_| {}).await {
        Ok(stream) => say(stream, list()).await,
        Err(_) => String::new(),
    };
    assert_eq!(answer, "");
    let ann = site.authority.client("spiffe://test/ann");
    assert!(
        say(connect(&site, Some(&ann), |_| {}).await.unwrap(), without_token())
            .await
            .starts_with("HTTP/1.1 200")
    );
}

#[tokio::test]
async fn certificates_rotate_while_connections_stay_open() {
    let site = site(|_| {}).await;
    let serves = async || {
        let stream = connect(&site, None, |_| {}).await.unwrap();
        stream.get_ref().1.peer_certificates().unwrap()[0].clone().into_owned()
    };
    let first = serves().await;
    let open = connect(&site, None, |_| {}).await.unwrap();
    let second = site.authority.server("second");
    write(site.path("cert.pem"), &second.cert);
    let error = site.reload.reload().unwrap_err();
    assert_eq!(error.path, site.path("key.pem"), "the key does not belong to the certificate yet");
    assert_eq!(serves().await, first, "the old pair stays in force");
    write(site.path("key.pem"), &second.key);
    site.reload.reload().unwrap();
    assert_ne!(serves().await, first);
    assert!(say(open, list()).await.starts_with("HTTP/1.1 200"), "open connections keep what they have");
    for (name, text) in [("cert.pem", "nonsense"), ("key.pem", ""), ("ca.pem", &second.key)] {
        let good = fs::read_to_string(site.path(name)).unwrap();
        write(site.path(name), text);
        let error = site.reload.reload().unwrap_err();
        assert_eq!(error.path, site.path(name));
        assert!(!error.to_string().contains("BEGIN"), "{error}");
        write(site.path(name), &good);
    }
    assert_eq!(site.reload.files().count(), 3);
}

#[tokio::test]
async fn a_private_key_that_others_may_read_is_refused() {
    let site = site(|_| {}).await;
    fs::set_permissions(site.path("key.pem"), fs::Permissions::from_mode(0o604)).unwrap();
    assert!(site.reload.reload().unwrap_err().reason.contains("chmod 600"));
}

#[tokio::test]
async fn a_handshake_that_stalls_or_is_none_ends() {
    let site = site(|tls| {
        tls.handshake_timeout = Duration::from_millis(200);
        tls.handshakes_max = 1;
    })
    .await;
    let mut silent = Connection::open(site.address).await;
    let mut second = Connection::open(site.address).await;
    assert_eq!(silent.closed().await, b"");
    assert_eq!(second.closed().await, b"");
    let mut clear = Connection::open(site.address).await;
    clear.write_what_is_taken(list().bytes()).await;
    assert!(!clear.closed().await.starts_with(b"HTTP"), "no clear text is answered");
    assert!(connect(&site, None, |_| {}).await.is_ok(), "the turn comes back");
}
