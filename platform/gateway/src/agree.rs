//! What a handshake settles, over whichever transport.

use std::sync::Arc;

use ::http::HeaderValue;
use kernel::Principal;
use parking_lot::Mutex;
use protocol::Revision;
use serde_json::{Value, value::RawValue};

use crate::{error::UpstreamError, order::MODERN, rpc::Fields};

/// What was agreed in a handshake.
#[derive(Debug)]
pub(crate) struct Agreed {
    /// Sent with every request; a server may do without.
    pub(crate) id: Option<HeaderValue>,
    /// On whose behalf it was opened.
    pub(crate) principal: Arc<Principal>,
    /// `MCP-Protocol-Version`.
    pub(crate) version: HeaderValue,
    /// The result of `initialize`.
    pub(crate) hello: Arc<RawValue>,
    /// The least severe level we asked for, as a rank; lower is chattier.
    pub(crate) level: Mutex<Option<usize>>,
}

/// Checks what a server answered to `initialize`.
pub(crate) fn agree(
    upstream: &str,
    hello: Box<RawValue>,
    session: Option<HeaderValue>,
    principal: &Arc<Principal>,
) -> Result<Agreed, UpstreamError> {
    let version = Fields::read(hello.get()).ok().and_then(|it| it.text("protocolVersion").map(Into::into));
    let version: String = version.unwrap_or_default();
    let known = Revision::parse(&version).filter(|it| !it.is_modern());
    let known = known.ok_or_else(|| UpstreamError::garbage(upstream, "it speaks no revision we know"))?;
    Ok(Agreed {
        id: session,
        principal: Arc::clone(principal),
        version: HeaderValue::from_static(known.as_str()),
        hello: Arc::from(hello),
        level: parking_lot::Mutex::default(),
    })
}

/// Whether what `server/discover` says includes our revision. A server that does not say counts as able.
pub(crate) fn speaks_modern(discovered: &RawValue) -> bool {
    let Ok(Value::Object(discovered)) = serde_json::from_str(discovered.get()) else { return false };
    match discovered.get("supportedVersions") {
        None => true,
        Some(versions) => versions.as_array().is_some_and(|it| it.iter().any(|it| it == MODERN)),
    }
}

/// How chatty a level is; unknown ones count as the least.
pub(crate) fn level_rank(level: &str) -> usize {
    const LEVELS: [&str; 8] =
        ["debug", "info", "notice", "warning", "error", "critical", "alert", "emergency"];
    LEVELS.iter().position(|it| *it == level).unwrap_or(LEVELS.len())
}
