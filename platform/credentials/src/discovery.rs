//! From an upstream's URL to its authorization server (RFC 9728, RFC 8414).

use fetch::{FetchError, Fetcher, Metadata};
use serde::Deserialize;
use url::Url;

use crate::CredentialsError;

/// Longest parameter of a challenge that is read.
const PARAMETER_BYTES_MAX: usize = 2048;

/// The part of RFC 9728 metadata that we use.
#[derive(Debug, Deserialize)]
struct ResourceMetadata {
    resource: String,
    #[serde(default)]
    authorization_servers: Vec<String>,
    #[serde(default)]
    scopes_supported: Vec<String>,
}

/// Where to log in, for what.
pub(crate) struct Place {
    pub(crate) resource: String,
    pub(crate) server: Metadata,
    /// What the upstream says it needs.
    pub(crate) scopes: Vec<String>,
}

/// Looks for the authorization server of `upstream`. `challenge` is the `WWW-Authenticate` of its 401, if there was
/// one; `pinned` is the issuer an operator wrote down, which the upstream may not replace.
pub(crate) async fn discover(
    fetcher: &Fetcher,
    upstream: &str,
    challenge: Option<&str>,
    pinned: &str,
) -> Result<Place, CredentialsError> {
    let found = resource_metadata(fetcher, upstream, challenge).await?;
    if !covers(&found.resource, upstream) {
        return Err(wrong("its metadata is about another resource"));
    }
    let issuer = match (pinned, found.authorization_servers.as_slice()) {
        ("", [first, ..]) => first,
        ("", []) => return Err(wrong("its metadata names no authorization server")),
        (pinned, named) if named.iter().any(|it| it == pinned) => pinned,
        _ => return Err(wrong("it names another authorization server than the configured one")),
    };
    let server = fetcher.metadata(issuer).await.map_err(failed)?;
    if !server.code_challenge_methods_supported.iter().any(|it| it == "S256") {
        return Err(wrong("its authorization server does not say that it binds codes (PKCE with S256)"));
    }
    let wanted = challenge.and_then(|it| parameter(it, "scope"));
    let scopes = wanted.map_or(found.scopes_supported, |scope| {
        scope.split(' ').filter(|it| !it.is_empty()).map(str::to_owned).collect()
    });
    Ok(Place { resource: found.resource, server, scopes })
}

async fn resource_metadata(
    fetcher: &Fetcher,
    upstream: &str,
    challenge: Option<&str>,
) -> Result<ResourceMetadata, CredentialsError> {
    if let Some(url) = challenge.and_then(|it| parameter(it, "resource_metadata")) {
        return fetcher.json("resource_metadata", &url).await.map_err(failed);
    }
    let url = Url::parse(upstream).map_err(|_| wrong("its URL is not one"))?;
    let base = format!("{}/.well-known/oauth-protected-resource", url.origin().ascii_serialization());
    let mut last = FetchError::Unreadable;
    for url in [format!("{base}{}", url.path().trim_end_matches('/')), base] {
        match fetcher.json("resource_metadata", &url).await {
            Ok(found) => return Ok(found),
            Err(error) => last = error,
        }
    }
    Err(failed(last))
}

/// Whether a resource is the upstream or stands above it: same origin, and a path that ends at a slash of its path.
fn covers(resource: &str, upstream: &str) -> bool {
    let (Ok(resource), Ok(upstream)) = (Url::parse(resource), Url::parse(upstream)) else { return false };
    let rest = upstream.path().strip_prefix(resource.path().trim_end_matches('/'));
    resource.origin() == upstream.origin()
        && resource.query().is_none()
        && resource.fragment().is_none()
        && rest.is_some_and(|it| it.is_empty() || it.starts_with('/'))
}

/// A quoted parameter of a challenge.
fn parameter(challenge: &str, name: &str) -> Option<String> {
    let starts = |at: &usize| {
        let before = challenge[..*at].chars().next_back();
        before.is_none_or(|it| it == ' ' || it == ',') && challenge[at + name.len()..].starts_with("=\"")
    };
    let at = challenge.match_indices(name).map(|(at, _)| at).find(starts)?;
    let (value, _) = challenge[at + name.len() + 2..].split_once('"')?;
    (value.len() <= PARAMETER_BYTES_MAX).then(|| value.to_owned())
}

fn wrong(words: &str) -> CredentialsError {
    CredentialsError::Discovery(words.to_owned())
}

pub(crate) fn failed(error: FetchError) -> CredentialsError {
    CredentialsError::Discovery(error.to_string())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_resource_covers_itself_and_what_is_below_it() {
        for (resource, covered) in [
            ("https://a.example/mcp", true),
            ("https://a.example/mcp/", true),
            ("https://a.example", true),
            ("https://a.example/mcp/x", false),
            ("https://a.example/mc", false),
            ("https://b.example/mcp", false),
            ("http://a.example/mcp", false),
            ("https://a.example:8443/mcp", false),
            ("https://a.example/mcp?x=1", false),
            ("mcp", false),
        ] {
            assert_eq!(covers(resource, "https://a.example/mcp"), covered, "{resource}");
        }
    }

    #[test]
    fn parameters_are_read_by_their_whole_name() {
        let challenge = "Bearer x_scope=\"no\", scope=\"a b\", resource_metadata=\"https://x/y\", error=\"e";
        assert_eq!(parameter(challenge, "scope").as_deref(), Some("a b"));
        assert_eq!(parameter(challenge, "resource_metadata").as_deref(), Some("https://x/y"));
        assert_eq!(parameter(challenge, "error"), None);
        assert_eq!(parameter(challenge, "realm"), None);
    }
}
