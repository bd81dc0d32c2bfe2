//! `[upstreams.NAME.auth]` of `core.toml`.

use std::collections::BTreeMap;

use guard::url::{UrlGuard, UrlRules};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use url::Url;

use crate::CredentialsError;

/// Headers one upstream may be given.
const HEADERS_MAX: usize = 16;
/// Longest header value before secrets are filled in.
const VALUE_BYTES_MAX: usize = 4096;
/// Headers that belong to the connection or to the protocol.
const RESERVED: [&str; 11] = [
    "accept",
    "connection",
    "content-length",
    "content-type",
    "host",
    "last-event-id",
    "mcp-method",
    "mcp-name",
    "mcp-protocol-version",
    "mcp-session-id",
    "transfer-encoding",
];

/// What an upstream is shown.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(tag = "kind", rename_all = "snake_case", deny_unknown_fields)]
pub enum UpstreamAuthSettings {
    /// Nothing.
    #[default]
    None,
    /// The same headers with every request.
    Headers {
        /// Name and value. A value is `secret:NAME`, or holds `${secret:NAME}`: `Bearer ${secret:github}`.
        headers: BTreeMap<String, String>,
    },
    /// A token of the upstream's authorization server, for ourselves (OAuth client credentials).
    ClientCredentials(ClientCredentialsSettings),
    /// A token of each person of their own (OAuth authorization code): they log in once, and nobody else uses it.
    AuthorizationCode(AuthorizationCodeSettings),
}

/// See [`UpstreamAuthSettings::ClientCredentials`].
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct ClientCredentialsSettings {
    /// The authorization server. Always named here, never by the upstream: our secret goes there.
    pub issuer: String,
    /// Where tokens come from. Empty: where the issuer's metadata says.
    #[serde(default)]
    pub token_url: String,
    /// Our client id there.
    pub client_id: String,
    /// Our client secret there, as `secret:NAME` of the vault.
    pub client_secret: String,
    /// How the secret is shown.
    #[serde(default)]
    pub proof: ClientProof,
    /// What to ask for. Empty: what the server gives by itself.
    #[serde(default)]
    pub scopes: Vec<String>,
    /// The resource the token is for (RFC 8707). Empty: the upstream's URL.
    #[serde(default)]
    pub resource: String,
}

/// See [`UpstreamAuthSettings::AuthorizationCode`].
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct AuthorizationCodeSettings {
    /// The authorization server. Empty: the one the upstream names; then no secret of ours goes there.
    pub issuer: String,
    /// Our client id there. Empty: `client_metadata_url`, or a registration of our own.
    pub client_id: String,
    /// Our client secret there, as `secret:NAME`. Empty: we are a public client.
    pub client_secret: String,
    /// The https URL of our client metadata document, for servers that take it as the client id.
    pub client_metadata_url: String,
    /// What to ask for. Empty: what the upstream says it needs.
    pub scopes: Vec<String>,
}

/// How a client secret is shown at the token endpoint.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum ClientProof {
    /// In the `Authorization` header.
    #[default]
    Basic,
    /// In the form.
    Post,
}

impl UpstreamAuthSettings {
    /// The secrets it names, so that they can be looked for before they are needed.
    pub fn secrets(&self) -> Vec<String> {
        let texts: Vec<&str> = match self {
            Self::None => Vec::new(),
            Self::Headers { headers } => headers.values().map(String::as_str).collect(),
            Self::ClientCredentials(it) => vec![&it.client_secret],
            Self::AuthorizationCode(it) => vec![&it.client_secret],
        };
        let named = |text: &str| -> Vec<String> {
            vault::name_in(text).into_iter().chain(vault::names_in(text)).map(str::to_owned).collect()
        };
        texts.into_iter().flat_map(named).collect()
    }

    /// Checks everything that needs no network.
    pub(crate) fn check(&self, rules: &UrlRules) -> Result<(), CredentialsError> {
        match self {
            Self::None => Ok(()),
            Self::Headers { headers } => check_headers(headers),
            Self::ClientCredentials(it) => it.check(rules),
            Self::AuthorizationCode(it) => it.check(rules),
        }
    }
}

impl AuthorizationCodeSettings {
    fn check(&self, rules: &UrlRules) -> Result<(), CredentialsError> {
        let wrong = |key, rule: &str| Err(CredentialsError::Settings { key, rule: rule.to_owned() });
        for (key, url) in [("issuer", &self.issuer), ("client_metadata_url", &self.client_metadata_url)] {
            if !url.is_empty() && !is_fine_url(url, rules) {
                return wrong(key, URL_RULE);
            }
        }
        if !self.client_secret.is_empty() {
            if !self.client_secret.starts_with(vault::REFERENCE_PREFIX) {
                return wrong("client_secret", SECRET_RULE);
            }
            if self.issuer.is_empty() || self.client_id.is_empty() {
                return wrong("issuer", "a client with a secret names its issuer and its client_id");
            }
        }
        check_scopes(&self.scopes)?;
        check_rules(rules)
    }
}

const URL_RULE: &str = "write an https URL; http only to an address in allow_cidrs";
const SECRET_RULE: &str = "write `secret:NAME`, and keep the value with `core-mcp secret set NAME`";

/// Whether nothing that goes to this URL crosses a network in clear text that was not opened by hand.
pub(crate) fn is_fine_url(text: &str, rules: &UrlRules) -> bool {
    match Url::parse(text) {
        Ok(url) => url.scheme() == "https" || (url.scheme() == "http" && !rules.allow_cidrs.is_empty()),
        Err(_) => false,
    }
}

fn check_scopes(scopes: &[String]) -> Result<(), CredentialsError> {
    if scopes.iter().any(|it| it.is_empty() || it.contains(|it: char| !it.is_ascii_graphic())) {
        return Err(CredentialsError::Settings { key: "scopes", rule: "a scope has no spaces".into() });
    }
    Ok(())
}

fn check_rules(rules: &UrlRules) -> Result<(), CredentialsError> {
    let wrong = |error: guard::url::RulesError| CredentialsError::Settings {
        key: "allow_cidrs",
        rule: error.to_string(),
    };
    UrlGuard::new(rules).map(drop).map_err(wrong)
}

impl ClientCredentialsSettings {
    fn check(&self, rules: &UrlRules) -> Result<(), CredentialsError> {
        let wrong = |key, rule: &str| Err(CredentialsError::Settings { key, rule: rule.to_owned() });
        for (key, url, required) in [("issuer", &self.issuer, true), ("token_url", &self.token_url, false)] {
            if (!url.is_empty() || required) && !is_fine_url(url, rules) {
                return wrong(key, URL_RULE);
            }
        }
        if !self.client_secret.starts_with(vault::REFERENCE_PREFIX) {
            return wrong("client_secret", SECRET_RULE);
        }
        if self.client_id.is_empty() {
            return wrong("client_id", "it is empty");
        }
        check_scopes(&self.scopes)?;
        check_rules(rules)
    }
}

fn check_headers(headers: &BTreeMap<String, String>) -> Result<(), CredentialsError> {
    let wrong = |rule: String| Err(CredentialsError::Settings { key: "headers", rule });
    if headers.len() > HEADERS_MAX {
        return wrong(format!("more than {HEADERS_MAX} headers"));
    }
    for (name, value) in headers {
        let is_token = !name.is_empty()
            && name.len() <= 64
            && name.bytes().all(|it| it.is_ascii_alphanumeric() || matches!(it, b'-' | b'_'));
        if !is_token {
            return wrong(format!("`{}` is not a header's name", name.escape_default()));
        }
        if RESERVED.contains(&name.to_ascii_lowercase().as_str()) {
            return wrong(format!("`{name}` belongs to the protocol"));
        }
        if value.len() > VALUE_BYTES_MAX || value.bytes().any(|it| it.is_ascii_control()) {
            return wrong(format!(
                "the value of `{name}` is not one line of at most {VALUE_BYTES_MAX} bytes"
            ));
        }
    }
    Ok(())
}
