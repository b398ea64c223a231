//! How much a source may say: [`BURST`] reports at once, and one more every [`REFILL_MS`]. Eight sources that never stop say 1.6 events a second so,
//! which is less than a node's own quota grows by.

use watchfire_types::Timestamp;

/// Reports at once.
pub const BURST: u64 = 30;
/// After how long one more is allowed, ms.
pub const REFILL_MS: u64 = 5_000;

/// What one source may still say.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Bucket {
    left: u64,
    since: Timestamp,
}

impl Bucket {
    /// A full one.
    #[must_use]
    pub fn full(now: Timestamp) -> Self {
        Self { left: BURST, since: now }
    }

    /// Takes one report's room.
    ///
    /// # Errors
    /// Seconds until there is room.
    pub fn take(&mut self, now: Timestamp) -> Result<(), u64> {
        // A clock that was set back brings nothing, and takes nothing.
        self.since = self.since.min(now);
        let came = now.millis_since(self.since) / REFILL_MS;
        self.left = self.left.saturating_add(came).min(BURST);
        self.since = if self.left == BURST { now } else { self.since.plus_millis(came * REFILL_MS) };
        match self.left.checked_sub(1) {
            Some(left) => {
                self.left = left;
                Ok(())
            }
            None => Err((REFILL_MS - now.millis_since(self.since)).div_ceil(1_000)),
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        /// Whenever it comes: never more than the burst and what time brought, and a source that waits as it is told is heard.
        #[test]
        fn no_more_than_time_allows(waits in prop::collection::vec(0..20_000_u64, 1..200)) {
            let start = Timestamp::from_millis(1_700_000_000_000);
            let (mut now, mut taken) = (start, 0);
            let mut bucket = Bucket::full(start);
            for wait in waits {
                now = now.plus_millis(wait);
                match bucket.take(now) {
                    Ok(()) => taken += 1,
                    Err(retry_s) => {
                        prop_assert!((1..=REFILL_MS.div_ceil(1_000)).contains(&retry_s));
                        let mut later = bucket;
                        prop_assert_eq!(later.take(now.plus_millis(retry_s * 1_000)), Ok(()));
                    }
                }
                prop_assert!(taken <= BURST + now.millis_since(start) / REFILL_MS);
            }
        }
    }
}
