#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use std::collections::BTreeSet;

use alloy_primitives::{Address, B256, U256, U512, keccak256};
use proptest::prelude::*;
use watchfire_charter::expression::Subject;
use watchfire_charter::{Ewma, Rate, Rated};
use watchfire_types::{BlockRef, BlockView, Log, Read, Transaction};

use super::{RateWatch, TRANSFER, median};
use crate::detectors::Evaluation;
use crate::fixture::*;

const TOKEN: Address = Address::repeat_byte(0x70);
const USER: Address = Address::repeat_byte(0x11);
const DECLARED: &str = "Withdraw(address indexed owner, uint256 amount)";

/// Five blocks a window of a minute, four windows before it; three deviations.
fn bounds(of: Rated, floor: u64) -> Rate {
    Rate { of, window_s: 60, windows: 4, floor: U256::from(floor), deviations: Some(3), ewma: None }
}

fn rule(of: Rated, floor: u64) -> RateWatch {
    RateWatch::new(bounds(of, floor), BTreeSet::from([VAULT]))
}

fn withdrawals() -> Rated {
    Rated::Value { address: VAULT, event: Subject::event(DECLARED).unwrap(), field: "amount".to_owned() }
}

fn log(address: Address, topics: &[B256], number: u64) -> Log {
    let data = U256::from(number).to_be_bytes_vec().into();
    Log { address, topics: topics.to_vec(), data, transaction: B256::ZERO, index: 0 }
}

fn withdraw(amount: u64) -> Log {
    log(VAULT, &[keccak256("Withdraw(address,uint256)"), USER.into_word()], amount)
}

fn transfer(from: Address, to: Address, amount: u64) -> Log {
    log(TOKEN, &[TRANSFER, from.into_word(), to.into_word()], amount)
}

fn observe(rule: &mut RateWatch, view: &BlockView, floor: Option<&BlockRef>) -> Evaluation {
    rule.observe(view, view.logs.iter(), view.transactions.iter(), floor)
}

/// A block with one withdrawal of so much.
fn withdrawn(rule: &mut RateWatch, number: u64, amount: u64) -> Evaluation {
    observe(rule, &BlockView { logs: vec![withdraw(amount)], ..view(number, []) }, None)
}

/// Blocks 0 to 29, of 1,000 to 1,348 s; windows begin at 1,020 and every minute after. Block 27, of 1,324 s, is the first of another.
fn learned(of: fn() -> Rated, floor: u64, one: impl Fn(u64) -> BlockView) -> RateWatch {
    let mut rule = rule(of(), floor);
    for number in 0..27 {
        let said = observe(&mut rule, &one(number), None);
        // The first whole window begins with block 2, the fifth after it at 1,260 s with block 22.
        assert_eq!(fires(&said), (number >= 22).then_some(false), "block {number}");
        assert_eq!(rule.is_learning(), number < 22);
    }
    rule
}

/// Nothing is said before the windows are known; then what is above the median and the deviations fires, in one line with its figures.
#[test]
fn more_than_before_is_told() {
    let usual = |number| BlockView { logs: vec![withdraw(10 + number % 2)], ..view(number, []) };
    let mut rule = learned(withdrawals, 20, usual);
    // The windows before it hold 52 or 53.
    assert_eq!(fires(&withdrawn(&mut rule, 27, 30)), Some(false));
    let said = withdrawn(&mut rule, 28, 26);
    let (explanation, figures) = figures(&said);
    assert_eq!(
        explanation,
        format!(
            "56 amount of Withdraw(address,uint256) of {VAULT} in the window 1320 to 1380 so far; in the 4 before it a median of 52, median \
             deviation 0; limit 52 (3 deviations); floor 20"
        )
    );
    assert_eq!(
        (figures["figure"].as_str(), figures["limit"].as_str(), figures["window_from"].as_str()),
        ("56", "52", "1320")
    );
    // It stands for the rest of its window, and no longer: block 32 is of 1,384 s.
    let later = [29, 30, 31, 32].map(|number| fires(&withdrawn(&mut rule, number, 0)));
    assert_eq!(later, [Some(true), Some(true), Some(true), Some(false)]);
}

/// Below the floor nothing fires, however quiet it was; a log that is not as declared counts for nothing and is told.
#[test]
fn a_floor_is_below_everything() {
    let mut rule = learned(withdrawals, 20, |number| view(number, []));
    assert_eq!(fires(&withdrawn(&mut rule, 27, 20)), Some(false));
    let mut odd = withdraw(9);
    odd.topics.pop();
    assert_eq!(fires(&observe(&mut rule, &BlockView { logs: vec![odd], ..view(28, []) }, None)), Some(false));
    assert_eq!(rule.unanswered().map(|(_, count)| count).sum::<u64>(), 1);
    assert_eq!(fires(&withdrawn(&mut rule, 29, 1)), Some(true));
}

/// Whatever is counted or summed: only what the charter named.
#[test]
fn figures_are_of_what_is_named() {
    let figure = |of: fn() -> Rated, busy: BlockView| {
        let mut rule =
            learned(of, 1, |number| view(number, busy.reads.keys().map(|read| (read.clone(), word(U256::from(100))))));
        match observe(&mut rule, &busy, None) {
            Evaluation::Fires { figures, .. } => figures["figure"].clone(),
            other => panic!("{other:?}"),
        }
    };
    let at = || view(27, []);
    let events = || Rated::Events {
        address: VAULT,
        event: "Withdraw(address,uint256)".to_owned(),
        topic: keccak256("Withdraw(address,uint256)"),
    };
    let logs = vec![withdraw(1), withdraw(1), log(TOKEN, &withdraw(1).topics, 1), transfer(VAULT, USER, 9)];
    assert_eq!(figure(events, BlockView { logs, ..at() }), "2");
    let sent = |from, to| Transaction {
        hash: B256::ZERO,
        kind: 2,
        from,
        to,
        value: U256::ZERO,
        input: vec![].into(),
        succeeded: Some(false),
    };
    let transactions = [sent(USER, Some(VAULT)), sent(VAULT, Some(USER)), sent(USER, None), sent(USER, Some(VAULT))];
    assert_eq!(
        figure(|| Rated::Transactions { address: VAULT }, BlockView { transactions: transactions.into(), ..at() }),
        "2"
    );
    // What comes back in its block did not leave.
    let moved =
        vec![transfer(VAULT, USER, 90), transfer(USER, VAULT, 60), transfer(VAULT, VAULT, 7), transfer(USER, TOKEN, 7)];
    assert_eq!(figure(|| Rated::Outflow { token: Some(TOKEN) }, BlockView { logs: moved, ..at() }), "30");
    let left = view(27, [(Read::Balance { account: VAULT }, word(U256::from(58)))]);
    assert_eq!(figure(|| Rated::Outflow { token: None }, left), "42");
}

/// A balance that nobody answered is no figure, and what is not known of a window is not guessed.
#[test]
fn what_was_not_answered_is_unknown() {
    let held = |number| view(number, [(Read::Balance { account: VAULT }, word(U256::from(100)))]);
    let mut rule = learned(|| Rated::Outflow { token: None }, 1, held);
    assert_eq!(fires(&observe(&mut rule, &view(27, []), None)), None);
    let mut rule = learned(|| Rated::Outflow { token: None }, 1, held);
    observe(&mut rule, &held(27), None);
    // Blocks are missing: it learns anew.
    assert_eq!(fires(&observe(&mut rule, &held(29), None)), None);
    assert!(rule.is_learning());
}

/// After a recovery nothing is said for the rest of its window.
#[test]
fn a_recovery_ends_its_window() {
    let mut rule = learned(withdrawals, 20, |number| view(number, []));
    let busy = |number| BlockView { logs: vec![withdraw(50)], ..view(number, []) };
    assert_eq!(fires(&observe(&mut rule, &busy(27), Some(&block(26)))), Some(true), "1,312 s is the window before");
    let mut rule = learned(withdrawals, 20, |number| view(number, []));
    assert_eq!(fires(&observe(&mut rule, &busy(27), Some(&block(27)))), Some(false));
}

/// The average weighs newer windows more; where both bounds are given both must be exceeded.
#[test]
fn an_average_in_whole_numbers() {
    let average = |ewma| Rate { deviations: None, ewma: Some(ewma), ..bounds(withdrawals(), 1) };
    let run = |rate: Rate, last: u64| {
        let mut rule = RateWatch::new(rate, BTreeSet::new());
        // 5, 5, 5 and then 10 a window: halves of 5 and 10 are 7.5.
        (0..27).for_each(|number| drop(withdrawn(&mut rule, number, if number < 22 { 1 } else { 2 })));
        withdrawn(&mut rule, 27, last)
    };
    let half = Ewma { weight_bps: 5_000, limit_bps: 20_000 };
    assert_eq!(fires(&run(average(half), 15)), Some(false), "twice the average and no more");
    let said = run(average(half), 16);
    assert_eq!((figures(&said).1["average"].as_str(), figures(&said).1["average_limit"].as_str()), ("7", "15"));
    // Above the median and its deviations, and not above the average.
    assert_eq!(fires(&run(bounds(withdrawals(), 1), 8)), Some(true));
    assert_eq!(fires(&run(Rate { deviations: Some(3), ..average(half) }, 8)), Some(false));
}

#[test]
fn the_middle_of_figures() {
    let of = |figures: &[u64]| median(figures.iter().copied().map(U512::from).collect());
    assert_eq!([of(&[3, 1, 2]), of(&[4, 1, 2, 9]), of(&[7]), of(&[])], [2, 3, 7, 0].map(U512::from));
}

/// However long it runs, it keeps the windows and what a reorg may need.
#[test]
fn memory_is_bounded() {
    let mut rule = rule(withdrawals(), 1);
    for number in 0..2_000 {
        withdrawn(&mut rule, number, 1);
        assert!(rule.samples.len() <= 4 + 3 + 65, "{}", rule.samples.len());
    }
    rule.rollback(&block(2_000 - 65));
    assert!(!rule.is_learning());
    rule.rollback(&block(2_000 - 400));
    assert!(rule.is_learning(), "deeper than what is kept");
}

/// Nodes that began at different blocks say the same as soon as they say anything.
#[test]
fn the_start_changes_nothing() {
    let amount = |number: u64| if number.is_multiple_of(17) { 40 } else { number % 5 };
    let run = |first: u64| {
        let mut rule = rule(withdrawals(), 3);
        (first..200).map(|number| withdrawn(&mut rule, number, amount(number))).collect::<Vec<_>>()
    };
    let (early, mut fired) = (run(0), 0);
    for first in [1_u8, 7, 33, 90] {
        let late = run(first.into());
        let known = late.iter().zip(&early[usize::from(first)..]).filter(|(late, _)| **late != Evaluation::Unknown);
        for (late, early) in known {
            assert_eq!(late, early);
            fired += u32::from(matches!(late, Evaluation::Fires { .. }));
        }
    }
    assert!(fired > 10);
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(48))]

    #[test]
    fn rollback(amounts in branches(0_u64..40), window_s in prop::sample::select(vec![24_u64, 60, 240]), native in any::<bool>()) {
        let of = if native { Rated::Outflow { token: None } } else { withdrawals() };
        let rate = Rate { window_s, ewma: Some(Ewma { weight_bps: 3_000, limit_bps: 15_000 }), deviations: Some(1), ..bounds(of, 30) };
        rollback_is_a_straight_run(
            || RateWatch::new(rate.clone(), BTreeSet::from([VAULT])),
            |rule, number, amount: &u64| {
                let reads = [(Read::Balance { account: VAULT }, word(U256::from(*amount)))];
                observe(rule, &BlockView { logs: vec![withdraw(*amount)], ..view(number, reads) }, None)
            },
            RateWatch::rollback,
            &amounts,
        );
    }

    /// Whatever happens: nothing fires up to the floor, and what fires is above it.
    #[test]
    fn nothing_fires_below_the_floor(amounts in prop::collection::vec(0_u64..9, 30..120), floor in 1_u64..60) {
        let mut rule = RateWatch::new(Rate { deviations: Some(1), ..bounds(withdrawals(), floor) }, BTreeSet::new());
        for (number, amount) in amounts.iter().enumerate() {
            if let Evaluation::Fires { figures, .. } = withdrawn(&mut rule, number as u64, *amount) {
                prop_assert!(figures["figure"].parse::<u64>().unwrap() > floor);
            }
        }
    }
}
