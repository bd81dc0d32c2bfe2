//! The order of the stages. It is security policy.

use std::sync::Arc;

use async_trait::async_trait;
use kernel::{ErrorKind, ToolError};
use parking_lot::RwLock;

use crate::{
    Call, GateParts, Metrics, Outcome, Tuning,
    stages::{
        Approve, Audit, Authenticate, Authorize, Breaker, Bulkhead, Cache, Contexts, Deadline, Decode,
        Execute, RateLimit, Retry, Shape, Trace,
    },
};

/// The knobs in force, shared by the stages and swapped as one.
pub(crate) type Knobs = Arc<RwLock<Arc<Tuning>>>;

/// One concern on the road.
#[async_trait]
pub trait Stage: Send + Sync + 'static {
    /// The word metrics and the order test use.
    fn name(&self) -> &'static str;

    /// Does its part and, unless it answers itself, runs the rest.
    async fn handle(&self, call: Call, next: Next<'_>) -> Outcome;
}

/// The stages that have not run yet. Copy: retrying runs the rest again.
#[derive(Clone, Copy)]
pub struct Next<'a> {
    rest: &'a [Box<dyn Stage>],
}

impl Next<'_> {
    /// Runs the rest.
    pub async fn run(self, call: Call) -> Outcome {
        match self.rest.split_first() {
            Some((stage, rest)) => stage.handle(call, Next { rest }).await,
            None => Err(ToolError::new(ErrorKind::Internal, "the road ends without an `execute` stage")),
        }
    }
}

/// Proof that policy allowed a call. Only the `authorize` stage makes one; without one nothing runs.
#[derive(Clone, Copy, Debug)]
pub struct Permit(());

impl Permit {
    /// For `stages/authorize.rs` alone; a tidy test holds that nobody else calls it.
    pub(crate) fn issued_by_policy() -> Self {
        Self(())
    }
}

/// An ordered list of stages, outermost first.
#[derive(Default)]
pub struct Pipeline {
    stages: Vec<Box<dyn Stage>>,
}

impl Pipeline {
    /// The standard road. Each line says why it stands there.
    pub(crate) fn standard(parts: &GateParts, knobs: &Knobs, metrics: &Arc<Metrics>) -> Self {
        let knobs = || Arc::clone(knobs);
        let metrics = || Arc::clone(metrics);
        let parts = || parts.clone();
        Self::default()
            .then(Trace::new(metrics())) // everything below happens inside one span and is counted once
            .then(Audit::new(parts().journal)) // outside the checks: denials, panics and hang-ups are recorded too
            .then(Authenticate::new(parts().identity)) // who? a session may outlive its token
            .then(Decode::new(parts().registry)) // what? typed arguments, and the resources they name
            .then(Authorize::new(parts().policy, parts().identity)) // may they? issues the permit
            .then(Contexts::new(parts().contexts)) // a permitted call may still be outside its context
            .then(Approve::new(parts().approvals)) // asked only about calls that could run
            .then(RateLimit::new(knobs())) // a denied call costs its caller nothing
            .then(Cache::new(parts().registry, knobs(), metrics())) // inside authorize: a hit is a permitted call
            .then(Bulkhead::new(knobs(), metrics())) // inside cache: a hit needs no turn
            .then(Breaker::new(parts(), knobs(), metrics())) // inside bulkhead: probes are counted one by one
            .then(Retry::new(parts().registry, knobs(), metrics())) // inside breaker: a call counts once, after its retries
            .then(Deadline::new()) // inside retry: every attempt sees what is left of one budget
            .then(Shape::new(parts(), knobs(), metrics())) // on the way out, before anybody else sees the result
            .then(Execute::new()) // nothing above it touches a backend
    }

    /// Adds the next stage inwards.
    #[must_use]
    pub fn then(mut self, stage: impl Stage) -> Self {
        self.stages.push(Box::new(stage));
        self
    }

    /// The names of the stages, outermost first.
    pub fn names(&self) -> Vec<&'static str> {
        self.stages.iter().map(|stage| stage.name()).collect()
    }

    /// Sends one call down the road.
    pub async fn run(&self, call: Call) -> Outcome {
        Next { rest: &self.stages }.run(call).await
    }
}
