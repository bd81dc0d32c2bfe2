//! From claims to a principal with roles.

use std::{
    collections::{BTreeMap, BTreeSet},
    fmt::Write,
    sync::Arc,
};

use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use kernel::{Principal, PrincipalKind};
use pipeline::seams::ClientCertificate;
use serde_json::{Map, Value};

use super::{Refusal, settings::IssuerSettings};

/// Longest subject in bytes.
const SUBJECT_BYTES_MAX: usize = 255;
/// Audiences, scopes or groups of one token that are looked at; more are refused.
const VALUES_MAX: usize = 500;

/// What one proven token gives.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Grant {
    pub(crate) principal: Arc<Principal>,
    pub(crate) audiences: Vec<String>,
    pub(crate) scopes: Vec<String>,
    /// Values of the role claim.
    pub(crate) groups: Vec<String>,
    /// Unix seconds.
    pub(crate) expires_at: i64,
    /// SHA-256 of the certificate that must come with the token.
    pub(crate) certificate: Option<[u8; 32]>,
}

impl Grant {
    /// Reads claims that are proven. `token_id` is the public name of the token.
    pub(crate) fn read(
        alias: &str,
        settings: &IssuerSettings,
        claims: &Map<String, Value>,
        token_id: String,
    ) -> Result<Self, Refusal> {
        let subject = subject(claims)?;
        if settings.blocked_subjects.iter().any(|it| it == subject) {
            return Err(Refusal::Subject);
        }
        let scopes = match claims.get("scope") {
            Some(Value::String(scope)) => words(scope)?,
            Some(_) => return Err(Refusal::Claims),
            None => match claims.get("scp") {
                Some(Value::String(scope)) => words(scope)?,
                other => texts(other)?,
            },
        };
        let groups = texts(lookup(claims, &settings.role_claim))?;
        let principal = Principal {
            id: format!("{alias}:{}", plain(subject)),
            kind: kind(settings, claims, subject)?,
            roles: roles(settings, &scopes, &groups),
            token_id: Some(token_id),
        };
        Ok(Self {
            principal: Arc::new(principal),
            audiences: texts(claims.get("aud"))?,
            scopes,
            groups,
            expires_at: claims.get("exp").and_then(seconds).ok_or(Refusal::Claims)?,
            certificate: binding(claims)?,
        })
    }

    /// Whether one of the token's audiences is one of `ours`.
    pub(crate) fn is_for(&self, ours: &[&str]) -> bool {
        let bare = |it: &str| it.strip_suffix('/').unwrap_or(it).to_owned();
        self.audiences.iter().any(|it| ours.iter().any(|our| bare(our) == bare(it)))
    }

    /// Whether what the token is bound to was shown.
    pub(crate) fn is_bound_to(&self, certificate: Option<&ClientCertificate>) -> bool {
        self.certificate.is_none_or(|bound| certificate.is_some_and(|it| it.sha256 == bound))
    }

    /// The roles this token would give with one more scope, for each scope it lacks and that would add one.
    pub(crate) fn with_more_scope(&self, settings: &IssuerSettings) -> Vec<(String, Principal)> {
        let lacking = settings.scope_roles.keys().filter(|it| !self.scopes.contains(it));
        let more = lacking.filter_map(|scope| {
            let scopes = [self.scopes.as_slice(), std::slice::from_ref(scope)].concat();
            let roles = roles(settings, &scopes, &self.groups);
            let adds = roles.len() > self.principal.roles.len();
            adds.then(|| (scope.clone(), Principal { roles, ..Principal::clone(&self.principal) }))
        });
        more.collect()
    }
}

/// Scopes say what the subject lent to the client, groups say what it has. With both tables a role needs both.
fn roles(settings: &IssuerSettings, scopes: &[String], groups: &[String]) -> Vec<String> {
    let given = |table: &BTreeMap<String, Vec<String>>, values: &[String]| -> BTreeSet<String> {
        values.iter().filter_map(|it| table.get(it)).flatten().cloned().collect()
    };
    let by_scope = given(&settings.scope_roles, scopes);
    let by_group = given(&settings.claim_roles, groups);
    let roles = match (settings.scope_roles.is_empty(), settings.claim_roles.is_empty()) {
        (false, false) => by_scope.intersection(&by_group).cloned().collect(),
        (false, true) => by_scope,
        _ => by_group,
    };
    roles.into_iter().collect()
}

fn subject(claims: &Map<String, Value>) -> Result<&str, Refusal> {
    let subject = claims.get("sub").and_then(Value::as_str).ok_or(Refusal::Subject)?;
    let fits = (1..=SUBJECT_BYTES_MAX).contains(&subject.len()) && !subject.chars().any(char::is_control);
    if fits { Ok(subject) } else { Err(Refusal::Subject) }
}

/// A subject as part of a name that is safe in logs, shells and policies; different subjects stay different.
fn plain(subject: &str) -> String {
    let mut name = String::with_capacity(subject.len());
    for byte in subject.bytes() {
        if byte.is_ascii_alphanumeric() || matches!(byte, b'.' | b'_' | b'-' | b'@') {
            name.push(byte.into());
        } else {
            // Writing to a String cannot fail.
            write!(name, "%{byte:02X}").unwrap_or_default();
        }
    }
    name
}

fn kind(
    settings: &IssuerSettings,
    claims: &Map<String, Value>,
    subject: &str,
) -> Result<PrincipalKind, Refusal> {
    if settings.kind_claim.is_empty() {
        let client = claims.get("client_id").or_else(|| claims.get("azp")).and_then(Value::as_str);
        return Ok(if client == Some(subject) { PrincipalKind::Service } else { PrincipalKind::User });
    }
    match lookup(claims, &settings.kind_claim).and_then(Value::as_str) {
        Some("user") => Ok(PrincipalKind::User),
        Some("agent") => Ok(PrincipalKind::Agent),
        Some("service") => Ok(PrincipalKind::Service),
        _ => Err(Refusal::Claims),
    }
}

/// RFC 7800: what a token is bound to must be shown. What we cannot check is refused, not ignored.
fn binding(claims: &Map<String, Value>) -> Result<Option<[u8; 32]>, Refusal> {
    let Some(confirmation) = claims.get("cnf") else { return Ok(None) };
    let thumbprint = confirmation.as_object().filter(|it| it.len() == 1).and_then(|it| it.get("x5t#S256"));
    let decoded = thumbprint.and_then(Value::as_str).and_then(|it| URL_SAFE_NO_PAD.decode(it).ok());
    decoded.and_then(|it| it.try_into().ok()).map(Some).ok_or(Refusal::Binding)
}

/// A claim by its name, or by a path such as `realm_access.roles`.
fn lookup<'a>(claims: &'a Map<String, Value>, name: &str) -> Option<&'a Value> {
    claims.get(name).or_else(|| {
        let (first, rest) = name.split_once('.')?;
        rest.split('.').try_fold(claims.get(first)?, |value, key| value.get(key))
    })
}

fn texts(value: Option<&Value>) -> Result<Vec<String>, Refusal> {
    match value {
        None | Some(Value::Null) => Ok(Vec::new()),
        Some(Value::String(one)) => Ok(vec![one.clone()]),
        Some(Value::Array(many)) if many.len() <= VALUES_MAX => {
            let text = |it: &Value| it.as_str().map(str::to_owned).ok_or(Refusal::Claims);
            many.iter().map(text).collect()
        }
        Some(_) => Err(Refusal::Claims),
    }
}

fn words(scope: &str) -> Result<Vec<String>, Refusal> {
    let words: Vec<String> = scope.split(' ').filter(|it| !it.is_empty()).map(str::to_owned).collect();
    if words.len() <= VALUES_MAX { Ok(words) } else { Err(Refusal::Claims) }
}

fn seconds(value: &Value) -> Option<i64> {
    value.as_i64().or_else(|| {
        let seconds = value.as_f64().filter(|it| (0.0..9e15).contains(it))?;
        // Whole seconds are exact up to 2^53.
        #[expect(clippy::cast_possible_truncation, reason = "checked to be below 2^53")]
        Some(seconds as i64)
    })
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn settings() -> IssuerSettings {
        let table = |rows: &[(&str, &[&str])]| {
            let row = |(key, roles): &(&str, &[&str])| {
                ((*key).to_owned(), roles.iter().map(|it| (*it).to_owned()).collect())
            };
            rows.iter().map(row).collect::<BTreeMap<String, Vec<String>>>()
        };
        IssuerSettings {
            scope_roles: table(&[("mcp:read", &["viewer"]), ("mcp:operate", &["operator", "viewer"])]),
            claim_roles: table(&[("sre", &["operator", "viewer"]), ("staff", &["viewer"])]),
            blocked_subjects: vec!["mallory".into()],
            ..IssuerSettings::default()
        }
    }

    fn read(settings: &IssuerSettings, mut claims: Value) -> Result<Grant, Refusal> {
        claims["exp"] = claims.get("exp").cloned().unwrap_or(json!(10));
        claims["sub"] = claims.get("sub").cloned().unwrap_or(json!("ann"));
        Grant::read("corp", settings, claims.as_object().unwrap(), "corp:1".into())
    }

    fn roles_of(settings: &IssuerSettings, claims: Value) -> Vec<String> {
        read(settings, claims).unwrap().principal.roles.clone()
    }

    #[test]
    fn a_role_needs_both_tables_when_both_are_set() {
        let both = settings();
        assert_eq!(
            roles_of(&both, json!({"scope": "mcp:operate", "groups": ["sre"]})),
            ["operator", "viewer"]
        );
        assert_eq!(
            roles_of(&both, json!({"scope": "mcp:operate mcp:read", "groups": ["staff"]})),
            ["viewer"]
        );
        assert_eq!(roles_of(&both, json!({"scope": "mcp:read", "groups": "sre"})), ["viewer"]);
        for nothing in [
            json!({"scope": "mcp:operate"}),
            json!({"groups": ["sre"]}),
            json!({}),
            json!({"scope": "admin", "groups": ["admin"]}),
        ] {
            assert_eq!(roles_of(&both, nothing.clone()), [""; 0], "{nothing}");
        }
        let scopes = IssuerSettings { claim_roles: BTreeMap::new(), ..settings() };
        assert_eq!(roles_of(&scopes, json!({"scp": ["mcp:read"]})), ["viewer"]);
        let groups = IssuerSettings {
            scope_roles: BTreeMap::new(),
            role_claim: "realm_access.roles".into(),
            ..settings()
        };
        assert_eq!(roles_of(&groups, json!({"realm_access": {"roles": ["staff"]}})), ["viewer"]);
    }

    #[test]
    fn more_scope_is_offered_only_where_it_would_add_a_role() {
        let offered = |claims: Value| -> Vec<String> {
            read(&settings(), claims)
                .unwrap()
                .with_more_scope(&settings())
                .into_iter()
                .map(|it| it.0)
                .collect()
        };
        assert_eq!(offered(json!({"scope": "mcp:read", "groups": ["sre"]})), ["mcp:operate"]);
        assert_eq!(offered(json!({"scope": "mcp:read", "groups": ["staff"]})), [""; 0]);
    }

    #[test]
    fn subjects_stay_apart_and_cannot_take_a_local_name() {
        let id = |sub: &str| read(&settings(), json!({"sub": sub})).map(|it| it.principal.id.clone());
        assert_eq!(id("ann@example.org"), Ok("corp:ann@example.org".into()));
        assert_eq!(id("auth0|7"), Ok("corp:auth0%7C7".into()));
        assert_eq!(id("auth0%7C7"), Ok("corp:auth0%257C7".into()));
        assert_eq!(id("a b\"c"), Ok("corp:a%20b%22c".into()));
        assert_eq!(id("admin"), Ok("corp:admin".into()));
        for bad in ["", "a\nb", "a\0", "mallory", &"x".repeat(256)] {
            assert_eq!(id(bad), Err(Refusal::Subject), "{bad:?}");
        }
        assert_eq!(read(&settings(), json!({"sub": 7})), Err(Refusal::Subject));
    }

    #[test]
    fn kinds_come_from_the_client_or_from_a_claim() {
        let kind =
            |settings: &IssuerSettings, claims: Value| read(settings, claims).map(|it| it.principal.kind);
        assert_eq!(kind(&settings(), json!({"client_id": "ann"})), Ok(PrincipalKind::Service));
        assert_eq!(kind(&settings(), json!({"client_id": "app"})), Ok(PrincipalKind::User));
        let by_claim = IssuerSettings { kind_claim: "kind".into(), ..settings() };
        assert_eq!(kind(&by_claim, json!({"kind": "agent"})), Ok(PrincipalKind::Agent));
        assert_eq!(kind(&by_claim, json!({"kind": "root"})), Err(Refusal::Claims));
    }

    #[test]
    fn a_binding_that_cannot_be_checked_is_refused() {
        let bound = |cnf: Value| read(&settings(), json!({ "cnf": cnf })).map(|it| it.certificate);
        let print = URL_SAFE_NO_PAD.encode([7; 32]);
        assert_eq!(bound(json!({ "x5t#S256": print })), Ok(Some([7; 32])));
        for cnf in [
            json!({"jkt": print}),
            json!({"x5t#S256": print, "jkt": print}),
            json!({"x5t#S256": "AA"}),
            json!("x"),
            json!({}),
            json!(null),
        ] {
            assert_eq!(bound(cnf.clone()), Err(Refusal::Binding), "{cnf}");
        }
    }

    #[test]
    fn audiences_are_compared_whole() {
        let is_for =
            |aud: Value, ours: &[&str]| read(&settings(), json!({ "aud": aud })).unwrap().is_for(ours);
        assert!(is_for(json!("https://a/mcp/"), &["https://a/mcp"]));
        assert!(is_for(json!(["x", "https://a/mcp"]), &["https://a/mcp"]));
        for aud in [
            json!("https://a/mc"),
            json!("https://a/mcp/x"),
            json!("https://a"),
            json!([]),
            json!(null),
            json!(""),
        ] {
            assert!(!is_for(aud.clone(), &["https://a/mcp"]), "{aud}");
        }
        assert_eq!(read(&settings(), json!({"aud": [7]})).map(drop), Err(Refusal::Claims));
        assert_eq!(read(&settings(), json!({"aud": {"a": 1}})).map(drop), Err(Refusal::Claims));
    }
}
