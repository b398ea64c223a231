//! Markets as they are listed: which begin with enough, and which are told.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use alloy_sol_types::{SolEvent, sol};
use proptest::prelude::*;
use watchfire_charter::expression::Subject;

use super::*;
use crate::fixture::*;

sol! {
    event Transfer(address indexed from, address indexed to, uint256 value);
    event MarketListed(address cToken);
    event ReserveInitialized(address indexed asset, address indexed aToken);
}

const LISTER: Address = Address::repeat_byte(0x60);
const MARKET: Address = Address::repeat_byte(0x70);
const USER: Address = Address::repeat_byte(0x01);
const BURNT: Address = Address::repeat_byte(0xde);
const FLOOR: u64 = 1_000;

fn watch() -> MarketWatch {
    MarketWatch::new(ThinMarket {
        address: LISTER,
        event: Subject::event("MarketListed(address cToken)").unwrap(),
        market: "cToken".to_owned(),
        floor: U256::from(FLOOR),
        stands_s: 36,
    })
}

fn log(address: Address, event: &impl SolEvent) -> Log {
    let data = event.encode_log_data();
    let transaction = B256::repeat_byte(0x7a);
    Log { address, topics: data.topics().to_vec(), data: data.data.0, transaction, index: 0 }
}

fn listed(market: Address) -> Log {
    log(LISTER, &MarketListed { cToken: market })
}

fn moved(from: Address, to: Address, value: u64) -> Log {
    log(MARKET, &Transfer { from, to, value: U256::from(value) })
}

fn at(rule: &mut MarketWatch, number: u64, logs: Vec<Log>) -> Evaluation {
    let keys = rule.keys();
    let view = BlockView { logs, ..view(number, []) };
    let concerned = |log: &&Log| log.topics.first().is_some_and(|topic| keys.contains(&(log.address, *topic)));
    rule.observe(&view, view.logs.iter().filter(concerned), None)
}

fn supply(logs: Vec<Log>) -> Option<String> {
    let found = at(&mut watch(), 7, logs);
    fires(&found).unwrap().then(|| figures(&found).1["supply"].clone())
}

#[test]
fn a_market_with_too_little_in_it_is_told() {
    let found = at(&mut watch(), 7, vec![listed(MARKET), moved(Address::ZERO, USER, 999)]);
    let (line, of) = figures(&found);
    assert!(line.contains("lists 0x7070") && line.contains("with 999 base units of it (floor 1000)"), "{line}");
    assert_eq!((of["market"].as_str(), of["count"].as_str()), (&*MARKET.to_string(), "1"));
    let two = at(&mut watch(), 7, vec![listed(MARKET), listed(USER)]);
    assert_eq!(figures(&two).1["count"], "2");
}

#[test]
fn what_is_made_in_its_block_counts_and_what_ends_does_not() {
    for books in [Address::ZERO, MARKET] {
        let made = |value| moved(books, BURNT, value);
        let ended = |value| moved(USER, books, value);
        assert_eq!(supply(vec![listed(MARKET), made(1_000)]), None, "after it is listed");
        assert_eq!(supply(vec![made(1_000), listed(MARKET)]), None, "and before it");
        assert_eq!(supply(vec![listed(MARKET), made(1_500), ended(501)]).as_deref(), Some("999"));
        assert_eq!(supply(vec![listed(MARKET), moved(USER, BURNT, 5_000)]).as_deref(), Some("0"), "moved, not made");
        assert_eq!(supply(vec![listed(MARKET), moved(books, books, 5_000)]).as_deref(), Some("0"));
    }
    let elsewhere = Log { address: USER, ..moved(Address::ZERO, USER, 5_000) };
    assert_eq!(supply(vec![listed(MARKET), elsewhere]).as_deref(), Some("0"), "another token");
}

#[test]
fn only_the_lister_lists_and_what_is_not_as_declared_is_counted() {
    let stranger = Log { address: USER, ..listed(MARKET) };
    assert_eq!(supply(vec![stranger]), None);
    let mut rule = watch();
    let short = Log { data: vec![1, 2].into(), ..listed(MARKET) };
    let wide = Log { data: vec![0xff; 32].into(), ..listed(MARKET) };
    assert_eq!(fires(&at(&mut rule, 7, vec![short, wide])), Some(false));
    assert_eq!(rule.unanswered(), Some((NoAnswer::Undecodable, 2)));
}

#[test]
fn a_market_named_by_a_topic_is_found_too() {
    let event = Subject::event("ReserveInitialized(address indexed asset, address indexed aToken)").unwrap();
    let mut rule = MarketWatch::new(ThinMarket { event, market: "aToken".to_owned(), ..watch().rule });
    let initialized = log(LISTER, &ReserveInitialized { asset: USER, aToken: MARKET });
    assert_eq!(fires(&at(&mut rule, 7, vec![initialized.clone(), moved(Address::ZERO, USER, 1_000)])), Some(false));
    assert_eq!(figures(&at(&mut rule, 8, vec![initialized])).1["market"], MARKET.to_string());
}

/// Whether a market is listed, and what is made and what ends.
fn one() -> impl Strategy<Value = (bool, u64, u64)> + Clone {
    (prop::bool::weighted(0.2), 0_u64..3_000, 0_u64..1_000)
}

proptest! {
    #[test]
    fn a_reorg_leaves_what_a_straight_run_would(branches in branches(one())) {
        let logs = |(lists, made, ended): &(bool, u64, u64)| {
            let moves = [moved(Address::ZERO, USER, *made), moved(USER, Address::ZERO, *ended)];
            lists.then(|| listed(MARKET)).into_iter().chain(moves).collect()
        };
        rollback_is_a_straight_run(watch, |rule, number, one| at(rule, number, logs(one)), MarketWatch::rollback, &branches);
    }

    #[test]
    fn nothing_that_counts_is_left_out_of_a_file(from in 0_u8..3, to in 0_u8..3, value: u64) {
        let account = |which| [Address::ZERO, MARKET, USER][usize::from(which)];
        let log = moved(account(from), account(to), value);
        let supply = |logs| made(MARKET, &BlockView { logs, ..view(7, []) });
        let enough = || moved(Address::ZERO, USER, u64::MAX);
        let counts = supply(vec![enough(), log.clone()]) != supply(vec![enough()]);
        prop_assert!(!counts || makes_or_ends(&log.address, &log.topics));
    }
}
