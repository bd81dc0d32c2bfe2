use std::{borrow::Cow, sync::Arc};

use async_trait::async_trait;
use kernel::{ErrorKind, ToolError};

use crate::{Call, Next, Outcome, Registry, Stage, redact::mask_for_record};

/// Turns JSON into the tool's typed parameters and the resources they name.
///
/// Pure: it stands before policy because policy asks about resources that only typed parameters name,
/// and it must not become an oracle for the unauthorised.
pub(crate) struct Decode {
    registry: Registry,
}

impl Decode {
    pub(crate) fn new(registry: Registry) -> Self {
        Self { registry }
    }
}

#[async_trait]
impl Stage for Decode {
    fn name(&self) -> &'static str {
        "decode"
    }

    async fn handle(&self, mut call: Call, next: Next<'_>) -> Outcome {
        if !call.request.args.is_object() {
            return Err(ToolError::invalid("arguments", "the arguments must be a JSON object")
                .hint("send {\"name\": value, …} as the tool's input schema says"));
        }
        let mount = self.registry.find(&call.request.server)?;
        call.record.lock().server = mount.facts.name.to_owned();
        let server = mount.state.as_ref().map_err(|reason| {
            ToolError::new(
                ErrorKind::Unavailable,
                format!("server `{}` is not running: {reason}", mount.facts.name),
            )
            .before_send()
            .hint("`core-mcp servers` shows what is missing and how to enable it")
        })?;
        let prepared = server.prepare(&call.request.tool, call.request.args.clone())?;
        let meta = prepared.meta();
        {
            let mut record = call.record.lock();
            record.effect = Some(meta.effect.as_str());
            record.tool = meta.name.to_owned();
            record.resources = recordable(prepared.resources());
        }
        call.spec = mount.specs.iter().find(|spec| spec.name == meta.name).map(Arc::clone);
        call.facts = Some(mount.facts);
        call.prepared = Some(prepared);
        next.run(call).await
    }
}

/// At most 64 resources of at most 512 bytes each go into the record, secrets masked. Policy sees them whole.
fn recordable(mut resources: Vec<kernel::Resource>) -> Vec<kernel::Resource> {
    resources.truncate(64);
    for resource in &mut resources {
        if let (Cow::Owned(masked), _) = mask_for_record(&resource.id) {
            resource.id = masked;
        }
        if resource.id.len() > 512 {
            let cut = (0..=512).rev().find(|at| resource.id.is_char_boundary(*at)).unwrap_or(0);
            resource.id.truncate(cut);
        }
    }
    resources
}
