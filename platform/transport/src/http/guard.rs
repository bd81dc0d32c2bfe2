//! Who may talk to us at all: `Host` and `Origin`, checked on every route before anything else.
//!
//! A web page can make a browser call any address, and a name it controls can point at ours (DNS
//! rebinding). Both show in these two headers, which the page cannot change.

use std::net::IpAddr;

use http::{HeaderMap, HeaderValue, Uri, header};

use crate::HttpConfig;

/// Names of this machine that no stranger's name server can take over.
const LOOPBACK: [&str; 3] = ["localhost", "127.0.0.1", "[::1]"];

/// Why a request is turned away.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Stranger {
    /// `Host` is missing, repeated, malformed or not ours.
    Host,
    /// `Origin` is present and not allowed.
    Origin,
}

/// The allow-lists, in the form they are compared in.
pub(crate) struct Guard {
    hosts: Vec<String>,
    origins: Vec<String>,
}

impl Guard {
    pub(crate) fn new(config: &HttpConfig) -> Self {
        let mut hosts: Vec<_> = config.allowed_hosts.iter().map(|it| it.to_ascii_lowercase()).collect();
        let mut origins: Vec<_> = config.allowed_origins.iter().map(|it| it.to_ascii_lowercase()).collect();
        if !config.listen.ip().is_unspecified() {
            hosts.push(literal(config.listen.ip()));
        }
        if let Some(url) = &config.public_url {
            let origin = url.trim_end_matches('/').to_ascii_lowercase();
            if let Some((_, host)) = origin.split_once("://") {
                hosts.push(host.to_owned());
            }
            origins.push(origin);
        }
        Self { hosts, origins }
    }

    pub(crate) fn check(&self, uri: &Uri, headers: &HeaderMap) -> Result<(), Stranger> {
        let host = only(headers, header::HOST).map_err(|()| Stranger::Host)?.ok_or(Stranger::Host)?;
        // A request line with a whole URL names a host too; it must not say something else.
        let named = uri.authority().map_or(host, |it| it.as_str());
        if !self.is_our_host(host) || !self.is_our_host(named) {
            return Err(Stranger::Host);
        }
        match only(headers, header::ORIGIN).map_err(|()| Stranger::Origin)? {
            Some(origin) if !self.is_our_origin(origin) => Err(Stranger::Origin),
            _ => Ok(()),
        }
    }

    fn is_our_host(&self, host: &str) -> bool {
        let host = host.to_ascii_lowercase();
        let Some(name) = name_of(&host) else { return false };
        LOOPBACK.contains(&name) || self.hosts.iter().any(|it| *it == host || it == name)
    }

    fn is_our_origin(&self, origin: &str) -> bool {
        let origin = origin.to_ascii_lowercase();
        let Some((scheme, host)) = origin.split_once("://") else { return false };
        let loopback = name_of(host).is_some_and(|name| LOOPBACK.contains(&name));
        (matches!(scheme, "http" | "https") && loopback) || self.origins.contains(&origin)
    }
}

fn literal(ip: IpAddr) -> String {
    match ip {
        IpAddr::V4(ip) => ip.to_string(),
        IpAddr::V6(ip) => format!("[{ip}]"),
    }
}

/// The name without its port; `None` when it is not `name` or `name:port`.
fn name_of(host: &str) -> Option<&str> {
    let (name, rest) = match host.strip_prefix('[') {
        Some(inner) => host.split_at(inner.find(']')? + 2),
        None => host.split_at(host.find(':').unwrap_or(host.len())),
    };
    let plain = |it: char| it.is_ascii_alphanumeric() || matches!(it, '.' | '-' | '_' | '[' | ']' | ':');
    let port_is_fine = match rest.strip_prefix(':') {
        Some(port) => port.parse::<u16>().is_ok() && port.bytes().all(|it| it.is_ascii_digit()),
        None => rest.is_empty(),
    };
    (!name.is_empty() && name.chars().all(plain) && port_is_fine).then_some(name)
}

/// The only value of a header. Two values, or one that is not text, are an error.
pub(crate) fn only(headers: &HeaderMap, name: impl header::AsHeaderName) -> Result<Option<&str>, ()> {
    let mut values = headers.get_all(name).iter();
    match (values.next(), values.next()) {
        (None, _) => Ok(None),
        (Some(value), None) => HeaderValue::to_str(value).map(Some).map_err(|_| ()),
        (Some(_), Some(_)) => Err(()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn guard() -> Guard {
        let mut config = HttpConfig::new("192.0.2.7:8080".parse().unwrap());
        config.allowed_hosts = vec!["mcp.example.com".into(), "exact.example.com:8443".into()];
        config.allowed_origins = vec!["https://app.example.com".into()];
        config.public_url = Some("https://public.example.com/".into());
        Guard::new(&config)
    }

    fn check(hosts: &[&[u8]], origins: &[&[u8]]) -> Result<(), Stranger> {
        let mut headers = HeaderMap::new();
        for host in hosts {
            headers.append(header::HOST, HeaderValue::from_bytes(host).unwrap());
        }
        for origin in origins {
            headers.append(header::ORIGIN, HeaderValue::from_bytes(origin).unwrap());
        }
        guard().check(&Uri::from_static("/mcp"), &headers)
    }

    #[test]
    fn only_our_own_names_are_hosts() {
        for host in [
            "localhost",
            "LOCALHOST:1",
            "127.0.0.1",
            "127.0.0.1:65535",
            "[::1]",
            "[::1]:80",
            "192.0.2.7:8080",
            "mcp.example.com",
            "MCP.example.com:999",
            "exact.example.com:8443",
            "public.example.com",
        ] {
            assert_eq!(check(&[host.as_bytes()], &[]), Ok(()), "{host}");
        }
        for host in [
            "",
            ":80",
            "evil.com",
            "localhost.evil.com",
            "evil.com#localhost",
            "127.0.0.1.evil.com",
            "127.0.0.1.",
            "localhost.",
            "user@localhost",
            "localhost:",
            "localhost:80:80",
            "localhost:99999",
            "localhost:+80",
            "localhost:8o",
            "[::1",
            "[::1]x",
            "[::2]",
            "::1",
            "[]",
            "0.0.0.0",
            "2130706433",
            "0x7f.1",
            "exact.example.com",
            "exact.example.com:8444",
            "xmcp.example.com",
            "mcp.example.com.",
            "localhost/..",
            "localhost evil.com",
            "localhost,evil.com",
        ] {
            assert_eq!(check(&[host.as_bytes()], &[]), Err(Stranger::Host), "{host}");
        }
        assert_eq!(check(&[], &[]), Err(Stranger::Host));
        assert_eq!(check(&[b"localhost", b"localhost"], &[]), Err(Stranger::Host));
        assert_eq!(check(&[b"local\xffhost"], &[]), Err(Stranger::Host));
    }

    #[test]
    fn only_our_own_pages_are_origins() {
        for origin in [
            "http://localhost",
            "https://localhost:5173",
            "http://127.0.0.1:1",
            "http://[::1]:8080",
            "HTTPS://App.Example.Com",
            "https://public.example.com",
        ] {
            assert_eq!(check(&[b"localhost"], &[origin.as_bytes()]), Ok(()), "{origin}");
        }
        for origin in [
            "",
            "null",
            "localhost",
            "http://",
            "http://evil.com",
            "http://localhost.evil.com",
            "http://localhost@evil.com",
            "http://evil.com/http://localhost",
            "file://",
            "chrome-extension://localhost",
            "http://app.example.com",
            "https://app.example.com:444",
            "https://app.example.com.evil.com",
            "https://app.example.com/",
            "http://localhost/",
            "http://localhost http://evil.com",
        ] {
            assert_eq!(check(&[b"localhost"], &[origin.as_bytes()]), Err(Stranger::Origin), "{origin}");
        }
        assert_eq!(
            check(&[b"localhost"], &[b"http://localhost", b"http://localhost"]),
            Err(Stranger::Origin)
        );
        assert_eq!(check(&[b"localhost"], &[b"http://local\xffhost"]), Err(Stranger::Origin));
    }

    #[test]
    fn a_request_line_cannot_name_another_host_than_the_header() {
        let headers = HeaderMap::from_iter([(header::HOST, HeaderValue::from_static("localhost"))]);
        for (uri, fine) in [
            ("http://localhost/mcp", true),
            ("http://127.0.0.1:9/mcp", true),
            ("http://evil.com/mcp", false),
            ("http://localhost@evil.com/mcp", false),
        ] {
            assert_eq!(guard().check(&uri.parse().unwrap(), &headers).is_ok(), fine, "{uri}");
        }
    }
}
