use std::sync::Arc;

use async_trait::async_trait;
use kernel::{ErrorKind, ToolError};

use crate::{
    Call, Next, Operation, Outcome, Permit, Stage,
    seams::{Action, Identity, Policy, PolicyQuestion},
};

/// Asks policy and issues the permit. Default deny; decided at call time, whatever a listing said.
pub(crate) struct Authorize {
    policy: Arc<dyn Policy>,
    identity: Arc<dyn Identity>,
}

impl Authorize {
    pub(crate) fn new(policy: Arc<dyn Policy>, identity: Arc<dyn Identity>) -> Self {
        Self { policy, identity }
    }

    /// The first scope with which the same caller would be allowed. Asked of a denied call only.
    fn scope_that_helps(&self, question: &PolicyQuestion<'_>) -> Option<String> {
        let mut more = self.identity.with_more_scope(question.principal).into_iter();
        more.find(|(_, principal)| self.policy.decide(&PolicyQuestion { principal, ..*question }).allowed)
            .map(|(scope, _)| scope)
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
        let question = PolicyQuestion {
            principal,
            action,
            server: &facts.name,
            category: &facts.category,
            tool: executes.then_some(&spec.name),
            effect: executes.then_some(spec.effect),
            resources: &resources,
            door: call.request.door.as_str(),
            context: call.request.context_id.as_deref(),
        };
        let decision = self.policy.decide(&question);
        call.record.lock().policies.clone_from(&decision.policies);
        if !decision.allowed {
            let denied = denied(&principal.id, &principal.roles, &spec.qualified_name(), &decision.policies);
            return Err(match self.scope_that_helps(&question) {
                Some(scope) => denied.scope(scope),
                None => denied,
            });
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
    // Principals of other issuers are known by their tokens alone.
    let who = if principal.contains(':') {
        roles.iter().map(|it| format!("--role {it}")).collect::<Vec<_>>().join(" ")
    } else {
        format!("--principal {principal}")
    };
    let roles = if roles.is_empty() { "no role".to_owned() } else { format!("role {}", roles.join(", ")) };
    ToolError::new(ErrorKind::PermissionDenied, format!("`{principal}` ({roles}) may not call {tool}: {why}"))
        .hint(format!("`core-mcp policy explain {who} --tool {tool}` shows the rules"))
}
