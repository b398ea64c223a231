//! The bucket never gives more than its burst plus its rate.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use proptest::prelude::*;

use super::*;

/// A burst, then nothing, then the rate.
#[test]
fn burst_then_rate() {
    let start = Instant::now();
    let mut bucket = Bucket::full(3, 2, start);
    assert_eq!((0..5).filter(|_| bucket.take(start)).count(), 3);
    let ready = bucket.empty_until(start).unwrap();
    assert_eq!(ready - start, Duration::from_millis(500));
    assert!(!bucket.take(ready - Duration::from_millis(1)));
    assert!(bucket.take(ready));
    assert_eq!((0..9).filter(|_| bucket.take(ready + Duration::from_secs(60))).count(), 3);
}

proptest! {
    /// Over any schedule at most burst + elapsed x rate tokens are given.
    #[test]
    fn never_above_the_line(steps in proptest::collection::vec(0u64..400, 1..200), burst in 1u32..20, rate in 1u32..50) {
        let start = Instant::now();
        let mut bucket = Bucket::full(burst, rate, start);
        let (mut elapsed, mut taken) = (0u64, 0u64);
        for step in steps {
            elapsed += step;
            let now = start + Duration::from_millis(elapsed);
            if bucket.take(now) {
                taken += 1;
            } else {
                prop_assert!(bucket.empty_until(now).is_some_and(|ready| ready > now));
            }
            prop_assert!(taken * 1000 <= u64::from(burst) * 1000 + elapsed * u64::from(rate));
        }
    }
}

/// What was spent beyond the level is paid for before there is a token again.
#[test]
fn debt_is_paid_first() {
    let start = Instant::now();
    let mut bucket = Bucket::full(2, 4, start);
    bucket.spend(start, 6);
    let ready = bucket.empty_until(start).unwrap();
    assert_eq!(ready - start, Duration::from_millis(1_250), "four missing, and one to have");
    assert!(bucket.take(ready));
    bucket.spend(ready, u32::MAX);
    bucket.spend(ready, u32::MAX);
    assert!(bucket.empty_until(ready).is_some_and(|later| later > ready));
}
