#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use alloy_primitives::U256;
use proptest::prelude::*;
use watchfire_types::{Bytes, ReadOutcome};

use super::{Bounds, LeapWatch};
use crate::detectors::Evaluation;
use crate::fixture::*;

fn rule(rise_bps: Option<u32>, fall_bps: Option<u32>, window_s: u64) -> LeapWatch {
    LeapWatch::new(measure("price", false), Bounds { rise_bps, fall_bps, window_s, stands_s: 24 })
}

fn at(rule: &mut LeapWatch, number: u64, price: u64) -> Evaluation {
    rule.observe(&view(number, [(read("price"), word(U256::from(price)))]), None)
}

fn standing(rule: &mut LeapWatch, prices: &[u64]) -> Vec<bool> {
    (0..).zip(prices).map(|(number, price)| fires(&at(rule, number, *price)).unwrap()).collect()
}

/// Against the block before, exact at its edge, in either direction, and it stands for the stated time.
#[test]
fn leaps_in_either_direction() {
    let mut both = rule(Some(200), Some(100), 0);
    assert_eq!(standing(&mut both, &[10_000, 10_200, 10_098]), [false, false, false], "exactly 2 %, not quite 1 %");
    assert_eq!(
        standing(&mut rule(Some(200), Some(100), 0), &[10_000, 10_201, 10_201, 10_201, 10_201]),
        [false, true, true, true, false]
    );
    let mut down = rule(Some(200), Some(100), 0);
    assert!(!fires(&at(&mut down, 0, 10_000)).unwrap());
    let fell = at(&mut down, 1, 9_899);
    let (explanation, figures) = figures(&fell);
    assert_eq!(explanation, "price fell by 101 bps, from 10000 at block 0 to 9899 at block 1; 100 bps are allowed");
    assert_eq!((figures["direction"].as_str(), figures["moved_bps"].as_str()), ("fell", "101"));
    assert_eq!(standing(&mut rule(None, Some(1), 0), &[1, 1_000]), [false, false], "a rise that nobody asked about");
}

/// A creeping price leaps over no block and over a window.
#[test]
fn a_window_sees_what_creeps() {
    let creeping = [10_000, 10_150, 10_300, 10_450, 10_600];
    assert_eq!(standing(&mut rule(Some(200), None, 0), &creeping), [false; 5]);
    assert_eq!(standing(&mut rule(Some(200), None, 36), &creeping), [false, false, true, true, true]);
    assert_eq!(
        standing(&mut rule(Some(500), None, 36), &creeping),
        [false; 5],
        "the first is out of the window by then"
    );
}

/// The first deposit sets a price from nothing; losing everything is a fall of the whole.
#[test]
fn zero_is_where_no_share_begins_and_where_a_fall_ends() {
    assert_eq!(standing(&mut rule(Some(1), Some(9_999), 60), &[0, 1_000, 1_000, 0]), [false, false, false, true]);
    let mut most =
        LeapWatch::new(measure("price", false), Bounds { rise_bps: Some(1), fall_bps: None, window_s: 0, stands_s: 1 });
    most.observe(&view(0, [(read("price"), word(U256::from(1)))]), None);
    let leapt = most.observe(&view(1, [(read("price"), word(U256::MAX))]), None);
    assert!(figures(&leapt).1["moved_bps"].len() > 78, "no overflow");
}

/// A signed number moves by a share of its magnitude, through zero too.
#[test]
fn signed_numbers() {
    let make = || {
        let bounds = Bounds { rise_bps: Some(5_000), fall_bps: Some(5_000), window_s: 0, stands_s: 1 };
        LeapWatch::new(measure("rate", true), bounds)
    };
    for (before, after, expected) in [(-100, -150, false), (-100, -151, true), (-100, -49, true), (10, -10, true)] {
        let mut rule = make();
        rule.observe(&view(0, [(read("rate"), word(signed(before)))]), None);
        let said = rule.observe(&view(1, [(read("rate"), word(signed(after)))]), None);
        assert_eq!(fires(&said), Some(expected), "{before} to {after}");
    }
}

/// What cannot be read is neither a leap nor the end of one; the next answer is measured against the last one.
#[test]
fn unread_blocks_are_unknown() {
    let mut rule = rule(Some(200), Some(200), 0);
    at(&mut rule, 0, 100);
    for outcome in [ReadOutcome::Unavailable("late".into()), ReadOutcome::Reverted(Bytes::new())] {
        assert_eq!(rule.observe(&view(1, [(read("price"), outcome)]), None), Evaluation::Unknown);
    }
    assert_eq!(
        rule.observe(&view(2, [(read("price"), ReadOutcome::Value(vec![0; 31].into()))]), None),
        Evaluation::Unknown
    );
    assert!(fires(&at(&mut rule, 3, 90)).unwrap());
}

/// After a recovery nothing from before it is measured against, and no leap from before it stands.
#[test]
fn a_floor_begins_anew() {
    let mut rule = rule(Some(200), Some(200), 600);
    at(&mut rule, 0, 100);
    assert!(fires(&at(&mut rule, 1, 50)).unwrap());
    let floor = block(2);
    for number in 2..5 {
        let said = rule.observe(&view(number, [(read("price"), word(U256::from(50)))]), Some(&floor));
        assert_eq!(fires(&said), Some(false));
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(48))]

    #[test]
    fn rollback(prices in branches(prop::option::weighted(0.9, 0_u64..300)), window_s in prop::sample::select(vec![0, 60, 900])) {
        rollback_is_a_straight_run(
            || rule(Some(3_000), Some(2_000), window_s),
            |rule, number, price| {
                let outcome = price.map_or(ReadOutcome::Unavailable("late".into()), |price| word(U256::from(price)));
                rule.observe(&view(number, [(read("price"), outcome)]), None)
            },
            LeapWatch::rollback,
            &prices,
        );
    }

    /// A leap against the block before is what its definition says, and memory stays within its bound.
    #[test]
    fn leaps_match_the_definition(prices in prop::collection::vec(1_u64..1_000, 2..200), bps in 1_u32..5_000) {
        let bounds = Bounds { rise_bps: Some(bps), fall_bps: Some(bps), window_s: 0, stands_s: 0 };
        let mut rule = LeapWatch::new(measure("price", false), bounds);
        let mut before = None;
        for (number, price) in (0..).zip(&prices) {
            let expected = before.is_some_and(|before: u64| {
                u128::from(price.abs_diff(before)) * 10_000 > u128::from(before) * u128::from(bps)
            });
            prop_assert_eq!(fires(&at(&mut rule, number, *price)), Some(expected));
            before = Some(*price);
        }
        prop_assert!(rule.samples.len() <= 66 && rule.leaps.len() <= 66);
    }
}
