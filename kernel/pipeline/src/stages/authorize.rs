use std::sync::Arc;

use async_trait::async_trait;
use kernel::{ErrorKind, ToolError};

use crate::{
    Call, Next, Operation, Outcome, Permit, Stage,
    seams::{Action, Policy, PolicyQuestion},
};

/// Asks policy and issues the permit. Default deny; decided at call time, whatever a listing said.
pub(crate) struct Authorize {
    policy: Arc<dyn Policy>,
}

impl Authorize {
    pub(crate) fn new(policy: Arc<dyn Policy>) -> Self {
        Self { policy }
    }
}

#[async_trait]
impl Stage for Authorize {
    fn name(&self) -> &'static str {
        "authorize"
    }

    async fn handle(&self, mut call: Call, next: Next<'_>) -> Outcome {
        let facts = Arc::clone(call.facts()?);
        let spec = Arc::clone(call.spec()?);
        let resources = call.prepared()?.resources();
        let principal = &call.request.caller.0;
        let action = match &call.request.operation {
            Operation::Tool => Action::Execute,
            Operation::Method(method) => method.action,
        };
        // Reading is asked of the server as a whole: it has no tool to name.
        let executes = action == Action::Execute;
        let decision = self.policy.decide(&PolicyQuestion {
            principal,
            action,
            server: &facts.name,
            category: &facts.category,
            tool: executes.then_some(&spec.name),
            effect: executes.then_some(spec.effect),
            resources: &resources,
            door: call.request.door.as_str(),
            context: call.request.context_id.as_deref(),
        });
        call.record.lock().policies.clone_from(&decision.policies);
        if !decision.allowed {
            return Err(denied(&principal.id, &principal.roles, &spec.qualified_name(), &decision.policies));
        }
        call.permit = Some(Permit::issued_by_policy());
        call.obligations = decision.obligations;
        next.run(call).await
    }
}

fn denied(principal: &str, roles: &[String], tool: &str, policies: &[String]) -> ToolError {
    let why = if policies.is_empty() {
        "no policy permits it".to_owned()
    } else {
        format!("forbidden by {}", policies.join(", "))
    };
    let roles = if roles.is_empty() { "no role".to_owned() } else { format!("role {}", roles.join(", ")) };
    ToolError::new(ErrorKind::PermissionDenied, format!("`{principal}` ({roles}) may not call {tool}: {why}"))
        .hint(format!("`core-mcp policy explain --principal {principal} --tool {tool}` shows the rules"))
}
