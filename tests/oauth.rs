//! Access tokens of a real authorization server, through the front door.

use std::{fs, time::Duration};

use blackbox::{Issuer, Reply, Serving, Site};
use serde_json::{Value, json};

/// The URL clients know the program by; the tests reach it at its address.
const OURS: &str = "https://mcp.test";
const READ: &str = "desktop-commander__read_file";
const WRITE: &str = "desktop-commander__write_file";

fn configured(issuer: &Issuer, more: &str) -> Site {
    let site = Site::new().with("CORE_MCP__SERVER__PUBLIC_URL", OURS);
    let path = site.data_dir().join("core.toml");
    let text = fs::read_to_string(&path).expect("quickstart wrote it");
    let section = format!(
        "\n[auth.oauth]\nfirst_scopes = [\"mcp:read\"]\n\n[auth.oauth.issuer.corp]\nurl = \"{}\"\n\
         allow_cidrs = [\"127.0.0.0/8\"]\n\
         scope_roles = {{ \"mcp:read\" = [\"viewer\"], \"mcp:operate\" = [\"viewer\", \"operator\"] }}\n{more}\n",
        issuer.url
    );
    fs::write(path, text + &section).expect("it can be written");
    site
}

fn for_us(scope: &str) -> Value {
    json!({ "client": "robot", "user": "ann", "resource": format!("{OURS}/mcp"), "scope": scope })
}

fn list(serving: &Serving, token: &str) -> Reply {
    serving.request(token, "tools/list", json!({}))
}

/// Asserts the exact refusal of a token.
#[track_caller]
fn refused(what: &str, reply: &Reply, status: u16, error: &str, words: &str) {
    assert_eq!(reply.status, status, "{what}: {reply:?}");
    let challenge = format!("error=\"{error}\"");
    assert!(reply.head.contains(&challenge), "{what}: {reply:?}");
    assert!(reply.head.contains(&format!("error_description=\"{words}\"")), "{what}: {reply:?}");
    let metadata = format!("resource_metadata=\"{OURS}/.well-known/oauth-protected-resource/mcp\"");
    assert!(reply.head.contains(&metadata), "{what}: {reply:?}");
    let body: Value = serde_json::from_str(&reply.body).expect("the body is JSON");
    assert_eq!((&body["error"], &body["error_description"]), (&error.into(), &words.into()), "{what}");
}

#[test]
fn a_client_finds_its_way_from_nothing_to_a_step_up() {
    let mut issuer = Issuer::start();
    let site = configured(&issuer, "");
    let serving = site.serve();
    let nothing = list(&serving, "");
    assert_eq!(nothing.status, 401);
    assert!(nothing.head.contains("scope=\"mcp:read\"") && !nothing.head.contains("error="), "{nothing:?}");
    for path in ["", "/mcp", "/mcp/desktop-commander", "/contexts/c-1/mcp"] {
        let head = format!(
            "GET /.well-known/oauth-protected-resource{path} HTTP/1.1\r\nHost: {}\r\n",
            serving.address
        );
        let document = serving.connect().exchange(&head, b"").message();
        assert_eq!(document["resource"], format!("{OURS}{path}"));
        assert_eq!(document["authorization_servers"], json!([issuer.url]));
        assert_eq!(document["scopes_supported"], json!(["mcp:operate", "mcp:read"]));
    }
    let token = issuer.token("authorization_code", for_us("mcp:read"));
    assert_eq!(list(&serving, &token).status, 200);
    let note = json!({ "file_path": site.path("note.txt") });
    assert_eq!(serving.call(&token, READ, note)["isError"], Value::Null);
    let write = json!({ "name": WRITE, "arguments": { "file_path": site.path("new.txt"), "content": "x" } });
    let reply = serving.request(&token, "tools/call", write.clone());
    assert_eq!(reply.status, 403, "{reply:?}");
    assert!(reply.head.contains("error=\"insufficient_scope\", scope=\"mcp:operate\""), "{reply:?}");
    assert!(!fs::exists(site.path("new.txt")).expect("it can be looked for"));
    let more = issuer.token("authorization_code", for_us("mcp:operate"));
    let reply = serving.request(&more, "tools/call", write);
    assert_eq!(reply.status, 200, "{reply:?}");
    assert!(fs::exists(site.path("new.txt")).expect("it can be looked for"), "{reply:?}");
    let found = site.cli(&["audit", "search", "--principal", "corp:ann", "--output", "json"]).ok();
    assert!(found.stdout.contains("corp:ann") && found.stdout.contains("write_file"), "{found:?}");
    assert!(!found.stdout.contains(&token) && !found.stdout.contains(&more));
}

#[test]
fn machines_come_with_client_credentials_and_our_own_tokens_go_on_working() {
    let mut issuer = Issuer::start();
    let site = configured(&issuer, "");
    let serving = site.serve();
    let token = issuer.token("client_credentials", for_us("mcp:read"));
    assert_eq!(list(&serving, &token).status, 200);
    assert_eq!(list(&serving, &site.admin).status, 200);
    serving.call(&token, READ, json!({ "file_path": site.path("note.txt") }));
    let found = site.cli(&["audit", "search", "--principal", "corp:robot", "--output", "json"]).ok();
    assert!(found.stdout.contains("read_file"), "{found:?}");
    // The same token works where no server runs.
    let words = ["call", "desktop-commander.read_file", "--output", "json"];
    let path = format!("file_path={}", site.path("note.txt"));
    site.cli_as(&token, &[&words[..], &[&path]].concat()).ok();
    let other = issuer.token(
        "client_credentials",
        json!({ "client": "robot", "resource": "https://other.test/mcp", "scope": "mcp:read" }),
    );
    let ended = site.cli_as(&other, &[&words[..], &[&path]].concat());
    assert_eq!((ended.code, ended.error_code().as_str()), (3, "authentication_failed"));
}

#[test]
fn tokens_that_attack_get_exactly_their_refusal() {
    let mut issuer = Issuer::start();
    let site = configured(&issuer, "");
    let serving = site.serve();
    let good = json!({ "aud": format!("{OURS}/mcp") });
    let control = issuer.mint(json!({}), good.clone(), "issuer");
    assert_eq!(list(&serving, &control).status, 200, "the positive control");
    let own_key = issuer.ask("stranger_key", json!({}));
    let with = |more: Value| {
        let mut claims = good.clone();
        claims.as_object_mut().expect("an object").extend(more.as_object().expect("an object").clone());
        claims
    };
    const FOREIGN: &str = "the token brings its own key or header fields that are not accepted";
    const ALGORITHM: &str = "the token's algorithm is not accepted";
    const KEY: &str = "the token's key is unknown";
    const AUDIENCE: &str = "the token is for another audience";
    const MALFORMED: &str = "the token is neither ours nor a well-formed jwt";
    let rows: Vec<(&str, Value, Value, &str, &str)> = vec![
        ("alg none", json!({"alg": "none"}), good.clone(), "nobody", ALGORITHM),
        (
            "HS256 with the public key",
            json!({"alg": "HS256"}),
            good.clone(),
            "public-key-as-secret",
            ALGORITHM,
        ),
        (
            "HS256 over RS256",
            json!({}),
            good.clone(),
            "public-key-as-secret",
            "the token's signature does not hold",
        ),
        ("a stranger's key", json!({}), good.clone(), "stranger", "the token's signature does not hold"),
        ("no signature", json!({}), good.clone(), "nobody", "the token's signature does not hold"),
        ("a path as key id", json!({"kid": "../../../../etc/passwd"}), good.clone(), "issuer", KEY),
        ("a URL as key id", json!({"kid": "https://evil.test/jwks"}), good.clone(), "issuer", KEY),
        ("SQL as key id", json!({"kid": "k1' OR '1'='1"}), good.clone(), "issuer", KEY),
        ("jku", json!({"jku": "https://evil.test/jwks"}), good.clone(), "stranger", FOREIGN),
        ("x5u", json!({"x5u": "https://evil.test/cert"}), good.clone(), "stranger", FOREIGN),
        ("its own jwk", json!({"jwk": own_key}), good.clone(), "stranger", FOREIGN),
        ("critical headers", json!({"crit": ["b64"], "b64": false}), good.clone(), "issuer", FOREIGN),
        (
            "an ID token",
            json!({"typ": "JWT"}),
            good.clone(),
            "issuer",
            "the token is not of an accepted type",
        ),
        (
            "another issuer",
            json!({}),
            with(json!({"iss": "https://evil.test"})),
            "issuer",
            "the token's issuer is not accepted",
        ),
        ("another audience", json!({}), with(json!({"aud": "https://other.test/mcp"})), "issuer", AUDIENCE),
        ("no audience", json!({}), with(json!({"aud": null})), "issuer", AUDIENCE),
        (
            "one server's audience",
            json!({}),
            with(json!({"aud": format!("{OURS}/mcp/desktop-commander")})),
            "issuer",
            AUDIENCE,
        ),
        ("expired", json!({}), with(json!({"exp": "now-60"})), "issuer", "the token has expired"),
        ("not yet", json!({}), with(json!({"nbf": "now+120"})), "issuer", "the token is not valid yet"),
        (
            "a DPoP token as bearer",
            json!({}),
            with(json!({"cnf": {"jkt": "x"}})),
            "issuer",
            "the token is bound to a key that was not shown",
        ),
        ("no expiry", json!({}), with(json!({"exp": null})), "issuer", "the token's claims cannot be read"),
        ("a huge token", json!({}), with(json!({"x": "x".repeat(5900)})), "issuer", MALFORMED),
    ];
    for (what, header, claims, by, words) in rows {
        let token = issuer.mint(header, claims, by);
        // Beyond the limit a token is not even read; the words then are those for none.
        if token.len() > 8192 {
            assert_eq!(list(&serving, &token).status, 401, "{what}");
            continue;
        }
        refused(what, &list(&serving, &token), 401, "invalid_token", words);
    }
    let nothing = issuer.mint(json!({}), with(json!({"scope": "openid"})), "issuer");
    let reply = list(&serving, &nothing);
    refused("no scope of ours", &reply, 403, "insufficient_scope", "the token gives no role here");
    assert!(reply.head.contains("scope=\"mcp:operate mcp:read\""), "{reply:?}");
    assert_eq!(list(&serving, &control).status, 200, "the positive control, again");
}

#[test]
fn keys_rotate_while_the_server_runs() {
    let mut issuer = Issuer::start();
    let site = configured(&issuer, "");
    let serving = site.serve();
    let old = issuer.token("client_credentials", for_us("mcp:read"));
    assert_eq!(list(&serving, &old).status, 200);
    issuer.ask("rotate", json!({}));
    let new = issuer.token("client_credentials", for_us("mcp:read"));
    assert_eq!(list(&serving, &new).status, 200, "an unknown key is looked for");
    assert_eq!(list(&serving, &old).status, 200, "the old key is published still");
    issuer.ask("withdraw", json!({}));
    issuer.ask("rotate", json!({}));
    let newest = issuer.token("client_credentials", for_us("mcp:read"));
    assert_eq!(list(&serving, &newest).status, 200);
    refused("withdrawn", &list(&serving, &old), 401, "invalid_token", "the token's key is unknown");
}

#[test]
fn opaque_tokens_are_asked_about_and_end_when_they_are_revoked() {
    let mut issuer = Issuer::start();
    let site = configured(
        &issuer,
        "[auth.oauth.issuer.corp.introspection]\nclient_id = \"core-mcp\"\nclient_secret = \"secret:idp\"\ncache_seconds = 1",
    );
    let secret = format!("{}\n", issuer.client_secret);
    site.cli_reading(&["secret", "set", "idp"], secret.as_bytes()).ok();
    let serving = site.serve();
    let wanted = json!({ "client": "robot-opaque", "resource": format!("{OURS}/mcp"), "scope": "mcp:read" });
    let token = issuer.token("client_credentials", wanted);
    assert_eq!(list(&serving, &token).status, 200);
    refused("made up", &list(&serving, "made-up"), 401, "invalid_token", "the token is not active");
    issuer.ask("revoke", json!({ "client": "robot-opaque", "token": token }));
    until(|| list(&serving, &token).status == 401);
}

#[test]
fn doctor_sees_an_issuer_and_changed_settings_are_taken_up() {
    let mut issuer = Issuer::start();
    let site = configured(&issuer, "");
    let issuer_check = |site: &Site| {
        let report = site.cli(&["doctor", "--output", "json"]).json();
        let checks = report["checks"].as_array().expect("checks").clone();
        checks.into_iter().find(|it| it["name"] == "issuer").unwrap_or_default()
    };
    assert_eq!(issuer_check(&site)["state"], "ok");
    let explained = site.cli(&["config", "explain", "auth.oauth.issuer.corp.url", "--output", "json"]).ok();
    assert!(
        explained.stdout.contains(&issuer.url) && explained.stdout.contains("core.toml:"),
        "{explained:?}"
    );
    let serving = site.serve();
    let token = issuer.token("client_credentials", for_us("mcp:read"));
    assert_eq!(list(&serving, &token).status, 200);
    let path = site.data_dir().join("core.toml");
    let text = fs::read_to_string(&path).expect("it is there");
    fs::write(&path, text + "blocked_subjects = [\"robot\"]\n").expect("it can be written");
    until(|| list(&serving, &token).status == 401);
    assert_eq!(list(&serving, &issuer.token("authorization_code", for_us("mcp:read"))).status, 200);
    drop(issuer);
    let check = issuer_check(&site);
    assert_eq!(check["state"], "failed", "{check}");
}

/// Waits for something that comes within seconds, on a busy machine within a minute.
#[track_caller]
fn until(mut come: impl FnMut() -> bool) {
    let began = std::time::Instant::now();
    while !come() {
        assert!(began.elapsed() < Duration::from_secs(60), "it does not come");
        std::thread::yield_now();
    }
}
