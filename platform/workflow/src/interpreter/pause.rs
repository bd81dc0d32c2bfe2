//! How long to wait before another attempt.

use crate::model::{Backoff, Retry};

/// Milliseconds before attempt `next` (2 is the first repetition). `dice` decides the random part.
pub(super) fn pause_ms(retry: &Retry, next: u32, dice: u32) -> u64 {
    let doublings = i32::try_from(next.saturating_sub(2)).unwrap_or(i32::MAX);
    let first = retry.first.ms() as f64;
    let full = match retry.backoff {
        Backoff::Constant => first,
        Backoff::Exponential => first * retry.factor.clamp(1.0, 10.0).powi(doublings),
    };
    let full = full.min(retry.max.ms() as f64).max(0.0) as u64;
    let random = full * u64::from(retry.jitter.min(100)) / 100;
    full - random + random * u64::from(dice % 1000) / 1000
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pauses_grow_up_to_the_longest_and_jitter_only_shortens_them() {
        let retry = Retry { jitter: 0, ..Retry::default() };
        assert_eq!(
            (2..9).map(|it| pause_ms(&retry, it, 7)).collect::<Vec<_>>(),
            [1000, 2000, 4000, 8000, 16_000, 32_000, 60_000]
        );
        assert_eq!(pause_ms(&retry, u32::MAX, 7), 60_000);
        let constant = Retry { backoff: Backoff::Constant, jitter: 0, ..Retry::default() };
        assert_eq!(pause_ms(&constant, 9, 0), 1000);
        let jittery = Retry { jitter: 50, ..Retry::default() };
        assert!((0..5000).all(|dice| (500..=1000).contains(&pause_ms(&jittery, 2, dice))));
    }
}
