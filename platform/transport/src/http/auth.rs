//! Who calls: a bearer token in the `Authorization` header, or the certificate of the connection, on every request.

use std::{net::IpAddr, sync::Arc};

use http::{HeaderMap, StatusCode, Uri, header};
use kernel::{ErrorKind, Secret};
use pipeline::{
    Door, Verified,
    seams::{ClientCertificate, Credentials, NotAdmitted},
};

use super::{
    Http,
    guard::only,
    reply::{HttpReply, refusal, with},
};
use crate::wire::Refusal;

/// Longest token we look at.
const TOKEN_BYTES_MAX: usize = 8192;

/// Names under which tokens must not travel in a URL: URLs end up in logs.
const QUERY_NAMES: [&str; 4] = ["access_token", "token", "api_key", "authorization"];

/// Where a request came from, as far as the connection proves it.
#[derive(Clone, Debug)]
pub(crate) struct Peer {
    pub(crate) ip: IpAddr,
    /// What the client showed in the TLS handshake.
    pub(crate) certificate: Option<Arc<ClientCertificate>>,
}

/// What a caller showed, kept to be shown again while a stream runs.
pub(crate) struct Shown {
    token: Option<Secret<String>>,
    certificate: Option<Arc<ClientCertificate>>,
    /// The URL asked for under our public one; the request's own words about its host are not believed.
    resource: Option<String>,
}

impl Shown {
    pub(crate) fn credentials(&self) -> Credentials<'_> {
        Credentials {
            token: self.token.as_ref(),
            resource: self.resource.as_deref(),
            certificate: self.certificate.as_deref(),
        }
    }
}

impl Http {
    /// Proves the caller or says how to become one.
    pub(crate) async fn authenticate(
        &self,
        peer: &Peer,
        uri: &Uri,
        headers: &HeaderMap,
    ) -> Result<(Verified, Shown), Box<HttpReply>> {
        if carries_token(uri) {
            let words =
                "a token travels in the Authorization header, never in the URL; this one should be revoked";
            return Err(Box::new(refusal(StatusCode::BAD_REQUEST, "invalid_request", words)));
        }
        let address = self.strangers.address(peer.ip);
        let has_header = headers.contains_key(header::AUTHORIZATION);
        let token = bearer(headers);
        // A token that cannot be read is not made good by a certificate.
        let certificate = if has_header && token.is_none() { None } else { peer.certificate.clone() };
        if token.is_none() && certificate.is_none() {
            if let Some(wait) = self.strangers.wait(address) {
                return Err(Box::new(too_many(wait)));
            }
            return Err(Box::new(self.challenge(uri, headers, None)));
        }
        let is_known = token.as_ref().is_some_and(|it| self.strangers.remembers(it));
        if !is_known && let Some(wait) = self.strangers.wait(address) {
            return Err(Box::new(too_many(wait)));
        }
        let public = self.config.public_url.as_deref().map(|it| it.trim_end_matches('/'));
        let resource = public.map(|it| format!("{it}{}", uri.path().trim_end_matches('/')));
        let shown = Shown { token, certificate, resource };
        match self.wire.gate.admit(&shown.credentials(), Door::Http).await {
            Ok(caller) => {
                if let Some(token) = &shown.token {
                    self.strangers.remember(token);
                }
                Ok((caller, shown))
            }
            Err(refused) => {
                if let Some(token) = &shown.token {
                    self.strangers.forget(token);
                }
                self.strangers.charge(address, Refusal::Denied.cost());
                Err(Box::new(self.refused(uri, headers, &refused)))
            }
        }
    }

    fn refused(&self, uri: &Uri, headers: &HeaderMap, refused: &NotAdmitted) -> HttpReply {
        let NotAdmitted { error, scopes } = refused;
        match error.kind {
            ErrorKind::AuthenticationFailed => self.challenge(uri, headers, Some(&error.message)),
            ErrorKind::PermissionDenied => {
                self.insufficient_scope(&self.metadata_url(uri, headers), &scopes.join(" "), &error.message)
            }
            _ => {
                tracing::error!(%error, "a caller cannot be judged");
                let words = "tokens cannot be checked now";
                refusal(StatusCode::SERVICE_UNAVAILABLE, "temporarily_unavailable", words)
            }
        }
    }

    /// 401, and where a client learns how to get a token. `fault` says what was wrong with the one it showed.
    fn challenge(&self, uri: &Uri, headers: &HeaderMap, fault: Option<&str>) -> HttpReply {
        let mut challenge = challenge_for(&self.metadata_url(uri, headers));
        let issuers = self.wire.gate.issuers();
        parameter(&mut challenge, "scope", &issuers.first_scopes.join(" "));
        let words = match fault {
            Some(fault) => {
                parameter(&mut challenge, "error", "invalid_token");
                parameter(&mut challenge, "error_description", fault);
                fault
            }
            None => "send `Authorization: Bearer <token>`; `core-mcp token create` makes one",
        };
        let code = if fault.is_some() { "invalid_token" } else { "missing_token" };
        with(refusal(StatusCode::UNAUTHORIZED, code, words), header::WWW_AUTHENTICATE, &challenge)
    }

    /// 403 for a good token that gives too little: which scopes to ask for.
    fn insufficient_scope(&self, metadata: &str, scope: &str, words: &str) -> HttpReply {
        let challenge = insufficient(metadata, scope, words);
        let body = refusal(StatusCode::FORBIDDEN, "insufficient_scope", words);
        with(body, header::WWW_AUTHENTICATE, &challenge)
    }

    /// Where the document about the resource of this request is.
    pub(crate) fn metadata_url(&self, uri: &Uri, headers: &HeaderMap) -> String {
        format!("{}/.well-known/oauth-protected-resource{}", self.base_url(headers), uri.path())
    }

    /// Our URL as the client sees it. The `Host` header was checked against the allow-list before.
    pub(crate) fn base_url(&self, headers: &HeaderMap) -> String {
        match &self.config.public_url {
            Some(url) => url.trim_end_matches('/').to_owned(),
            None => {
                let host = only(headers, header::HOST).ok().flatten().unwrap_or("localhost");
                let scheme = if self.config.tls.is_some() { "https" } else { "http" };
                format!("{scheme}://{host}")
            }
        }
    }
}

/// The challenge of an answer that is forbidden for want of a scope.
pub(crate) fn insufficient(metadata: &str, scope: &str, words: &str) -> String {
    let mut challenge = challenge_for(metadata);
    parameter(&mut challenge, "error", "insufficient_scope");
    parameter(&mut challenge, "scope", scope);
    parameter(&mut challenge, "error_description", words);
    challenge
}

fn challenge_for(metadata: &str) -> String {
    let mut challenge = "Bearer realm=\"core-mcp\"".to_owned();
    parameter(&mut challenge, "resource_metadata", metadata);
    challenge
}

/// Adds a quoted parameter, unless it is empty. What would end the quotes is left out.
fn parameter(challenge: &mut String, name: &str, value: &str) {
    if value.is_empty() {
        return;
    }
    let plain = value.chars().filter(|it| matches!(it, ' '..='~') && !matches!(it, '"' | '\\'));
    challenge.push_str(", ");
    challenge.push_str(name);
    challenge.push_str("=\"");
    challenge.extend(plain);
    challenge.push('"');
}

/// 429 and when to come back.
pub(crate) fn too_many(wait: std::time::Duration) -> HttpReply {
    let words = "too many refused requests; fix the cause, then try again later";
    let body = refusal(StatusCode::TOO_MANY_REQUESTS, "slow_down", words);
    with(body, header::RETRY_AFTER, &(wait.as_secs() + 1).to_string())
}

fn bearer(headers: &HeaderMap) -> Option<Secret<String>> {
    let value = only(headers, header::AUTHORIZATION).ok()??;
    let (scheme, token) = value.split_once(' ')?;
    let token = token.trim_matches(' ');
    let is_token =
        !token.is_empty() && token.len() <= TOKEN_BYTES_MAX && token.bytes().all(|it| it.is_ascii_graphic());
    (scheme.eq_ignore_ascii_case("bearer") && is_token).then(|| Secret::new(token.to_owned()))
}

fn carries_token(uri: &Uri) -> bool {
    let Some(query) = uri.query() else { return false };
    query.split('&').any(|pair| {
        let name = pair.split('=').next().unwrap_or_default();
        QUERY_NAMES.iter().any(|it| name.eq_ignore_ascii_case(it))
    })
}

#[cfg(test)]
mod tests {
    use http::HeaderValue;

    use super::*;

    #[test]
    fn a_token_is_read_from_one_well_formed_header_only() {
        for (values, read) in [
            (vec!["Bearer abc"], Some("abc")),
            (vec!["bearer  abc "], Some("abc")),
            (vec!["Basic abc"], None),
            (vec!["Bearer"], None),
            (vec!["Bearer "], None),
            (vec!["Bearer a b"], None),
            (vec!["Bearerabc"], None),
            (vec!["Bearer abc", "Bearer abc"], None),
            (vec![], None),
        ] {
            let mut headers = HeaderMap::new();
            for value in &values {
                headers.append(header::AUTHORIZATION, HeaderValue::from_static(value));
            }
            assert_eq!(bearer(&headers).as_ref().map(|it| it.expose().as_str()), read, "{values:?}");
        }
    }

    #[test]
    fn nothing_ends_the_quotes_of_a_challenge() {
        assert_eq!(
            insufficient("https://a/x", "read write", "a \"b\", error=\"c\\\" \r\nd"),
            "Bearer realm=\"core-mcp\", resource_metadata=\"https://a/x\", error=\"insufficient_scope\", \
             scope=\"read write\", error_description=\"a b, error=c d\""
        );
        assert_eq!(
            insufficient("m", "", "w"),
            "Bearer realm=\"core-mcp\", resource_metadata=\"m\", error=\"insufficient_scope\", error_description=\"w\""
        );
    }

    #[test]
    fn a_token_in_the_url_is_seen_in_any_spelling() {
        for (uri, seen) in [
            ("/mcp", false),
            ("/mcp?x=token", false),
            ("/mcp?token", true),
            ("/mcp?a=b&Access_Token=x", true),
            ("/mcp?api_key=", true),
        ] {
            assert_eq!(carries_token(&Uri::from_static(uri)), seen, "{uri}");
        }
    }
}
