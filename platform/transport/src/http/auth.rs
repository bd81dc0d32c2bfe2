//! Who calls: a bearer token in the `Authorization` header, on every request.

use std::net::IpAddr;

use http::{HeaderMap, StatusCode, Uri, header};
use kernel::{ErrorKind, Secret};
use pipeline::{Door, Verified};

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

impl Http {
    /// Proves the caller or says how to become one.
    pub(crate) fn authenticate(
        &self,
        peer: IpAddr,
        uri: &Uri,
        headers: &HeaderMap,
    ) -> Result<(Verified, Secret<String>), Box<HttpReply>> {
        if carries_token(uri) {
            let words =
                "a token travels in the Authorization header, never in the URL; this one should be revoked";
            return Err(Box::new(refusal(StatusCode::BAD_REQUEST, "invalid_request", words)));
        }
        let address = self.strangers.address(peer);
        let Some(token) = bearer(headers) else {
            if let Some(wait) = self.strangers.wait(address) {
                return Err(Box::new(too_many(wait)));
            }
            return Err(Box::new(self.challenge(uri, headers, None)));
        };
        if !self.strangers.remembers(&token)
            && let Some(wait) = self.strangers.wait(address)
        {
            return Err(Box::new(too_many(wait)));
        }
        match self.wire.gate.authenticate(&token, Door::Http) {
            Ok(caller) => {
                self.strangers.remember(&token);
                Ok((caller, token))
            }
            Err(error) => {
                self.strangers.forget(&token);
                self.strangers.charge(address, Refusal::Denied.cost());
                if error.kind == ErrorKind::AuthenticationFailed {
                    return Err(Box::new(self.challenge(uri, headers, Some("invalid_token"))));
                }
                tracing::error!(%error, "tokens cannot be checked");
                let words = "tokens cannot be checked now";
                Err(Box::new(refusal(StatusCode::SERVICE_UNAVAILABLE, "temporarily_unavailable", words)))
            }
        }
    }

    /// 401, and where a client learns how to get a token.
    fn challenge(&self, uri: &Uri, headers: &HeaderMap, error: Option<&str>) -> HttpReply {
        let metadata =
            format!("{}/.well-known/oauth-protected-resource{}", self.base_url(headers), uri.path());
        let mut challenge = format!("Bearer realm=\"core-mcp\", resource_metadata=\"{metadata}\"");
        if let Some(error) = error {
            challenge.push_str(&format!(", error=\"{error}\""));
        }
        let words = "send `Authorization: Bearer <token>`; `core-mcp token create` makes one";
        let body = refusal(StatusCode::UNAUTHORIZED, error.unwrap_or("missing_token"), words);
        with(body, header::WWW_AUTHENTICATE, &challenge)
    }

    /// Our URL as the client sees it. The `Host` header was checked against the allow-list before.
    pub(crate) fn base_url(&self, headers: &HeaderMap) -> String {
        match &self.config.public_url {
            Some(url) => url.trim_end_matches('/').to_owned(),
            None => {
                let host = only(headers, header::HOST).ok().flatten().unwrap_or("localhost");
                format!("http://{host}")
            }
        }
    }
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
