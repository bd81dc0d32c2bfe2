//! Where the time comes from, so that tests can turn it.

use std::{fmt, sync::Arc};

/// A source of the current time. Clones share it.
#[derive(Clone)]
pub struct Clock(Arc<dyn Fn() -> i64 + Send + Sync>);

impl Clock {
    /// The machine's clock.
    pub fn system() -> Self {
        Self::from_fn(|| chrono::Utc::now().timestamp_micros())
    }

    /// A clock that shows what `now_us` returns: Unix time in microseconds.
    pub fn from_fn(now_us: impl Fn() -> i64 + Send + Sync + 'static) -> Self {
        Self(Arc::new(now_us))
    }

    /// Unix time in microseconds.
    pub fn now_us(&self) -> i64 {
        (self.0)()
    }

    /// Unix time in whole seconds.
    pub fn now_seconds(&self) -> i64 {
        self.now_us().div_euclid(1_000_000)
    }
}

impl Default for Clock {
    fn default() -> Self {
        Self::system()
    }
}

impl fmt::Debug for Clock {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Clock")
    }
}
