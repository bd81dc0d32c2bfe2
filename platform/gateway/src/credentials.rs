//! What an upstream is shown of us, besides the headers in its section. Made elsewhere; nothing a caller showed us
//! ever comes in here.

use std::{any::Any, sync::Arc};

use ::http::HeaderMap;
use kernel::{BoxFuture, Principal, ToolError};

/// Makes credentials for one upstream.
pub trait Credentials: Send + Sync + 'static {
    /// The headers of the next request on behalf of `principal`; `core-mcp` itself has the empty id. Called for each
    /// request: what is still good is kept by whoever implements this.
    fn headers<'a>(&'a self, principal: &'a Principal) -> BoxFuture<'a, Result<Shown, ToolError>>;

    /// The upstream answered 401 or 403. `Ok`: ask for headers again and repeat the request, once. `Err`: what the
    /// caller hears.
    fn refused(&self, shown: &Shown, status: u16, challenge: Option<&str>) -> Result<(), ToolError>;

    /// Whether different callers are shown as different people, so that they must not share a session.
    fn are_personal(&self) -> bool {
        false
    }
}

/// Headers to send, and what whoever made them wants to know again.
#[derive(Clone)]
pub struct Shown {
    /// Set on the request, replacing what is there.
    pub headers: HeaderMap,
    /// Not looked into here.
    pub made_from: Arc<dyn Any + Send + Sync>,
}
