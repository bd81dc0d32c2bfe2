use std::{
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    time::{Duration, Instant},
};

use async_trait::async_trait;
use kernel::{Caching, ErrorKind, ToolError};
use moka::{Expiry, future::Cache as Store};
use parking_lot::Mutex;

use crate::{
    Answer, Call, Metrics, Next, Outcome, Registry, Stage, call::misbuilt, metrics::CacheResult,
    per_server::PerServer, standard::Knobs,
};

/// Bytes of results kept in all.
const CAPACITY_BYTES: u64 = 64 << 20;
/// What a kept result costs besides its own bytes: its key and the store's own bookkeeping.
const KEY_BYTES: usize = 512;

/// Answers cacheable reads, one flight per question.
///
/// The key holds the principal, so nobody reads another's answer, and the server's write generation, so
/// that any write to the server forgets everything read from it.
pub(crate) struct Cache {
    knobs: Knobs,
    metrics: Arc<Metrics>,
    generations: PerServer<AtomicU64>,
    store: Store<Key, Kept>,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash)]
struct Key {
    principal: String,
    roles: Vec<String>,
    tool: String,
    digest: String,
    context: Option<String>,
    redact: Vec<String>,
    generation: u64,
}

#[derive(Clone)]
struct Kept {
    answer: Arc<Answer>,
    size: u32,
    ttl: Duration,
}

struct PerEntry;

impl Expiry<Key, Kept> for PerEntry {
    fn expire_after_create(&self, _key: &Key, value: &Kept, _created: Instant) -> Option<Duration> {
        Some(value.ttl)
    }
}

impl Cache {
    pub(crate) fn new(registry: Registry, knobs: Knobs, metrics: Arc<Metrics>) -> Self {
        // A server that comes back under an old name must not find what was read from the old one.
        let fresh = AtomicU64::new(0);
        let generations =
            PerServer::new(registry, move || AtomicU64::new(fresh.fetch_add(1 << 32, Ordering::Relaxed)));
        let store = Store::builder()
            .max_capacity(CAPACITY_BYTES)
            .weigher(|_: &Key, value: &Kept| value.size)
            .expire_after(PerEntry)
            .build();
        Self { knobs, metrics, generations, store }
    }

    fn forget(&self, server: &str) {
        self.generations.of(server).fetch_add(1, Ordering::AcqRel);
    }

    fn key(&self, call: &Call, server: &str) -> Option<Key> {
        let caller = &call.request.caller.0;
        Some(Key {
            principal: caller.id.clone(),
            roles: caller.roles.clone(),
            tool: call.spec.as_ref()?.qualified_name(),
            digest: call.args_digest.clone(),
            context: call.request.context_id.clone(),
            redact: call.obligations.redact.clone(),
            generation: self.generations.of(server).load(Ordering::Acquire),
        })
    }
}

#[async_trait]
impl Stage for Cache {
    fn name(&self) -> &'static str {
        "cache"
    }

    async fn handle(&self, call: Call, next: Next<'_>) -> Outcome {
        let (facts, spec) = (Arc::clone(call.facts()?), Arc::clone(call.spec()?));
        if !spec.effect.is_read() {
            // Before, so that a read that starts during the write is not kept; after, so that neither is
            // one that started before it. A dropped call forgets too.
            self.forget(&facts.name);
            let _after = Forget { cache: self, server: &facts.name };
            return next.run(call).await;
        }
        let ttl = self.knobs.read().limits(&facts, &spec.name).cache_ttl;
        let cacheable = call.prepared()?.traits().caching == Caching::UntilWrite && !ttl.is_zero();
        let Some(key) = self.key(&call, &facts.name).filter(|_| cacheable) else {
            return next.run(call).await;
        };
        // Taken by whoever leads the flight.
        let own = Mutex::new(Some(call));
        let flight = self.store.try_get_with(key, async {
            let call = own.lock().take().ok_or_else(|| misbuilt("left"))?;
            let answer = next.run(call).await?;
            let raw = answer.raw.as_ref().map_or(0, |it| it.get().len());
            let size = answer.structured.to_string().len() + raw + KEY_BYTES;
            Ok::<_, ToolError>(Kept {
                answer: Arc::new(answer),
                size: u32::try_from(size).unwrap_or(u32::MAX),
                ttl,
            })
        });
        let flown = flight.await;
        let own = own.lock().take();
        let (kept, hit) = match (flown, own) {
            // Whoever led the flight gave it up; that is not our caller's wish.
            (Err(error), Some(call)) if error.kind == ErrorKind::Cancelled => return next.run(call).await,
            (flown, own) => (flown.map_err(|error: Arc<ToolError>| error.share())?, own.is_some()),
        };
        self.metrics.cache(&facts.name, if hit { CacheResult::Hit } else { CacheResult::Miss });
        Ok(Answer { cached: hit, ..Answer::clone(&kept.answer) })
    }
}

struct Forget<'a> {
    cache: &'a Cache,
    server: &'a str,
}

impl Drop for Forget<'_> {
    fn drop(&mut self) {
        self.cache.forget(self.server);
    }
}
