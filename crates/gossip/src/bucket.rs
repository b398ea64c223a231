//! A token bucket on a clock that is given to it.

use std::time::Duration;

use tokio::time::Instant;

const MILLIS: u64 = 1_000;

/// Holds at most `burst` tokens and gains `per_second` of them each second.
#[derive(Debug, Clone)]
pub(crate) struct Bucket {
    /// Thousandths of a token, so that integer milliseconds lose nothing.
    level: u64,
    burst: u32,
    per_second: u32,
    at: Instant,
}

impl Bucket {
    pub(crate) fn full(burst: u32, per_second: u32, now: Instant) -> Self {
        Self { level: u64::from(burst) * MILLIS, burst, per_second, at: now }
    }

    /// Takes one token; `false` when there is none.
    pub(crate) fn take(&mut self, now: Instant) -> bool {
        self.refill(now);
        let enough = self.level >= MILLIS;
        if enough {
            self.level -= MILLIS;
        }
        enough
    }

    /// When there will be a token, if there is none now.
    pub(crate) fn empty_until(&mut self, now: Instant) -> Option<Instant> {
        self.refill(now);
        let missing = MILLIS.saturating_sub(self.level);
        (missing > 0).then(|| now + Duration::from_millis(missing.div_ceil(u64::from(self.per_second.max(1)))))
    }

    fn refill(&mut self, now: Instant) {
        let elapsed = u64::try_from(now.saturating_duration_since(self.at).as_millis()).unwrap_or(u64::MAX);
        if elapsed > 0 {
            let gained = elapsed.saturating_mul(u64::from(self.per_second));
            self.level = self.level.saturating_add(gained).min(u64::from(self.burst) * MILLIS);
            self.at += Duration::from_millis(elapsed);
        }
    }
}

#[cfg(test)]
#[path = "bucket_tests.rs"]
mod tests;
