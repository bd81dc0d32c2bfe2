//! A vetted URL.

use std::net::SocketAddr;

use ::url::{Host, Url};

/// A URL that was vetted, with the addresses to connect to. Only the guard makes one.
///
/// Connect to [`Target::addr`] (or try [`Target::addrs`] in order), send [`Target::host_header`], verify the
/// certificate for [`Target::host`], follow no redirect without the guard, and never resolve the name again.
#[derive(Clone, Debug)]
pub struct Target {
    pub(super) url: Url,
    pub(super) addrs: Vec<SocketAddr>,
    pub(super) field: String,
    pub(super) hops: u8,
    pub(super) keeps_credentials: bool,
}

impl Target {
    /// The URL, normalised. Its fragment is for the reader, not for the server.
    pub fn url(&self) -> &Url {
        &self.url
    }

    /// The address to connect to.
    pub fn addr(&self) -> SocketAddr {
        self.addrs[0]
    }

    /// Every address of the host, all of them vetted, best first. Never empty.
    pub fn addrs(&self) -> &[SocketAddr] {
        &self.addrs
    }

    /// The host's name or address: what a certificate must be for.
    pub fn host(&self) -> String {
        match self.url.host() {
            Some(Host::Ipv6(ip)) => ip.to_string(),
            _ => self.url.host_str().unwrap_or_default().to_owned(),
        }
    }

    /// The value of the `Host` header.
    pub fn host_header(&self) -> String {
        let host = self.url.host_str().unwrap_or_default();
        self.url.port().map_or_else(|| host.to_owned(), |port| format!("{host}:{port}"))
    }

    /// Redirects that led here.
    pub fn hops(&self) -> u8 {
        self.hops
    }

    /// Whether credentials meant for the first URL may be sent here. False for good once a redirect left its
    /// origin, even if a later one comes back.
    pub fn keeps_credentials(&self) -> bool {
        self.keeps_credentials
    }
}
