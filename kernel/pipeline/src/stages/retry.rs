use std::{
    hash::{BuildHasher, Hasher, RandomState},
    sync::{
        Arc,
        atomic::{AtomicI64, Ordering},
    },
    time::{Duration, Instant},
};

use async_trait::async_trait;
use kernel::{Effect, ErrorKind, ToolError};

use crate::{
    Call, Metrics, Next, Operation, Outcome, Registry, Stage, peer_call, per_server::PerServer,
    standard::Knobs,
};

/// Each first attempt earns a fifth of a retry, in thousandths; a full purse holds twenty.
const EARNED: i64 = 200;
const COST: i64 = 1000;
const PURSE: i64 = 20 * COST;
const FIRST_WAIT: Duration = Duration::from_millis(100);
const LONGEST_WAIT: Duration = Duration::from_secs(5);

/// Repeats calls that may be repeated: idempotent ones whose backend was away, and any whose request
/// certainly never left. A write that timed out after sending is `outcome_unknown` and is never repeated.
///
/// A budget per server keeps retries below a fifth of the traffic, so that they cannot feed an outage.
pub(crate) struct Retry {
    registry: Registry,
    knobs: Knobs,
    metrics: Arc<Metrics>,
    purses: PerServer<AtomicI64>,
}

impl Retry {
    pub(crate) fn new(registry: Registry, knobs: Knobs, metrics: Arc<Metrics>) -> Self {
        let purses = PerServer::new(registry.clone(), || AtomicI64::new(PURSE));
        Self { registry, knobs, metrics, purses }
    }

    fn earn(&self, server: &str) {
        let purse = self.purses.of(server);
        let full = purse.fetch_add(EARNED, Ordering::Relaxed) + EARNED;
        if full > PURSE {
            purse.fetch_sub(full - PURSE, Ordering::Relaxed);
        }
    }

    fn spend(&self, server: &str) -> bool {
        self.purses
            .of(server)
            .fetch_update(Ordering::AcqRel, Ordering::Acquire, |left| (left >= COST).then_some(left - COST))
            .is_ok()
    }
}

#[async_trait]
impl Stage for Retry {
    fn name(&self) -> &'static str {
        "retry"
    }

    async fn handle(&self, mut call: Call, next: Next<'_>) -> Outcome {
        let (facts, spec) = (Arc::clone(call.facts()?), Arc::clone(call.spec()?));
        let attempts = self.knobs.read().limits(&facts, &spec.name).retry_attempts;
        self.earn(&facts.name);
        for attempt in 1.. {
            // Everything an attempt uses up is copied before it starts: the call itself moves on.
            let spare = if attempt < attempts { Some(call.spare()) } else { None };
            let outcome = next.run(call).await;
            let (Err(error), Some(spare)) = (&outcome, spare) else { return outcome };
            let wait = error.retry_after.unwrap_or_else(|| backoff(attempt));
            let in_time = spare.deadline.is_none_or(|deadline| Instant::now() + wait < deadline);
            if !repeatable(error, spec.effect) || !in_time || !self.spend(&facts.name) {
                return outcome;
            }
            let mount = self.registry.find(&facts.name)?;
            let Ok(server) = &mount.state else { return outcome };
            let prepared = match &spare.request.operation {
                Operation::Tool => server.prepare(&spec.name, spare.request.args.clone())?,
                Operation::Method(method) => peer_call::prepare(server.as_ref(), method)?,
            };
            self.metrics.retried(&facts.name);
            tokio::select! {
                () = tokio::time::sleep(wait) => {}
                () = spare.request.cancel.cancelled() => return outcome,
            }
            call = spare;
            call.prepared = Some(prepared);
        }
        Err(ToolError::new(ErrorKind::Internal, "the retry loop ended"))
    }
}

fn repeatable(error: &ToolError, effect: Effect) -> bool {
    match error.kind {
        ErrorKind::Unavailable => error.before_send || effect.is_idempotent(),
        _ => false,
    }
}

/// Doubles from 100 ms to 5 s, with a jitter of half of it so that callers do not march in step.
fn backoff(attempt: u32) -> Duration {
    let full = FIRST_WAIT.saturating_mul(2_u32.saturating_pow(attempt - 1)).min(LONGEST_WAIT);
    // A fresh `RandomState` is randomly keyed: enough for spreading load, and no crate.
    let dice = RandomState::new().build_hasher().finish() % 1000;
    full / 2 + (full / 2) * u32::try_from(dice).unwrap_or(0) / 1000
}
