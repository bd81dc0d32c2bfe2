use std::{sync::Arc, time::Duration};

use async_trait::async_trait;
use kernel::{ErrorKind, ToolError};
use parking_lot::Mutex;
use serde_json::json;
use tokio::time::Instant;

use crate::{
    Call, GateParts, Limits, Metrics, Next, Outcome, Stage,
    per_server::PerServer,
    seams::{AuditEntry, Journal},
    standard::Knobs,
};

/// Calls at the same time that close a half-open breaker for good.
const FULLY_RECOVERED: u32 = 8;
/// The open time doubles with each relapse, up to this factor.
const BACKOFF_MAX: u32 = 8;

/// Stops calling a backend that fails, probes it, and lets traffic return gradually: one probe, then two
/// calls at a time, four, eight, then everything. Transitions are recorded as events.
pub(crate) struct Breaker {
    knobs: Knobs,
    metrics: Arc<Metrics>,
    journal: Arc<dyn Journal>,
    circuits: PerServer<Mutex<Circuit>>,
}

#[derive(Debug)]
enum State {
    Closed { failures: u32 },
    Open { until: Instant },
    HalfOpen { admitted: u32, running: u32 },
}

#[derive(Debug)]
struct Circuit {
    state: State,
    relapses: u32,
    /// Grows with every transition: a call that began before the last one says nothing about what is now.
    epoch: u64,
}

/// What a transition is called in events and metrics.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Moved {
    Opened,
    HalfOpened,
    Closed,
}

impl Circuit {
    fn new() -> Self {
        Self { state: State::Closed { failures: 0 }, relapses: 0, epoch: 0 }
    }

    /// Moves on, and leaves the calls that began before behind.
    fn enter(&mut self, state: State) {
        self.state = state;
        self.epoch += 1;
    }

    /// May one more call pass? `Err` says how long to wait.
    fn admit(&mut self, now: Instant) -> Result<Option<Moved>, Duration> {
        match &mut self.state {
            State::Closed { .. } => Ok(None),
            State::Open { until } if now < *until => Err(*until - now),
            State::Open { .. } => {
                self.enter(State::HalfOpen { admitted: 1, running: 1 });
                Ok(Some(Moved::HalfOpened))
            }
            State::HalfOpen { admitted, running } if *running < *admitted => {
                *running += 1;
                Ok(None)
            }
            State::HalfOpen { .. } => Err(Duration::from_secs(1)),
        }
    }

    /// A call ended. `None`: neither for nor against the backend (cancelled, refused later).
    fn report(&mut self, healthy: Option<bool>, limits: &Limits, now: Instant) -> Option<Moved> {
        match (&mut self.state, healthy) {
            (State::Closed { failures }, Some(true)) => {
                *failures = 0;
                None
            }
            (State::Closed { failures }, Some(false)) => {
                *failures += 1;
                (*failures >= limits.breaker_threshold).then(|| self.open(limits, now))
            }
            (State::HalfOpen { .. }, Some(false)) => {
                self.relapses = (self.relapses + 1).min(BACKOFF_MAX);
                Some(self.open(limits, now))
            }
            (State::HalfOpen { admitted, running }, Some(true)) => {
                *running = running.saturating_sub(1);
                *admitted *= 2;
                (*admitted > FULLY_RECOVERED).then(|| {
                    self.relapses = 0;
                    self.enter(State::Closed { failures: 0 });
                    Moved::Closed
                })
            }
            (State::HalfOpen { running, .. }, None) => {
                *running = running.saturating_sub(1);
                None
            }
            (State::Closed { .. }, None) | (State::Open { .. }, _) => None,
        }
    }

    fn open(&mut self, limits: &Limits, now: Instant) -> Moved {
        let factor = 2_u32.pow(self.relapses).min(BACKOFF_MAX);
        self.enter(State::Open { until: now + limits.breaker_open * factor });
        Moved::Opened
    }
}

impl Breaker {
    pub(crate) fn new(parts: GateParts, knobs: Knobs, metrics: Arc<Metrics>) -> Self {
        let circuits = PerServer::new(parts.registry, || Mutex::new(Circuit::new()));
        Self { knobs, metrics, journal: parts.journal, circuits }
    }

    fn publish(&self, server: &str, moved: Moved) {
        let (name, level) = match moved {
            Moved::Opened => ("breaker.opened", 2),
            Moved::HalfOpened => ("breaker.half_opened", 1),
            Moved::Closed => ("breaker.closed", 0),
        };
        self.metrics.breaker(server, level);
        tracing::warn!(server, "{name}");
        if let Err(error) = self.journal.append(AuditEntry::event(name, json!({ "server": server }))) {
            tracing::error!(%error, "a breaker transition could not be recorded");
        }
    }
}

#[async_trait]
impl Stage for Breaker {
    fn name(&self) -> &'static str {
        "breaker"
    }

    async fn handle(&self, call: Call, next: Next<'_>) -> Outcome {
        let facts = Arc::clone(call.facts()?);
        let limits = self.knobs.read().limits(&facts, &call.spec()?.name);
        let (server, circuit) = (facts.name.as_str(), self.circuits.of(&facts.name));
        let (admitted, epoch) = {
            let mut circuit = circuit.lock();
            (circuit.admit(Instant::now()), circuit.epoch)
        };
        match admitted {
            Ok(moved) => moved.into_iter().for_each(|moved| self.publish(server, moved)),
            Err(wait) => return Err(open(server, wait)),
        }
        let mut report = Report { breaker: self, circuit: &circuit, epoch, server, limits, healthy: None };
        let outcome = next.run(call).await;
        report.healthy = verdict(&outcome);
        outcome
    }
}

/// Whether an outcome speaks for or against the backend.
fn verdict(outcome: &Outcome) -> Option<bool> {
    match outcome.as_ref().map_err(|error| error.kind) {
        Ok(_) => Some(true),
        // A finer reason comes from the tool itself, for example a command that ran into its own timeout.
        Err(_) if outcome.as_ref().is_err_and(|error| error.reason.is_some()) => Some(true),
        Err(ErrorKind::Unavailable | ErrorKind::Timeout | ErrorKind::OutcomeUnknown) => Some(false),
        // The backend answered, if only to say no.
        Err(ErrorKind::ToolExecutionFailed | ErrorKind::NotFound | ErrorKind::ValidationFailed) => Some(true),
        Err(_) => None,
    }
}

fn open(server: &str, wait: Duration) -> ToolError {
    ToolError::new(ErrorKind::CircuitOpen, format!("server `{server}` failed too often and is resting"))
        .before_send()
        .after(wait)
        .hint(format!(
            "it is probed again in {} s; `core-mcp doctor` shows its health",
            wait.as_secs().max(1)
        ))
}

/// Tells the circuit how the call ended, also when the call was dropped.
struct Report<'a> {
    breaker: &'a Breaker,
    circuit: &'a Mutex<Circuit>,
    /// The circuit's when the call was admitted.
    epoch: u64,
    server: &'a str,
    limits: Limits,
    healthy: Option<bool>,
}

impl Drop for Report<'_> {
    fn drop(&mut self) {
        let moved = {
            let mut circuit = self.circuit.lock();
            if circuit.epoch != self.epoch {
                return;
            }
            circuit.report(self.healthy, &self.limits, Instant::now())
        };
        if let Some(moved) = moved {
            self.breaker.publish(self.server, moved);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Tuning;

    fn limits() -> Limits {
        let facts = kernel::Facts {
            name: "x".into(),
            version: "1.0.0".into(),
            category: "Test".into(),
            aliases: Vec::new(),
            description: String::new(),
            concurrency: 3,
            open_world: false,
        };
        Tuning::default().limits(&facts, "y")
    }

    #[tokio::test(start_paused = true)]
    async fn five_failures_open_it_a_probe_tests_it_and_traffic_returns_by_doubling() {
        let (mut circuit, limits) = (Circuit::new(), limits());
        for _ in 0..4 {
            assert_eq!(circuit.report(Some(false), &limits, Instant::now()), None);
        }
        assert_eq!(circuit.report(Some(false), &limits, Instant::now()), Some(Moved::Opened));
        assert_eq!(circuit.admit(Instant::now()), Err(Duration::from_secs(30)));
        tokio::time::advance(Duration::from_secs(30)).await;
        assert_eq!(circuit.admit(Instant::now()), Ok(Some(Moved::HalfOpened)));
        assert!(circuit.admit(Instant::now()).is_err(), "one probe at a time");
        for together in [1_u32, 2, 4] {
            assert_eq!(circuit.report(Some(true), &limits, Instant::now()), None, "{together}");
            assert_eq!(circuit.admit(Instant::now()), Ok(None));
        }
        assert_eq!(circuit.report(Some(true), &limits, Instant::now()), Some(Moved::Closed));
        assert_eq!(circuit.admit(Instant::now()), Ok(None));
    }

    #[tokio::test(start_paused = true)]
    async fn a_relapse_rests_twice_as_long_and_a_dropped_probe_gives_its_place_back() {
        let (mut circuit, limits) = (Circuit::new(), limits());
        for _ in 0..5 {
            circuit.report(Some(false), &limits, Instant::now());
        }
        tokio::time::advance(Duration::from_secs(30)).await;
        assert!(circuit.admit(Instant::now()).is_ok());
        assert_eq!(circuit.report(None, &limits, Instant::now()), None);
        assert_eq!(circuit.admit(Instant::now()), Ok(None), "the dropped probe's place is free");
        assert_eq!(circuit.report(Some(false), &limits, Instant::now()), Some(Moved::Opened));
        assert_eq!(circuit.admit(Instant::now()), Err(Duration::from_secs(60)));
    }
}
