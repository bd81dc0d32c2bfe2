//! What is sent, what happens when it is refused, and what is never sent.

use std::{
    collections::BTreeMap,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    time::Duration,
};

use credentials::{
    ClientCredentialsSettings, ClientProof, CredentialsError, Shown, UpstreamAuth, UpstreamAuthSettings,
};
use guard::url::UrlRules;
use kernel::{ErrorKind, Principal, PrincipalKind, Secret, ToolError};
use serde_json::{Value, json};
use store::DataDir;
use vault::Vault;

use crate::server::{Server, rules, serve};

const HOUR: Duration = Duration::from_secs(3600);

/// An authorization server whose token endpoint answers with what `reply` says to the request and its number.
async fn server(reply: impl Fn(&str, usize) -> (u16, Value) + Send + Sync + 'static) -> Server {
    let count = AtomicUsize::new(0);
    serve(move |own, request| match request.split(' ').nth(1).unwrap_or_default() {
        "/.well-known/openid-configuration" => {
            (200, json!({ "issuer": own, "token_endpoint": format!("{own}/token") }))
        }
        "/token" => reply(request, count.fetch_add(1, Ordering::Relaxed) + 1),
        _ => (404, json!({})),
    })
    .await
}

struct World {
    _folder: tempfile::TempDir,
    vault: Arc<Vault>,
}

fn world(secrets: &[(&str, &str)]) -> World {
    let folder = tempfile::tempdir().unwrap();
    let vault = Arc::new(Vault::open(&DataDir::open(folder.path()).unwrap()).unwrap());
    for (name, value) in secrets {
        vault.set(name, &secret(value)).unwrap();
    }
    World { _folder: folder, vault }
}

fn secret(text: &str) -> Secret<String> {
    Secret::new(text.to_owned())
}

fn ann() -> Principal {
    Principal { id: "ann".into(), kind: PrincipalKind::User, roles: Vec::new(), token_id: None }
}

fn headers(pairs: &[(&str, &str)]) -> UpstreamAuthSettings {
    let headers = pairs.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect();
    UpstreamAuthSettings::Headers { headers }
}

fn client(url: &str, proof: ClientProof) -> UpstreamAuthSettings {
    UpstreamAuthSettings::ClientCredentials(ClientCredentialsSettings {
        issuer: url.to_owned(),
        token_url: String::new(),
        client_id: "core mcp".into(),
        client_secret: "secret:idp".into(),
        proof,
        scopes: vec!["read".into(), "write".into()],
        resource: String::new(),
    })
}

fn open(world: &World, url: &str, settings: &UpstreamAuthSettings) -> Arc<UpstreamAuth> {
    UpstreamAuth::open("https://up.example/mcp", settings, &rules(url), Arc::clone(&world.vault)).unwrap()
}

fn sent(shown: &Shown) -> BTreeMap<String, String> {
    shown.headers().map(|(name, value)| (name.to_owned(), value.expose().clone())).collect()
}

async fn value(auth: &UpstreamAuth) -> Result<String, String> {
    let shown = auth.headers(&ann()).await.map_err(|it| it.to_string())?;
    Ok(sent(&shown).into_values().next().unwrap_or_default())
}

fn token(text: &str) -> (u16, Value) {
    (200, json!({ "access_token": text, "token_type": "Bearer", "expires_in": 3600 }))
}

#[tokio::test]
async fn headers_are_filled_from_the_vault_and_print_nothing() {
    let world = world(&[("key", "k-1"), ("token", "t-1")]);
    let auth = open(
        &world,
        "",
        &headers(&[("X-Key", "secret:key"), ("Authorization", "Bearer ${secret:token}"), ("X-Plain", "p")]),
    );
    let shown = auth.headers(&ann()).await.unwrap();
    let expected = [("Authorization", "Bearer t-1"), ("X-Key", "k-1"), ("X-Plain", "p")];
    assert_eq!(sent(&shown), expected.map(|(name, value)| (name.to_owned(), value.to_owned())).into());
    assert!(!format!("{shown:?}").contains("k-1"));
    let nothing = open(&world, "", &UpstreamAuthSettings::None);
    let shown = nothing.headers(&ann()).await.unwrap();
    assert_eq!(shown.headers().count(), 0);
    assert!(matches!(nothing.refused(&shown, 401, None), Err(CredentialsError::Refused)));
}

#[tokio::test]
async fn a_refused_header_is_tried_with_the_newest_then_with_the_older_secret() {
    let world = world(&[("key", "one")]);
    let auth = open(&world, "", &headers(&[("X-Key", "secret:key")]));
    let shown = auth.headers(&ann()).await.unwrap();
    world.vault.rotate("key", &secret("two"), HOUR).unwrap();
    auth.refused(&shown, 401, None).unwrap();
    let shown = auth.headers(&ann()).await.unwrap();
    assert_eq!(sent(&shown)["X-Key"], "two", "the other side has rotated");
    auth.refused(&shown, 401, None).unwrap();
    let shown = auth.headers(&ann()).await.unwrap();
    assert_eq!(sent(&shown)["X-Key"], "one", "the other side has not");
    auth.accepted(&shown);
    assert_eq!(value(&auth).await, Ok("one".into()), "what works is kept");
    assert!(
        matches!(auth.refused(&shown, 401, None), Err(CredentialsError::Refused)),
        "there is nothing else"
    );
}

#[tokio::test]
async fn an_upstream_that_refuses_everything_is_left_alone_for_a_while() {
    let server = server(|_, count| token(&format!("t{count}"))).await;
    let world = world(&[("idp", "pw")]);
    let auth = open(&world, &server.url, &client(&server.url, ClientProof::Basic));
    for _ in 0..2 {
        let shown = auth.headers(&ann()).await.unwrap();
        auth.refused(&shown, 401, None).unwrap();
    }
    let shown = auth.headers(&ann()).await.unwrap();
    assert!(matches!(auth.refused(&shown, 401, None), Err(CredentialsError::Refused)));
    assert!(matches!(auth.headers(&ann()).await, Err(CredentialsError::Refused)));
    assert_eq!(server.asked("/token").len(), 3, "nobody is asked meanwhile");
}

#[tokio::test]
async fn a_token_is_asked_for_once_however_many_wait() {
    let server = server(|_, count| token(&format!("t{count}"))).await;
    let world = world(&[("idp", "p:w d")]);
    let auth = open(&world, &server.url, &client(&server.url, ClientProof::Basic));
    let waiting: Vec<_> = (0..20)
        .map(|_| {
            let auth = Arc::clone(&auth);
            tokio::spawn(async move { value(&auth).await })
        })
        .collect();
    for it in waiting {
        assert_eq!(it.await.unwrap(), Ok("Bearer t1".into()));
    }
    let asked = server.asked("/token");
    assert_eq!(asked.len(), 1);
    let form = asked[0].rsplit("\r\n\r\n").next().unwrap();
    assert_eq!(
        form,
        "grant_type=client_credentials&resource=https%3A%2F%2Fup.example%2Fmcp&scope=read+write"
    );
    // `core+mcp:p%3Aw+d`
    assert!(
        asked[0].to_ascii_lowercase().contains("authorization: basic y29yzsttyda6")
            || asked[0].contains("Basic Y29yZSttY3A6cCUzQXcrZA=="),
        "{}",
        asked[0]
    );
    // Two refusals of the same token are one.
    let shown = auth.headers(&ann()).await.unwrap();
    auth.refused(&shown, 401, None).unwrap();
    assert_eq!(value(&auth).await, Ok("Bearer t2".into()));
    auth.refused(&shown, 401, None).unwrap();
    assert_eq!(value(&auth).await, Ok("Bearer t2".into()));
}

#[tokio::test]
async fn the_secret_travels_as_configured_and_the_older_one_works_while_both_are_good() {
    let server = server(|request, _| {
        if request.contains("client_secret=old") {
            token("t")
        } else {
            (401, json!({ "error": "invalid_client" }))
        }
    })
    .await;
    let world = world(&[("idp", "old")]);
    world.vault.rotate("idp", &secret("new"), HOUR).unwrap();
    let auth = open(&world, &server.url, &client(&server.url, ClientProof::Post));
    assert_eq!(value(&auth).await, Ok("Bearer t".into()));
    let asked = server.asked("/token");
    assert!(asked.iter().all(|it| !it.to_ascii_lowercase().contains("authorization:")), "{asked:?}");
    assert_eq!(asked.len(), 2);
    world.vault.rotate("idp", &secret("newer"), Duration::ZERO).unwrap();
    let auth = open(&world, &server.url, &client(&server.url, ClientProof::Post));
    let words = value(&auth).await.unwrap_err();
    assert_eq!(
        words,
        "the authorization server of the upstream gave no token: it answered with status 401 (invalid_client)"
    );
}

#[tokio::test]
async fn answers_that_are_no_token_are_refused_in_words_without_secrets() {
    for (answer, words) in [
        ((200, json!({ "access_token": "t", "token_type": "DPoP" })), "it is not a bearer token"),
        (
            (200, json!({ "access_token": "a\r\nX-Evil: 1", "token_type": "bearer" })),
            "it does not fit into a header",
        ),
        ((200, json!({ "access_token": "", "token_type": "bearer" })), "it does not fit into a header"),
        ((200, json!({ "token_type": "bearer" })), "its answer is not the expected JSON"),
        ((500, json!({ "error": "x y" })), "it answered with status 500"),
        ((302, json!({})), "it answered with status 302"),
    ] {
        let server = server(move |_, _| answer.clone()).await;
        let world = world(&[("idp", "hunter2")]);
        let auth = open(&world, &server.url, &client(&server.url, ClientProof::Basic));
        let error = auth.headers(&ann()).await.unwrap_err();
        assert_eq!(
            error.to_string(),
            format!("the authorization server of the upstream gave no token: {words}")
        );
        let error = ToolError::from(error);
        assert!(
            error.kind == ErrorKind::Unavailable
                && error.before_send
                && !format!("{error:?}").contains("hunter2")
        );
    }
}

#[tokio::test]
async fn an_upstream_that_wants_more_is_heard_and_cannot_choose_where_our_secret_goes() {
    let world = world(&[("key", "k")]);
    let auth = open(&world, "", &headers(&[("X-Key", "secret:key")]));
    let shown = auth.headers(&ann()).await.unwrap();
    let refused = |challenge: Option<&str>| auth.refused(&shown, 403, challenge).unwrap_err().to_string();
    assert!(
        refused(Some("Bearer error=\"insufficient_scope\", scope=\"admin:write\"")).contains("`admin:write`")
    );
    for strange in [None, Some("Bearer scope=\"a\u{1b}[31m\""), Some("Bearer scope=\""), Some("scope=\"\"")] {
        assert_eq!(refused(strange), "the upstream does not accept our credentials", "{strange:?}");
    }
    let kind = ToolError::from(CredentialsError::Scope("x".into())).kind;
    assert_eq!(kind, ErrorKind::PermissionDenied);
}

#[test]
fn settings_that_make_no_sense_are_refused() {
    let world = world(&[]);
    let refused = |settings: &UpstreamAuthSettings, rules: &UrlRules| {
        UpstreamAuth::open("https://up.example", settings, rules, Arc::clone(&world.vault))
            .err()
            .map(|it| it.to_string())
    };
    for name in ["Host", "content-length", "Mcp-Session-Id", "X Y", "", "X:Y", "é"] {
        assert!(refused(&headers(&[(name, "v")]), &UrlRules::default()).is_some(), "{name}");
    }
    assert!(refused(&headers(&[("X", "a\nb")]), &UrlRules::default()).is_some());
    assert!(refused(&headers(&[("X", "v")]), &UrlRules::default()).is_none());
    assert!(
        refused(&client("http://127.0.0.1:1", ClientProof::Basic), &UrlRules::default()).is_some(),
        "clear text"
    );
    assert!(refused(&client("https://as.example", ClientProof::Basic), &UrlRules::default()).is_none());
    let mut literal = client("https://as.example", ClientProof::Basic);
    if let UpstreamAuthSettings::ClientCredentials(it) = &mut literal {
        it.client_secret = "hunter2".into();
    }
    assert!(refused(&literal, &UrlRules::default()).is_some_and(|it| !it.contains("hunter2")));
    let named: Vec<String> = headers(&[("A", "secret:x"), ("B", "${secret:y} ${secret:z}")]).secrets();
    assert_eq!(named, ["x", "y", "z"]);
    let read: Result<UpstreamAuthSettings, _> =
        serde_json::from_value(json!({ "kind": "headers", "headers": {}, "x": 1 }));
    assert!(read.is_err(), "unknown keys are refused");
}

#[tokio::test]
async fn a_secret_with_a_line_break_is_not_sent() {
    let world = world(&[("key", "a\r\nX-Evil: 1")]);
    let auth = open(&world, "", &headers(&[("X-Key", "secret:key")]));
    assert!(matches!(auth.headers(&ann()).await, Err(CredentialsError::Settings { .. })));
    let missing = open(&world, "", &headers(&[("X-Key", "secret:other")]));
    assert!(matches!(missing.headers(&ann()).await, Err(CredentialsError::Vault(_))));
}
