//! Which child a request goes to, and when a dead one is started again.

use std::{
    collections::HashMap,
    sync::Arc,
    time::{Duration, Instant},
};

use kernel::Raw;
use parking_lot::Mutex;
use serde_json::value::RawValue;
use tokio::sync::Mutex as Turn;

use super::{launch::LaunchPlan, process::Process};
use crate::{
    EraChoice,
    agree::{agree, level_rank, speaks_modern},
    dialogue::Dialogue,
    error::UpstreamError,
    hear::Hear,
    order::{CLIENT_INFO, FOREVER, LEGACY, Order, nothing, ourselves, wishes},
    rpc::RpcError,
};

/// Children of one upstream at the same time: one per set of things callers can do.
const CHILDREN_MAX: usize = 4;

/// First wait before a dead child is started again; doubles up to the longest.
const FIRST_WAIT: Duration = Duration::from_millis(250);
const LONGEST_WAIT: Duration = Duration::from_secs(60);

/// A child that lived this long starts with a clean slate.
const STEADY: Duration = Duration::from_secs(30);

/// How long a server may leave a question unanswered that it may not understand.
const PROBE: Duration = Duration::from_secs(5);

/// Capabilities larger than this get no child of their own.
const CAPABILITIES_BYTES_MAX: usize = 4096;

type Answer = Result<Box<RawValue>, RpcError>;

/// An upstream that is a program.
pub(crate) struct StdioLink {
    upstream: String,
    plan: LaunchPlan,
    era: EraChoice,
    bytes_max: usize,
    start_timeout: Duration,
    ambient: Arc<dyn Hear>,
    /// By what their callers can do; `{}` is ours.
    children: Mutex<HashMap<Box<str>, Arc<Seat>>>,
    /// What the program turned out to speak.
    known: Mutex<Option<EraChoice>>,
    is_closed: std::sync::atomic::AtomicBool,
}

/// Where a child sits, or will.
#[derive(Default)]
struct Seat {
    child: Turn<Option<Arc<Running>>>,
    state: Mutex<SeatState>,
}

struct SeatState {
    used: Instant,
    failures: u32,
    not_before: Option<Instant>,
}

impl Default for SeatState {
    fn default() -> Self {
        Self { used: Instant::now(), failures: 0, not_before: None }
    }
}

/// A child that has shaken hands.
struct Running {
    process: Process,
    is_modern: bool,
    hello: Arc<RawValue>,
    since: Instant,
}

impl StdioLink {
    pub(crate) fn new(
        upstream: &str,
        plan: LaunchPlan,
        era: EraChoice,
        bytes_max: usize,
        start_timeout: Duration,
        ambient: Arc<dyn Hear>,
    ) -> Arc<Self> {
        Arc::new(Self {
            upstream: upstream.to_owned(),
            plan,
            era,
            bytes_max,
            start_timeout,
            ambient,
            children: Mutex::default(),
            known: Mutex::default(),
            is_closed: std::sync::atomic::AtomicBool::new(false),
        })
    }

    /// What the upstream says of itself, and whether it is modern. Starts it when it does not run.
    pub(crate) async fn hello(&self) -> Result<(Arc<RawValue>, bool), UpstreamError> {
        let child = self.child(&nothing()).await?;
        Ok((Arc::clone(&child.hello), child.is_modern))
    }

    /// Sends one request and waits for its answer, the caller's patience, or the deadline.
    pub(crate) async fn request(&self, order: &Order) -> Result<Answer, UpstreamError> {
        tokio::select! {
            biased;
            answer = async {
                let child = self.child(&order.capabilities).await?;
                if let (Some(level), false) = (&order.log_level, child.is_modern) {
                    raise_level(&child.process.dialogue, level).await;
                }
                child.process.dialogue.request(order, child.is_modern).await
            } => answer,
            error = order.stopped(&self.upstream) => Err(error),
        }
    }

    /// Waits until our own child ends, and asks a modern one to say what changes meanwhile. What it says goes to
    /// the ambient ear.
    pub(crate) async fn listen(&self, resources: &[String]) -> Result<(), UpstreamError> {
        let child = self.child(&nothing()).await?;
        let dialogue = &child.process.dialogue;
        if child.is_modern {
            let order = Order::own("subscriptions/listen", wishes(resources), Instant::now() + FOREVER);
            tokio::select! {
                answer = dialogue.request(&order, true) => if let Err(RpcError { code, message, data }) = answer? {
                    return Err(UpstreamError::Rpc { code, message, data });
                },
                () = dialogue.over.cancelled() => {}
            }
        } else {
            dialogue.over.cancelled().await;
        }
        Ok(())
    }

    async fn child(&self, capabilities: &Raw) -> Result<Arc<Running>, UpstreamError> {
        let seat = self.seat(capabilities.get());
        let mut child = seat.child.lock().await;
        if let Some(running) = child.as_ref() {
            if !running.process.dialogue.is_over() {
                return Ok(Arc::clone(running));
            }
            if running.since.elapsed() >= STEADY {
                seat.state.lock().failures = 0;
            }
            *child = None;
            self.rest(&seat);
        }
        self.may_start(&seat)?;
        let started = self.start(capabilities).await;
        match started {
            Ok(running) => {
                let running = Arc::new(running);
                *child = Some(Arc::clone(&running));
                seat.state.lock().not_before = None;
                Ok(running)
            }
            Err(error) => {
                self.rest(&seat);
                Err(error)
            }
        }
    }

    fn may_start(&self, seat: &Seat) -> Result<(), UpstreamError> {
        if self.is_closed.load(std::sync::atomic::Ordering::Acquire) {
            return Err(UpstreamError::unreachable(&self.upstream, "it is being stopped"));
        }
        let not_before = seat.state.lock().not_before;
        match not_before.map(|it| it.saturating_duration_since(Instant::now())) {
            Some(wait) if !wait.is_zero() => Err(UpstreamError::Unreachable {
                upstream: self.upstream.clone(),
                reason: "its process ended and is started again soon".into(),
                after: Some(wait),
            }),
            _ => Ok(()),
        }
    }

    /// A child that died may be started again at once, the next time only after a wait that grows.
    fn rest(&self, seat: &Seat) {
        let mut state = seat.state.lock();
        state.failures = state.failures.saturating_add(1);
        let wait = FIRST_WAIT.saturating_mul(2_u32.saturating_pow(state.failures - 1)).min(LONGEST_WAIT);
        tracing::warn!(
            upstream = self.upstream,
            failures = state.failures,
            ?wait,
            "the upstream's process ended"
        );
        state.not_before = (state.failures > 1).then(|| Instant::now() + wait);
    }

    fn seat(&self, capabilities: &str) -> Arc<Seat> {
        let key = if capabilities.len() <= CAPABILITIES_BYTES_MAX { capabilities } else { "{}" };
        let mut children = self.children.lock();
        if let Some(seat) = children.get(key) {
            seat.state.lock().used = Instant::now();
            return Arc::clone(seat);
        }
        if children.len() >= CHILDREN_MAX {
            let others = children.iter().filter(|(key, _)| &***key != "{}");
            let oldest = others.min_by_key(|(_, seat)| seat.state.lock().used).map(|(key, _)| key.clone());
            // Its child ends once nobody uses it any longer.
            oldest.and_then(|key| children.remove(&key));
        }
        let seat = Arc::new(Seat::default());
        children.insert(key.into(), Arc::clone(&seat));
        seat
    }

    async fn start(&self, capabilities: &Raw) -> Result<Running, UpstreamError> {
        let slow = || UpstreamError::Slow { upstream: self.upstream.clone(), sent: false };
        tokio::time::timeout(self.start_timeout, self.shake(capabilities)).await.map_err(|_| slow())?
    }

    async fn shake(&self, capabilities: &Raw) -> Result<Running, UpstreamError> {
        let era = self.known.lock().unwrap_or(self.era);
        let mut process = self.spawn()?;
        if era != EraChoice::Legacy {
            let order = Order::own("server/discover", "{}", Instant::now() + self.start_timeout);
            let asking = process.dialogue.request(&order, true);
            let patience = if era == EraChoice::Auto { PROBE } else { self.start_timeout };
            match tokio::time::timeout(patience, asking).await {
                Ok(Ok(Ok(hello))) if speaks_modern(&hello) => {
                    return Ok(self.running(process, hello.into(), EraChoice::Modern));
                }
                Ok(Ok(Err(RpcError { code, message, data }))) if era == EraChoice::Modern => {
                    return Err(UpstreamError::Rpc { code, message, data });
                }
                Ok(Err(error)) if era == EraChoice::Modern => return Err(error),
                Ok(Ok(Ok(_))) if era == EraChoice::Modern => {
                    return Err(UpstreamError::garbage(&self.upstream, "it does not speak 2026-07-28"));
                }
                Err(_) if era == EraChoice::Modern => {
                    return Err(UpstreamError::Slow { upstream: self.upstream.clone(), sent: true });
                }
                _ => {}
            }
            // Some old servers leave when the first message is no `initialize`.
            if process.dialogue.is_over() {
                process = self.spawn()?;
            }
        }
        let hello = self.initialize(&process.dialogue, capabilities).await?;
        Ok(self.running(process, hello, EraChoice::Legacy))
    }

    fn running(&self, process: Process, hello: Arc<RawValue>, era: EraChoice) -> Running {
        *self.known.lock() = Some(era);
        Running { process, is_modern: era == EraChoice::Modern, hello, since: Instant::now() }
    }

    fn spawn(&self) -> Result<Process, UpstreamError> {
        Process::start(&self.upstream, &self.plan, self.bytes_max, Arc::clone(&self.ambient))
    }

    async fn initialize(
        &self,
        dialogue: &Arc<Dialogue>,
        capabilities: &Raw,
    ) -> Result<Arc<RawValue>, UpstreamError> {
        let params = format!(
            r#"{{"protocolVersion":"{LEGACY}","capabilities":{},"clientInfo":{CLIENT_INFO}}}"#,
            capabilities.get()
        );
        let order = Order::own("initialize", params, Instant::now() + self.start_timeout);
        let hello = dialogue.request(&order, false).await?;
        let hello =
            hello.map_err(|RpcError { code, message, data }| UpstreamError::Rpc { code, message, data })?;
        let agreed = agree(&self.upstream, hello, None, &ourselves())?;
        dialogue.notify("notifications/initialized", None).await;
        Ok(agreed.hello)
    }

    /// Ends every child.
    pub(crate) async fn close(&self) {
        self.is_closed.store(true, std::sync::atomic::Ordering::Release);
        let seats: Vec<_> = self.children.lock().drain().map(|(_, seat)| seat).collect();
        for seat in seats {
            if let Some(running) = seat.child.lock().await.take() {
                running.process.dialogue.end("it was stopped");
            }
        }
    }
}

/// Old servers send the logs of the level that was asked for last: the chattiest is asked for, and the door
/// leaves out what a caller did not want.
async fn raise_level(dialogue: &Arc<Dialogue>, level: &str) {
    let rank = level_rank(level);
    if !dialogue.wants_level(rank) {
        return;
    }
    let params = serde_json::json!({ "level": level }).to_string();
    let order = Order::own("logging/setLevel", params, Instant::now() + PROBE);
    let set = tokio::time::timeout(PROBE, dialogue.request(&order, false)).await;
    if !matches!(set, Ok(Ok(Ok(_)))) {
        tracing::debug!("an upstream did not take the log level");
    }
}
