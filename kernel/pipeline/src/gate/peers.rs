//! What peers offer and list, as one principal sees it. A view: reading one item is decided on the road.

use std::{sync::Arc, time::Duration};

use futures_util::future::join_all;
use kernel::{Facts, Listing, Peer, Raw, ToolError};

use super::{Gate, Scope, question};
use crate::{Door, Verified, seams::Action};

/// A peer that takes longer is left out of a listing: the others are not kept waiting.
const LIST_PATIENCE: Duration = Duration::from_secs(5);

/// Items of one listing that are taken from one peer.
const LIST_ITEMS_MAX: usize = 10_000;

/// A server that offers more than tools, as one principal sees it.
#[derive(Clone)]
pub struct PeerView {
    /// Catalogue facts.
    pub facts: Arc<Facts>,
    /// The server.
    pub peer: Arc<dyn Peer>,
}

/// What one server lists.
#[derive(Clone, Debug)]
pub struct Listed {
    /// Catalogue facts.
    pub facts: Arc<Facts>,
    /// The items as the server wrote them.
    pub items: Vec<Raw>,
}

impl Gate {
    /// The running peers that `caller` may read, in catalogue order.
    pub fn peers(&self, caller: &Verified, scope: &Scope, door: Door) -> Result<Vec<PeerView>, ToolError> {
        let mut views = Vec::new();
        for mount in self.visible(caller, scope)? {
            let Some(peer) = mount.state.as_ref().ok().and_then(|it| it.peer()) else { continue };
            let asked = question(caller, Action::Read, &mount.facts, scope, door);
            if self.parts.policy.decide(&asked).allowed {
                views.push(PeerView { facts: Arc::clone(&mount.facts), peer });
            }
        }
        Ok(views)
    }

    /// What the peers list, side by side. One that fails or hangs lists nothing, and the log says so.
    pub async fn list(
        &self,
        caller: &Verified,
        scope: &Scope,
        door: Door,
        what: Listing,
    ) -> Result<Vec<Listed>, ToolError> {
        let asked = self.peers(caller, scope, door)?.into_iter().filter(|view| has(view, what)).map(|view| {
            let items = view.peer.list(what, Arc::clone(caller.principal()));
            async move {
                let items = tokio::time::timeout(LIST_PATIENCE, items).await;
                Listed { items: taken(&view.facts, what, items), facts: view.facts }
            }
        });
        Ok(join_all(asked).await)
    }
}

fn has(view: &PeerView, what: Listing) -> bool {
    let offers = view.peer.offers();
    match what {
        Listing::Resources | Listing::Templates => offers.resources,
        Listing::Prompts => offers.prompts,
    }
}

fn taken(
    facts: &Facts,
    what: Listing,
    items: Result<Result<Vec<Raw>, ToolError>, tokio::time::error::Elapsed>,
) -> Vec<Raw> {
    let (server, method) = (facts.name.as_str(), what.method());
    match items {
        Ok(Ok(mut items)) => {
            if items.len() > LIST_ITEMS_MAX {
                tracing::warn!(server, method, "a listing was cut to {LIST_ITEMS_MAX} items");
                items.truncate(LIST_ITEMS_MAX);
            }
            items
        }
        Ok(Err(error)) => {
            tracing::warn!(server, method, %error, "a listing failed");
            Vec::new()
        }
        Err(_) => {
            tracing::warn!(server, method, "a listing took longer than {LIST_PATIENCE:?}");
            Vec::new()
        }
    }
}
