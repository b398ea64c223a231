//! A burst of rejected messages bars its sender, for a while, and nobody else.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use std::time::Duration;

use super::*;

const LIAR: MemberKey = MemberKey::from_bytes([1; 32]);
const OTHER: MemberKey = MemberKey::from_bytes([2; 32]);

/// Barred once at the bound, released once after the time, with a fresh allowance.
#[test]
fn barred_and_released() {
    let now = Instant::now();
    let mut blame = Blame::default();
    for _ in 0..REJECTS_BURST {
        assert_eq!(blame.on_rejected(LIAR, now), None);
    }
    let until = blame.on_rejected(LIAR, now).unwrap();
    assert_eq!(until, now + BARRED_FOR);
    assert_eq!(blame.on_rejected(LIAR, now), None, "told once");
    assert_eq!(blame.on_rejected(OTHER, now), None);
    assert_eq!(blame.next_release(), Some(until));
    assert!(blame.release(until - Duration::from_millis(1)).is_empty());
    assert_eq!(blame.release(until), [LIAR]);
    assert_eq!(blame.next_release(), None);
    assert_eq!(blame.on_rejected(LIAR, until), None);
}

/// A trickle below the rate never bars.
#[test]
fn a_trickle_is_forgiven() {
    let mut now = Instant::now();
    let mut blame = Blame::default();
    for _ in 0..REJECTS_BURST * 4 {
        assert_eq!(blame.on_rejected(LIAR, now), None);
        now += Duration::from_secs(1);
    }
}
