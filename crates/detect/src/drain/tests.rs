#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use std::collections::{BTreeMap, BTreeSet};

use alloy_primitives::{Address, B256, U256, keccak256};
use proptest::prelude::*;
use watchfire_types::{BlockRef, Bytes, Log, Transaction};

use super::{Bounds, DrainWatch, PAIRS_MAX, TRANSFER};
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

/// The nth of a block, by `from` to `to`.
fn sent(nth: u64, from: Address, to: Address) -> Transaction {
    Transaction {
        hash: B256::from(U256::from(nth + 1)),
        kind: 2,
        from,
        to: Some(to),
        value: U256::ZERO,
        input: Bytes::new(),
        succeeded: Some(true),
    }
}

/// One transfer in a transaction of its own.
#[derive(Debug, Clone)]
struct Move {
    from: u64,
    to: u64,
    sender: u64,
    called: u64,
    amount: u64,
}

impl Move {
    /// Taken by account 9 for account 200 through contract 100.
    fn theft(from: u64) -> Self {
        Self { from, to: 200 + from, sender: 9, called: 100, amount: 50 }
    }
}

fn observe_moves(rule: &mut DrainWatch, number: u64, moves: &[Move]) -> Evaluation {
    let mut view = view(number, []);
    for (nth, one) in (0..).zip(moves) {
        let transaction = sent(nth, user(one.sender), user(one.called));
        let log = transfer(user(one.from), user(one.to), one.amount);
        view.logs.push(Log { transaction: transaction.hash, ..log });
        view.transactions.push(transaction);
    }
    rule.observe(&view, view.logs.iter(), None)
}

fn kept(rule: &DrainWatch) -> usize {
    rule.blocks.iter().map(|block| block.moved.len()).sum()
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

/// Goal: thieves who share one spender are found though each victim's token goes to another account; what an account moves by its own transaction,
/// and what goes through a spender of the list, is nobody's theft.
#[test]
fn many_victims_of_one_spender() {
    let run = |moves: &[Move]| observe_moves(&mut rule(3, 60), 0, moves);
    let thefts = [1, 2, 3].map(Move::theft);
    let (explanation, figures) = {
        let found = run(&thefts);
        let (explanation, figures) = figures(&found);
        (explanation.to_owned(), figures.clone())
    };
    let thief = user(9);
    assert_eq!(
        explanation,
        format!(
            "150 base units of {TOKEN} went from 3 accounts in transactions that were not theirs, of {thief} within 60 s; 3 are a drain"
        )
    );
    assert_eq!(figures["sender"], thief.to_string());
    assert_eq!(fires(&run(&thefts[..2])), Some(false));
    let helpers = (1..4).map(|from| Move { sender: 10 + from, ..Move::theft(from) }).collect::<Vec<_>>();
    let found = run(&helpers);
    assert_eq!(crate::fixture::figures(&found).1["spender"], user(100).to_string());
    let own = (1..4).map(|from| Move { sender: from, ..Move::theft(from) }).collect::<Vec<_>>();
    assert_eq!(fires(&run(&own)), Some(false), "each sends his own");
    let mut listed = rule(3, 60);
    listed.bounds.exclude.insert(user(100));
    assert_eq!(fires(&observe_moves(&mut listed, 0, &thefts)), Some(false), "a listed spender");
    let mut listed = rule(3, 60);
    listed.bounds.exclude.insert(thief);
    assert_eq!(fires(&observe_moves(&mut listed, 0, &thefts)), Some(false), "a listed sender");
}

/// However many transfers there are, memory stays within its bound.
#[test]
fn floods_are_bounded() {
    let mut rule = rule(u16::MAX, 1_000_000);
    for number in 0..12 {
        let flood: Vec<_> = (0..4_000).map(|index| transfer(user(number * 4_000 + index), THIEF, 50)).collect();
        observe(&mut rule, number, &flood, None);
        assert!(kept(&rule) <= PAIRS_MAX, "{}", kept(&rule));
    }
    assert_eq!(kept(&rule), PAIRS_MAX);
    let again: Vec<_> = (0..4_000).map(|_| transfer(user(1), THIEF, 50)).collect();
    let mut repeated = self::rule(u16::MAX, 1_000_000);
    observe(&mut repeated, 0, &again, None);
    assert_eq!(kept(&repeated), 1, "a way is kept once a block");
}

/// Goal: whatever harmless transfers stand before a theft, it is found: in one block beside any number of them, and over blocks as long as fewer
/// than are kept have as many victims.
#[test]
fn a_flood_blinds_nobody() {
    for at_once in [true, false] {
        let mut rule = rule(5, 600);
        rule.most = 64;
        let mut found = Vec::new();
        for number in 0..5 {
            let harmless = (0..300).map(|nth| {
                let nth = 1_000 + number * 1_000 + nth;
                Move { from: nth, to: 100_000 + nth, sender: nth, called: 70, amount: 40 }
            });
            let victims = if at_once { if number == 4 { 0..5 } else { 0..0 } } else { number..number + 1 };
            let moves: Vec<_> = harmless.chain(victims.map(Move::theft)).collect();
            found.push(fires(&observe_moves(&mut rule, number, &moves)).unwrap());
            assert!(kept(&rule) <= 64);
        }
        assert_eq!(found, [false, false, false, false, true], "{at_once}");
    }
}

fn moves() -> impl Strategy<Value = Vec<Move>> + Clone {
    let one = (0_u64..6, 20_u64..24, 0_u64..8, 30_u64..33, 5_u64..30);
    let one = one.prop_map(|(from, to, sender, called, amount)| Move { from, to, sender, called, amount });
    prop::collection::vec(one, 0..5)
}

/// Whether anybody has so many victims at the newest of these blocks, counted from the words of the rule alone.
fn is_drain(blocks: &[Vec<Move>], victims: usize, window_s: u64) -> bool {
    let mut takers: BTreeMap<(u8, u64), BTreeSet<u64>> = BTreeMap::new();
    for (age, moves) in (0_u64..).zip(blocks.iter().rev()) {
        for one in moves.iter().filter(|one| age * 12 < window_s && one.amount >= 10) {
            let mut takes = |by: u8, account| takers.entry((by, account)).or_default().insert(one.from);
            takes(0, one.to);
            if one.sender != one.from {
                takes(1, one.sender);
                takes(2, one.called);
            }
        }
    }
    takers.values().any(|of| of.len() >= victims)
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(48))]

    #[test]
    fn rollback(blocks in branches(moves()), window_s in 12_u64..900) {
        rollback_is_a_straight_run(
            || rule(4, window_s),
            |rule, number, moves: &Vec<Move>| observe_moves(rule, number, moves),
            DrainWatch::rollback,
            &blocks,
        );
    }

    #[test]
    fn it_counts_as_its_words_say(blocks in prop::collection::vec(moves(), 1..90), window_s in 1_u64..200) {
        let mut rule = rule(4, window_s);
        for (number, moves) in blocks.iter().enumerate() {
            let found = fires(&observe_moves(&mut rule, number as u64, moves)).unwrap();
            prop_assert_eq!(found, is_drain(&blocks[..=number], 4, window_s), "block {}", number);
        }
    }
}
