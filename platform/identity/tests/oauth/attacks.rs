//! Every way we know to get in with a token that is not good. Each row is refused with its own words.

use serde_json::{Value, json};

use crate::issuer::{Door, Key, OURS, Server, sign_with_hmac};

const MALFORMED: &str = "the token is neither ours nor a well-formed JWT";
const FOREIGN: &str = "the token brings its own key or header fields that are not accepted";
const ALGORITHM: &str = "the token's algorithm is not accepted";
const TYPE: &str = "the token is not of an accepted type";
const ISSUER: &str = "the token's issuer is not accepted";
const KEY: &str = "the token's key is unknown";
const SIGNATURE: &str = "the token's signature does not hold";
const CLAIMS: &str = "the token's claims cannot be read";
const AUDIENCE: &str = "the token is for another audience";
const EXPIRED: &str = "the token has expired";
const EARLY: &str = "the token is not valid yet";
const SUBJECT: &str = "the token names no subject that is accepted";
const BINDING: &str = "the token is bound to a key that was not shown";
const NO_ROLE: &str = "the token gives no role here";

struct Bench {
    key: Key,
    server: Server,
    door: Door,
}

async fn bench() -> Bench {
    let key = Key::new("k1");
    let server = Server::start(&[&key]).await;
    let door = Door::new(&server.settings());
    Bench { key, server, door }
}

impl Bench {
    /// A token that is good but for the changed header fields and claims; `null` removes one.
    fn token(&self, header: &Value, claims: &Value) -> String {
        self.key.sign(&merged(self.key.header(), header), &merged(self.server.claims(), claims))
    }

    async fn check(&self, what: &str, token: &str, words: &str) {
        let refused = self.door.admit(token).await;
        assert_eq!(refused.map(|it| it.id), Err(words.to_owned()), "{what}");
    }
}

fn merged(mut base: Value, changes: &Value) -> Value {
    for (key, value) in changes.as_object().unwrap() {
        if value.is_null() {
            base.as_object_mut().unwrap().remove(key);
        } else {
            base[key] = value.clone();
        }
    }
    base
}

#[tokio::test]
async fn headers_that_attack_are_refused() {
    let bench = bench().await;
    let claims = json!({});
    let public = bench.key.public();
    for (what, header, words) in [
        ("no signature", json!({"alg": "none"}), ALGORITHM),
        ("no signature, in other letters", json!({"alg": "nOnE"}), ALGORITHM),
        ("no algorithm", json!({"alg": null}), ALGORITHM),
        ("symmetric", json!({"alg": "HS256"}), ALGORITHM),
        ("another curve", json!({"alg": "ES384"}), KEY),
        ("another family", json!({"alg": "RS256"}), KEY),
        ("an algorithm nobody allowed", json!({"alg": "RS512"}), ALGORITHM),
        ("a key id with a path", json!({"kid": "../../../../dev/null"}), KEY),
        ("a key id with a URL", json!({"kid": "http://127.0.0.1/keys"}), KEY),
        ("a key id with SQL", json!({"kid": "k1' UNION SELECT 'secret' --"}), KEY),
        ("a key id with a command", json!({"kid": "k1|sleep 5"}), KEY),
        ("a key id that is no text", json!({"kid": 1}), KEY),
        ("an empty key id", json!({"kid": ""}), KEY),
        ("an endless key id", json!({"kid": "k".repeat(257)}), KEY),
        ("the address of a key", json!({"jku": "https://evil.example/keys"}), FOREIGN),
        ("its own key", json!({"jwk": public}), FOREIGN),
        ("the address of a certificate", json!({"x5u": "https://evil.example/c"}), FOREIGN),
        ("its own certificate", json!({"x5c": ["AA"]}), FOREIGN),
        ("critical fields", json!({"crit": ["exp"], "exp": 1}), FOREIGN),
        ("an unencoded payload", json!({"b64": false}), FOREIGN),
        ("compression", json!({"zip": "DEF"}), FOREIGN),
        ("a nested token", json!({"cty": "JWT"}), FOREIGN),
        ("an ID token", json!({"typ": "JWT"}), TYPE),
        ("a logout token", json!({"typ": "logout+jwt"}), TYPE),
        ("no type", json!({"typ": null}), TYPE),
        ("a type that is no text", json!({"typ": 1}), TYPE),
    ] {
        bench.check(what, &bench.token(&header, &claims), words).await;
    }
    assert!(bench.door.admit(&bench.token(&json!({"x5t": "AA"}), &claims)).await.is_ok());
}

#[tokio::test]
async fn claims_that_attack_are_refused() {
    let bench = bench().await;
    let now = store::Clock::system().now_seconds();
    let other_issuer = format!("{}/", bench.server.url);
    for (what, claims, words) in [
        ("another issuer", json!({"iss": "https://evil.example"}), ISSUER),
        ("nearly our issuer", json!({"iss": other_issuer}), ISSUER),
        ("two issuers", json!({"iss": [bench.server.url, "https://evil.example"]}), ISSUER),
        ("no issuer", json!({"iss": null}), ISSUER),
        ("another audience", json!({"aud": "https://other.example/mcp"}), AUDIENCE),
        ("a part of our audience", json!({"aud": "https://mcp.example.com.evil.example/mcp"}), AUDIENCE),
        ("one server's audience on all", json!({"aud": format!("{OURS}/mcp/bench")}), AUDIENCE),
        ("no audience", json!({"aud": null}), AUDIENCE),
        ("an audience that is no text", json!({"aud": 7}), CLAIMS),
        ("expired", json!({"exp": now - 31}), EXPIRED),
        ("expired long ago", json!({"exp": 0}), EXPIRED),
        ("no expiry", json!({"exp": null}), CLAIMS),
        ("an expiry that is text", json!({"exp": "never"}), CLAIMS),
        ("a negative expiry", json!({"exp": -1}), CLAIMS),
        ("an infinite expiry", json!({"exp": 1e300}), CLAIMS),
        ("not yet", json!({"nbf": now + 120}), EARLY),
        ("a start that is text", json!({"nbf": "now"}), CLAIMS),
        ("no subject", json!({"sub": null}), SUBJECT),
        ("an empty subject", json!({"sub": ""}), SUBJECT),
        ("a subject with a line break", json!({"sub": "ann\nadmin"}), SUBJECT),
        ("a subject that is no text", json!({"sub": ["ann"]}), MALFORMED),
        (
            "bound to a DPoP key",
            json!({"cnf": {"jkt": "0ZcOCORZNYy-DWpqq30jZyJGHTN0d2HglBV3uiguA4I"}}),
            BINDING,
        ),
        (
            "bound to a certificate",
            json!({"cnf": {"x5t#S256": "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA"}}),
            BINDING,
        ),
        ("a scope that is no text", json!({"scope": ["mcp:read"]}), CLAIMS),
        ("no scope", json!({"scope": null}), NO_ROLE),
        ("a scope that gives nothing", json!({"scope": "openid admin"}), NO_ROLE),
    ] {
        bench.check(what, &bench.token(&json!({}), &claims), words).await;
    }
    for (what, claims) in [
        ("a little late", json!({"exp": now - 5})),
        ("a little early", json!({"nbf": now + 5})),
        ("all of ours", json!({"aud": OURS})),
        ("several audiences", json!({"aud": ["https://other.example", format!("{OURS}/mcp")]})),
    ] {
        assert!(bench.door.admit(&bench.token(&json!({}), &claims)).await.is_ok(), "{what}");
    }
}

#[tokio::test]
async fn forged_and_broken_tokens_are_refused() {
    let bench = bench().await;
    let good = bench.token(&json!({}), &json!({}));
    let parts: Vec<&str> = good.split('.').collect();
    let (header, claims, signature) = (parts[0], parts[1], parts[2]);
    let thief = Key::new("k1");
    let forged = thief.sign(&bench.key.header(), &bench.server.claims());
    let other = bench.token(&json!({}), &json!({"sub": "root"}));
    let other_claims = other.split('.').nth(1).unwrap();
    let public = bench.key.public();
    let confused = |key: &[u8]| {
        sign_with_hmac(key, &json!({"alg": "HS256", "typ": "at+jwt", "kid": "k1"}), &bench.server.claims())
    };
    let raw_header = bench.key.header().to_string();
    let twice = bench.server.claims().to_string().replacen('{', "{\"sub\":\"root\",", 1);
    let twice_in_header = raw_header.replacen('{', "{\"kid\":\"k1\",", 1);
    let deep = format!("{{\"iss\":\"{}\",\"x\":{}{}}}", bench.server.url, "[".repeat(200), "]".repeat(200));
    for (what, token, words) in [
        ("another's key under our key id", forged, SIGNATURE),
        ("claims of another token", format!("{header}.{other_claims}.{signature}"), SIGNATURE),
        ("no signature", format!("{header}.{claims}."), SIGNATURE),
        ("a short signature", format!("{header}.{claims}.{}", &signature[..20]), SIGNATURE),
        ("a null signature", format!("{header}.{claims}.{}", "A".repeat(86)), SIGNATURE),
        ("the public key as a shared secret", confused(public.to_string().as_bytes()), ALGORITHM),
        ("an empty shared secret", confused(b""), ALGORITHM),
        ("padding", format!("{header}.{claims}.{signature}=="), MALFORMED),
        (
            "another alphabet",
            format!("{header}.{claims}.{}", signature.replace(['-', '_'], "+") + "/"),
            MALFORMED,
        ),
        ("two parts", format!("{header}.{claims}"), MALFORMED),
        ("four parts", format!("{good}.{signature}"), MALFORMED),
        ("five parts, as encrypted ones have", format!("{good}.{claims}.{signature}"), MALFORMED),
        ("nothing", "..".to_owned(), MALFORMED),
        ("claims twice", bench.key.sign_raw(&raw_header, &twice), MALFORMED),
        (
            "a header field twice",
            bench.key.sign_raw(&twice_in_header, &bench.server.claims().to_string()),
            MALFORMED,
        ),
        ("claims that are a list", bench.key.sign_raw(&raw_header, "[1]"), MALFORMED),
        ("claims that are not JSON", bench.key.sign_raw(&raw_header, "{"), MALFORMED),
        ("claims that are very deep", bench.key.sign_raw(&raw_header, &deep), MALFORMED),
        ("a huge token", bench.token(&json!({}), &json!({"x": "x".repeat(9000)})), MALFORMED),
        ("an opaque token nobody is asked about", "b3BhcXVl".to_owned(), MALFORMED),
    ] {
        bench.check(what, &token, words).await;
    }
    assert!(bench.door.admit(&good).await.is_ok(), "the positive control");
}

#[tokio::test]
async fn attackers_cannot_make_us_fetch_much() {
    use std::sync::atomic::Ordering;

    let bench = bench().await;
    for index in 0..200 {
        let token = bench.token(&json!({"kid": format!("made-up-{index}")}), &json!({}));
        bench.check("a made-up key id", &token, KEY).await;
        bench
            .check(
                "nobody's issuer",
                &bench.token(&json!({}), &json!({"iss": format!("http://127.0.0.1:{index}")})),
                ISSUER,
            )
            .await;
    }
    let fetched = bench.server.answers.key_requests.load(Ordering::Relaxed);
    assert!((1..=4).contains(&fetched), "{fetched} fetches");
}

proptest::proptest! {
    #![proptest_config(proptest::prelude::ProptestConfig { cases: 64, ..Default::default() })]

    #[test]
    fn no_changed_token_gets_in(at in 0..600_usize, byte in 33_u8..127, cut in proptest::bool::ANY, noise in "[ -~]{0,300}") {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        runtime.block_on(async {
            let bench = bench().await;
            let good = bench.token(&json!({}), &json!({}));
            assert!(bench.door.admit(&good).await.is_ok());
            let at = at % good.len();
            let mut changed = good.clone().into_bytes();
            changed[at] = byte;
            let changed = String::from_utf8(changed).unwrap();
            for token in [if cut { good[..at].to_owned() } else { changed }, noise.clone(), format!("{good}{noise}")] {
                if token != good {
                    assert!(bench.door.admit(&token).await.is_err(), "{token}");
                }
            }
        });
    }
}
