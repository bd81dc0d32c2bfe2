//! An allowance of refusals: whoever keeps being refused is answered cheaply for a while.
//!
//! Each refusal costs us an audit record. A caller that is refused over and over must not be able to
//! fill the journal, so here it gets 429 before anything is looked at or recorded.

use std::{
    collections::{HashMap, HashSet},
    hash::{BuildHasher, Hash, RandomState},
    net::IpAddr,
    time::{Duration, Instant},
};

use kernel::Secret;
use parking_lot::Mutex;

/// Callers remembered. Beyond, those who have their allowance back are forgotten, then anybody.
const CALLERS_MAX: usize = 8192;

/// Good tokens remembered.
const TOKENS_MAX: usize = 4096;

/// Token buckets by caller.
pub(crate) struct Flood {
    burst: f64,
    per_second: f64,
    buckets: Mutex<HashMap<u64, Bucket>>,
    good: Mutex<HashSet<u64>>,
    hasher: RandomState,
}

struct Bucket {
    left: f64,
    at: Instant,
}

impl Flood {
    pub(crate) fn new(burst: u32, per_minute: u32) -> Self {
        Self {
            burst: f64::from(burst.max(1)),
            per_second: f64::from(per_minute.max(1)) / 60.0,
            buckets: Mutex::default(),
            good: Mutex::default(),
            hasher: RandomState::new(),
        }
    }

    /// The key of an address. One IPv6 customer has a whole /64.
    pub(crate) fn address(&self, ip: IpAddr) -> u64 {
        match ip.to_canonical() {
            IpAddr::V4(ip) => self.hasher.hash_one((0, ip)),
            IpAddr::V6(ip) => self.hasher.hash_one((1, &ip.octets()[..8])),
        }
    }

    /// The key of anything else, for example a principal.
    pub(crate) fn caller(&self, name: impl Hash) -> u64 {
        self.hasher.hash_one((2, name))
    }

    /// How long until one more refusal is allowed; `None`: it is allowed now.
    pub(crate) fn wait(&self, key: u64) -> Option<Duration> {
        let mut buckets = self.buckets.lock();
        let left = self.refill(buckets.get_mut(&key)?, Instant::now());
        (left < 1.0).then(|| Duration::from_secs_f64((1.0 - left) / self.per_second))
    }

    /// Counts a refusal, or a part of one.
    pub(crate) fn charge(&self, key: u64, cost: f64) {
        let now = Instant::now();
        let mut buckets = self.buckets.lock();
        if buckets.len() >= CALLERS_MAX && !buckets.contains_key(&key) {
            buckets.retain(|_, bucket| self.refill(bucket, now) < self.burst);
            if buckets.len() >= CALLERS_MAX {
                buckets.clear();
            }
        }
        let bucket = buckets.entry(key).or_insert(Bucket { left: self.burst, at: now });
        self.refill(bucket, now);
        bucket.left = (bucket.left - cost).max(0.0);
    }

    fn refill(&self, bucket: &mut Bucket, now: Instant) -> f64 {
        let grown = now.saturating_duration_since(bucket.at).as_secs_f64() * self.per_second;
        bucket.left = (bucket.left + grown).min(self.burst);
        bucket.at = now;
        bucket.left
    }

    /// Remembers a token that was good: its holder is served even when others at the same address
    /// have used up the allowance. Whether it still is good is asked each time all the same.
    pub(crate) fn remember(&self, token: &Secret<String>) {
        let key = self.hasher.hash_one((3, token.expose()));
        let mut good = self.good.lock();
        if good.len() >= TOKENS_MAX && !good.contains(&key) {
            good.clear();
        }
        good.insert(key);
    }

    /// Whether a token was good before.
    pub(crate) fn remembers(&self, token: &Secret<String>) -> bool {
        self.good.lock().contains(&self.hasher.hash_one((3, token.expose())))
    }

    /// A token that was good is not any more.
    pub(crate) fn forget(&self, token: &Secret<String>) {
        self.good.lock().remove(&self.hasher.hash_one((3, token.expose())));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_allowance_is_used_up_per_caller_and_neighbours_in_a_64_share_one() {
        let flood = Flood::new(3, 1);
        let ip = |text: &str| flood.address(text.parse().unwrap());
        for _ in 0..3 {
            assert_eq!(flood.wait(ip("10.0.0.1")), None);
            flood.charge(ip("10.0.0.1"), 1.0);
        }
        assert!(flood.wait(ip("10.0.0.1")).is_some_and(|wait| wait <= Duration::from_secs(60)));
        assert!(flood.wait(ip("::ffff:10.0.0.1")).is_some(), "the same address in other clothes");
        assert_eq!(flood.wait(ip("10.0.0.2")), None);
        for _ in 0..3 {
            flood.charge(ip("2001:db8::1"), 1.0);
        }
        assert!(flood.wait(ip("2001:db8::ffff:2")).is_some());
        assert_eq!(flood.wait(ip("2001:db8:0:1::1")), None);
    }

    #[test]
    fn memory_is_bounded_however_many_callers_come() {
        let flood = Flood::new(1, 1);
        for index in 0..CALLERS_MAX * 2 {
            flood.charge(flood.caller(index), 1.0);
            flood.remember(&Secret::new(index.to_string()));
        }
        assert!(flood.buckets.lock().len() <= CALLERS_MAX && flood.good.lock().len() <= TOKENS_MAX);
    }

    #[test]
    fn a_good_token_is_remembered_until_it_fails() {
        let flood = Flood::new(1, 1);
        let token = Secret::new("t".to_owned());
        assert!(!flood.remembers(&token));
        flood.remember(&token);
        assert!(flood.remembers(&token));
        flood.forget(&token);
        assert!(!flood.remembers(&token));
    }
}
