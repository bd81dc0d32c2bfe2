//! The small pages beside the protocol: health, metrics and the protected-resource document.

use std::sync::Arc;

use http::{HeaderValue, StatusCode, header, request::Parts};
use pipeline::{Door, Scope};
use serde_json::json;

use super::{
    Http,
    auth::Peer,
    reply::{HttpReply, json, refusal, text},
};
use crate::wire::Refusal;

const WELL_KNOWN: &str = "/.well-known/oauth-protected-resource";

/// The media type of OpenMetrics text.
const OPEN_METRICS: &str = "application/openmetrics-text; version=1.0.0; charset=utf-8";

impl Http {
    /// A page for this path, if it is one of ours.
    pub(crate) async fn page(self: &Arc<Self>, peer: &Peer, parts: &Parts) -> Option<HttpReply> {
        let path = parts.uri.path();
        let reply = match path {
            "/healthz" => text(StatusCode::OK, "alive\n"),
            "/readyz" if self.draining.is_cancelled() => text(StatusCode::SERVICE_UNAVAILABLE, "stopping\n"),
            "/readyz" if !self.wire.gate.is_ready() => {
                text(StatusCode::SERVICE_UNAVAILABLE, "the audit journal cannot be written\n")
            }
            "/readyz" => text(StatusCode::OK, "ready\n"),
            "/metrics" => self.metrics(peer, parts).await,
            _ => {
                let resource = path.strip_prefix(WELL_KNOWN)?;
                if !(resource.is_empty() || resource.starts_with('/')) {
                    return None;
                }
                self.protected_resource(parts, resource)
            }
        };
        Some(if matches!(parts.method, http::Method::GET | http::Method::HEAD) {
            reply
        } else {
            super::routes::wrong_method("GET, HEAD")
        })
    }

    /// RFC 9728: what this resource is and who issues tokens for it.
    fn protected_resource(&self, parts: &Parts, path: &str) -> HttpReply {
        let issuers = self.wire.gate.issuers();
        let document = json!({
            "resource": format!("{}{path}", self.base_url(&parts.headers)),
            "resource_name": self.wire.config.server.title,
            "authorization_servers": issuers.authorization_servers,
            "scopes_supported": issuers.scopes,
            "bearer_methods_supported": ["header"],
        });
        json(StatusCode::OK, document.to_string())
    }

    /// Counters name every server, so they are for those who may read every server.
    async fn metrics(self: &Arc<Self>, peer: &Peer, parts: &Parts) -> HttpReply {
        let caller = match self.authenticate(peer, &parts.uri, &parts.headers).await {
            Ok((caller, _)) => caller,
            Err(reply) => return *reply,
        };
        let gate = &self.wire.gate;
        let readable =
            gate.servers(&caller, &Scope::default(), Door::Http).map_or(0, |servers| servers.len());
        if readable < gate.registry().mounts().len() {
            self.denied.charge(self.denied.caller(&caller.principal().id), Refusal::Denied.cost());
            let words = "metrics need `read` on every server";
            return refusal(StatusCode::FORBIDDEN, "insufficient_scope", words);
        }
        let mut reply = json(StatusCode::OK, gate.metrics().encode());
        reply.headers_mut().insert(header::CONTENT_TYPE, HeaderValue::from_static(OPEN_METRICS));
        reply
    }
}
