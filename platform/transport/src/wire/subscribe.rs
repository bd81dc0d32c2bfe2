//! Subscriptions to single resources: who holds which, so that a server is told when nobody does.

use std::{
    collections::HashMap,
    sync::{Arc, Weak},
};

use kernel::{Raw, Resource, ToolError};
use parking_lot::Mutex;
use pipeline::{Door, Gate, Method, Operation, Request, Verified, seams::Action};
use protocol::{Fault, Id, Params};
use serde_json::json;

use super::{Exchange, Later, Reply, Session, Wire, listing::refused, relay::later, resources::missing};

/// Subscriptions of one principal.
const HELD_PER_PRINCIPAL: usize = 256;

/// Subscriptions of one session or stream.
pub(super) const HELD_PER_STREAM: usize = 64;

/// Who is subscribed to what, counted.
#[derive(Default)]
pub(super) struct Subscriptions {
    held: Mutex<Counts>,
}

#[derive(Default)]
struct Counts {
    by_resource: HashMap<(String, String), usize>,
    by_principal: HashMap<String, usize>,
}

/// One subscription; let go of when dropped.
pub(crate) struct Held {
    wire: Weak<Wire>,
    caller: Verified,
    door: Door,
    key: (String, String),
}

impl Wire {
    /// Subscribes `caller` to a resource, down the road.
    pub(super) async fn hold(
        self: &Arc<Self>,
        caller: &Verified,
        door: Door,
        server: &str,
        uri: &str,
    ) -> Result<Held, ToolError> {
        let principal = caller.principal().id.clone();
        {
            let mut held = self.subscriptions.held.lock();
            let own = held.by_principal.entry(principal).or_default();
            if *own >= HELD_PER_PRINCIPAL {
                let why = format!("more than {HELD_PER_PRINCIPAL} subscriptions of one principal");
                return Err(
                    ToolError::new(kernel::ErrorKind::Overloaded, why).hint("unsubscribe from some first")
                );
            }
            *own += 1;
            *held.by_resource.entry((server.to_owned(), uri.to_owned())).or_default() += 1;
        }
        // Made before the server is asked: whatever happens, the count goes down again.
        let held = Held {
            wire: Arc::downgrade(self),
            caller: caller.clone(),
            door,
            key: (server.to_owned(), uri.to_owned()),
        };
        self.gate.call(request(caller, door, "resources/subscribe", server, uri)).await?;
        Ok(held)
    }
}

impl Subscriptions {
    /// Takes one off; true when it was the last of its resource.
    fn release(&self, principal: &str, key: &(String, String)) -> bool {
        let mut held = self.held.lock();
        let Counts { by_resource, by_principal } = &mut *held;
        down(by_principal, &principal.to_owned());
        down(by_resource, key)
    }
}

/// Counts down; true when nothing is left.
fn down<K: std::hash::Hash + Eq>(counts: &mut HashMap<K, usize>, key: &K) -> bool {
    let Some(count) = counts.get_mut(key) else { return false };
    *count -= 1;
    let last = *count == 0;
    if last {
        counts.remove(key);
    }
    last
}

impl Drop for Held {
    fn drop(&mut self) {
        let Some(wire) = self.wire.upgrade() else { return };
        let last = wire.subscriptions.release(&self.caller.principal().id, &self.key);
        let Ok(runtime) = tokio::runtime::Handle::try_current() else { return };
        if last {
            let (server, uri) = &self.key;
            let request = request(&self.caller, self.door, "resources/unsubscribe", server, uri);
            runtime.spawn(unsubscribe(Arc::clone(&wire.gate), request));
        }
    }
}

async fn unsubscribe(gate: Arc<Gate>, request: Request) {
    if let Err(error) = gate.call(request).await {
        tracing::debug!(%error, "a server could not be told that nobody is subscribed any more");
    }
}

fn request(caller: &Verified, door: Door, method: &str, server: &str, uri: &str) -> Request {
    let params = json!({ "uri": uri });
    let mut request = Request::new(caller.clone(), server, method, params.clone(), door);
    request.params = Some(Raw::of(&params));
    request.operation = Operation::Method(Method {
        name: method.to_owned(),
        action: Action::Read,
        resources: vec![Resource::new("mcp.resource", uri)],
    });
    request
}

impl Wire {
    /// `resources/subscribe` and `resources/unsubscribe` of an older session.
    pub(super) fn subscription(
        self: &Arc<Self>,
        id: &Id,
        params: &Params<'_>,
        exchange: Exchange,
        wanted: Wanted,
    ) -> Result<Later, Fault> {
        let uri = params.text("uri", params.uri)?.into_owned();
        let session = exchange.session.clone();
        let session = session.ok_or_else(|| Fault::invalid_request("a subscription needs a session"))?;
        let (wire, id) = (Arc::clone(self), id.clone());
        Ok(later(async move {
            let revision = exchange.revision;
            let done = match wanted {
                Wanted::Subscribed => wire.subscribe(&exchange, &session, &uri).await,
                Wanted::Unsubscribed => {
                    // Not being subscribed any more is what was asked for.
                    session.subscriptions.lock().retain(|(_, held), _| *held != uri);
                    Ok(())
                }
            };
            match done {
                Ok(()) => wire.fine(&id, &json!({}), revision),
                Err(fault) => Reply::fault(Some(&id), &fault, revision),
            }
        }))
    }

    async fn subscribe(
        self: &Arc<Self>,
        exchange: &Exchange,
        session: &Session,
        uri: &str,
    ) -> Result<(), Fault> {
        if session.subscriptions.lock().len() >= HELD_PER_STREAM {
            return Err(Fault::busy(format!("more than {HELD_PER_STREAM} subscriptions of one session")));
        }
        let server = self.server_of(exchange, uri).await.map_err(|error| cannot(&error))?;
        let server = server.ok_or_else(|| missing(uri, exchange.revision))?;
        let held = self.hold(&exchange.caller, exchange.door, &server, uri).await;
        let held = held.map_err(|error| cannot(&error))?;
        session.subscriptions.lock().insert((server, uri.to_owned()), held);
        Ok(())
    }
}

/// What a client wants of a resource.
#[derive(Clone, Copy)]
pub(super) enum Wanted {
    /// To hear of its changes.
    Subscribed,
    /// To hear of them no more.
    Unsubscribed,
}

/// What a subscriber hears that may not subscribe.
pub(super) fn cannot(error: &ToolError) -> Fault {
    error.fault.as_deref().map_or_else(|| refused(error), Fault::relayed)
}
