//! What is compared with what, when nobody can know yet, and that whoever judges a block says the same of it.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use alloy_primitives::U256;
use proptest::prelude::*;
use watchfire_charter::{Comparison, Quantity};

use super::*;
use crate::fixture::*;
use crate::invariant::Side;

const THERE: ChainId = ChainId::new(10);

/// Minted here is never more than locked there, 30 s back.
fn rule(skew_s: u64) -> CrossWatch {
    let quantity = |name: &'static str| Quantity::Call { text: name.into(), read: read(name), word: 0, signed: false };
    let one = U256::from(1);
    let rule = CrossChain {
        left: quantity("minted"),
        scale_left: one,
        compare: Comparison::AtMost,
        elsewhere: "escrow".parse().unwrap(),
        right: quantity("locked"),
        scale_right: one,
        tolerance_bps: 0,
        lag_s: 30,
        skew_s,
    };
    let side = |name| Side { measure: measure(name, false), scale: one };
    let comparison = InvariantWatch::new(side("minted"), Comparison::AtMost, side("locked"), 0);
    CrossWatch::new(rule, comparison, CHAIN, THERE)
}

fn here(number: u64, minted: u64) -> BlockView {
    view(number, [(read("minted"), word(U256::from(minted)))])
}

/// Block `number` of the other chain, at the time of this chain's block of that number.
fn there(number: u64, locked: u64) -> BlockView {
    let block = BlockRef { chain: THERE, ..block(number) };
    BlockView { block, ..view(number, [(read("locked"), word(U256::from(locked)))]) }
}

/// Blocks 0 to 10 here with what was minted by each, after those there up to `last`, final up to `passed`.
fn judged(minted: impl Fn(u64) -> u64, locked: impl Fn(u64) -> u64, last: u64, passed: u64, skew_s: u64) -> Evaluation {
    let mut rule = rule(skew_s);
    for number in 0..=last {
        rule.hear(&there(number, locked(number)));
    }
    rule.hear_final(&there(passed, 0).block);
    (0..=10).map(|number| rule.observe(&here(number, minted(number)))).last().unwrap()
}

#[test]
fn more_minted_than_locked_is_told_once_the_other_chain_is_final() {
    let table = [
        ("as much", judged(|_| 5, |_| 5, 12, 12, 0), Some(false)),
        ("more", judged(|_| 6, |_| 5, 12, 12, 0), Some(true)),
        // 30 s before block 10 is after block 7 and before block 8.
        ("final just past it", judged(|_| 6, |_| 5, 12, 8, 0), Some(true)),
        ("not final yet", judged(|_| 6, |_| 5, 12, 7, 0), None),
        ("not even there yet", judged(|_| 6, |_| 5, 7, 7, 0), None),
        ("minted since", judged(|number| if number > 7 { 6 } else { 5 }, |_| 5, 12, 12, 0), Some(false)),
        ("locked since", judged(|_| 6, |number| if number > 7 { 6 } else { 5 }, 12, 12, 0), Some(true)),
        ("locked within the skew", judged(|_| 6, |number| if number > 7 { 6 } else { 5 }, 12, 12, 6), Some(false)),
        ("the skew is not past", judged(|_| 6, |_| 5, 12, 8, 6), None),
        ("unlocked within the skew", judged(|_| 6, |number| if number < 7 { 6 } else { 5 }, 12, 12, 7), Some(false)),
        ("unlocked before it", judged(|_| 6, |number| if number < 7 { 6 } else { 5 }, 12, 12, 5), Some(true)),
    ];
    for (row, evaluation, expected) in table {
        assert_eq!(fires(&evaluation), expected, "{row}");
    }
    let broken = judged(|_| 6, |_| 5, 12, 12, 0);
    let (explanation, of) = figures(&broken);
    assert_eq!(explanation, "minted 6 is not <= locked 5, 30 s ago");
    assert_eq!(
        (of["elsewhere"].as_str(), of["elsewhere_chain"].as_str(), of["at_s"].as_str()),
        ("escrow", "10", "1090")
    );
}

/// A side that was not answered is unknown, wherever the other one stands, unless the comparison holds anyhow.
#[test]
fn what_was_not_answered_is_not_judged() {
    let unread = |view: BlockView| BlockView { reads: [].into(), ..view };
    let mut rule = rule(12);
    for number in 0..=12 {
        let view = there(number, if number == 9 { 6 } else { 5 });
        rule.hear(&if number == 7 { unread(view) } else { view });
    }
    rule.hear_final(&there(12, 0).block);
    let said: Vec<_> = (0..=12)
        .map(|number| {
            let view = here(number, 6);
            fires(&rule.observe(&if number == 8 { unread(view) } else { view }))
        })
        .collect();
    // Blocks 9 to 11 look at block 7 there, and block 11 at block 8 here; block 12 finds block 9 there, with which it holds.
    assert_eq!(said[..9], [None, None, None, None, Some(true), Some(true), Some(true), Some(true), Some(true)]);
    assert_eq!(said[9..], [None, None, None, Some(false)]);
}

/// What one chain tells, makes final or takes back changes nothing of the other, and what is final once stays so.
#[test]
fn each_chain_tells_of_its_own_side() {
    let mut rule = rule(0);
    let observed = |rule: &mut CrossWatch, numbers: std::ops::RangeInclusive<u64>| {
        numbers.map(|number| fires(&rule.observe(&here(number, 6)))).last().unwrap()
    };
    for number in 0..=12 {
        rule.hear(&there(number, 5));
        rule.hear(&here(number, 6));
        rule.hear_final(&here(number, 6).block);
    }
    assert_eq!(observed(&mut rule, 0..=10), None, "nothing is final there");
    rule.hear_final(&there(12, 0).block);
    rule.hear_final(&there(3, 0).block);
    assert_eq!(observed(&mut rule, 11..=11), Some(true));
    // Taken back and come again here, as if nothing had been.
    rule.rollback(&block(4));
    assert_eq!(observed(&mut rule, 5..=10), Some(true));
    rule.rollback(&block(9));
    assert_eq!(observed(&mut rule, 10..=10), Some(true));
    // And there.
    rule.rollback(&there(10, 0).block);
    (11..=12).for_each(|number| rule.hear(&there(number, 5)));
    assert_eq!(observed(&mut rule, 11..=11), Some(true));
}

/// Of several values within the skew the newest is told, and where both assets are on one chain nothing is compared.
#[test]
fn the_newest_value_is_told() {
    let falls = |number: u64| if number < 7 { 4 } else { 3 };
    let said = judged(|_| 6, falls, 12, 12, 12);
    assert_eq!(figures(&said).0, "minted 6 is not <= locked 3, 30 s ago");
    let mut alone = CrossWatch { elsewhere: CHAIN, ..rule(0) };
    let both = |number| BlockView {
        reads: [here(number, 6).reads, there(number, 5).reads].into_iter().flatten().collect(),
        ..view(number, [])
    };
    for number in 0..=12 {
        alone.hear(&both(number));
        alone.hear_final(&both(number).block);
        assert_eq!(fires(&alone.observe(&both(number))), None);
    }
}

proptest! {
    /// However far a node is with the other chain when it judges a block, and whatever was taken back there before it was final: it says what one says that saw
    /// all of it first, or that it does not know.
    #[test]
    fn whoever_judges_says_the_same(
        history in prop::collection::vec(0..4_u64, 40),
        minted in prop::collection::vec(0..4_u64, 40),
        heard in prop::collection::vec(0..6_usize, 40),
        stale in 0..8_u64,
        skew_s in 0..30_u64,
    ) {
        let (mut all, mut one, mut next) = (rule(skew_s), rule(skew_s), 0);
        for (number, locked) in (0..).zip(&history) {
            all.hear(&there(number, *locked));
            all.hear_final(&there(number, 0).block);
        }
        for ((number, minted), more) in (0..).zip(&minted).zip(&heard) {
            for locked in history.iter().skip(next).take(*more) {
                one.hear(&there(next as u64, *locked));
                one.hear_final(&there(next as u64, 0).block);
                next += 1;
            }
            if next > 0 && next < history.len() {
                (next as u64..next as u64 + stale).for_each(|number| one.hear(&there(number, 9)));
                if number % 2 == 0 {
                    one.rollback(&there(next as u64 - 1, 0).block);
                }
            }
            let (said, full) = (one.observe(&here(number, *minted)), all.observe(&here(number, *minted)));
            prop_assert!(said == Evaluation::Unknown || full == Evaluation::Unknown || said == full, "{said:?} {full:?}");
            one.rollback(&there(next.max(1) as u64 - 1, 0).block);
        }
    }
}
