//! The running program over TLS: certificates change under it.

use std::{
    fs,
    process::Command,
    time::{Duration, Instant},
};

use blackbox::{Serving, Site};

/// A CA and a certificate of it for this machine, by openssl; the names of the files begin with `name`.
fn certificate(site: &Site, name: &str) {
    let script = format!(
        "set -e; printf 'subjectAltName=IP:127.0.0.1' > {name}.ext
        openssl req -x509 -newkey rsa:2048 -nodes -days 2 -subj '/CN={name} CA' -keyout {name}-ca.key -out {name}-ca.pem
        openssl req -newkey rsa:2048 -nodes -subj '/CN={name}' -keyout {name}.key -out {name}.csr
        openssl x509 -req -in {name}.csr -CA {name}-ca.pem -CAkey {name}-ca.key -days 2 -extfile {name}.ext -out {name}.pem
        chmod 600 {name}.key"
    );
    let output = Command::new("sh").args(["-c", &script]).current_dir(site.outside()).output();
    let output = output.expect("openssl is installed: cargo xtask test --only install");
    assert!(output.status.success(), "{output:?}");
}

/// Whether the program shows a certificate that the CA of `name` signed.
fn shows(site: &Site, serving: &Serving, name: &str) -> bool {
    let ca = site.outside().join(format!("{name}-ca.pem"));
    let url = format!("https://{}/healthz", serving.address);
    let curl = Command::new("curl").args(["--silent", "--fail", "--cacert"]).arg(ca).arg(url).output();
    curl.expect("curl is installed: cargo xtask test --only install").status.success()
}

fn put(site: &Site, name: &str, files: &[&str]) {
    for file in files {
        let from = site.outside().join(format!("{name}.{file}"));
        let to = site.outside().join(format!("live.{file}"));
        // As a certificate tool does it: whole, and with the mode it had.
        let staging = site.outside().join("staging");
        fs::copy(from, &staging).expect("copied");
        fs::rename(staging, to).expect("renamed");
    }
}

#[test]
fn certificates_are_replaced_under_a_running_server() {
    let site = Site::new();
    certificate(&site, "first");
    certificate(&site, "second");
    put(&site, "first", &["pem", "key"]);
    let path = site.data_dir().join("core.toml");
    let text = fs::read_to_string(&path).expect("quickstart wrote it");
    let live = site.outside().join("live");
    let section = format!("[server.tls]\ncert_file = \"{0}.pem\"\nkey_file = \"{0}.key\"\n", live.display());
    fs::write(&path, format!("{text}\n{section}")).expect("written");
    let serving = site.serve();
    assert!(shows(&site, &serving, "first") && !shows(&site, &serving, "second"));
    // Half of a new pair is refused, and the old one stays.
    put(&site, "second", &["pem"]);
    until(|| {
        site.cli(&["audit", "search", "--tool", "tls.refused", "--output", "json"])
            .stdout
            .contains("tls.refused")
    });
    assert!(shows(&site, &serving, "first"));
    put(&site, "second", &["key"]);
    until(|| shows(&site, &serving, "second"));
    assert!(!shows(&site, &serving, "first"));
    let report = site.cli(&["doctor", "--output", "json"]).json();
    let checks = report["checks"].as_array().expect("checks");
    assert!(checks.iter().any(|it| it["name"] == "certificate" && it["state"] == "ok"), "{report}");
}

#[test]
fn nothing_is_served_in_clear_text_to_the_network() {
    let site = Site::new();
    let refused = site.cli(&["serve", "--listen", "0.0.0.0:0", "--output", "json"]);
    assert_eq!(refused.code, 2, "{refused:?}");
    assert!(refused.stderr.contains("clear text") && refused.stderr.contains("server.tls"), "{refused:?}");
}

#[track_caller]
fn until(mut come: impl FnMut() -> bool) {
    let began = Instant::now();
    while !come() {
        assert!(began.elapsed() < Duration::from_secs(60), "it does not come");
    }
}
