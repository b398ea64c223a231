//! The budget is never exceeded, and decisions are never behind the feed.

#![allow(clippy::unwrap_used)]

use std::time::Duration;

use proptest::prelude::*;
use tokio::time::Instant;

use super::{Budget, Priority};

proptest! {
    /// Goal: whatever the order of callers, at most one burst, what was refilled and one oversized request are sent.
    #[test]
    fn never_more_than_burst_and_refill(
        per_second in 1u32..500,
        calls in proptest::collection::vec((1usize..20, any::<bool>(), 0u64..50), 1..200),
    ) {
        let start = Instant::now();
        let budget = Budget::new(per_second, start);
        let (mut now, mut sent) = (start, 0.0);
        for (calls, decision, wait) in calls {
            now += Duration::from_millis(wait);
            let priority = if decision { Priority::Decision } else { Priority::Feed };
            if budget.take(calls, priority, now).is_ok() {
                sent += f64::from(u32::try_from(calls).unwrap());
            }
        }
        let elapsed = now.duration_since(start).as_secs_f64();
        prop_assert!(sent <= f64::from(per_second) * (1.0 + elapsed) + 20.0, "{sent} in {elapsed} s");
    }
}

/// Goal: the feed leaves a quarter that a decision can still take, and a refused caller is told how long to wait.
#[test]
fn the_feed_leaves_room_for_decisions() {
    let now = Instant::now();
    let budget = Budget::new(100, now);
    assert_eq!(budget.take(75, Priority::Feed, now), Ok(()));
    let wait = budget.take(1, Priority::Feed, now).unwrap_err();
    assert_eq!(wait, Duration::from_millis(10));
    assert_eq!(budget.take(25, Priority::Decision, now), Ok(()));
    assert!(budget.take(1, Priority::Decision, now).is_err());
    assert_eq!(budget.take(1, Priority::Decision, now + Duration::from_millis(10)), Ok(()));
}

/// Goal: however much is watched, it is asked for in portions that leave a decision half of the bucket, and no debt.
#[test]
fn the_watch_leaves_half() {
    let now = Instant::now();
    let budget = Budget::new(25, now);
    let portion = budget.portion();
    assert_eq!(portion, 12);
    assert_eq!(budget.take(portion, Priority::Watch, now), Ok(()));
    assert!(budget.take(portion, Priority::Watch, now).is_err());
    assert_eq!(budget.take(13, Priority::Decision, now), Ok(()));
    let second = now + Duration::from_secs(1);
    assert_eq!(budget.take(portion, Priority::Watch, second), Ok(()));
}
