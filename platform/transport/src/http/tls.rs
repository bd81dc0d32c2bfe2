//! TLS on the listener: certificates that can change while it runs, and client certificates.

use std::{
    fs, io,
    path::{Path, PathBuf},
    sync::Arc,
};

use parking_lot::RwLock;
use pipeline::seams::ClientCertificate;
use rustls::{
    RootCertStore, ServerConfig,
    crypto::{CryptoProvider, ring},
    pki_types::{CertificateDer, PrivateKeyDer, pem::PemObject},
    server::{NoClientAuth, WebPkiClientVerifier, danger::ClientCertVerifier},
    version::{TLS12, TLS13},
};
use tokio::{net::TcpStream, sync::Semaphore};
use tokio_rustls::{TlsAcceptor, server::TlsStream};

use super::certificate;
use crate::TlsConfig;

/// Largest certificate or key file read.
const FILE_BYTES_MAX: u64 = 1 << 20;

/// Why certificates or keys cannot be used. Names the file, never what is in it.
#[derive(Debug, thiserror::Error)]
#[error("{path}: {reason}")]
pub struct TlsError {
    /// The file.
    pub path: PathBuf,
    /// What is wrong, and what mends it.
    pub reason: String,
}

/// The settings in force.
pub(super) struct Tls {
    config: TlsConfig,
    current: RwLock<Arc<ServerConfig>>,
    handshakes: Semaphore,
}

/// Reads certificates and keys of a running [`crate::HttpServer`] again.
pub struct TlsReload {
    tls: Arc<Tls>,
}

impl TlsReload {
    pub(super) fn new(tls: Arc<Tls>) -> Self {
        Self { tls }
    }

    /// The files, to watch them.
    pub fn files(&self) -> impl Iterator<Item = &Path> {
        let config = &self.tls.config;
        [Some(&config.cert_file), Some(&config.key_file), config.client_ca_file.as_ref()]
            .into_iter()
            .flatten()
            .map(PathBuf::as_path)
    }

    /// New connections get what the files say now. Open ones keep what they have.
    ///
    /// # Errors
    /// When a file is unreadable, damaged, or does not belong to the others; then the old ones stay in force.
    pub fn reload(&self) -> Result<(), TlsError> {
        let fresh = server_config(&self.tls.config)?;
        *self.tls.current.write() = Arc::new(fresh);
        Ok(())
    }
}

impl Tls {
    pub(super) fn open(config: &TlsConfig) -> Result<Self, TlsError> {
        Ok(Self {
            current: RwLock::new(Arc::new(server_config(config)?)),
            handshakes: Semaphore::new(config.handshakes_max),
            config: config.clone(),
        })
    }

    /// The handshake, within its time. Says whose certificate it was.
    pub(super) async fn accept(
        &self,
        socket: TcpStream,
    ) -> io::Result<(TlsStream<TcpStream>, Option<Arc<ClientCertificate>>)> {
        let acceptor = TlsAcceptor::from(Arc::clone(&self.current.read()));
        let opened = tokio::time::timeout(self.config.handshake_timeout, async {
            let _turn = self.handshakes.acquire().await.map_err(io::Error::other)?;
            acceptor.accept(socket).await
        });
        let stream = opened.await.map_err(|_| io::Error::from(io::ErrorKind::TimedOut))??;
        let shown = stream.get_ref().1.peer_certificates().and_then(<[_]>::first);
        let certificate = shown.and_then(certificate::read).map(Arc::new);
        Ok((stream, certificate))
    }
}

fn server_config(config: &TlsConfig) -> Result<ServerConfig, TlsError> {
    let provider = Arc::new(ring::default_provider());
    let chain = certificates(&config.cert_file)?;
    let key = private_key(&config.key_file)?;
    let wrong = |path: &Path, error: &dyn std::fmt::Display| fault(path, error.to_string());
    let builder = ServerConfig::builder_with_provider(Arc::clone(&provider))
        .with_protocol_versions(&[&TLS13, &TLS12])
        .map_err(|error| wrong(&config.cert_file, &error))?
        .with_client_cert_verifier(client_verifier(config, provider)?);
    let mut made = builder.with_single_cert(chain, key).map_err(|error| wrong(&config.key_file, &error))?;
    made.alpn_protocols = vec![b"http/1.1".to_vec()];
    // What was said before the handshake ended could be said again by somebody else.
    made.max_early_data_size = 0;
    Ok(made)
}

fn client_verifier(
    config: &TlsConfig,
    provider: Arc<CryptoProvider>,
) -> Result<Arc<dyn ClientCertVerifier>, TlsError> {
    let Some(path) = &config.client_ca_file else { return Ok(Arc::new(NoClientAuth)) };
    let mut roots = RootCertStore::empty();
    for certificate in certificates(path)? {
        roots.add(certificate).map_err(|error| fault(path, error.to_string()))?;
    }
    let builder = WebPkiClientVerifier::builder_with_provider(Arc::new(roots), provider);
    let builder = if config.client_required { builder } else { builder.allow_unauthenticated() };
    builder
        .build()
        .map(|it| it as Arc<dyn ClientCertVerifier>)
        .map_err(|error| fault(path, error.to_string()))
}

fn certificates(path: &Path) -> Result<Vec<CertificateDer<'static>>, TlsError> {
    let pem = read(path)?;
    let read: Result<Vec<_>, _> = CertificateDer::pem_slice_iter(&pem).collect();
    match read {
        Ok(found) if found.is_empty() => Err(fault(path, "it holds no certificate in PEM form")),
        Ok(found) => Ok(found),
        Err(_) => Err(fault(path, "it is not PEM")),
    }
}

fn private_key(path: &Path) -> Result<PrivateKeyDer<'static>, TlsError> {
    use std::os::unix::fs::PermissionsExt;

    let mode = fs::metadata(path).map_err(|error| fault(path, error.to_string()))?.permissions().mode();
    if mode & 0o077 & !0o040 != 0 {
        return Err(fault(path, "others may read this private key; run `chmod 600` on it"));
    }
    PrivateKeyDer::from_pem_slice(&read(path)?)
        .map_err(|_| fault(path, "it holds no private key in PEM form"))
}

fn read(path: &Path) -> Result<Vec<u8>, TlsError> {
    let size = fs::metadata(path).map_err(|error| fault(path, error.to_string()))?.len();
    if size > FILE_BYTES_MAX {
        return Err(fault(path, "it is larger than 1 MiB"));
    }
    fs::read(path).map_err(|error| fault(path, error.to_string()))
}

fn fault(path: &Path, reason: impl Into<String>) -> TlsError {
    TlsError { path: path.to_owned(), reason: reason.into() }
}

/// Whether certificates and keys could be used, without listening.
///
/// # Errors
/// Names the file at fault.
pub fn check_tls(config: &TlsConfig) -> Result<(), TlsError> {
    server_config(config).map(drop)
}
