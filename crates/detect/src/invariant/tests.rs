#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use std::collections::BTreeSet;

use alloy_primitives::{Address, U256};
use proptest::prelude::*;
use watchfire_charter::{Comparison, Quantity};
use watchfire_types::{Bytes, Read, ReadOutcome};

use super::{InvariantWatch, Side};
use crate::detectors::Evaluation;
use crate::fixture::*;
use crate::measure::Measure;

fn rule(compare: Comparison, scale_left: u64, tolerance_bps: u16, is_signed: bool) -> InvariantWatch {
    let side = |name, scale: u64| Side { measure: measure(name, is_signed), scale: U256::from(scale) };
    InvariantWatch::new(side("left", scale_left), compare, side("right", 1), tolerance_bps)
}

fn judge(rule: &InvariantWatch, left: U256, right: U256) -> Evaluation {
    rule.observe(&view(1, [(read("left"), word(left)), (read("right"), word(right))]))
}

fn holds(rule: &InvariantWatch, left: u64, right: u64) -> bool {
    !fires(&judge(rule, U256::from(left), U256::from(right))).unwrap()
}

/// Each comparison is exact at its edge, with its tolerance and its scale.
#[test]
fn edges() {
    let at_least = rule(Comparison::AtLeast, 1, 100, false);
    assert!(holds(&at_least, 9_900, 10_000) && !holds(&at_least, 9_899, 10_000) && holds(&at_least, u64::MAX, 0));
    let at_most = rule(Comparison::AtMost, 1, 100, false);
    assert!(holds(&at_most, 10_100, 10_000) && !holds(&at_most, 10_101, 10_000) && !holds(&at_most, 1, 0));
    let equal = rule(Comparison::Equal, 10, 0, false);
    assert!(holds(&equal, 5, 50) && !holds(&equal, 5, 51) && !holds(&equal, 5, 49));
}

#[test]
fn it_says_both_sides() {
    let said = judge(&rule(Comparison::AtLeast, 1_000, 5, false), U256::from(1), U256::from(2_000));
    let (explanation, figures) = figures(&said);
    assert_eq!(explanation, "left 1 x 1000 is not >= right 2000, even with 5 bps of tolerance");
    assert_eq!((figures["left"].as_str(), figures["right"].as_str()), ("1", "2000"));
    assert_eq!(figures["scale_left"], "1000");
}

/// The largest numbers with the largest scale and tolerance: no overflow, and the line fits.
#[test]
fn extremes() {
    let scale = U256::MAX >> 128;
    for compare in [Comparison::AtLeast, Comparison::AtMost, Comparison::Equal] {
        let side = |name| Side { measure: measure(name, false), scale };
        let rule = InvariantWatch::new(side("left"), compare, side("right"), 10_000);
        assert_eq!(fires(&judge(&rule, U256::MAX, U256::MAX)), Some(false));
        let broken = InvariantWatch::new(side("left"), compare, side("right"), 0);
        let (left, right) =
            if compare == Comparison::AtLeast { (U256::ZERO, U256::MAX) } else { (U256::MAX, U256::ZERO) };
        figures(&judge(&broken, left, right));
    }
}

#[test]
fn signed_sides() {
    let at_most = rule(Comparison::AtMost, 1, 1_000, true);
    for (left, right, expected) in
        [(-100, -100, true), (-89, -100, false), (-90, -100, true), (-1, 0, true), (1, -1, false)]
    {
        assert_eq!(fires(&judge(&at_most, signed(left), signed(right))), Some(!expected), "{left} {right}");
    }
}

/// One side unread: it can be neither held nor broken.
#[test]
fn an_unread_side_is_unknown() {
    let rule = rule(Comparison::AtLeast, 1, 0, false);
    for outcome in [ReadOutcome::Unavailable("late".into()), ReadOutcome::Reverted(Bytes::new())] {
        let half = view(1, [(read("left"), word(U256::ZERO)), (read("right"), outcome)]);
        assert_eq!(rule.observe(&half), Evaluation::Unknown);
        assert!(!rule.answered(&half));
    }
}

/// What is held is the sum over the asset's addresses, and unread if one of them is.
#[test]
fn holdings_are_summed() {
    let group = BTreeSet::from([VAULT, Address::repeat_byte(1)]);
    let held = Measure::new(&Quantity::Held { token: None }, &group);
    let reads: Vec<Read> = group.iter().map(|account| Read::Balance { account: *account }).collect();
    assert_eq!(held.reads().cloned().collect::<Vec<_>>(), reads);
    let rule = InvariantWatch::new(
        Side { measure: held, scale: U256::from(1) },
        Comparison::AtLeast,
        Side { measure: measure("owed", false), scale: U256::from(1) },
        0,
    );
    let owed = |owed: u64| {
        let held = reads.iter().map(|read| (read.clone(), word(U256::from(5))));
        rule.observe(&view(1, held.chain([(read("owed"), word(U256::from(owed)))])))
    };
    assert_eq!(fires(&owed(10)), Some(false));
    assert_eq!(figures(&owed(11)).0, "wei held 10 is not >= owed 11");
    let half = view(1, [(reads[0].clone(), word(U256::from(5))), (read("owed"), word(U256::ZERO))]);
    assert_eq!(rule.observe(&half), Evaluation::Unknown);
}

proptest! {
    /// Against the definition in 128 bits.
    #[test]
    fn matches_the_definition(left in 0_u64..2_000, right in 0_u64..20_000, scale in 1_u64..20, tolerance in 0_u16..=10_000) {
        let (wide_left, wide_right) = (i128::from(left) * i128::from(scale) * 10_000, i128::from(right) * 10_000);
        let slack = i128::from(right) * i128::from(tolerance);
        let (low, high) = (wide_left + slack >= wide_right, wide_left - slack <= wide_right);
        for (compare, expected) in
            [(Comparison::AtLeast, low), (Comparison::AtMost, high), (Comparison::Equal, low && high)]
        {
            prop_assert_eq!(holds(&rule(compare, scale, tolerance, false), left, right), expected);
        }
    }
}
