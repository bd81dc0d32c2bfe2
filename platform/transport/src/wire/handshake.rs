//! What a client learns before its first call.

use std::sync::Arc;

use protocol::{Fault, Params, Revision, can_ask_in_form};
use serde_json::{Value, json};

use super::Wire;

/// Clients may keep what `server/discover` says for this long.
const DISCOVER_TTL_MS: u64 = 3_600_000;

/// What came of an `initialize`.
pub(crate) struct Handshake {
    /// The revision both sides speak.
    pub(crate) revision: Revision,
    /// Whether the human at the client can be asked.
    pub(crate) can_ask: bool,
    /// The answer.
    pub(crate) result: Value,
}

impl Wire {
    /// Answers `initialize`.
    pub(crate) fn handshake(self: &Arc<Self>, params: &Params<'_>) -> Result<Handshake, Fault> {
        let asked = params.text("protocolVersion", params.protocol_version)?;
        let revision = Revision::negotiate(&asked);
        let result = json!({
            "protocolVersion": revision.as_str(),
            "capabilities": capabilities(),
            "serverInfo": self.config.server,
            "instructions": self.config.instructions,
        });
        let can_ask = revision.has_elicitation() && can_ask_in_form(params.capabilities);
        Ok(Handshake { revision, can_ask, result })
    }

    /// Answers `server/discover`. It is the same for everybody who may ask.
    pub(super) fn discover(&self) -> Value {
        json!({
            "supportedVersions": Revision::ALL.map(Revision::as_str),
            "capabilities": capabilities(),
            "instructions": self.config.instructions,
            "ttlMs": DISCOVER_TTL_MS,
            "cacheScope": "public",
        })
    }
}

/// Prompts are there for clients that ask; so far no server has any.
fn capabilities() -> Value {
    json!({ "tools": { "listChanged": true }, "resources": {}, "prompts": {}, "completions": {} })
}

/// Accepts a level. We declare no logging and send no log messages, so any level is honoured.
pub(super) fn set_level(params: &Params<'_>) -> Result<Value, Fault> {
    let level = params.text("level", params.level)?;
    let known = ["debug", "info", "notice", "warning", "error", "critical", "alert", "emergency"];
    if known.contains(&&*level) {
        Ok(json!({}))
    } else {
        Err(Fault::invalid_params("`level` is not a log level"))
    }
}
