//! Which replica a request goes to: the better of two drawn by lot, by recent latency and open requests.

use std::{
    sync::atomic::{AtomicU32, AtomicU64, Ordering},
    time::{Duration, Instant},
};

use parking_lot::Mutex;

/// After this long a peak has faded to a third.
const FADES_IN: Duration = Duration::from_secs(10);

/// What a failure counts as, in seconds of latency.
const FAILURE: f64 = 5.0;

/// How much better a replica has to be.
const NEARLY: f64 = 0.75;

/// What is known about a replica that was never asked: that it is worth a try.
const UNKNOWN: f64 = 0.000_1;

/// How busy and how quick one replica is.
#[derive(Debug)]
pub(crate) struct Load {
    open: AtomicU32,
    peak: Mutex<Peak>,
}

#[derive(Debug)]
struct Peak {
    seconds: f64,
    at: Instant,
}

impl Default for Load {
    fn default() -> Self {
        Self { open: AtomicU32::new(0), peak: Mutex::new(Peak { seconds: UNKNOWN, at: Instant::now() }) }
    }
}

impl Load {
    /// Counts a request as open until the guard is dropped or told how it ended.
    pub(crate) fn begin(&self) -> Open<'_> {
        self.open.fetch_add(1, Ordering::Relaxed);
        Open { load: self, begun: Instant::now() }
    }

    fn cost(&self, now: Instant) -> f64 {
        let open = f64::from(self.open.load(Ordering::Relaxed));
        self.peak.lock().as_of(now) * (open + 1.0)
    }

    fn learn(&self, seconds: f64, now: Instant) {
        let mut peak = self.peak.lock();
        let faded = peak.as_of(now);
        // A slow answer counts at once, quick ones only by and by.
        let weight = (-(now - peak.at).as_secs_f64() / FADES_IN.as_secs_f64()).exp();
        peak.seconds = if seconds > faded { seconds } else { faded * weight + seconds * (1.0 - weight) };
        peak.at = now;
    }
}

impl Peak {
    fn as_of(&self, now: Instant) -> f64 {
        let age = now.saturating_duration_since(self.at).as_secs_f64();
        self.seconds * (-age / FADES_IN.as_secs_f64()).exp()
    }
}

/// A request that runs.
pub(crate) struct Open<'a> {
    load: &'a Load,
    begun: Instant,
}

impl Open<'_> {
    /// It ended, well or with a failure that speaks against the replica.
    pub(crate) fn ended(self, well: bool) {
        let now = Instant::now();
        let took = (now - self.begun).as_secs_f64();
        self.load.learn(if well { took } else { took.max(FAILURE) }, now);
    }
}

impl Drop for Open<'_> {
    fn drop(&mut self) {
        self.load.open.fetch_sub(1, Ordering::Relaxed);
    }
}

/// The order in which replicas are tried: two drawn by lot, the better one first; then the others.
pub(crate) fn order(loads: &[&Load], lot: &AtomicU64) -> Vec<usize> {
    let count = loads.len();
    if count <= 1 {
        return (0..count).collect();
    }
    let (first, second) = draw(count, lot);
    let now = Instant::now();
    // Nearly equal ones are equal: the lot decides, or the one that was asked last would always lose.
    let is_better = loads[second].cost(now) < loads[first].cost(now) * NEARLY;
    let (best, other) = if is_better { (second, first) } else { (first, second) };
    let mut order = vec![best, other];
    order.extend((0..count).filter(|it| *it != best && *it != other));
    order
}

/// Two different ones. The lot only has to spread, not to surprise.
fn draw(count: usize, lot: &AtomicU64) -> (usize, usize) {
    let mut seed = lot.fetch_add(0x9e37_79b9_7f4a_7c15, Ordering::Relaxed);
    seed = (seed ^ (seed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    seed = (seed ^ (seed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    let wide = count as u64;
    let first = usize::try_from((seed >> 33) % wide).unwrap_or(0);
    let step = 1 + usize::try_from((seed & 0xffff_ffff) % (wide - 1)).unwrap_or(0);
    (first, (first + step) % count)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_slow_or_failing_replica_gets_little_and_a_quick_one_the_rest() {
        let loads: Vec<Load> = (0..3).map(|_| Load::default()).collect();
        let all: Vec<&Load> = loads.iter().collect();
        let now = Instant::now();
        loads[0].learn(0.5, now);
        loads[1].learn(0.001, now);
        loads[2].begin().ended(false);
        let lot = AtomicU64::new(7);
        let mut firsts = [0; 3];
        for _ in 0..3000 {
            firsts[order(&all, &lot)[0]] += 1;
        }
        assert!(firsts[1] > 1800 && firsts[2] == 0, "{firsts:?}");
    }

    #[test]
    fn equal_replicas_share_and_every_replica_is_in_the_order_once() {
        let loads: Vec<Load> = (0..4).map(|_| Load::default()).collect();
        let all: Vec<&Load> = loads.iter().collect();
        let lot = AtomicU64::new(1);
        let mut firsts = [0; 4];
        for _ in 0..4000 {
            let mut tried = order(&all, &lot);
            firsts[tried[0]] += 1;
            tried.sort_unstable();
            assert_eq!(tried, [0, 1, 2, 3]);
        }
        assert!(firsts.iter().all(|it| *it > 400), "{firsts:?}");
        assert_eq!(order(&[], &lot), Vec::<usize>::new());
        assert_eq!(order(&all[..1], &lot), [0]);
    }

    #[test]
    fn open_requests_weigh_and_a_peak_fades() {
        let (busy, idle) = (Load::default(), Load::default());
        let open: Vec<Open<'_>> = (0..10).map(|_| busy.begin()).collect();
        let now = Instant::now();
        assert!(busy.cost(now) > idle.cost(now) * 5.0);
        drop(open);
        busy.learn(4.0, now);
        assert!(busy.cost(now + FADES_IN * 10) < 0.001);
    }
}
