//! Everything an upstream offers besides tools: resources, prompts, completion, tasks, its extensions.

use std::{
    borrow::Cow,
    sync::Arc,
    time::{Duration, Instant},
};

use kernel::{BoxFuture, CallContext, ErrorKind, Listing, Offers, Peer, Principal, Raw, ToolError};

use crate::{
    error::UpstreamError,
    listed::{Listed, fetch},
    order::Order,
    relay::Shared,
    rpc::Fields,
};

/// Resources of one upstream that are followed at the same time.
const FOLLOWED_MAX: usize = 1000;

/// Everything but tools.
pub(crate) struct RelayPeer {
    pub(crate) shared: Arc<Shared>,
    pub(crate) listed: Arc<Listed>,
}

impl Peer for RelayPeer {
    fn offers(&self) -> Offers {
        self.listed.offers.clone()
    }

    fn list(
        self: Arc<Self>,
        what: Listing,
        _principal: Arc<Principal>,
    ) -> BoxFuture<'static, Result<Vec<Raw>, ToolError>> {
        Box::pin(async move {
            let shared = &self.shared;
            let good_for = Duration::from_secs(shared.upstream.config.refresh_seconds);
            let kept = shared.lists.lock().get(what.method()).cloned();
            if let Some((at, items)) = kept
                && at.elapsed() < good_for
            {
                return Ok(items.to_vec());
            }
            let (items, ttl_ms) = match fetch(&shared.upstream, what.method(), what.member()).await {
                Ok(fetched) => fetched,
                // A server may offer resources without templates.
                Err(UpstreamError::Rpc { code: -32601, .. }) => (Vec::new(), None),
                Err(error) => return Err(shared.error(error, false)),
            };
            if ttl_ms != Some(0) {
                let items = Arc::new(items.clone());
                shared.lists.lock().insert(what.method(), (Instant::now(), items));
            }
            Ok(items)
        })
    }

    fn request(
        self: Arc<Self>,
        method: String,
        cx: CallContext,
    ) -> BoxFuture<'static, Result<Raw, ToolError>> {
        Box::pin(async move {
            let params = cx.params.as_ref().map_or_else(|| "{}".to_owned(), |it| it.get().to_owned());
            if let "resources/subscribe" | "resources/unsubscribe" = method.as_str() {
                return self.follow(method == "resources/subscribe", params).await;
            }
            let name = mirrored_name(&method, &params);
            let changes = matches!(method.as_str(), "tasks/update" | "tasks/cancel") || self.handles(&method);
            let mut order = self.shared.order(Cow::Owned(method), params, &cx);
            order.name = name;
            self.shared.send(order, changes).await
        })
    }

    /// Methods of extensions the upstream declares: `skills/…` of `io.modelcontextprotocol/skills`.
    fn handles(&self, method: &str) -> bool {
        let Some((family, _)) = method.split_once('/') else { return false };
        let mut extensions = self.listed.offers.extensions.keys();
        family != "tasks" && extensions.any(|id| id.rsplit('/').next() == Some(family))
    }
}

impl RelayPeer {
    /// Follows a resource for as long as any client does. Old upstreams are told in the session whose stream we
    /// hear; new ones when the stream is opened again.
    async fn follow(&self, begins: bool, params: String) -> Result<Raw, ToolError> {
        let uri = Fields::read(&params).ok().and_then(|it| it.text("uri").map(String::from));
        let uri = uri.ok_or_else(|| ToolError::relayed(-32602, "`uri` is missing", None))?;
        let is_news = self.count(begins, &uri)?;
        if !is_news {
            return Ok(crate::order::nothing());
        }
        let upstream = &self.shared.upstream;
        let hello = upstream.hello().await.map_err(|error| self.shared.error(error, false))?;
        if hello.is_modern {
            self.shared.refollow.notify_one();
            return Ok(crate::order::nothing());
        }
        let method = if begins { "resources/subscribe" } else { "resources/unsubscribe" };
        let order = Order::own(method, params, Instant::now() + upstream.timeout());
        let answer = self.shared.send(order, false).await;
        if begins && answer.is_err() {
            self.shared.followed.lock().remove(&uri);
        }
        answer
    }
}

impl RelayPeer {
    /// Counts who follows a resource; true when the upstream has to hear of it.
    fn count(&self, begins: bool, uri: &str) -> Result<bool, ToolError> {
        let mut followed = self.shared.followed.lock();
        let count = followed.get(uri).copied().unwrap_or(0);
        if begins && count == 0 && followed.len() >= FOLLOWED_MAX {
            return Err(ToolError::new(ErrorKind::Overloaded, "too many resources are followed"));
        }
        let now = if begins { count + 1 } else { count.saturating_sub(1) };
        if now == 0 {
            followed.remove(uri);
        } else {
            followed.insert(uri.to_owned(), now);
        }
        Ok((count == 0) != (now == 0))
    }
}

/// What `Mcp-Name` repeats.
fn mirrored_name(method: &str, params: &str) -> Option<String> {
    let key = match method {
        "resources/read" => "uri",
        "prompts/get" => "name",
        _ => return None,
    };
    Fields::read(params).ok()?.text(key).map(Into::into)
}
