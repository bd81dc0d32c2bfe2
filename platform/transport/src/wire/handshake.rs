//! What a client learns before its first call.

use std::sync::Arc;

use kernel::{Offers, Raw};
use pipeline::{Door, Scope, Verified};
use protocol::{Fault, Params, Revision, can_ask_in_form};
use serde_json::{Map, Value, json};

use super::{Exchange, Wire, client::LEVELS};

/// Clients may keep what `server/discover` says for this long.
const DISCOVER_TTL_MS: u64 = 3_600_000;

/// The extension for calls that take long.
pub(super) const TASKS: &str = "io.modelcontextprotocol/tasks";

/// What came of an `initialize`.
pub(crate) struct Handshake {
    /// The revision both sides speak.
    pub(crate) revision: Revision,
    /// Whether the human at the client can be asked.
    pub(crate) can_ask: bool,
    /// What the client said it can do.
    pub(crate) capabilities: Raw,
    /// Who the client said it is.
    pub(crate) client_info: Option<Raw>,
    /// The answer.
    pub(crate) result: Value,
}

impl Wire {
    /// Answers `initialize`.
    pub(crate) fn handshake(
        self: &Arc<Self>,
        params: &Params<'_>,
        caller: &Verified,
        scope: &Scope,
        door: Door,
    ) -> Result<Handshake, Fault> {
        let asked = params.text("protocolVersion", params.protocol_version)?;
        let revision = Revision::negotiate(&asked);
        let result = json!({
            "protocolVersion": revision.as_str(),
            "capabilities": self.capabilities(caller, scope, door),
            "serverInfo": self.config.server,
            "instructions": self.instructions(caller, scope, door),
        });
        let can_ask = revision.has_elicitation() && can_ask_in_form(params.capabilities);
        let capabilities = params
            .capabilities
            .filter(|it| it.get().starts_with('{'))
            .map_or_else(|| Raw::of(&json!({})), Raw::from);
        let client_info = params.client_info.filter(|it| it.get().starts_with('{')).map(Raw::from);
        Ok(Handshake { revision, can_ask, capabilities, client_info, result })
    }

    /// Answers `server/discover`. What is offered depends on the route and on who may read what.
    pub(super) fn discover(&self, exchange: &Exchange) -> Value {
        let Exchange { caller, scope, door, .. } = exchange;
        json!({
            "supportedVersions": Revision::ALL.map(Revision::as_str),
            "capabilities": self.capabilities(caller, scope, *door),
            "instructions": self.instructions(caller, scope, *door),
            "ttlMs": DISCOVER_TTL_MS,
            "cacheScope": "private",
        })
    }

    /// What the servers of this route offer together.
    fn offers(&self, caller: &Verified, scope: &Scope, door: Door) -> Vec<Offers> {
        let peers = self.gate.peers(caller, scope, door).unwrap_or_default();
        peers.iter().map(|view| view.peer.offers()).collect()
    }

    fn capabilities(&self, caller: &Verified, scope: &Scope, door: Door) -> Value {
        let offers = self.offers(caller, scope, door);
        let any = |has: fn(&Offers) -> bool| offers.iter().any(has);
        let mut said = json!({
            "tools": { "listChanged": true }, "resources": { "listChanged": true },
            "prompts": { "listChanged": true }, "completions": {},
        });
        if any(|it| it.subscribe) {
            said["resources"]["subscribe"] = true.into();
        }
        if any(|it| it.logging) {
            said["logging"] = json!({});
        }
        let mut extensions = Map::new();
        for offer in &offers {
            for (id, settings) in &offer.extensions {
                extensions.entry(id.clone()).or_insert_with(|| settings.clone());
            }
        }
        if any(|it| it.tasks) || self.has_long_tools(caller, scope, door) {
            extensions.insert(TASKS.into(), json!({}));
        }
        if !extensions.is_empty() {
            said["extensions"] = extensions.into();
        }
        said
    }

    fn has_long_tools(&self, caller: &Verified, scope: &Scope, door: Door) -> bool {
        let tools = self.gate.tools(caller, scope, door).unwrap_or_default();
        tools.iter().any(|view| view.spec.long)
    }

    /// Ours, and on the route of one server also that server's.
    fn instructions(&self, caller: &Verified, scope: &Scope, door: Door) -> String {
        let own = &self.config.instructions;
        let theirs = scope
            .server
            .as_ref()
            .and_then(|_| self.offers(caller, scope, door).into_iter().find_map(|offer| offer.instructions));
        match theirs {
            Some(theirs) => format!("{own}\n\nThe server says of itself:\n{theirs}"),
            None => own.clone(),
        }
    }
}

/// Takes the least severe level of log messages that the session's calls send.
pub(super) fn set_level(params: &Params<'_>, exchange: &Exchange) -> Result<Value, Fault> {
    let level = params.text("level", params.level)?;
    let known = LEVELS.into_iter().find(|it| *it == level);
    let level = known.ok_or_else(|| Fault::invalid_params("`level` is not a log level"))?;
    if let Some(session) = &exchange.session {
        session.set_log_level(level);
    }
    Ok(json!({}))
}
