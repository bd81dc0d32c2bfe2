use std::{
    num::NonZeroU32,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};

use async_trait::async_trait;
use governor::{DefaultKeyedRateLimiter, Quota, clock::Clock};
use kernel::{ErrorKind, ToolError};
use parking_lot::RwLock;

use crate::{Call, Next, Outcome, Stage, standard::Knobs};

/// GCRA per principal and tool class. The class is `server/effect` unless policy names another; a tool with a
/// rate of its own in the configuration is a class of its own.
pub(crate) struct RateLimit {
    knobs: Knobs,
    /// One limiter per rate in use; rates come from the operator's config, so there are few.
    limiters: RwLock<Vec<(u32, Arc<DefaultKeyedRateLimiter<String>>)>>,
    checks: AtomicU64,
}

impl RateLimit {
    pub(crate) fn new(knobs: Knobs) -> Self {
        Self { knobs, limiters: RwLock::default(), checks: AtomicU64::new(0) }
    }

    fn limiter(&self, per_minute: u32) -> Arc<DefaultKeyedRateLimiter<String>> {
        let found = |list: &[(u32, Arc<DefaultKeyedRateLimiter<String>>)]| {
            list.iter().find(|(rate, _)| *rate == per_minute).map(|(_, limiter)| Arc::clone(limiter))
        };
        if let Some(limiter) = found(&self.limiters.read()) {
            return limiter;
        }
        let mut list = self.limiters.write();
        found(&list).unwrap_or_else(|| {
            let rate = NonZeroU32::new(per_minute).unwrap_or(NonZeroU32::MIN);
            let limiter = Arc::new(DefaultKeyedRateLimiter::keyed(Quota::per_minute(rate)));
            list.push((per_minute, Arc::clone(&limiter)));
            limiter
        })
    }

    fn check(&self, key: &String, per_minute: u32) -> Result<(), Duration> {
        let limiter = self.limiter(per_minute);
        // Callers that went quiet are forgotten now and then, so that the map stays bounded.
        if self.checks.fetch_add(1, Ordering::Relaxed) % 4096 == 4095 {
            limiter.retain_recent();
        }
        limiter
            .check_key(key)
            .map_err(|until| until.wait_time_from(governor::clock::DefaultClock::default().now()))
    }
}

#[async_trait]
impl Stage for RateLimit {
    fn name(&self) -> &'static str {
        "rate_limit"
    }

    async fn handle(&self, call: Call, next: Next<'_>) -> Outcome {
        let (facts, spec) = (call.facts()?, call.spec()?);
        let (per_minute, own) = {
            let knobs = self.knobs.read();
            (knobs.limits(facts, &spec.name).rate_per_minute, knobs.has_own_rate(facts, &spec.name))
        };
        let class = match &call.obligations.rate_class {
            Some(class) => class.clone(),
            None if own => spec.qualified_name(),
            None => format!("{}/{}", facts.name, spec.effect.as_str()),
        };
        let key = format!("{}\0{class}", call.request.caller.0.id);
        self.check(&key, per_minute).map_err(|wait| {
            let wait = Duration::from_millis(u64::try_from(wait.as_millis()).unwrap_or(u64::MAX).max(1));
            ToolError::new(
                ErrorKind::RateLimited,
                format!("more than {per_minute} calls a minute of class `{class}`"),
            )
            .after(wait)
            .hint(format!("wait {:.1} s, or raise `rate_per_minute` in [tuning]", wait.as_secs_f64()))
        })?;
        next.run(call).await
    }
}
