//! A verdict is taken once, and forgotten messages make room in order.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use super::*;

/// Each number is good for one verdict.
#[test]
fn one_verdict_each() {
    let mut verdicts = Verdicts::default();
    let (id, _) = verdicts.add("a");
    assert_eq!(verdicts.take(id), Some("a"));
    assert_eq!(verdicts.take(id), None);
    assert_eq!(verdicts.take(999), None);
}

/// At the bound the oldest is given back to be ignored, and its late verdict finds nothing.
#[test]
fn the_oldest_makes_room() {
    let mut verdicts = Verdicts::default();
    let ids: Vec<u64> = (0..VERDICTS_MAX).map(|i| verdicts.add(i).0).collect();
    let (_, evicted) = verdicts.add(VERDICTS_MAX);
    assert_eq!(evicted, Some(0));
    assert_eq!(verdicts.take(ids[0]), None);
    assert_eq!(verdicts.take(ids[1]), Some(1));
    assert_eq!(verdicts.awaited.len(), VERDICTS_MAX - 1);
}
