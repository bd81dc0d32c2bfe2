//! Rules of TLS, of the public URL and of authorization servers that no schema can say.

use std::path::Path;

use url::Url;

use super::{ServerSection, Settings, TlsSection};

/// Client names one listener may map.
const CLIENTS_MAX: usize = 1000;

/// What is wrong: key, rule, fix.
pub(super) type Fault = (Vec<String>, String, String);

/// Everything that is wrong with who may come in.
pub(super) fn faults(settings: &Settings) -> Vec<Fault> {
    let mut faults = Vec::new();
    let mut add = |path: &[&str], rule: &str, fix: &str| {
        faults.push((path.iter().map(|it| (*it).to_owned()).collect(), rule.to_owned(), fix.to_owned()));
    };
    if let Some(rule) = settings.server.public_url().and_then(wrong_public_url) {
        let fix = "write scheme and host alone, for example \"https://mcp.example.com\"";
        add(&["server", "public_url"], rule, fix);
    }
    listener(&settings.server, &mut add);
    tls(&settings.server.tls, &mut add);
    let oauth = settings.auth.oauth.faults(settings.server.public_url());
    faults.extend(oauth.into_iter().map(|it| {
        let path = ["auth", "oauth"].map(str::to_owned).into_iter().chain(it.path).collect();
        (path, it.rule, it.fix)
    }));
    faults
}

fn listener(server: &ServerSection, add: &mut impl FnMut(&[&str], &str, &str)) {
    let Some(address) = server.address() else { return };
    if !address.ip().is_loopback() && !server.behind_tls_proxy && !server.tls.is_on() {
        add(
            &["server", "listen"],
            "tokens would cross the network in clear text",
            "bind to 127.0.0.1, set server.tls, or put a TLS proxy in front and set server.behind_tls_proxy = true",
        );
    }
}

fn tls(tls: &TlsSection, add: &mut impl FnMut(&[&str], &str, &str)) {
    let files =
        [("cert_file", &tls.cert_file), ("key_file", &tls.key_file), ("client_ca_file", &tls.client_ca_file)];
    for (key, file) in files {
        if !file.is_empty() && !Path::new(file).is_absolute() {
            add(
                &["server", "tls", key],
                "this is not an absolute path",
                "write the whole path, starting with /",
            );
        }
    }
    if tls.cert_file.is_empty() != tls.key_file.is_empty() {
        add(&["server", "tls"], "a certificate and its key belong together", "set cert_file and key_file");
    }
    if !tls.is_on() && !tls.client_ca_file.is_empty() {
        add(
            &["server", "tls", "client_ca_file"],
            "client certificates need TLS",
            "set cert_file and key_file",
        );
    }
    if tls.client_ca_file.is_empty() && (tls.client_required || !tls.clients.is_empty()) {
        let fix = "set client_ca_file to the CA that signs them";
        add(&["server", "tls"], "no client certificate would be trusted", fix);
    }
    if tls.clients.len() > CLIENTS_MAX {
        add(&["server", "tls", "clients"], "more than 1000 names", "map fewer");
    }
    for rule in tls.clients.iter().filter_map(identity::CertificateMapping::fault) {
        add(&["server", "tls", "clients"], rule, "write for example \"uri:spiffe://example.com/ci\"");
    }
}

fn wrong_public_url(text: &str) -> Option<&'static str> {
    let Ok(url) = Url::parse(text) else { return Some("this is not a URL") };
    let is_loopback = matches!(url.host_str(), Some("localhost" | "127.0.0.1" | "[::1]"));
    match url.scheme() {
        "https" => {}
        "http" if is_loopback => {}
        _ => return Some("tokens would cross the network in clear text"),
    }
    let bare = url.path() == "/" && url.query().is_none() && url.fragment().is_none();
    let nobody = url.username().is_empty() && url.password().is_none();
    (!bare || !nobody).then_some("this URL holds more than scheme, host and port")
}
