use std::{borrow::Cow, sync::Arc};

use async_trait::async_trait;
use kernel::ToolError;

use crate::{Call, Next, Operation, Outcome, Registry, Stage, peer_call, redact::mask_for_record};

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
        call.record.lock().server.clone_from(&mount.facts.name);
        let (prepared, spec) = match &call.request.operation {
            Operation::Tool => {
                let prepared = mount.running()?.prepare(&call.request.tool, call.request.args.clone())?;
                (prepared, mount.spec(&call.request.tool).map(Arc::clone))
            }
            Operation::Method(method) => {
                let prepared = peer_call::prepare(mount.running()?.as_ref(), method)?;
                (prepared, Some(peer_call::spec(&mount.facts, method)))
            }
        };
        {
            let mut record = call.record.lock();
            record.effect = Some(prepared.traits().effect.as_str());
            record.tool.clone_from(&call.request.tool);
            record.resources = recordable(prepared.resources());
        }
        call.spec = spec;
        call.facts = Some(Arc::clone(&mount.facts));
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
