//! Persons who log in to an upstream: the way there, what is refused on it, and that nobody gets what is another's.

use std::{
    collections::BTreeMap,
    sync::{Arc, Mutex},
    time::Duration,
};

use credentials::{AuthorizationCodeSettings, CredentialsError, Login, UpstreamAuth, UpstreamAuthSettings};
use guard::url::UrlRules;
use kernel::{Principal, PrincipalKind, Secret};
use serde_json::{Value, json};
use store::DataDir;
use vault::Vault;

use crate::server::{Server, rules, serve};

const BACK: &str = "http://127.0.0.1:7777/callback";

/// Upstream and authorization server in one, with changes to what it says of itself.
struct World {
    server: Server,
    _folder: tempfile::TempDir,
    vault: Arc<Vault>,
    /// What the token endpoint says to each grant.
    tokens: Arc<Mutex<BTreeMap<&'static str, (u16, Value)>>>,
}

async fn world(changes: Value) -> World {
    let tokens = Arc::new(Mutex::new(BTreeMap::new()));
    let told = Arc::clone(&tokens);
    let server = serve(move |own, request| {
        let merged = |mut base: Value, changes: &Value| {
            for (key, value) in changes.as_object().into_iter().flatten() {
                // `OWN` stands for this server's URL.
                base[key] = match value.as_str().and_then(|it| it.strip_prefix("OWN")) {
                    Some(path) => format!("{own}{path}").into(),
                    None => value.clone(),
                };
            }
            (200, base)
        };
        match request.split(' ').nth(1).unwrap_or_default() {
            "/.well-known/oauth-protected-resource/mcp" => merged(
                json!({ "resource": format!("{own}/mcp"), "authorization_servers": [own], "scopes_supported": ["read"] }),
                &changes["resource"],
            ),
            "/.well-known/oauth-authorization-server" => merged(
                json!({
                    "issuer": own, "authorization_endpoint": format!("{own}/authorize"),
                    "token_endpoint": format!("{own}/token"), "code_challenge_methods_supported": ["S256"],
                }),
                &changes["server"],
            ),
            "/register" => (201, json!({ "client_id": "made", "client_secret": "made-secret", "token_endpoint_auth_method": "client_secret_post" })),
            "/token" => {
                let grant = if request.contains("grant_type=refresh_token") { "refresh" } else { "code" };
                told.lock().unwrap().get(grant).cloned().unwrap_or((400, json!({ "error": "invalid_grant" })))
            }
            _ => (404, json!({})),
        }
    })
    .await;
    let folder = tempfile::tempdir().unwrap();
    let vault = Arc::new(Vault::open(&DataDir::open(folder.path()).unwrap()).unwrap());
    let world = World { server, _folder: folder, vault, tokens };
    world.say("code", token("first", 3600));
    world
}

impl World {
    fn say(&self, grant: &'static str, answer: (u16, Value)) {
        self.tokens.lock().unwrap().insert(grant, answer);
    }

    fn open(&self, settings: AuthorizationCodeSettings) -> Arc<UpstreamAuth> {
        let url = format!("{}/mcp", self.server.url);
        let settings = UpstreamAuthSettings::AuthorizationCode(settings);
        UpstreamAuth::open(&url, &settings, &rules(&self.server.url), Arc::clone(&self.vault)).unwrap()
    }

    fn client(&self) -> Arc<UpstreamAuth> {
        self.open(AuthorizationCodeSettings {
            client_id: "app".into(),
            ..AuthorizationCodeSettings::default()
        })
    }

    /// The form of the last question to the token endpoint, and its head.
    fn last_form(&self) -> (BTreeMap<String, String>, String) {
        let asked = self.server.asked("/token");
        let (head, form) = asked.last().unwrap().split_once("\r\n\r\n").unwrap();
        (url::form_urlencoded::parse(form.as_bytes()).into_owned().collect(), head.to_ascii_lowercase())
    }
}

fn token(text: &str, seconds: u64) -> (u16, Value) {
    let body = json!({ "access_token": text, "token_type": "Bearer", "expires_in": seconds, "refresh_token": format!("r-{text}") });
    (200, body)
}

fn person(id: &str) -> Principal {
    Principal { id: id.into(), kind: PrincipalKind::User, roles: Vec::new(), token_id: None }
}

fn query(login: &Login) -> BTreeMap<String, String> {
    url::Url::parse(login.url()).unwrap().query_pairs().into_owned().collect()
}

async fn bearer(auth: &UpstreamAuth, id: &str) -> Result<String, String> {
    let shown = auth.headers(&person(id)).await.map_err(|it| it.to_string())?;
    Ok(shown.headers().next().map(|(_, value)| value.expose().clone()).unwrap_or_default())
}

async fn log_in(auth: &UpstreamAuth, id: &str) -> Result<(), String> {
    let login = auth.begin_login(BACK, None).await.map_err(|it| it.to_string())?;
    let answer = format!("code=c&state={}", login.state());
    auth.finish_login(login, &person(id), &answer).await.map_err(|it| it.to_string())
}

#[tokio::test]
async fn a_person_logs_in_once_and_nobody_else_uses_it() {
    let world = world(json!({})).await;
    let auth = world.client();
    assert_eq!(bearer(&auth, "ann").await, Err("the upstream needs a login of `ann`".into()));
    let login = auth.begin_login(BACK, None).await.unwrap();
    let asked = query(&login);
    assert!(login.url().starts_with(&format!("{}/authorize?", world.server.url)));
    for (key, value) in [
        ("response_type", "code"),
        ("client_id", "app"),
        ("redirect_uri", BACK),
        ("code_challenge_method", "S256"),
        ("scope", "read"),
    ] {
        assert_eq!(asked[key], value, "{key}");
    }
    assert_eq!(asked["resource"], format!("{}/mcp", world.server.url));
    assert!(asked["state"].len() >= 43 && asked["code_challenge"].len() == 43);
    auth.finish_login(login, &person("ann"), &format!("?code=the-code&state={}", asked["state"]))
        .await
        .unwrap();
    let (form, head) = world.last_form();
    assert_eq!(
        (form["code"].as_str(), form["redirect_uri"].as_str(), form["client_id"].as_str()),
        ("the-code", BACK, "app")
    );
    assert_eq!(form["resource"], asked["resource"]);
    assert!(
        form["code_verifier"].len() == 43
            && !head.contains("authorization:")
            && !form.contains_key("client_secret")
    );
    assert_eq!(bearer(&auth, "ann").await, Ok("Bearer first".into()));
    assert_eq!(bearer(&auth, "bob").await, Err("the upstream needs a login of `bob`".into()));
    world.say("code", token("of-bob", 3600));
    log_in(&auth, "bob").await.unwrap();
    assert_eq!(bearer(&auth, "ann").await, Ok("Bearer first".into()));
    assert_eq!(bearer(&auth, "bob").await, Ok("Bearer of-bob".into()));
    // Another process finds it; a log-out ends it.
    assert_eq!(bearer(&world.client(), "bob").await, Ok("Bearer of-bob".into()));
    auth.log_out(&person("bob")).unwrap();
    assert!(bearer(&auth, "bob").await.is_err());
    assert_eq!(bearer(&auth, "ann").await, Ok("Bearer first".into()));
}

#[tokio::test]
async fn an_answer_that_is_not_the_one_waited_for_is_refused_before_anything_is_sent() {
    let promised = json!({ "server": { "authorization_response_iss_parameter_supported": true } });
    let world = world(promised).await;
    let auth = world.client();
    let own = world.server.url.clone();
    let rows: [(&str, String, &str); 12] = [
        ("no state", format!("code=c&iss={own}"), "the answer belongs to another login"),
        ("another state", format!("code=c&state=x&iss={own}"), "the answer belongs to another login"),
        ("an empty state", format!("code=c&state=&iss={own}"), "the answer belongs to another login"),
        ("half a state", format!("code=c&state=HALF&iss={own}"), "the answer belongs to another login"),
        ("two states", format!("code=c&state=x&state=STATE&iss={own}"), "the answer says something twice"),
        ("two codes", format!("code=c&code=d&state=STATE&iss={own}"), "the answer says something twice"),
        ("no issuer", "code=c&state=STATE".into(), "the answer does not say who it comes from"),
        (
            "another issuer",
            "code=c&state=STATE&iss=https://evil.example".into(),
            "the answer comes from another authorization server",
        ),
        (
            "nearly our issuer",
            format!("code=c&state=STATE&iss={own}/"),
            "the answer comes from another authorization server",
        ),
        (
            "a no",
            format!("error=access_denied&state=STATE&iss={own}"),
            "the person or the authorization server said no",
        ),
        ("no code", format!("state=STATE&iss={own}"), "the answer has no code"),
        (
            "a long answer",
            format!("code={}&state=STATE&iss={own}", "c".repeat(9000)),
            "the answer is too long",
        ),
    ];
    for (what, answer, words) in rows {
        let login = auth.begin_login(BACK, None).await.unwrap();
        let answer = answer.replace("STATE", login.state()).replace("HALF", &login.state()[..20]);
        let refused = auth.finish_login(login, &person("ann"), &answer).await;
        assert_eq!(
            refused.map_err(|it| it.to_string()),
            Err(format!("the login was refused: {words}")),
            "{what}"
        );
    }
    assert_eq!(world.server.asked("/token").len(), 0);
    let (one, two) =
        (auth.begin_login(BACK, None).await.unwrap(), auth.begin_login(BACK, None).await.unwrap());
    let swapped = format!("code=c&state={}&iss={own}", two.state());
    assert!(auth.finish_login(one, &person("ann"), &swapped).await.is_err(), "the state of another login");
    let right = format!("code=c&state={}&iss={own}", two.state());
    auth.finish_login(two, &person("ann"), &right).await.unwrap();
}

#[tokio::test]
async fn what_an_upstream_says_of_itself_is_not_believed_blindly() {
    let refused = async |changes: Value, settings: AuthorizationCodeSettings| {
        let world = world(changes).await;
        let auth = world.open(settings);
        auth.begin_login(BACK, None).await.err().map(|it| it.to_string()).unwrap_or_default()
    };
    let app =
        || AuthorizationCodeSettings { client_id: "app".into(), ..AuthorizationCodeSettings::default() };
    for (changes, words) in [
        (json!({"resource": {"resource": "https://other.example/mcp"}}), "about another resource"),
        (json!({"resource": {"authorization_servers": []}}), "names no authorization server"),
        (json!({"resource": {"authorization_servers": ["http://10.0.0.1/"]}}), ""),
        (json!({"resource": {"authorization_servers": ["http://169.254.169.254/"]}}), ""),
        (json!({"server": {"issuer": "https://evil.example"}}), "names another issuer"),
        (json!({"server": {"code_challenge_methods_supported": []}}), "PKCE"),
        (json!({"server": {"code_challenge_methods_supported": ["plain"]}}), "PKCE"),
        (json!({"server": {"authorization_endpoint": "javascript:alert(1)"}}), "no https URL"),
        (json!({"server": {"authorization_endpoint": "file:///etc/passwd"}}), "no https URL"),
        (json!({"server": {"authorization_endpoint": null}}), "no https URL"),
    ] {
        let said = refused(changes.clone(), app()).await;
        assert!(
            said.starts_with("the upstream cannot be logged in to") && said.contains(words),
            "{changes}: {said}"
        );
    }
    let pinned = AuthorizationCodeSettings { issuer: "https://as.example".into(), ..app() };
    assert!(
        refused(json!({}), pinned).await.contains("another authorization server than the configured one")
    );
    let nobody = refused(json!({}), AuthorizationCodeSettings::default()).await;
    assert!(nobody.contains("set client_id"), "{nobody}");
    let world = world(json!({})).await;
    let challenge = format!("Bearer resource_metadata=\"http://169.254.169.254/latest\", scope=\"{}\"", "x");
    assert!(
        world.client().begin_login(BACK, Some(&challenge)).await.is_err(),
        "no fetch where the upstream likes"
    );
    for redirect in [
        "http://evil.example/callback",
        "javascript:alert(1)",
        "",
        "https://a.example/#x",
        "https://me@a.example/",
    ] {
        assert!(world.client().begin_login(redirect, None).await.is_err(), "{redirect}");
    }
    assert!(world.client().begin_login("https://mcp.example.com/callback", None).await.is_ok());
}

#[tokio::test]
async fn clients_are_registered_before_named_by_a_document_or_made() {
    let basic = world(json!({})).await;
    basic.vault.set("up", &Secret::new("s 1".into())).unwrap();
    let with_secret = |world: &World| AuthorizationCodeSettings {
        issuer: world.server.url.clone(),
        client_id: "app".into(),
        client_secret: "secret:up".into(),
        ..AuthorizationCodeSettings::default()
    };
    log_in(&basic.open(with_secret(&basic)), "ann").await.unwrap();
    let (form, head) = basic.last_form();
    assert!(head.contains("authorization: basic ") && !form.contains_key("client_secret"));
    let post =
        world(json!({"server": {"token_endpoint_auth_methods_supported": ["client_secret_post"]}})).await;
    post.vault.set("up", &Secret::new("s 1".into())).unwrap();
    log_in(&post.open(with_secret(&post)), "ann").await.unwrap();
    let (form, head) = post.last_form();
    assert!(!head.contains("authorization:") && form["client_secret"] == "s 1");
    let document = "https://core.example/client.json";
    let by_document = AuthorizationCodeSettings {
        client_metadata_url: document.into(),
        ..AuthorizationCodeSettings::default()
    };
    let named = world(json!({"server": {"client_id_metadata_document_supported": true}})).await;
    let login = named.open(by_document).begin_login(BACK, None).await.unwrap();
    assert_eq!(query(&login)["client_id"], document);
    let made = world(json!({"server": {"registration_endpoint": "OWN/register"}})).await;
    let auth = made.open(AuthorizationCodeSettings::default());
    log_in(&auth, "ann").await.unwrap();
    let (form, head) = made.last_form();
    assert_eq!((form["client_id"].as_str(), form["client_secret"].as_str()), ("made", "made-secret"));
    assert!(!head.contains("authorization:"));
    let registered = made.server.asked("/register");
    let wanted: Value = serde_json::from_str(registered[0].split("\r\n\r\n").nth(1).unwrap()).unwrap();
    assert_eq!((&wanted["redirect_uris"], &wanted["application_type"]), (&json!([BACK]), &json!("native")));
}

#[tokio::test]
async fn scopes_come_from_the_operator_the_challenge_or_the_metadata() {
    let world = world(json!({"server": {"scopes_supported": ["read", "offline_access"]}})).await;
    let scope = async |settings: AuthorizationCodeSettings, challenge: Option<&str>| {
        let login = world.open(settings).begin_login(BACK, challenge).await.unwrap();
        query(&login).get("scope").cloned().unwrap_or_default()
    };
    let app =
        || AuthorizationCodeSettings { client_id: "app".into(), ..AuthorizationCodeSettings::default() };
    assert_eq!(scope(app(), None).await, "read offline_access");
    assert_eq!(scope(app(), Some("Bearer scope=\"write admin\"")).await, "write admin offline_access");
    let own = AuthorizationCodeSettings { scopes: vec!["mine".into()], ..app() };
    assert_eq!(scope(own, Some("Bearer scope=\"write\"")).await, "mine offline_access");
}

#[tokio::test]
async fn tokens_are_renewed_and_what_ended_needs_a_new_login() {
    let world = world(json!({})).await;
    world.say("code", token("short", 31));
    let auth = world.client();
    log_in(&auth, "ann").await.unwrap();
    world.say("refresh", token("second", 3600));
    let renewed = async {
        loop {
            match bearer(&world.client(), "ann").await.unwrap().as_str() {
                "Bearer second" => break,
                other => assert_eq!(other, "Bearer short"),
            }
        }
    };
    tokio::time::timeout(Duration::from_secs(20), renewed).await.expect("it is renewed before it ends");
    let (form, _) = world.last_form();
    assert_eq!((form["refresh_token"].as_str(), form["client_id"].as_str()), ("r-short", "app"));
    // A refused token is renewed even when it should be good; the rotated refresh token is used.
    world.say("refresh", token("third", 3600));
    let auth = world.client();
    let shown = auth.headers(&person("ann")).await.unwrap();
    auth.refused(&shown, 401, None).unwrap();
    assert_eq!(bearer(&auth, "ann").await, Ok("Bearer third".into()));
    assert_eq!(world.last_form().0["refresh_token"], "r-second");
    world.say("refresh", (400, json!({ "error": "invalid_grant" })));
    let shown = auth.headers(&person("ann")).await.unwrap();
    auth.refused(&shown, 401, None).unwrap();
    assert_eq!(bearer(&auth, "ann").await, Err("the upstream needs a login of `ann`".into()));
    world.say("refresh", (503, json!({})));
    assert!(bearer(&auth, "ann").await.unwrap_err().contains("status 503"), "away is not ended");
}

#[tokio::test]
async fn credentials_of_one_issuer_are_never_shown_to_another() {
    let world = world(json!({})).await;
    world.say("code", token("short", 1));
    log_in(&world.client(), "ann").await.unwrap();
    let before = world.server.asked("/token").len();
    let elsewhere = AuthorizationCodeSettings {
        issuer: "https://other.example".into(),
        client_id: "app".into(),
        ..AuthorizationCodeSettings::default()
    };
    let moved = world.open(elsewhere);
    assert_eq!(bearer(&moved, "ann").await, Err("the upstream needs a login of `ann`".into()));
    assert_eq!(world.server.asked("/token").len(), before, "nothing was sent");
}

#[test]
fn a_secret_needs_a_pinned_issuer() {
    let folder = tempfile::tempdir().unwrap();
    let vault = Arc::new(Vault::open(&DataDir::open(folder.path()).unwrap()).unwrap());
    let refused = |settings: AuthorizationCodeSettings| {
        let settings = UpstreamAuthSettings::AuthorizationCode(settings);
        let opened =
            UpstreamAuth::open("https://up.example", &settings, &UrlRules::default(), Arc::clone(&vault));
        matches!(opened, Err(CredentialsError::Settings { .. }))
    };
    let base = AuthorizationCodeSettings {
        client_id: "app".into(),
        client_secret: "secret:x".into(),
        ..AuthorizationCodeSettings::default()
    };
    assert!(refused(base.clone()), "the upstream would choose where our secret goes");
    assert!(!refused(AuthorizationCodeSettings { issuer: "https://as.example".into(), ..base.clone() }));
    assert!(refused(AuthorizationCodeSettings { issuer: "http://as.example".into(), ..base.clone() }));
    assert!(refused(AuthorizationCodeSettings {
        client_secret: "hunter2".into(),
        issuer: "https://as.example".into(),
        ..base
    }));
}
