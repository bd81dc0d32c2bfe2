//! An authorization server in a few lines: keys, metadata, key documents, introspection; every request is counted.

use std::{
    collections::BTreeMap,
    sync::{
        Arc, Mutex,
        atomic::{AtomicBool, AtomicUsize, Ordering},
    },
};

use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use identity::{Authenticator, IdentityStore, IntrospectionSettings, IssuerSettings, OAuth, OAuthSettings};
use kernel::{Principal, Secret};
use pipeline::seams::{ClientCertificate, Credentials, Identity, NotAdmitted};
use ring::{
    hmac,
    rand::SystemRandom,
    signature::{ECDSA_P256_SHA256_FIXED_SIGNING, EcdsaKeyPair, KeyPair},
};
use serde_json::{Value, json};
use store::{Clock, DataDir};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpListener,
};

/// The URL clients know us by.
pub(crate) const OURS: &str = "https://mcp.example.com";

/// A signing key with its id.
pub(crate) struct Key {
    pub(crate) kid: String,
    pair: EcdsaKeyPair,
}

impl Key {
    pub(crate) fn new(kid: &str) -> Self {
        let random = SystemRandom::new();
        let document = EcdsaKeyPair::generate_pkcs8(&ECDSA_P256_SHA256_FIXED_SIGNING, &random).unwrap();
        let pair = EcdsaKeyPair::from_pkcs8(&ECDSA_P256_SHA256_FIXED_SIGNING, document.as_ref(), &random);
        Self { kid: kid.to_owned(), pair: pair.unwrap() }
    }

    pub(crate) fn public(&self) -> Value {
        let point = self.pair.public_key().as_ref();
        let (x, y) = (URL_SAFE_NO_PAD.encode(&point[1..33]), URL_SAFE_NO_PAD.encode(&point[33..]));
        json!({ "kty": "EC", "crv": "P-256", "kid": self.kid, "use": "sig", "alg": "ES256", "x": x, "y": y })
    }

    /// Signs whatever it is given.
    pub(crate) fn sign_raw(&self, header: &str, claims: &str) -> String {
        let message = format!("{}.{}", URL_SAFE_NO_PAD.encode(header), URL_SAFE_NO_PAD.encode(claims));
        let signature = self.pair.sign(&SystemRandom::new(), message.as_bytes()).unwrap();
        format!("{message}.{}", URL_SAFE_NO_PAD.encode(signature))
    }

    pub(crate) fn sign(&self, header: &Value, claims: &Value) -> String {
        self.sign_raw(&header.to_string(), &claims.to_string())
    }

    pub(crate) fn header(&self) -> Value {
        json!({ "alg": "ES256", "typ": "at+jwt", "kid": self.kid })
    }
}

/// `HS256` with any bytes as the key: what an attacker would do with a public one.
pub(crate) fn sign_with_hmac(key: &[u8], header: &Value, claims: &Value) -> String {
    let (header, claims) = (header.to_string(), claims.to_string());
    let message = format!("{}.{}", URL_SAFE_NO_PAD.encode(header), URL_SAFE_NO_PAD.encode(claims));
    let tag = hmac::sign(&hmac::Key::new(hmac::HMAC_SHA256, key), message.as_bytes());
    format!("{message}.{}", URL_SAFE_NO_PAD.encode(tag))
}

/// What the server says, changeable while it runs.
#[derive(Default)]
pub(crate) struct Answers {
    pub(crate) keys: Mutex<Vec<Value>>,
    pub(crate) tokens: Mutex<BTreeMap<String, Value>>,
    /// What the metadata says instead of the issuer's own URL.
    pub(crate) other_issuer: Mutex<Option<String>>,
    pub(crate) broken: AtomicBool,
    pub(crate) key_requests: AtomicUsize,
    pub(crate) questions: AtomicUsize,
}

/// A running server.
pub(crate) struct Server {
    pub(crate) url: String,
    pub(crate) answers: Arc<Answers>,
}

impl Server {
    pub(crate) async fn start(keys: &[&Key]) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        let answers = Arc::new(Answers::default());
        *answers.keys.lock().unwrap() = keys.iter().map(|it| it.public()).collect();
        let (shared, own) = (Arc::clone(&answers), url.clone());
        tokio::spawn(async move {
            loop {
                let (mut socket, _) = listener.accept().await.unwrap();
                let (answers, own) = (Arc::clone(&shared), own.clone());
                tokio::spawn(async move {
                    let mut request = vec![0; 16 * 1024];
                    let mut length = 0;
                    // One request per connection; a form follows its head at once.
                    while !is_whole(&request[..length]) {
                        match socket.read(&mut request[length..]).await {
                            Ok(read @ 1..) => length += read,
                            _ => return,
                        }
                    }
                    let text = String::from_utf8_lossy(&request[..length]).into_owned();
                    let reply = answers.reply(&own, &text);
                    socket.write_all(reply.as_bytes()).await.ok();
                });
            }
        });
        Self { url, answers }
    }

    /// What a good token says.
    pub(crate) fn claims(&self) -> Value {
        let now = Clock::system().now_seconds();
        json!({
            "iss": self.url, "sub": "ann", "aud": format!("{OURS}/mcp"), "client_id": "app", "jti": "1",
            "iat": now, "exp": now + 600, "scope": "mcp:read",
        })
    }

    /// Settings that trust this server.
    pub(crate) fn settings(&self) -> OAuthSettings {
        let issuer = IssuerSettings {
            url: self.url.clone(),
            allow_cidrs: vec!["127.0.0.0/8".into()],
            scope_roles: [("mcp:read", "viewer"), ("mcp:operate", "operator")]
                .map(|(scope, role)| (scope.to_owned(), vec![role.to_owned()]))
                .into(),
            ..IssuerSettings::default()
        };
        OAuthSettings { issuer: [("corp".to_owned(), issuer)].into(), ..OAuthSettings::default() }
    }

    pub(crate) fn with_introspection(&self, cache_seconds: u32) -> OAuthSettings {
        let mut settings = self.settings();
        settings.issuer.get_mut("corp").unwrap().introspection = Some(IntrospectionSettings {
            url: String::new(),
            client_id: "core mcp".into(),
            client_secret: "secret:idp".into(),
            cache_seconds,
        });
        settings
    }
}

fn is_whole(request: &[u8]) -> bool {
    let text = String::from_utf8_lossy(request);
    let Some((head, body)) = text.split_once("\r\n\r\n") else { return false };
    let length =
        head.lines().find_map(|it| it.to_ascii_lowercase().strip_prefix("content-length: ")?.parse().ok());
    body.len() >= length.unwrap_or(0)
}

impl Answers {
    fn reply(&self, own: &str, request: &str) -> String {
        if self.broken.load(Ordering::Relaxed) {
            return "HTTP/1.1 500 Oops\r\ncontent-length: 0\r\nconnection: close\r\n\r\n".into();
        }
        let path = request.split(' ').nth(1).unwrap_or_default();
        let body = match path {
            "/.well-known/openid-configuration" => {
                let issuer = self.other_issuer.lock().unwrap().clone().unwrap_or_else(|| own.to_owned());
                json!({ "issuer": issuer, "jwks_uri": format!("{own}/keys"), "introspection_endpoint": format!("{own}/introspect") })
            }
            "/keys" => {
                self.key_requests.fetch_add(1, Ordering::Relaxed);
                json!({ "keys": *self.keys.lock().unwrap() })
            }
            "/introspect" => {
                self.questions.fetch_add(1, Ordering::Relaxed);
                assert!(request.to_ascii_lowercase().contains("authorization: basic y29yzsttY3a6c2vjcmv0".to_ascii_lowercase().as_str()), "{request}");
                let token = request.rsplit("\r\n\r\n").next().unwrap_or_default();
                let token = token.split('&').find_map(|it| it.strip_prefix("token=")).unwrap_or_default();
                self.tokens.lock().unwrap().get(token).cloned().unwrap_or(json!({ "active": false }))
            }
            _ => return "HTTP/1.1 404 Not Found\r\ncontent-length: 0\r\nconnection: close\r\n\r\n".into(),
        }
        .to_string();
        format!(
            "HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: {}\r\nconnection: close\r\n\r\n{body}",
            body.len()
        )
    }
}

/// Our side: an authenticator over an empty data directory.
pub(crate) struct Door {
    _folder: tempfile::TempDir,
    pub(crate) authenticator: Authenticator,
    pub(crate) store: Arc<IdentityStore>,
}

impl Door {
    pub(crate) fn new(settings: &OAuthSettings) -> Self {
        // Somebody else may have installed it in this process.
        rustls::crypto::ring::default_provider().install_default().ok();
        assert_eq!(settings.faults(Some(OURS)), []);
        let folder = tempfile::tempdir().unwrap();
        let store = Arc::new(IdentityStore::open(&DataDir::open(folder.path()).unwrap()).unwrap());
        let authenticator = Authenticator::new(Arc::clone(&store), oauth(settings), &[]);
        Self { _folder: folder, authenticator, store }
    }

    pub(crate) async fn admit_at(
        &self,
        token: &str,
        resource: &str,
        certificate: Option<&ClientCertificate>,
    ) -> Result<Arc<Principal>, NotAdmitted> {
        let token = Secret::new(token.to_owned());
        let shown = Credentials { token: Some(&token), resource: Some(resource), certificate };
        if let Some(missing) = self.authenticator.prepare(&shown) {
            missing.await;
        }
        self.authenticator.admit(&shown)
    }

    /// The principal, or the refusal's words.
    pub(crate) async fn admit(&self, token: &str) -> Result<Principal, String> {
        let admitted = self.admit_at(token, &format!("{OURS}/mcp"), None).await;
        admitted.map(|it| Principal::clone(&it)).map_err(|refused| refused.error.message)
    }
}

pub(crate) fn oauth(settings: &OAuthSettings) -> OAuth {
    let secrets = |name: &str| {
        if name == "secret:idp" {
            Ok(Secret::new("secret".to_owned()))
        } else {
            Err(format!("{name} is not there"))
        }
    };
    OAuth::new(settings, Some(OURS), &secrets, Clock::system()).unwrap()
}
