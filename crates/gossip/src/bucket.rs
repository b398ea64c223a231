//! A token bucket on a clock that is given to it.

use std::time::Duration;

use tokio::time::Instant;

const MILLIS: i64 = 1_000;

/// Holds at most `burst` tokens and gains `per_second` of them each second.
#[derive(Debug, Clone)]
pub(crate) struct Bucket {
    /// Thousandths of a token, so that integer milliseconds lose nothing. Below zero after more was spent than there was.
    level: i64,
    burst: u32,
    per_second: u32,
    at: Instant,
}

impl Bucket {
    pub(crate) fn full(burst: u32, per_second: u32, now: Instant) -> Self {
        Self { level: i64::from(burst) * MILLIS, burst, per_second, at: now }
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

    /// Takes tokens for something that happened already, whether there are any or not: what is missing is paid for first.
    pub(crate) fn spend(&mut self, now: Instant, tokens: u32) {
        self.refill(now);
        self.level = self.level.saturating_sub(i64::from(tokens) * MILLIS);
    }

    /// When there will be a token, if there is none now.
    pub(crate) fn empty_until(&mut self, now: Instant) -> Option<Instant> {
        self.refill(now);
        let missing = u64::try_from(MILLIS.saturating_sub(self.level)).unwrap_or(0);
        (missing > 0).then(|| now + Duration::from_millis(missing.div_ceil(u64::from(self.per_second.max(1)))))
    }

    fn refill(&mut self, now: Instant) {
        let elapsed = now.saturating_duration_since(self.at).as_millis();
        if elapsed > 0 {
            let gained = elapsed.saturating_mul(u128::from(self.per_second));
            let gained = i64::try_from(gained).unwrap_or(i64::MAX);
            self.level = self.level.saturating_add(gained).min(i64::from(self.burst) * MILLIS);
            self.at += Duration::from_millis(u64::try_from(elapsed).unwrap_or(u64::MAX));
        }
    }
}

#[cfg(test)]
#[path = "bucket_tests.rs"]
mod tests;
