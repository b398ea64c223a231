#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use std::collections::BTreeSet;

use alloy_primitives::{Address, B256, U256, keccak256};
use proptest::prelude::*;
use watchfire_types::{BlockRef, Log};

use super::{BLOCK_PAIRS_MAX, Bounds, DrainWatch, PAIRS_MAX, TRANSFER};
use crate::detectors::Evaluation;
use crate::fixture::*;

const TOKEN: Address = Address::repeat_byte(0x70);
const THIEF: Address = Address::repeat_byte(0x66);
const EXCHANGE: Address = Address::repeat_byte(0xee);

fn rule(victims: u16, window_s: u64) -> DrainWatch {
    let exclude = BTreeSet::from([VAULT, EXCHANGE]);
    DrainWatch::new(Bounds { token: TOKEN, victims, window_s, least: U256::from(10), exclude })
}

fn user(index: u64) -> Address {
    Address::from_word(B256::from(U256::from(index + 1)))
}

fn transfer(from: Address, to: Address, amount: u64) -> Log {
    Log {
        address: TOKEN,
        topics: vec![TRANSFER, from.into_word(), to.into_word()],
        data: U256::from(amount).to_be_bytes_vec().into(),
        transaction: B256::ZERO,
        index: 0,
    }
}

fn observe(rule: &mut DrainWatch, number: u64, logs: &[Log], floor: Option<&BlockRef>) -> Evaluation {
    rule.observe(&view(number, []), logs.iter(), floor)
}

fn run(rule: &mut DrainWatch, blocks: &[Vec<Log>]) -> Vec<bool> {
    (0..).zip(blocks).map(|(number, logs)| fires(&observe(rule, number, logs, None)).unwrap()).collect()
}

/// Distinct senders to one recipient within the window; it ends when they are out of it.
#[test]
fn many_victims_of_one_recipient() {
    assert_eq!(TRANSFER, keccak256("Transfer(address,address,uint256)"));
    let mut three = rule(3, 24);
    let blocks = [
        vec![transfer(user(1), THIEF, 50), transfer(user(1), THIEF, 50)],
        vec![transfer(user(2), THIEF, 50), transfer(user(3), user(4), 50)],
        vec![],
        vec![transfer(user(3), THIEF, 50)],
    ];
    assert_eq!(run(&mut three, &blocks), [false; 4], "the first is 36 s old");
    let mut three = rule(3, 36 + 1);
    assert_eq!(run(&mut three, &blocks), [false, false, false, true]);
    let said = observe(&mut three, 4, &[transfer(user(5), THIEF, 50), transfer(user(6), THIEF, 50)], None);
    let (explanation, figures) = figures(&said);
    assert_eq!(
        explanation,
        format!("200 base units of {TOKEN} went from 4 accounts to {THIEF} within 37 s; 3 are a drain")
    );
    assert_eq!((figures["victims"].as_str(), figures["recipient"].as_str()), ("4", THIEF.to_string().as_str()));
    assert_eq!(fires(&observe(&mut three, 9, &[], None)), Some(false), "over");
}

/// Nothing in another's name, mints, burns, other tokens, own and listed recipients, and logs that are no transfer do not count.
#[test]
fn what_does_not_count() {
    let mut odd = transfer(user(1), THIEF, 50);
    odd.data = vec![1; 31].into();
    let mut other = transfer(user(2), THIEF, 50);
    other.address = VAULT;
    let mut short = transfer(user(3), THIEF, 50);
    short.topics.pop();
    let logs = vec![
        odd,
        other,
        short,
        transfer(user(4), THIEF, 9),
        transfer(Address::ZERO, THIEF, 50),
        transfer(THIEF, THIEF, 50),
        transfer(user(5), THIEF, 50),
    ];
    assert_eq!(run(&mut rule(2, 60), &[logs]), [false]);
    for to in [VAULT, EXCHANGE, Address::ZERO] {
        let deposits = (0..5).map(|index| transfer(user(index), to, 50)).collect();
        assert_eq!(run(&mut rule(2, 60), &[deposits]), [false]);
    }
}

/// What was before a recovery is over.
#[test]
fn a_floor_begins_anew() {
    let mut two = rule(2, 600);
    let drained = vec![transfer(user(1), THIEF, 50), transfer(user(2), THIEF, 50)];
    assert_eq!(run(&mut two, &[drained]), [true]);
    assert_eq!(fires(&observe(&mut two, 1, &[transfer(user(3), THIEF, 50)], Some(&block(0)))), Some(false));
}

/// However many transfers there are, memory stays within its bound and a reorg finds what counts.
#[test]
fn floods_are_bounded() {
    let mut rule = rule(u16::MAX, 1_000_000);
    let kept = |rule: &DrainWatch| rule.blocks.iter().map(|block| block.moved.len()).sum::<usize>();
    for number in 0..200 {
        let flood: Vec<_> = (0..400).map(|index| transfer(user(number * 400 + index), THIEF, 50)).collect();
        rule.take(&block(number), flood.iter());
        assert!(kept(&rule) <= PAIRS_MAX + 65 * BLOCK_PAIRS_MAX, "{}", kept(&rule));
    }
    rule.rollback(&block(200 - 65));
    assert!(kept(&rule) >= PAIRS_MAX);
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(48))]

    #[test]
    fn rollback(blocks in branches(prop::collection::vec((0_u64..6, 0_u64..2, 5_u64..30), 0..4)), window_s in 12_u64..900) {
        rollback_is_a_straight_run(
            || rule(4, window_s),
            |rule, number, moved: &Vec<(u64, u64, u64)>| {
                let logs = moved.iter().map(|(from, to, amount)| transfer(user(*from), user(100 + to), *amount));
                observe(rule, number, &logs.collect::<Vec<_>>(), None)
            },
            DrainWatch::rollback,
            &blocks,
        );
    }
}
