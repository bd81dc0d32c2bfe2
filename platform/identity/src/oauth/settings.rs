//! `[auth.oauth]` of `core.toml`.

use std::collections::{BTreeMap, BTreeSet};

use guard::url::{UrlGuard, UrlRules};
use jsonwebtoken::Algorithm;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use url::Url;

use super::ring_provider::is_asymmetric;
use crate::name;

/// Issuers one installation may trust.
const ISSUERS_MAX: usize = 16;
/// Entries one list or table may have.
const ENTRIES_MAX: usize = 200;
/// Prefixes of principals that are not an issuer's.
const RESERVED: [&str; 3] = ["local", "cert", "system"];

/// Authorization servers whose access tokens are accepted beside our own tokens.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct OAuthSettings {
    /// Seconds by which an issuer's clock may differ from ours.
    #[schemars(range(max = 300))]
    pub leeway_seconds: u32,
    /// Scopes a client is told to ask for first. Empty: it is told none, and may ask for any.
    pub first_scopes: Vec<String>,
    /// One section per authorization server. Its name begins the names of its principals: `corp:alice`.
    pub issuer: BTreeMap<String, IssuerSettings>,
}

impl Default for OAuthSettings {
    fn default() -> Self {
        Self { leeway_seconds: 30, first_scopes: Vec::new(), issuer: BTreeMap::new() }
    }
}

/// One authorization server.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct IssuerSettings {
    /// Its issuer identifier, exactly as its tokens say it.
    pub url: String,
    /// Where its keys are. Empty: where its metadata says.
    pub jwks_url: String,
    /// Audiences accepted besides the URL that was asked for, for servers without resource indicators.
    pub audiences: Vec<String>,
    /// Signature algorithms accepted. Symmetric ones never are.
    pub algorithms: Vec<String>,
    /// Values of the header `typ` accepted. Add `JWT` for servers that do not follow RFC 9068.
    pub token_types: Vec<String>,
    /// Roles that a scope gives.
    pub scope_roles: BTreeMap<String, Vec<String>>,
    /// The claim that names groups or roles of the subject.
    pub role_claim: String,
    /// Roles that a value of `role_claim` gives. With `scope_roles` as well, a role needs both.
    pub claim_roles: BTreeMap<String, Vec<String>>,
    /// The claim that says `user`, `agent` or `service`. Empty: a token whose subject is its client is a
    /// service's, any other a user's.
    pub kind_claim: String,
    /// Subjects that are never let in.
    pub blocked_subjects: Vec<String>,
    /// Private or loopback ranges in which this issuer may be reached. `http` works in them only.
    pub allow_cidrs: Vec<String>,
    /// A file with CA certificates (PEM) trusted for this issuer instead of the system's.
    pub ca_file: String,
    /// How tokens that are no JWT are judged. Without it they are refused.
    pub introspection: Option<IntrospectionSettings>,
}

impl Default for IssuerSettings {
    fn default() -> Self {
        Self {
            url: String::new(),
            jwks_url: String::new(),
            audiences: Vec::new(),
            algorithms: ["RS256", "PS256", "ES256", "ES384", "EdDSA"].map(str::to_owned).to_vec(),
            token_types: ["at+jwt", "application/at+jwt"].map(str::to_owned).to_vec(),
            scope_roles: BTreeMap::new(),
            role_claim: "groups".into(),
            claim_roles: BTreeMap::new(),
            kind_claim: String::new(),
            blocked_subjects: Vec::new(),
            allow_cidrs: Vec::new(),
            ca_file: String::new(),
            introspection: None,
        }
    }
}

/// RFC 7662: asking the issuer about each opaque token.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct IntrospectionSettings {
    /// Where to ask. Empty: where its metadata says.
    #[serde(default)]
    pub url: String,
    /// Our client id there.
    pub client_id: String,
    /// Our client secret there, as `secret:NAME` of the vault.
    pub client_secret: String,
    /// Seconds an answer is good for: as long as a revoked token may still work.
    #[serde(default = "ten_seconds")]
    #[schemars(range(max = 300))]
    pub cache_seconds: u32,
}

fn ten_seconds() -> u32 {
    10
}

/// One thing that is wrong with the settings.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Fault {
    /// Below `auth.oauth`.
    pub path: Vec<String>,
    /// What is wrong.
    pub rule: String,
    /// What mends it.
    pub fix: String,
}

impl OAuthSettings {
    /// Everything that no schema can say. `public_url` is the URL clients know us by.
    pub fn faults(&self, public_url: Option<&str>) -> Vec<Fault> {
        let mut faults = Faults::default();
        if self.issuer.is_empty() {
            return faults.0;
        }
        if public_url.is_none() {
            faults.add(
                &["issuer"],
                "audiences are checked against our own URL, which is not set",
                "set server.public_url to the URL clients use, for example \"https://mcp.example.com\"",
            );
        }
        if self.issuer.len() > ISSUERS_MAX {
            faults.add(&["issuer"], format!("more than {ISSUERS_MAX} issuers"), "trust fewer");
        }
        let known: BTreeSet<&String> = self.issuer.values().flat_map(|it| it.scope_roles.keys()).collect();
        for scope in self.first_scopes.iter().filter(|it| !known.contains(it)) {
            let rule = format!("the scope `{scope}` gives no role anywhere");
            faults.add(&["first_scopes"], rule, "add it to scope_roles of an issuer");
        }
        let mut urls = BTreeSet::new();
        for (alias, issuer) in &self.issuer {
            if !urls.insert(issuer.url.as_str()) {
                faults.add(&["issuer", alias, "url"], "two issuers have this URL", "remove one of them");
            }
            issuer.check(alias, &mut faults);
        }
        faults.0
    }
}

impl IssuerSettings {
    fn check(&self, alias: &str, faults: &mut Faults) {
        let mut fault = |key: &str, rule: String, fix: &str| faults.add(&["issuer", alias, key], rule, fix);
        let is_word = |it: &str| {
            it.len() <= 32
                && it.starts_with(|it: char| it.is_ascii_lowercase())
                && it.bytes().all(|it| it.is_ascii_lowercase() || it.is_ascii_digit() || it == b'-')
        };
        if !is_word(alias) || RESERVED.contains(&alias) {
            fault(
                "url",
                format!("`{alias}` cannot name an issuer"),
                "use 1 to 32 of a-z, 0-9 and `-`, not `local`, `cert` or `system`",
            );
        }
        for (key, url) in [("url", &self.url), ("jwks_url", &self.jwks_url)] {
            if let Some(rule) = self.wrong_url(url, key == "url") {
                fault(key, rule.into(), "write an https URL; http only to an address in allow_cidrs");
            }
        }
        if let Err(error) = UrlGuard::new(&self.url_rules()) {
            fault("allow_cidrs", error.to_string(), "list private ranges such as \"10.1.0.0/16\"");
        }
        if self.algorithms().is_none() {
            fault(
                "algorithms",
                "only RS256, RS384, RS512, PS256, PS384, PS512, ES256, ES384 and EdDSA are accepted".into(),
                "remove the others",
            );
        }
        if self.token_types.is_empty() {
            fault("token_types", "no token could be accepted".into(), "list `at+jwt`");
        }
        self.check_roles(&mut fault);
        self.check_introspection(&mut fault);
    }

    fn check_roles(&self, fault: &mut impl FnMut(&str, String, &str)) {
        if self.scope_roles.is_empty() && self.claim_roles.is_empty() {
            fault(
                "scope_roles",
                "no token of this issuer would give a role".into(),
                "map scopes in scope_roles, or groups in claim_roles",
            );
        }
        if self.scope_roles.len().max(self.claim_roles.len()) > ENTRIES_MAX {
            fault("scope_roles", format!("more than {ENTRIES_MAX} entries"), "map fewer");
        }
        for scope in self.scope_roles.keys().filter(|it| !is_scope(it)) {
            fault(
                "scope_roles",
                format!("`{}` is not a scope", scope.escape_default()),
                "a scope has no spaces, quotes or backslashes",
            );
        }
        for role in self.scope_roles.values().chain(self.claim_roles.values()).flatten() {
            if name::role(role).is_err() {
                fault(
                    "scope_roles",
                    format!("`{}` is not a role's name", role.escape_default()),
                    "`core-mcp role list` shows the roles",
                );
            }
        }
    }

    fn check_introspection(&self, fault: &mut impl FnMut(&str, String, &str)) {
        if let Some(it) = &self.introspection {
            if !it.client_secret.starts_with("secret:") {
                fault(
                    "introspection",
                    "client_secret must be a reference".into(),
                    "run `core-mcp secret set NAME` and write \"secret:NAME\"",
                );
            }
            if !it.url.is_empty() && self.wrong_url(&it.url, false).is_some() {
                fault(
                    "introspection",
                    "url is not one that may be asked".into(),
                    "write an https URL; http only to an address in allow_cidrs",
                );
            }
        }
    }

    /// What is wrong with a URL of this issuer.
    fn wrong_url(&self, text: &str, required: bool) -> Option<&'static str> {
        if text.is_empty() {
            return required.then_some("is missing");
        }
        let Ok(url) = Url::parse(text) else { return Some("this is not a URL") };
        if !url.username().is_empty()
            || url.password().is_some()
            || url.query().is_some()
            || url.fragment().is_some()
        {
            return Some("this URL holds a user, a query or a fragment");
        }
        match url.scheme() {
            "https" => None,
            "http" if !self.allow_cidrs.is_empty() => None,
            _ => Some("tokens and keys would cross the network in clear text"),
        }
    }

    /// The algorithms as a list; `None` when one of them is unknown or symmetric, or there are none.
    pub(crate) fn algorithms(&self) -> Option<Vec<Algorithm>> {
        let read = |it: &String| it.parse().ok().filter(|it| is_asymmetric(*it));
        let all: Option<Vec<Algorithm>> = self.algorithms.iter().map(read).collect();
        all.filter(|it| !it.is_empty())
    }

    /// What may be fetched for this issuer.
    pub(crate) fn url_rules(&self) -> UrlRules {
        let urls = [Some(&self.url), Some(&self.jwks_url), self.introspection.as_ref().map(|it| &it.url)];
        let ports = urls.into_iter().flatten().filter_map(|it| Url::parse(it).ok()?.port_or_known_default());
        let mut schemes = vec!["https".to_owned()];
        // Not beyond what was opened by hand.
        if Url::parse(&self.url).is_ok_and(|it| it.scheme() == "http") {
            schemes.push("http".into());
        }
        UrlRules {
            schemes,
            allow_hosts: Vec::new(),
            allow_cidrs: self.allow_cidrs.clone(),
            ports: ports.chain([443]).collect(),
        }
    }
}

/// RFC 6749: printable ASCII without space, quote and backslash.
pub(crate) fn is_scope(text: &str) -> bool {
    (1..=128).contains(&text.len())
        && text.bytes().all(|it| it.is_ascii_graphic() && !matches!(it, b'"' | b'\\'))
}

#[derive(Default)]
struct Faults(Vec<Fault>);

impl Faults {
    fn add(&mut self, path: &[&str], rule: impl Into<String>, fix: impl Into<String>) {
        let path = path.iter().map(|it| (*it).to_owned()).collect();
        self.0.push(Fault { path, rule: rule.into(), fix: fix.into() });
    }
}
