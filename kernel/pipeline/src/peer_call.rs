//! A request to a server's `Peer` in the form that the road drives: like a tool call, with a method for its name.

use std::{sync::Arc, time::Duration};

use kernel::{
    BoxFuture, Caching, CallContext, Effect, ErrorKind, Facts, Mounted, Output, Peer, Prepared, Resource,
    ToolError, ToolSpec, Traits, Trust,
};
use serde_json::Value;

use crate::{Method, seams::Action};

struct PeerCall {
    peer: Arc<dyn Peer>,
    trust: Trust,
    method: Method,
}

/// Makes `method` ready to run on `server`. Pure.
pub(crate) fn prepare(server: &dyn Mounted, method: &Method) -> Result<Box<dyn Prepared>, ToolError> {
    let peer = server.peer().ok_or_else(|| {
        let name = &server.facts().name;
        ToolError::new(ErrorKind::NotFound, format!("server `{name}` has no {}", method.name))
    })?;
    let trust = if peer.offers().trusted { Trust::Own } else { Trust::Untrusted };
    Ok(Box::new(PeerCall { peer, trust, method: method.clone() }))
}

/// What stages see in place of a tool.
pub(crate) fn spec(facts: &Facts, method: &Method) -> Arc<ToolSpec> {
    Arc::new(ToolSpec {
        server: facts.name.clone(),
        name: method.name.clone(),
        title: method.name.clone(),
        description: String::new(),
        input_schema: Value::Null,
        output_schema: Value::Null,
        effect: effect(method),
        open_world: facts.open_world,
        permission: format!("mcp.{}:{}", facts.name, method.action.as_str()),
        long: false,
        raw: None,
    })
}

fn effect(method: &Method) -> Effect {
    match method.action {
        Action::Execute => Effect::Write { idempotent: false },
        Action::Read | Action::List => Effect::Read,
    }
}

impl Prepared for PeerCall {
    fn traits(&self) -> Traits {
        Traits { effect: effect(&self.method), caching: Caching::Never, trust: self.trust }
    }

    fn resources(&self) -> Vec<Resource> {
        self.method.resources.clone()
    }

    fn deadline(&self) -> Option<Duration> {
        None
    }

    fn run(self: Box<Self>, cx: CallContext) -> BoxFuture<'static, Result<Output, ToolError>> {
        Box::pin(async move { self.peer.request(self.method.name, cx).await.map(Output::Raw) })
    }
}
