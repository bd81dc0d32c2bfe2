//! A served upstream as the road sees it: calls and the protocol's other requests, relayed as they were written.

use std::{
    borrow::Cow,
    collections::BTreeMap,
    sync::Arc,
    time::{Duration, Instant},
};

use kernel::{
    BoxFuture, Caching, CallContext, ErrorKind, Facts, Health, Listing, Mounted, Output, Peer, Prepared, Raw,
    Resource, ToolError, ToolSpec, Traits, Trust,
};
use parking_lot::Mutex;
use pipeline::mask_raw;
use serde_json::Value;

use crate::{
    TrustLevel,
    ear::{Ambient, CallEar},
    error::{UpstreamError, tool_error},
    findings::{Finding, look},
    hear::Hear,
    listed::{Listed, Served},
    order::Order,
    peer::RelayPeer,
    rpc::RpcError,
    upstream::Upstream,
};

/// How long a look at an upstream's health may take.
const HEALTH: Duration = Duration::from_secs(5);

/// Everything about one upstream that outlives a change of its tools.
pub(crate) struct Shared {
    pub(crate) upstream: Arc<Upstream>,
    pub(crate) ambient: Arc<Ambient>,
    /// The same, as connectors know it.
    pub(crate) hear: Arc<dyn Hear>,
    /// Lists besides tools, with the moment they were fetched.
    pub(crate) lists: Mutex<BTreeMap<&'static str, (Instant, Arc<Vec<Raw>>)>>,
    /// Resources clients follow, and how many of them do.
    pub(crate) followed: Mutex<BTreeMap<String, usize>>,
    /// Fires when the set of followed resources changed.
    pub(crate) refollow: tokio::sync::Notify,
}

impl Shared {
    pub(crate) fn new(upstream: Arc<Upstream>, ambient: Arc<Ambient>) -> Arc<Self> {
        Arc::new(Self {
            upstream,
            hear: ambient.clone(),
            ambient,
            lists: Mutex::default(),
            followed: Mutex::default(),
            refollow: tokio::sync::Notify::new(),
        })
    }

    /// The resources clients follow now.
    pub(crate) fn followed(&self) -> Vec<String> {
        self.followed.lock().keys().cloned().collect()
    }

    /// Forgets a list that is no longer what it was.
    pub(crate) fn forget(&self, what: Listing) {
        self.lists.lock().remove(what.method());
    }

    pub(crate) fn error(&self, error: UpstreamError, changes: bool) -> ToolError {
        match error {
            UpstreamError::Rpc { code, message, data } => {
                ToolError::relayed(code, message, data.map(Raw::from))
            }
            error => {
                tracing::debug!(upstream = self.upstream.name, %error, "a request failed");
                tool_error(error, changes)
            }
        }
    }

    pub(crate) fn order(&self, method: Cow<'static, str>, params: String, cx: &CallContext) -> Order {
        let client = &cx.client;
        let limit = Instant::now() + self.upstream.timeout();
        Order {
            method,
            params: params.into(),
            name: None,
            mirrored: Vec::new(),
            capabilities: client.capabilities(),
            log_level: client.log_level(),
            wants_progress: cx.progress.is_heard(),
            principal: Arc::clone(&cx.principal),
            deadline: cx.deadline.map_or(limit, |it| it.min(limit)),
            cancel: cx.cancel.clone(),
            hear: CallEar::of(cx, &self.hear),
        }
    }

    pub(crate) async fn send(&self, order: Order, changes: bool) -> Result<Raw, ToolError> {
        let answer = self.upstream.request(&order).await.map_err(|error| self.error(error, changes))?;
        answer.map(Raw::from).map_err(|RpcError { code, message, data }| {
            ToolError::relayed(code, message, data.map(Raw::from))
        })
    }
}

/// One upstream with the tools it has now.
pub(crate) struct Relay {
    pub(crate) shared: Arc<Shared>,
    pub(crate) listed: Arc<Listed>,
}

impl Mounted for Relay {
    fn facts(&self) -> Arc<Facts> {
        Arc::clone(&self.listed.facts)
    }

    fn specs(&self) -> &[Arc<ToolSpec>] {
        &self.listed.specs
    }

    /// The upstream checks its own arguments: its schema may say less, or something else, than what it does.
    fn prepare(&self, tool: &str, args: Value) -> Result<Box<dyn Prepared>, ToolError> {
        let server = &self.listed.facts.name;
        let served = self.listed.tools.get(tool).ok_or_else(|| {
            ToolError::new(ErrorKind::NotFound, format!("server `{server}` has no tool `{tool}`"))
                .hint(format!("list its tools with `core-mcp tools {server}` or tools/list"))
        })?;
        Ok(Box::new(RelayCall { shared: Arc::clone(&self.shared), served: Arc::clone(served), args }))
    }

    fn health(&self) -> BoxFuture<'_, Health> {
        Box::pin(async {
            let looked = tokio::time::timeout(HEALTH, look_at(&self.shared.upstream)).await;
            match looked {
                Ok(Ok(())) => Health::Ready,
                Ok(Err(error)) => Health::Unavailable(error.to_string()),
                Err(_) => Health::Unavailable("it does not answer in time".into()),
            }
        })
    }

    fn complete<'a>(
        &'a self,
        _tool: &'a str,
        _argument: &'a str,
        _prefix: &'a str,
    ) -> BoxFuture<'a, Vec<String>> {
        // The protocol completes arguments of prompts and resources only; those go through the peer.
        Box::pin(std::future::ready(Vec::new()))
    }

    fn peer(&self) -> Option<Arc<dyn Peer>> {
        let peer = RelayPeer { shared: Arc::clone(&self.shared), listed: Arc::clone(&self.listed) };
        Some(Arc::new(peer))
    }
}

/// Asks for something every server can answer.
pub(crate) async fn look_at(upstream: &Upstream) -> Result<(), UpstreamError> {
    let hello = upstream.hello().await?;
    let method = if hello.is_modern { "server/discover" } else { "ping" };
    // A server that does not know even these is up all the same.
    upstream.request(&Order::own(method, "{}", Instant::now() + HEALTH)).await.map(drop)
}

struct RelayCall {
    shared: Arc<Shared>,
    served: Arc<Served>,
    args: Value,
}

impl Prepared for RelayCall {
    fn traits(&self) -> Traits {
        let trust =
            if self.shared.upstream.config.trust == TrustLevel::High { Trust::Own } else { Trust::Untrusted };
        Traits { effect: self.served.effect, caching: Caching::Never, trust }
    }

    fn resources(&self) -> Vec<Resource> {
        Vec::new()
    }

    fn deadline(&self) -> Option<Duration> {
        Some(self.shared.upstream.timeout())
    }

    fn run(self: Box<Self>, cx: CallContext) -> BoxFuture<'static, Result<Output, ToolError>> {
        Box::pin(async move {
            let tool = &self.served.definition;
            let mut order = self.shared.order(Cow::Borrowed("tools/call"), self.params(&cx), &cx);
            order.name = Some(tool.upstream_name.clone());
            order.mirrored = tool.param_headers(&self.args);
            let result = self.shared.send(order, !self.served.effect.is_read()).await?;
            self.looked_at(result).map(Output::Raw)
        })
    }
}

impl RelayCall {
    /// What the client wrote, with the upstream's own name of the tool.
    ///
    /// Secrets do not leave to servers we do not trust, whoever put them into the arguments.
    fn params(&self, cx: &CallContext) -> String {
        let tool = &self.served.definition;
        let params = match &cx.params {
            Some(params) if tool.name == tool.upstream_name => params.clone(),
            Some(params) => params.with("name", Some(&Raw::of(&tool.upstream_name))),
            None => Raw::of(&serde_json::json!({ "name": tool.upstream_name, "arguments": self.args })),
        };
        if self.shared.upstream.config.trust == TrustLevel::High {
            return params.get().to_owned();
        }
        let (params, masked) = mask_raw(&params);
        if masked > 0 {
            let (upstream, tool) = (&self.shared.upstream.name, &tool.name);
            tracing::warn!(upstream, tool, masked, "secrets in the arguments were masked");
        }
        params.get().to_owned()
    }

    /// Results are looked at like definitions. What stands out is recorded, and withheld from callers of servers
    /// that are trusted least.
    fn looked_at(&self, result: Raw) -> Result<Raw, ToolError> {
        let config = &self.shared.upstream.config;
        if config.trust == TrustLevel::High {
            return Ok(result);
        }
        let findings = look(result.get(), "result");
        if findings.is_empty() {
            return Ok(result);
        }
        let codes: Vec<&str> = findings.iter().map(|it: &Finding| it.code.as_str()).collect();
        let (upstream, tool) = (&self.shared.upstream.name, &self.served.definition.name);
        tracing::warn!(upstream, tool, ?codes, "a result reads like instructions");
        if config.trust == TrustLevel::Low {
            let why = format!(
                "the result of `{tool}` was withheld: it reads like instructions ({})",
                codes.join(", ")
            );
            return Err(ToolError::new(ErrorKind::ToolExecutionFailed, why).hint(format!(
                "an operator can raise `trust` in [upstreams.{upstream}] after looking at it"
            )));
        }
        Ok(noted(&result, &codes))
    }
}

/// Notes in `_meta` what stands out; everything else stays as it is.
fn noted(result: &Raw, codes: &[&str]) -> Raw {
    let meta = result.member("_meta").map_or_else(crate::order::nothing, Raw::from);
    let meta = meta.with("core-mcp/findings", Some(&Raw::of(&codes)));
    result.with("_meta", Some(&meta))
}
