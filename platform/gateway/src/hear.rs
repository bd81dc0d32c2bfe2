//! What an upstream says while it works on a request, and who hears it.

use std::sync::Arc;

use kernel::BoxFuture;
use serde_json::value::RawValue;

use crate::rpc::RpcError;

/// Listens to an upstream during one request.
pub(crate) trait Hear: Send + Sync + 'static {
    /// Progress, a log line, or anything else that wants no answer. Must not block.
    fn notice(&self, method: &str, params: Option<&RawValue>);

    /// A question to the client: sampling, elicitation, roots.
    fn ask(
        self: Arc<Self>,
        method: String,
        params: Option<Box<RawValue>>,
    ) -> BoxFuture<'static, Result<Box<RawValue>, RpcError>>;
}

/// Nobody listens and nobody can be asked: for what we ask on our own account.
pub(crate) struct Deaf;

impl Hear for Deaf {
    fn notice(&self, _method: &str, _params: Option<&RawValue>) {}

    fn ask(
        self: Arc<Self>,
        method: String,
        _params: Option<Box<RawValue>>,
    ) -> BoxFuture<'static, Result<Box<RawValue>, RpcError>> {
        Box::pin(std::future::ready(Err(not_offered(&method))))
    }
}

/// What an upstream is told that asks for what the caller never offered.
pub(crate) fn not_offered(method: &str) -> RpcError {
    let method: String = method.chars().filter(|it| !it.is_control()).take(60).collect();
    RpcError { code: -32601, message: format!("the client did not offer {method}"), data: None }
}
