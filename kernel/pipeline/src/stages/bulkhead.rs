use std::{
    collections::HashMap,
    sync::{
        Arc,
        atomic::{AtomicI64, AtomicU32, Ordering},
    },
    time::{Duration, Instant},
};

use async_trait::async_trait;
use kernel::{ErrorKind, ToolError};
use parking_lot::{Mutex, RwLock};
use prometheus_client::metrics::gauge::Gauge;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

use crate::{Call, Limits, Metrics, Next, Outcome, Stage, standard::Knobs};

/// Bounds how many calls of one server run and how many wait, and starts the call's one time budget.
///
/// Reads and changes take turns apart: a few long commands must not keep everybody from reading. A tool
/// with its own `semaphore` or `queue` in the configuration has turns of its own.
pub(crate) struct Bulkhead {
    knobs: Knobs,
    metrics: Arc<Metrics>,
    /// Made when first used; there are at most as many as tools.
    lanes: RwLock<HashMap<Queue, Arc<Lane>>>,
}

/// Which queue a call stands in.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
struct Queue {
    server: String,
    reads: bool,
    tool: Option<String>,
}

/// The turns of one queue.
struct Lane {
    /// Swapped when the operator changes the number; calls that run keep their old permit.
    turns: Mutex<(u32, Arc<Semaphore>)>,
    waiting: AtomicU32,
    waiting_gauge: Gauge<i64, AtomicI64>,
    running_gauge: Gauge<i64, AtomicI64>,
}

impl Bulkhead {
    pub(crate) fn new(knobs: Knobs, metrics: Arc<Metrics>) -> Self {
        Self { knobs, metrics, lanes: RwLock::default() }
    }

    fn lane(&self, queue: Queue) -> Arc<Lane> {
        if let Some(lane) = self.lanes.read().get(&queue) {
            return Arc::clone(lane);
        }
        let lane = Lane {
            turns: Mutex::new((0, Arc::new(Semaphore::new(0)))),
            waiting: AtomicU32::new(0),
            waiting_gauge: self.metrics.waiting(&queue.server),
            running_gauge: self.metrics.running(&queue.server),
        };
        Arc::clone(self.lanes.write().entry(queue).or_insert_with(|| Arc::new(lane)))
    }
}

impl Lane {
    fn turns(&self, wanted: u32) -> Arc<Semaphore> {
        let mut turns = self.turns.lock();
        if turns.0 != wanted {
            *turns = (wanted, Arc::new(Semaphore::new(wanted as usize)));
        }
        Arc::clone(&turns.1)
    }

    async fn turn(
        &self,
        call: &Call,
        limits: &Limits,
        deadline: Instant,
    ) -> Result<OwnedSemaphorePermit, ToolError> {
        let turns = self.turns(limits.semaphore);
        if let Ok(turn) = Arc::clone(&turns).try_acquire_owned() {
            return Ok(turn);
        }
        let place = Waiting::join(self, limits.queue)?;
        let turn = tokio::select! {
            turn = turns.acquire_owned() => turn.map_err(|error| ToolError::wrap(ErrorKind::Internal, error)),
            () = call.request.cancel.cancelled() => {
                Err(ToolError::new(ErrorKind::Cancelled, "the client cancelled the call while it waited").before_send())
            }
            () = tokio::time::sleep_until(deadline.into()) => {
                Err(ToolError::new(ErrorKind::Timeout, "the server was busy for the whole time budget of the call")
                    .before_send()
                    .hint("call again later, or raise `semaphore` in [tuning]"))
            }
        };
        drop(place);
        turn
    }
}

#[async_trait]
impl Stage for Bulkhead {
    fn name(&self) -> &'static str {
        "bulkhead"
    }

    async fn handle(&self, mut call: Call, next: Next<'_>) -> Outcome {
        let (facts, spec) = (Arc::clone(call.facts()?), Arc::clone(call.spec()?));
        let (limits, own) = {
            let knobs = self.knobs.read();
            (knobs.limits(&facts, &spec.name), knobs.has_own_turns(&facts, &spec.name))
        };
        let budget = call.prepared()?.deadline().unwrap_or(limits.deadline);
        let deadline = Instant::now() + budget;
        call.deadline = Some(deadline);
        let tool = own.then(|| spec.name.clone());
        let lane = self.lane(Queue { server: facts.name.clone(), reads: spec.effect.is_read(), tool });
        let _turn = lane.turn(&call, &limits, deadline).await?;
        let _running = Running::start(&lane.running_gauge);
        next.run(call).await
    }
}

/// A place in the queue, given back when dropped.
struct Waiting<'a>(&'a Lane);

impl<'a> Waiting<'a> {
    fn join(lane: &'a Lane, queue: u32) -> Result<Self, ToolError> {
        if lane.waiting.fetch_add(1, Ordering::AcqRel) >= queue {
            lane.waiting.fetch_sub(1, Ordering::AcqRel);
            return Err(ToolError::new(
                ErrorKind::Overloaded,
                format!("{queue} calls already wait for this server"),
            )
            .before_send()
            .after(Duration::from_secs(1))
            .hint("call again later, or raise `queue` in [tuning]"));
        }
        lane.waiting_gauge.inc();
        Ok(Self(lane))
    }
}

impl Drop for Waiting<'_> {
    fn drop(&mut self) {
        self.0.waiting.fetch_sub(1, Ordering::AcqRel);
        self.0.waiting_gauge.dec();
    }
}

/// One running call, counted until dropped.
struct Running<'a>(&'a Gauge<i64, AtomicI64>);

impl<'a> Running<'a> {
    fn start(gauge: &'a Gauge<i64, AtomicI64>) -> Self {
        gauge.inc();
        Self(gauge)
    }
}

impl Drop for Running<'_> {
    fn drop(&mut self) {
        self.0.dec();
    }
}
