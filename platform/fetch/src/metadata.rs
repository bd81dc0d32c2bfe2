//! What an authorization server says of itself (RFC 8414, OpenID Connect discovery).

use serde::Deserialize;
use url::Url;

use crate::{FetchError, Fetcher};

/// The part of the metadata that we use.
#[derive(Clone, Debug, Deserialize)]
pub struct Metadata {
    /// Itself.
    pub issuer: String,
    /// Where its keys are.
    pub jwks_uri: Option<String>,
    /// Where tokens come from.
    pub token_endpoint: Option<String>,
    /// Where opaque tokens are asked about.
    pub introspection_endpoint: Option<String>,
    /// Where people say yes.
    pub authorization_endpoint: Option<String>,
    /// Where clients register themselves.
    pub registration_endpoint: Option<String>,
    /// How clients may prove themselves at the token endpoint.
    #[serde(default)]
    pub token_endpoint_auth_methods_supported: Vec<String>,
    /// How a code is bound to who asked for it.
    #[serde(default)]
    pub code_challenge_methods_supported: Vec<String>,
    /// Scopes it knows.
    #[serde(default)]
    pub scopes_supported: Vec<String>,
    /// Whether its answers say who they come from (RFC 9207).
    #[serde(default)]
    pub authorization_response_iss_parameter_supported: bool,
    /// Whether a client may be named by the URL of its metadata.
    #[serde(default)]
    pub client_id_metadata_document_supported: bool,
}

impl Fetcher {
    /// The metadata of `issuer`, which must be its own.
    ///
    /// # Errors
    /// When there is none, or it names another issuer.
    pub async fn metadata(&self, issuer: &str) -> Result<Metadata, FetchError> {
        let mut last = FetchError::Unreadable;
        for url in metadata_urls(issuer) {
            match self.json::<Metadata>("issuer", &url).await {
                Ok(found) if found.issuer == issuer => return Ok(found),
                Ok(_) => return Err(FetchError::OtherIssuer),
                Err(error) => last = error,
            }
        }
        Err(last)
    }
}

/// Where metadata may be: the well-known part goes before the issuer's path, or, for OpenID Connect, after it.
fn metadata_urls(issuer: &str) -> Vec<String> {
    let Ok(url) = Url::parse(issuer) else { return Vec::new() };
    let origin = url.origin().ascii_serialization();
    let path = url.path().trim_end_matches('/');
    let mut urls = vec![
        format!("{origin}/.well-known/oauth-authorization-server{path}"),
        format!("{origin}/.well-known/openid-configuration{path}"),
    ];
    if !path.is_empty() {
        urls.push(format!("{origin}{path}/.well-known/openid-configuration"));
    }
    urls
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn metadata_is_looked_for_where_the_standards_put_it() {
        assert_eq!(
            metadata_urls("https://as.example/tenant/"),
            [
                "https://as.example/.well-known/oauth-authorization-server/tenant",
                "https://as.example/.well-known/openid-configuration/tenant",
                "https://as.example/tenant/.well-known/openid-configuration",
            ]
        );
        assert_eq!(metadata_urls("https://as.example").len(), 2);
    }
}
