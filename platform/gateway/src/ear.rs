//! Whom an upstream speaks to: the client behind a call, or everybody who follows the upstream.

use std::sync::Arc;

use kernel::{
    BoxFuture, CallContext, Client, ErrorKind, Notice, Notices, Progress, ProgressUpdate, Raw, ToolError,
};
use parking_lot::Mutex;
use serde::Deserialize;
use serde_json::value::RawValue;
use tokio::sync::Notify;

use crate::{
    hear::{Hear, not_offered},
    rpc::{Fields, RpcError},
};

/// The client behind one call.
pub(crate) struct CallEar {
    progress: Progress,
    client: Client,
    ambient: Arc<dyn Hear>,
}

/// The numbers of one step; anything else in it is not for us to judge.
#[derive(Deserialize)]
struct Step {
    progress: f64,
    #[serde(default)]
    total: Option<f64>,
    #[serde(default)]
    message: Option<String>,
}

impl CallEar {
    pub(crate) fn of(cx: &CallContext, ambient: &Arc<dyn Hear>) -> Arc<dyn Hear> {
        Arc::new(Self {
            progress: cx.progress.clone(),
            client: cx.client.clone(),
            ambient: Arc::clone(ambient),
        })
    }
}

impl Hear for CallEar {
    fn notice(&self, method: &str, params: Option<&RawValue>) {
        match method {
            "notifications/progress" => {
                let step = params.and_then(|it| serde_json::from_str::<Step>(it.get()).ok());
                if let Some(Step { progress, total, message }) = step {
                    self.progress.update(ProgressUpdate { done: progress, total, message });
                }
            }
            "notifications/message" => self.client.notify(method, raw(params)),
            _ if concerns_everybody(method) => self.ambient.notice(method, params),
            // What we do not know concerns the call it came with.
            _ => self.client.notify(method, raw(params)),
        }
    }

    fn ask(
        self: Arc<Self>,
        method: String,
        params: Option<Box<RawValue>>,
    ) -> BoxFuture<'static, Result<Box<RawValue>, RpcError>> {
        Box::pin(async move {
            let capability = match method.as_str() {
                "sampling/createMessage" => "sampling",
                "elicitation/create" => "elicitation",
                "roots/list" => "roots",
                _ => return Err(not_offered(&method)),
            };
            if !self.client.declares(capability) {
                return Err(not_offered(&method));
            }
            let answer = self.client.ask(&method, raw(params.as_deref())).await;
            answer.map_err(|error| rpc_error(&error)).and_then(|answer| {
                RawValue::from_string(answer.get().to_owned()).map_err(|_| not_offered(&method))
            })
        })
    }
}

fn raw(params: Option<&RawValue>) -> Raw {
    params.map_or_else(crate::order::nothing, Raw::from)
}

fn rpc_error(error: &ToolError) -> RpcError {
    if let Some(fault) = &error.fault {
        let data = fault.data.as_ref().and_then(|it| RawValue::from_string(it.get().to_owned()).ok());
        return RpcError { code: fault.code, message: fault.message.clone(), data };
    }
    let code = if error.kind == ErrorKind::Cancelled { -1 } else { -32603 };
    RpcError { code, message: error.message.clone(), data: None }
}

fn concerns_everybody(method: &str) -> bool {
    method.ends_with("/list_changed") || method == "notifications/resources/updated"
}

/// Everybody who follows one upstream.
pub(crate) struct Ambient {
    server: String,
    notices: Notices,
    /// Wakes whoever keeps the lists.
    pub(crate) stale: Notify,
    /// Which lists changed since they were fetched.
    pub(crate) changed: Mutex<Changed>,
}

/// Lists of an upstream that are no longer what they were.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Changed {
    pub(crate) tools: bool,
    pub(crate) resources: bool,
    pub(crate) prompts: bool,
}

impl Ambient {
    pub(crate) fn new(server: &str, notices: Notices) -> Arc<Self> {
        Arc::new(Self { server: server.to_owned(), notices, stale: Notify::new(), changed: Mutex::default() })
    }

    /// Everything may have changed: the upstream was away.
    pub(crate) fn all_changed(&self) {
        *self.changed.lock() = Changed { tools: true, resources: true, prompts: true };
        self.stale.notify_one();
    }

    /// Tells clients that a list is another one now.
    pub(crate) fn publish(&self, changed: Changed) {
        let server = || self.server.clone();
        if changed.resources {
            self.notices.publish(Notice::ResourcesChanged { server: server() });
        }
        if changed.prompts {
            self.notices.publish(Notice::PromptsChanged { server: server() });
        }
    }
}

impl Hear for Ambient {
    fn notice(&self, method: &str, params: Option<&RawValue>) {
        let text = |key: &str| {
            params.and_then(|it| Fields::read(it.get()).ok()).and_then(|it| it.text(key).map(Into::into))
        };
        let server = || self.server.clone();
        match method {
            "notifications/tools/list_changed" => self.changed.lock().tools = true,
            "notifications/resources/list_changed" => self.changed.lock().resources = true,
            "notifications/prompts/list_changed" => self.changed.lock().prompts = true,
            "notifications/resources/updated" => {
                if let Some(uri) = text("uri") {
                    self.notices.publish(Notice::ResourceUpdated {
                        server: server(),
                        uri,
                        params: raw(params),
                    });
                }
                return;
            }
            _ if method.starts_with("notifications/tasks") => {
                if let Some(task) = text("taskId") {
                    self.notices.publish(Notice::Task { server: server(), task, params: raw(params) });
                }
                return;
            }
            _ => return,
        }
        self.stale.notify_one();
    }

    fn ask(
        self: Arc<Self>,
        method: String,
        _params: Option<Box<RawValue>>,
    ) -> BoxFuture<'static, Result<Box<RawValue>, RpcError>> {
        Box::pin(std::future::ready(Err(not_offered(&method))))
    }
}
