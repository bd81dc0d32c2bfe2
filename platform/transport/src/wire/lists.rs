//! `resources/list`, `resources/templates/list` and `prompts/list`: what the servers of a route list together.

use std::sync::Arc;

use kernel::{Listing, Raw, ToolError};
use pipeline::Listed;
use protocol::{Fault, Id, Naming, Params, Purpose, RelayedView, write_relayed};
use serde_json::json;

use super::{
    Exchange, Later, Reply, Wire,
    listing::{CURSOR_SECONDS, refused},
    relay::{later, text_of},
    resources, unix_now,
};

/// Items on one page.
const PAGE: usize = 500;

/// Bytes of a page's items: a page ends early rather than growing past it.
const PAGE_BYTES: usize = 1 << 20;

impl Wire {
    pub(super) fn list(
        self: &Arc<Self>,
        id: &Id,
        params: &Params<'_>,
        exchange: Exchange,
        what: Listing,
    ) -> Result<Later, Fault> {
        let principal = &exchange.caller.principal().id;
        let start = match params.optional_text("cursor", params.cursor)? {
            None => 0,
            Some(cursor) => self.place_of(&cursor, principal, what)?,
        };
        let (wire, id) = (Arc::clone(self), id.clone());
        Ok(later(async move {
            match wire.items(&exchange, what).await {
                Ok(items) => wire.page(&id, &exchange, what, &items, start),
                Err(error) => Reply::fault(Some(&id), &refused(&error), exchange.revision),
            }
        }))
    }

    fn page(&self, id: &Id, exchange: &Exchange, what: Listing, items: &[Raw], start: usize) -> Reply {
        let mut bytes = 0;
        let fits = |item: &&Raw| {
            bytes += item.get().len();
            bytes <= PAGE_BYTES
        };
        let rest = items.get(start..).unwrap_or_default();
        // At least one item, or a large one would end the listing.
        let count = rest.iter().take(PAGE).take_while(fits).count().max(rest.len().min(1));
        let mut result = Raw::of(&json!({ what.member(): &rest[..count] }));
        if rest.len() > count {
            let place = format!("{}:{}", what.method(), start + count);
            let principal = &exchange.caller.principal().id;
            let until = unix_now() + CURSOR_SECONDS;
            let next = self.sealer.seal(Purpose::Cursor, principal, place.as_bytes(), until);
            result = result.with("nextCursor", Some(&Raw::of(&next)));
        }
        let view = RelayedView { cacheable: true, ..RelayedView::default() };
        Reply::fine(write_relayed(id, &result, view, exchange.revision, &self.config.server))
    }

    /// Where a cursor of ours goes on.
    fn place_of(&self, cursor: &str, principal: &str, what: Listing) -> Result<usize, Fault> {
        let sealed = self.sealer.open(Purpose::Cursor, principal, cursor, unix_now()).ok();
        sealed
            .and_then(|place| String::from_utf8(place).ok())
            .and_then(|place| place.strip_prefix(what.method())?.strip_prefix(':')?.parse().ok())
            .ok_or_else(|| Fault::invalid_params("the cursor is not valid any more; list from the start"))
    }

    /// Everything of a route: the servers' in catalogue order, then our own.
    async fn items(&self, exchange: &Exchange, what: Listing) -> Result<Vec<Raw>, ToolError> {
        let Exchange { caller, scope, door, .. } = exchange;
        let listed = self.gate.list(caller, scope, *door, what).await?;
        let mut items = match what {
            Listing::Prompts => listed.iter().flat_map(|it| prompts(it, exchange.naming())).collect(),
            Listing::Resources => first_of_each(&listed, "uri"),
            Listing::Templates => first_of_each(&listed, "uriTemplate"),
        };
        match what {
            Listing::Prompts => {}
            Listing::Templates => items.push(Raw::of(&resources::template())),
            Listing::Resources => {
                items.extend(
                    self.gate.artifacts(caller).await?.iter().map(|it| Raw::of(&resources::entry(it))),
                );
            }
        }
        Ok(items)
    }
}

fn prompts(listed: &Listed, naming: Naming) -> Vec<Raw> {
    if naming == Naming::Bare {
        return listed.items.clone();
    }
    let named = listed.items.iter().filter_map(|item| {
        let name = format!("{}__{}", listed.facts.name, text_of(item, "name")?);
        Some(item.with("name", Some(&Raw::of(&name))))
    });
    named.collect()
}

/// A URI is served by the first server that lists it: a later one is not shown under it.
fn first_of_each(listed: &[Listed], member: &str) -> Vec<Raw> {
    let mut seen = std::collections::HashMap::new();
    let mut items = Vec::new();
    for Listed { facts, items: theirs } in listed {
        for item in theirs {
            let Some(uri) = text_of(item, member) else { continue };
            let owner = seen.entry(uri).or_insert(facts.name.as_str());
            if *owner == facts.name {
                items.push(item.clone());
            }
        }
    }
    items
}
