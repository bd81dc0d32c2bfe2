//! Answers MCP messages, whichever door they came through.

use std::sync::Arc;

use bytes::Bytes;
use futures_util::future::BoxFuture;
use kernel::{ErrorKind, Listing};
use pipeline::{Door, Gate, Scope, Verified};
use protocol::{Fault, Id, Naming, Params, Revision, Sealer, write_error, write_result};
use serde_json::{Value, json};
use tokio::sync::mpsc;
use tokio_util::sync::CancellationToken;

use self::{
    listing::Listings,
    subscribe::{Subscriptions, Wanted},
    talk::Parked,
    tasks::Tasks,
};
use crate::WireConfig;

mod asker;
mod calls;
mod client;
mod completion;
mod handshake;
mod incoming;
mod listen;
mod listing;
mod lists;
mod outcome;
mod relay;
mod resources;
mod rounds;
mod session;
mod sessions;
mod subscribe;
mod talk;
mod tasks;

pub(crate) use listen::{Listener, Watch, watch};
pub(crate) use session::{Opened, Session};
pub(crate) use sessions::Sessions;
pub(crate) use talk::reply_of;

/// Messages we may queue for one stream before progress is dropped.
pub(crate) const OUTBOX_MESSAGES_MAX: usize = 64;

/// The dispatcher: one per process, shared by all doors.
pub struct Wire {
    pub(crate) gate: Arc<Gate>,
    pub(crate) config: WireConfig,
    pub(crate) sealer: Sealer,
    listings: Listings,
    parked: Arc<Parked>,
    subscriptions: Subscriptions,
    tasks: Tasks,
}

/// The circumstances of one request.
pub(crate) struct Exchange {
    /// Who asks; proven at the door.
    pub(crate) caller: Verified,
    /// What the route is about.
    pub(crate) scope: Scope,
    /// Which door.
    pub(crate) door: Door,
    /// Which protocol.
    pub(crate) revision: Revision,
    /// The legacy session, if there is one.
    pub(crate) session: Option<Arc<Session>>,
    /// Where messages go that precede the answer; `None` when the client cannot take any.
    pub(crate) outbox: Option<mpsc::Sender<Bytes>>,
    /// Fires when the client cancels.
    pub(crate) cancel: CancellationToken,
}

impl Exchange {
    fn naming(&self) -> Naming {
        if self.scope.server.is_some() { Naming::Bare } else { Naming::Qualified }
    }
}

/// An answer, ready to be sent.
#[derive(Debug)]
pub(crate) struct Reply {
    /// One JSON-RPC response.
    pub(crate) body: Vec<u8>,
    /// The HTTP status that goes with it.
    pub(crate) status: u16,
    /// What it counts against the flood limit.
    pub(crate) refusal: Refusal,
    /// A scope with which the same caller would be allowed.
    pub(crate) scope: Option<Box<str>>,
}

impl Reply {
    pub(crate) fn fine(body: Vec<u8>) -> Self {
        Self { body, status: 200, refusal: Refusal::No, scope: None }
    }

    pub(crate) fn fault(id: Option<&Id>, fault: &Fault, revision: Revision) -> Self {
        let body = write_error(id, fault);
        Self { status: fault.http_status(revision), ..Self::fine(body) }
    }
}

/// What an answer counts against its caller's allowance of refusals: each of them is recorded, and the disk ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Refusal {
    /// It was done, or it passed the rate limit, which bounds it.
    No,
    /// A mistake, a question or an impatience, refused before the rate limit or by it.
    Slip,
    /// The caller was not allowed to.
    Denied,
}

impl Refusal {
    /// Of a failed call.
    fn of(kind: ErrorKind) -> Self {
        match kind {
            ErrorKind::PermissionDenied | ErrorKind::AuthenticationFailed => Self::Denied,
            ErrorKind::ValidationFailed
            | ErrorKind::NotFound
            | ErrorKind::NeedsApproval
            | ErrorKind::RateLimited => Self::Slip,
            _ => Self::No,
        }
    }

    /// In refusals. Honest clients slip often; one that does it ten times as often as it may be denied is not.
    pub(crate) fn cost(self) -> f64 {
        match self {
            Self::No => 0.0,
            Self::Slip => 0.1,
            Self::Denied => 1.0,
        }
    }
}

/// How a request goes on once it has been read.
pub(crate) enum Work {
    /// Answered already.
    Ready(Reply),
    /// Takes time.
    Later(Later),
}

/// A request that takes time. Dropping it means that the client is gone.
pub(crate) struct Later {
    /// Ends with the answer.
    pub(crate) reply: BoxFuture<'static, Reply>,
    /// Whether a client that goes away takes the work with it. Work that destroys is finished instead.
    pub(crate) ends_with_client: bool,
}

impl Wire {
    /// A dispatcher over `gate`.
    pub fn new(gate: Arc<Gate>, config: WireConfig) -> Arc<Self> {
        let sealer = Sealer::new(&config.seal_key);
        Arc::new(Self {
            gate,
            config,
            sealer,
            listings: Listings::default(),
            parked: Arc::default(),
            subscriptions: Subscriptions::default(),
            tasks: Tasks::default(),
        })
    }

    /// Starts on one request. Everything it needs is taken from `params` before this returns.
    pub(crate) fn begin(
        self: &Arc<Self>,
        id: Id,
        method: &str,
        params: &Params<'_>,
        exchange: Exchange,
    ) -> Work {
        let revision = exchange.revision;
        self.route(&id, method, params, exchange)
            .unwrap_or_else(|fault| Work::Ready(Reply::fault(Some(&id), &fault, revision)))
    }

    fn route(
        self: &Arc<Self>,
        id: &Id,
        method: &str,
        params: &Params<'_>,
        exchange: Exchange,
    ) -> Result<Work, Fault> {
        let revision = exchange.revision;
        if method != "tools/call" {
            // A pipe stays open for days; its token may have ended meanwhile.
            self.gate.confirm(&exchange.caller).map_err(|error| listing::refused(&error))?;
        }
        let result = match (method, revision.is_modern()) {
            ("tools/call", _) => return self.call_tool(id, params, exchange).map(Work::Later),
            ("tools/list", _) => {
                return self.list_tools(id, params, &exchange).map(|body| Work::Ready(Reply::fine(body)));
            }
            ("resources/list", _) => return later(self.list(id, params, exchange, Listing::Resources)),
            ("resources/templates/list", _) => {
                return later(self.list(id, params, exchange, Listing::Templates));
            }
            ("prompts/list", _) => return later(self.list(id, params, exchange, Listing::Prompts)),
            ("resources/read", _) => return later(self.read_resource(id, params, exchange)),
            ("prompts/get", _) => return later(self.get_prompt(id, params, exchange)),
            ("completion/complete", _) => return later(self.complete(id, params, exchange)),
            ("resources/subscribe", false) => {
                return later(self.subscription(id, params, exchange, Wanted::Subscribed));
            }
            ("resources/unsubscribe", false) => {
                return later(self.subscription(id, params, exchange, Wanted::Unsubscribed));
            }
            ("tasks/get" | "tasks/update" | "tasks/cancel", _) => {
                return later(self.task_method(id, method, params, exchange));
            }
            ("server/discover", true) => self.discover(&exchange),
            ("ping", false) => json!({}),
            ("logging/setLevel", false) => handshake::set_level(params, &exchange)?,
            _ if is_core(method) => return Err(Fault::method_not_found(method)),
            _ => return later(self.opaque(id, method, params, exchange)),
        };
        Ok(Work::Ready(self.fine(id, &result, revision)))
    }

    fn fine(&self, id: &Id, result: &Value, revision: Revision) -> Reply {
        Reply::fine(write_result(id, result, revision, &self.config.server))
    }
}

fn later(later: Result<Later, Fault>) -> Result<Work, Fault> {
    later.map(Work::Later)
}

/// Methods of one revision of the protocol's core, or of what it once had: no extension gives them another
/// meaning.
fn is_core(method: &str) -> bool {
    let group = method.split_once('/').map_or(method, |(group, _)| group);
    let groups = [
        "completion",
        "elicitation",
        "initialize",
        "logging",
        "notifications",
        "ping",
        "prompts",
        "roots",
        "rpc",
        "sampling",
        "server",
        "subscriptions",
        "tasks",
        "tools",
    ];
    groups.contains(&group)
        || matches!(
            method,
            "resources/list"
                | "resources/read"
                | "resources/subscribe"
                | "resources/unsubscribe"
                | "resources/templates/list"
        )
}

/// Seconds since 1970.
pub(crate) fn unix_now() -> i64 {
    let since = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap_or_default();
    i64::try_from(since.as_secs()).unwrap_or(i64::MAX)
}
