#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use alloy_primitives::U256;
use watchfire_types::{Bytes, ReadOutcome};

use super::StaleWatch;
use crate::detectors::Evaluation;
use crate::fixture::*;

/// Exact at its edge; a time in the future has no age, and one that is no time at all is as old as it says.
#[test]
fn ages() {
    let rule = StaleWatch::new(measure("updated", false), 60);
    let now = block(10).time.as_secs();
    let judge = |updated: U256| rule.observe(&view(10, [(read("updated"), word(updated))]));
    for (updated, expected) in [(now - 60, false), (now - 61, true), (now, false), (now + 1_000, false), (0, true)] {
        assert_eq!(fires(&judge(U256::from(updated))), Some(expected), "{updated}");
    }
    assert_eq!(fires(&judge(U256::MAX)), Some(false));
    let said = judge(U256::from(now - 61));
    let (explanation, figures) = figures(&said);
    assert_eq!(explanation, "updated answers 1059, 61 s before its block; 60 s are allowed");
    assert_eq!(figures["age_s"], "61");
    let before_1970 = StaleWatch::new(measure("updated", true), 60);
    let said = before_1970.observe(&view(10, [(read("updated"), word(signed(-5)))]));
    assert_eq!(fires(&said), Some(true));
}

#[test]
fn an_unread_feed_is_unknown() {
    let rule = StaleWatch::new(measure("updated", false), 60);
    for outcome in [ReadOutcome::Unavailable("late".into()), ReadOutcome::Reverted(Bytes::new())] {
        let half = view(1, [(read("updated"), outcome)]);
        assert_eq!(rule.observe(&half), Evaluation::Unknown);
        assert!(!rule.answered(&half));
    }
}
