//! What happens to tokens over time: rotation, issuers that go away, routes, certificates, introspection.

use std::sync::{Arc, atomic::Ordering};

use identity::{CertificateMapping, OAuthSettings, TokenOptions};
use kernel::{ErrorKind, PrincipalKind};
use pipeline::seams::{ClientCertificate, Credentials, Identity};
use serde_json::json;

use crate::issuer::{Door, Key, OURS, Server, oauth};

#[tokio::test]
async fn a_good_token_is_a_principal_with_the_roles_of_its_scopes() {
    let key = Key::new("k1");
    let server = Server::start(&[&key]).await;
    let door = Door::new(&server.settings());
    let token = key.sign(&key.header(), &server.claims());
    let principal = door.admit(&token).await.unwrap();
    assert_eq!((principal.id.as_str(), principal.kind), ("corp:ann", PrincipalKind::User));
    assert_eq!(principal.roles, ["viewer"]);
    assert!(principal.token_id.as_ref().is_some_and(|it| it.starts_with("corp:") && it.len() == 21));
    assert!(door.authenticator.still_valid(&principal));
    let more = door.authenticator.with_more_scope(&principal);
    assert_eq!(more.iter().map(|it| it.0.as_str()).collect::<Vec<_>>(), ["mcp:operate"]);
    assert_eq!(more[0].1.roles, ["operator", "viewer"]);
    let forged = kernel::Principal { roles: vec!["admin".into()], ..principal };
    assert!(!door.authenticator.still_valid(&forged), "roles are compared");
}

#[tokio::test]
async fn our_own_tokens_go_on_working_beside_foreign_ones() {
    let key = Key::new("k1");
    let server = Server::start(&[&key]).await;
    let door = Door::new(&server.settings());
    door.store.create_principal("ann", PrincipalKind::User).unwrap();
    door.store.grant_role("ann", "viewer").unwrap();
    let made = door.store.create_token("ann", &TokenOptions::default()).unwrap();
    assert_eq!(door.admit(made.secret.expose()).await.unwrap().id, "ann");
    door.store.revoke_token(&made.info.id).unwrap();
    assert_eq!(door.admit(made.secret.expose()).await, Err("the token is not valid".into()));
}

#[tokio::test]
async fn keys_rotate_with_overlap_and_a_withdrawn_key_ends_its_tokens() {
    let (old, new) = (Key::new("k1"), Key::new("k2"));
    let server = Server::start(&[&old]).await;
    let door = Door::new(&server.settings());
    let token = |key: &Key| key.sign(&key.header(), &server.claims());
    let old_token = token(&old);
    let principal = door.admit(&old_token).await.unwrap();
    *server.answers.keys.lock().unwrap() = vec![old.public(), new.public()];
    door.admit(&token(&new)).await.unwrap();
    door.admit(&old_token).await.unwrap();
    *server.answers.keys.lock().unwrap() = vec![new.public()];
    // Any unknown key makes us look again; then the old key is gone.
    door.admit(
        &Key::new("k3").sign(&json!({"alg": "ES256", "typ": "at+jwt", "kid": "k3"}), &server.claims()),
    )
    .await
    .unwrap_err();
    assert_eq!(door.admit(&old_token).await, Err("the token's key is unknown".into()));
    assert!(!door.authenticator.still_valid(&principal));
}

#[tokio::test]
async fn an_issuer_that_is_away_stops_nobody_who_is_known_by_its_keys() {
    let key = Key::new("k1");
    let server = Server::start(&[&key]).await;
    let door = Door::new(&server.settings());
    server.answers.broken.store(true, Ordering::Relaxed);
    let token = key.sign(&key.header(), &server.claims());
    let refused = door.admit_at(&token, OURS, None).await.unwrap_err();
    assert_eq!(
        refused.error.kind,
        ErrorKind::Unavailable,
        "nothing is known yet, and that is not the token's fault"
    );
    server.answers.broken.store(false, Ordering::Relaxed);
    door.admit(&token).await.unwrap();
    server.answers.broken.store(true, Ordering::Relaxed);
    let later = key.sign(&key.header(), &server.claims().as_object().map(|it| json!(it)).unwrap());
    door.admit(&later).await.unwrap();
}

#[tokio::test]
async fn metadata_of_another_issuer_is_not_believed() {
    let key = Key::new("k1");
    let server = Server::start(&[&key]).await;
    *server.answers.other_issuer.lock().unwrap() = Some("https://evil.example".into());
    let door = Door::new(&server.settings());
    let token = key.sign(&key.header(), &server.claims());
    assert_eq!(door.admit(&token).await, Err("the issuer of the token cannot be asked now".into()));
    let report = oauth(&server.settings()).report().await;
    assert!(report[0].keys.as_ref().is_err_and(|it| it.contains("another issuer")), "{report:?}");
}

#[tokio::test]
async fn keys_in_private_ranges_are_fetched_only_where_the_operator_opened_them() {
    let key = Key::new("k1");
    let server = Server::start(&[&key]).await;
    let mut settings = server.settings();
    settings.issuer.get_mut("corp").unwrap().allow_cidrs = vec!["10.0.0.0/8".into()];
    let door = Door::new(&settings);
    door.admit(&key.sign(&key.header(), &server.claims())).await.unwrap_err();
    assert_eq!(server.answers.key_requests.load(Ordering::Relaxed), 0);
}

#[tokio::test]
async fn a_token_for_one_route_is_good_there_alone() {
    let key = Key::new("k1");
    let server = Server::start(&[&key]).await;
    let door = Door::new(&server.settings());
    let mut claims = server.claims();
    claims["aud"] = format!("{OURS}/mcp/bench").into();
    let token = key.sign(&key.header(), &claims);
    assert!(door.admit_at(&token, &format!("{OURS}/mcp/bench"), None).await.is_ok());
    assert!(door.admit_at(&token, &format!("{OURS}/mcp/other"), None).await.is_err());
    assert!(door.admit_at(&token, &format!("{OURS}/mcp"), None).await.is_err());
    let everywhere = key.sign(&key.header(), &server.claims());
    assert!(door.admit_at(&everywhere, &format!("{OURS}/mcp/other"), None).await.is_ok());
}

#[tokio::test]
async fn a_bound_token_needs_its_certificate() {
    let key = Key::new("k1");
    let server = Server::start(&[&key]).await;
    let door = Door::new(&server.settings());
    let mut claims = server.claims();
    claims["cnf"] = json!({ "x5t#S256": "BwcHBwcHBwcHBwcHBwcHBwcHBwcHBwcHBwcHBwcHBwc" });
    let token = key.sign(&key.header(), &claims);
    let certificate = |byte| ClientCertificate { sha256: [byte; 32], names: Vec::new() };
    assert!(door.admit_at(&token, OURS, Some(&certificate(7))).await.is_ok());
    assert!(door.admit_at(&token, OURS, Some(&certificate(8))).await.is_err());
    assert!(door.admit_at(&token, OURS, None).await.is_err(), "good once is not good for everybody");
}

#[tokio::test]
async fn a_certificate_is_a_principal_of_ours_until_the_principal_is_disabled() {
    let door = Door::new(&OAuthSettings::default());
    door.store.create_principal("ci", PrincipalKind::Service).unwrap();
    door.store.grant_role("ci", "viewer").unwrap();
    let certificate = ClientCertificate { sha256: [7; 32], names: vec!["uri:spiffe://x/ci".into()] };
    let admit = || {
        let shown = Credentials { certificate: Some(&certificate), ..Credentials::default() };
        door.authenticator.admit(&shown).map_err(|it| it.error.message)
    };
    assert_eq!(admit().unwrap_err(), "the certificate belongs to nobody here");
    let mapping = CertificateMapping { name: "uri:spiffe://x/ci".into(), principal: "ci".into() };
    door.authenticator.replace(oauth(&OAuthSettings::default()), std::slice::from_ref(&mapping));
    let principal = admit().unwrap();
    assert_eq!((principal.id.as_str(), principal.token_id.as_deref()), ("ci", Some("cert:0707070707070707")));
    assert!(door.authenticator.still_valid(&principal));
    door.authenticator.replace(oauth(&OAuthSettings::default()), &[]);
    assert!(!door.authenticator.still_valid(&principal), "the mapping is gone");
    door.authenticator.replace(oauth(&OAuthSettings::default()), &[mapping]);
    door.store.disable_principal("ci").unwrap();
    assert!(!door.authenticator.still_valid(&principal));
    assert!(admit().is_err());
}

#[tokio::test]
async fn opaque_tokens_are_asked_about_and_a_revoked_one_ends() {
    let server = Server::start(&[]).await;
    let door = Door::new(&server.with_introspection(1));
    let mut answer = server.claims();
    answer["active"] = true.into();
    let say = |token: &str, answer: serde_json::Value| {
        server.answers.tokens.lock().unwrap().insert(token.to_owned(), answer);
    };
    say("good", answer.clone());
    assert_eq!(door.admit("good").await.unwrap().id, "corp:ann");
    door.admit("good").await.unwrap();
    assert_eq!(server.answers.questions.load(Ordering::Relaxed), 1, "the answer is kept for a second");
    for (token, change, words) in [
        ("inactive", json!({"active": false}), "the token is not active"),
        ("text", json!({"active": "true"}), "the token is not active"),
        ("issuer", json!({"iss": "https://evil.example"}), "the token's issuer is not accepted"),
        ("audience", json!({"aud": "https://other.example"}), "the token is for another audience"),
        ("dpop", json!({"token_type": "DPoP"}), "the token is not of an accepted type"),
        ("old", json!({"exp": 1}), "the token has expired"),
    ] {
        let mut changed = answer.clone();
        changed.as_object_mut().unwrap().extend(change.as_object().unwrap().clone());
        say(token, changed);
        assert_eq!(door.admit(token).await.map(|it| it.id), Err(words.to_owned()), "{token}");
    }
    server.answers.tokens.lock().unwrap().remove("good");
    let ended = async {
        while door.admit("good").await.is_ok() {
            tokio::task::yield_now().await;
        }
    };
    tokio::time::timeout(std::time::Duration::from_secs(20), ended).await.expect("a revoked token ends");
}

#[tokio::test]
async fn blocked_subjects_stay_out() {
    let key = Key::new("k1");
    let server = Server::start(&[&key]).await;
    let mut settings = server.settings();
    settings.issuer.get_mut("corp").unwrap().blocked_subjects = vec!["ann".into()];
    let door = Door::new(&settings);
    let token = key.sign(&key.header(), &server.claims());
    assert_eq!(door.admit(&token).await, Err("the token names no subject that is accepted".into()));
    let before = Door::new(&server.settings());
    let principal = before.admit(&token).await.unwrap();
    before.authenticator.replace(oauth(&settings), &[]);
    assert!(!before.authenticator.still_valid(&Arc::new(principal)), "new settings end running sessions");
}

#[test]
fn settings_that_make_no_sense_are_named() {
    let base = || {
        let issuer = identity::IssuerSettings {
            url: "https://as.example".into(),
            scope_roles: [("a".to_owned(), vec!["viewer".to_owned()])].into(),
            ..identity::IssuerSettings::default()
        };
        OAuthSettings { issuer: [("corp".to_owned(), issuer)].into(), ..OAuthSettings::default() }
    };
    assert_eq!(base().faults(Some(OURS)), []);
    assert_eq!(base().faults(None).len(), 1, "no audience without our URL");
    type Change = fn(&mut identity::IssuerSettings);
    let changes: [(&str, Change); 9] = [
        ("url", |it| it.url = "http://as.example".into()),
        ("url", |it| it.url = String::new()),
        ("url", |it| it.url = "https://as.example?x=1".into()),
        ("jwks_url", |it| it.jwks_url = "ftp://as.example".into()),
        ("algorithms", |it| it.algorithms = vec!["HS256".into()]),
        ("algorithms", |it| it.algorithms = vec!["none".into()]),
        ("token_types", |it| it.token_types.clear()),
        ("scope_roles", |it| it.scope_roles.clear()),
        ("allow_cidrs", |it| it.allow_cidrs = vec!["0.0.0.0/0".into()]),
    ];
    for (key, change) in changes {
        let mut settings = base();
        change(settings.issuer.get_mut("corp").unwrap());
        let faults = settings.faults(Some(OURS));
        assert!(faults.len() == 1 && faults[0].path.last().is_some_and(|it| it == key), "{key}: {faults:?}");
    }
    for alias in ["local", "cert", "Corp", "a:b", ""] {
        let mut settings = base();
        let issuer = settings.issuer.remove("corp").unwrap();
        settings.issuer.insert(alias.to_owned(), issuer);
        assert_eq!(settings.faults(Some(OURS)).len(), 1, "{alias}");
    }
}
