//! `tools/list`: one listing per principal and route, written once and sent many times.

use std::{
    collections::HashMap,
    sync::Arc,
    time::{Duration, Instant},
};

use kernel::{Principal, ToolError};
use parking_lot::Mutex;
use pipeline::ToolView;
use protocol::{Fault, Id, Params, Purpose, failure_detail, wire_tools};
use serde_json::json;

use super::{Exchange, Wire, unix_now};

/// Listings kept; when full, all are dropped and made anew as needed.
const KEPT_MAX: usize = 256;

/// A kept listing is made anew after this, whatever happened.
const KEPT_FOR: Duration = Duration::from_secs(10);

/// Modern clients may keep a page this long; `listChanged` tells them earlier.
const TTL_MS: u64 = 30_000;

/// A cursor is good for this long.
pub(super) const CURSOR_SECONDS: i64 = 3600;

/// Pages of tools as they stand in an answer, by who sees them.
#[derive(Default)]
pub(super) struct Listings(Mutex<HashMap<Viewer, Arc<Listing>>>);

#[derive(Clone, PartialEq, Eq, Hash)]
struct Viewer {
    /// With roles: another role is another viewer.
    principal: Arc<Principal>,
    server: Option<String>,
    door: &'static str,
}

struct Listing {
    /// What `Gate::changes` said when this was made.
    generation: u64,
    made: Instant,
    pages: Vec<Page>,
}

struct Page {
    /// The first tool, by which a cursor finds its page again after a change.
    first: String,
    /// A JSON array.
    tools: String,
}

impl Wire {
    pub(super) fn list_tools(
        self: &Arc<Self>,
        id: &Id,
        params: &Params<'_>,
        exchange: &Exchange,
    ) -> Result<Vec<u8>, Fault> {
        let cursor = params.optional_text("cursor", params.cursor)?;
        let listing = self.listing(exchange)?;
        let principal = &exchange.caller.principal().id;
        let index = match cursor {
            None => 0,
            Some(cursor) => self.page_of(&listing, &cursor, principal)?,
        };
        let next = listing.pages.get(index + 1).map(|page| {
            self.sealer.seal(Purpose::Cursor, principal, page.first.as_bytes(), unix_now() + CURSOR_SECONDS)
        });
        let tools = listing.pages.get(index).map_or("[]", |page| &page.tools);
        Ok(self.page_answer(id, exchange, tools, next.as_deref()))
    }

    fn page_answer(&self, id: &Id, exchange: &Exchange, tools: &str, next: Option<&str>) -> Vec<u8> {
        let mut out = Vec::with_capacity(tools.len() + 512);
        out.extend_from_slice(br#"{"jsonrpc":"2.0","id":"#);
        out.extend_from_slice(id.as_json().as_bytes());
        out.extend_from_slice(br#","result":{"tools":"#);
        out.extend_from_slice(tools.as_bytes());
        if let Some(next) = next {
            // Base64 needs no escapes.
            out.extend_from_slice(format!(r#","nextCursor":"{next}""#).as_bytes());
        }
        if exchange.revision.is_modern() {
            let server = &self.config.server;
            let meta = json!({
                "io.modelcontextprotocol/serverInfo": { "name": server.name, "version": server.version },
            });
            out.extend_from_slice(
                format!(r#","resultType":"complete","ttlMs":{TTL_MS},"cacheScope":"private","_meta":{meta}"#)
                    .as_bytes(),
            );
        }
        out.extend_from_slice(b"}}");
        out
    }

    fn page_of(&self, listing: &Listing, cursor: &str, principal: &str) -> Result<usize, Fault> {
        let first = self.sealer.open(Purpose::Cursor, principal, cursor, unix_now()).ok();
        first
            .and_then(|first| listing.pages.iter().position(|page| page.first.as_bytes() == first))
            .ok_or_else(|| Fault::invalid_params("the cursor is not valid any more; list from the start"))
    }

    fn listing(&self, exchange: &Exchange) -> Result<Arc<Listing>, Fault> {
        let generation = *self.gate.changes().borrow();
        // What a context enables changes without notice, in another process.
        if exchange.scope.context.is_some() {
            return self.make_listing(exchange, generation).map(Arc::new);
        }
        let viewer = Viewer {
            principal: Arc::clone(exchange.caller.principal()),
            server: exchange.scope.server.clone(),
            door: exchange.door.as_str(),
        };
        let kept = self.listings.0.lock().get(&viewer).cloned();
        if let Some(kept) = kept.filter(|it| it.generation == generation && it.made.elapsed() < KEPT_FOR) {
            return Ok(kept);
        }
        let listing = Arc::new(self.make_listing(exchange, generation)?);
        let mut kept = self.listings.0.lock();
        if kept.len() >= KEPT_MAX {
            kept.clear();
        }
        kept.insert(viewer, Arc::clone(&listing));
        Ok(listing)
    }

    fn make_listing(&self, exchange: &Exchange, generation: u64) -> Result<Listing, Fault> {
        let views = self
            .gate
            .tools(&exchange.caller, &exchange.scope, exchange.door)
            .map_err(|error| refused(&error))?;
        let pages =
            views.chunks(self.config.tools_per_page.max(1)).map(|chunk| page(chunk, exchange)).collect();
        Ok(Listing { generation, made: Instant::now(), pages })
    }
}

fn page(views: &[ToolView], exchange: &Exchange) -> Page {
    let naming = exchange.naming();
    let specs: Vec<_> = views.iter().map(|view| view.spec.as_ref()).collect();
    let tools = wire_tools(&specs, naming);
    let first = views.first().map(|view| view.spec.wire_name()).unwrap_or_default();
    Page { first, tools: serde_json::to_string(&tools).unwrap_or_else(|_| "[]".into()) }
}

/// A listing that the gate refuses: no such server or context, or not the caller's.
pub(super) fn refused(error: &ToolError) -> Fault {
    Fault::invalid_params(error.message.clone()).with_data(
        json!({ "code": error.kind.code(), "hints": error.hints, "core-mcp/error": failure_detail(error) }),
    )
}
