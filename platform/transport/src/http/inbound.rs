//! What the headers of a POST say: who can read what, and in which protocol it is written.

use http::{HeaderMap, HeaderName, header};
use kernel::Raw;
use protocol::{Fault, Mirrored, Params, Revision, check_headers, check_parameters};

use super::{guard::only, routes::Arrival};
use crate::{Wire, wire::Session};

const VERSION: HeaderName = HeaderName::from_static("mcp-protocol-version");
const METHOD: HeaderName = HeaderName::from_static("mcp-method");
const NAME: HeaderName = HeaderName::from_static("mcp-name");

/// What a client can read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Accepts {
    pub(crate) json: bool,
    pub(crate) events: bool,
}

/// One request on its way, with what its headers said.
pub(crate) struct Inbound {
    pub(crate) headers: HeaderMap,
    pub(crate) arrival: Arrival,
    pub(crate) accepts: Accepts,
}

impl Inbound {
    /// Whether a request is written in 2026-07-28: it says so in its body or in its headers.
    pub(crate) fn is_modern(&self, method: &str, params: &Params<'_>) -> Result<bool, Fault> {
        let header = only(&self.headers, VERSION).ok().flatten().and_then(Revision::parse);
        Ok(method == "server/discover"
            || header.is_some_and(Revision::is_modern)
            || params.stated_revision()?.is_some())
    }

    pub(crate) fn check_modern(&self, method: &str, params: &Params<'_>) -> Result<(), Fault> {
        let header = |name: HeaderName| only(&self.headers, name).ok().flatten();
        let mirrored = Mirrored { revision: header(VERSION), method: header(METHOD), name: header(NAME) };
        let stated = params.stated_revision()?;
        // Without a stated revision there is nothing to compare: the missing metadata is the fault.
        if stated.is_some() {
            let name = params.optional_text("name", params.named(method))?;
            check_headers(mirrored, stated.as_deref(), method, name.as_deref())?;
        }
        params.check_modern()
    }

    /// Checks the headers that repeat arguments, where the tool's own definition asks for them.
    pub(crate) fn check_parameters(&self, wire: &Wire, params: &Params<'_>) -> Result<(), Fault> {
        let name = params.text("name", params.name)?;
        let Some(spec) = wire.annotated(&self.arrival.scope, &name) else { return Ok(()) };
        let arguments = params.arguments.map(|raw| Raw::from(raw).to_value()).unwrap_or_default();
        check_parameters(&spec.input_schema, &arguments, |header| {
            let name = HeaderName::from_bytes(header.as_bytes())
                .map_err(|_| Fault::header_mismatch("a parameter's header has no readable name"))?;
            only(&self.headers, name).map_err(|()| {
                Fault::header_mismatch(format!("the {header} header stands there twice or is not text"))
            })
        })
    }

    pub(crate) fn legacy_revision(&self, session: Option<&Session>) -> Result<Revision, Fault> {
        let stated = only(&self.headers, VERSION).map_err(|()| Fault::unsupported_revision("unreadable"))?;
        let stated = stated
            .map(|name| Revision::parse(name).ok_or_else(|| Fault::unsupported_revision(name)))
            .transpose()?;
        Ok(session.map(|it| it.revision).or(stated).unwrap_or(Revision::UNSTATED))
    }
}

pub(crate) fn is_json(headers: &HeaderMap) -> bool {
    let Ok(Some(value)) = only(headers, header::CONTENT_TYPE) else { return false };
    let media = value.split(';').next().unwrap_or_default().trim();
    media.eq_ignore_ascii_case("application/json")
}

/// Reads `Accept`. A range with quality 0 is a refusal; other qualities do not matter to us.
pub(crate) fn accepts(headers: &HeaderMap) -> Accepts {
    let mut accepts = Accepts { json: false, events: false };
    for value in headers.get_all(header::ACCEPT) {
        for range in value.to_str().unwrap_or_default().split(',') {
            let mut parts = range.split(';').map(str::trim);
            let media = parts.next().unwrap_or_default().to_ascii_lowercase();
            if parts.any(|it| matches!(it, "q=0" | "q=0.0" | "q=0.00" | "q=0.000")) {
                continue;
            }
            accepts.json |= matches!(media.as_str(), "*/*" | "application/*" | "application/json");
            accepts.events |= matches!(media.as_str(), "*/*" | "text/*" | "text/event-stream");
        }
    }
    accepts
}

#[cfg(test)]
mod tests {
    use http::HeaderValue;

    use super::*;

    #[test]
    fn accept_is_read_as_ranges() {
        for (value, json, events) in [
            ("application/json, text/event-stream", true, true),
            ("text/event-stream;q=0.5, Application/JSON;charset=utf-8", true, true),
            ("*/*", true, true),
            ("application/json", true, false),
            ("text/event-stream", false, true),
            ("application/json;q=0, */*;q=0.0", false, false),
            ("text/html", false, false),
            ("application/jsonx", false, false),
            ("", false, false),
        ] {
            let headers = HeaderMap::from_iter([(header::ACCEPT, HeaderValue::from_static(value))]);
            assert_eq!(accepts(&headers), Accepts { json, events }, "{value}");
        }
        assert_eq!(accepts(&HeaderMap::new()), Accepts { json: false, events: false });
    }
}
