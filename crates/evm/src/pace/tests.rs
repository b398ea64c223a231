//! Evidence starts slowly, grows while it is answered, is halved by a limit, and stands back for decisions.

#![allow(clippy::unwrap_used)]

use std::time::Duration;

use futures::FutureExt as _;
use proptest::prelude::*;
use tokio::time::Instant;

use super::Pace;

/// Questions that leave within `span` when asked for at every millisecond and each is answered.
fn asked(pace: &Pace, from: Instant, span: Duration) -> u32 {
    let within = 0..u64::try_from(span.as_millis()).unwrap();
    let mut count = 0;
    for ms in within {
        if pace.take(from + Duration::from_millis(ms)).is_ok() {
            pace.answered();
            count += 1;
        }
    }
    count
}

/// Goal: a few in the first second, more in each that follows, never more than a quarter of the budget.
#[test]
fn the_pace_grows_to_a_quarter() {
    let start = Instant::now();
    let pace = Pace::new(100, start);
    let seconds: Vec<u32> =
        (0..40).map(|second| asked(&pace, start + Duration::from_secs(second), Duration::from_secs(1))).collect();
    assert!((4..=6).contains(&seconds[0]), "{seconds:?}");
    assert!(seconds[10] > seconds[0] && seconds.iter().all(|asked| *asked <= 26), "{seconds:?}");
    assert!(seconds[39] >= 23, "{seconds:?}");
    assert!((1..=2).contains(&asked(&Pace::new(4, start), start, Duration::from_secs(1))));
}

/// Goal: a limit gives a second of rest and half the pace, however many callers it refuses; a longer wait that was asked for is kept.
#[test]
fn a_limit_halves_the_pace_once() {
    let start = Instant::now();
    let (fast, slowed) = (Pace::new(1_000, start), Pace::new(1_000, start));
    for pace in [&fast, &slowed] {
        asked(pace, start, Duration::from_secs(20));
    }
    let at = start + Duration::from_secs(20);
    for _ in 0..10 {
        slowed.limited(Duration::ZERO, at);
    }
    assert_eq!(asked(&slowed, at, Duration::from_secs(1)), 0);
    let later = at + Duration::from_secs(1);
    let (full, half) = (asked(&fast, later, Duration::from_secs(1)), asked(&slowed, later, Duration::from_secs(1)));
    assert!((full * 2 / 5..=full * 3 / 5).contains(&half), "{half} of {full}");
    slowed.limited(Duration::from_secs(30), later);
    assert_eq!(asked(&slowed, later, Duration::from_secs(30)), 0);
}

/// Goal: a question waits while a decision does, also one that is given up.
#[tokio::test]
async fn a_decision_goes_first() {
    let pace = Pace::new(100, Instant::now());
    let (first, second) = (pace.decide(), pace.decide());
    drop(first);
    let mut turn = std::pin::pin!(pace.turn());
    assert!(turn.as_mut().now_or_never().is_none());
    drop(second);
    turn.now_or_never().unwrap();
}

proptest! {
    /// Goal: whatever comes, two questions are never closer than the fastest pace allows.
    #[test]
    fn questions_are_spaced(per_second in 1u32..400, events in proptest::collection::vec((0u8..3, 0u64..400), 1..300)) {
        let mut now = Instant::now();
        let pace = Pace::new(per_second, now);
        let least = Duration::from_secs_f64(1.0 / (f64::from(per_second) / 4.0).max(0.5)).min(Duration::from_secs(2));
        let mut last: Option<Instant> = None;
        for (event, wait_ms) in events {
            now += Duration::from_millis(wait_ms);
            match event {
                0 => pace.answered(),
                1 => pace.limited(Duration::from_millis(wait_ms), now),
                _ if pace.take(now).is_ok() => {
                    let apart = last.map(|last| now - last);
                    prop_assert!(apart.is_none_or(|apart| apart + Duration::from_micros(1) >= least), "{apart:?} {least:?}");
                    last = Some(now);
                }
                _ => {}
            }
        }
    }
}
