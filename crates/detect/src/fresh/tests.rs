//! Who counts as funded, what counts as made, and that a reorg leaves what a straight run leaves.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use alloy_primitives::{U256, keccak256};
use proptest::prelude::*;
use watchfire_types::Bytes;

use super::*;
use crate::fixture::*;

const MIXER: Address = Address::repeat_byte(0x4d);
const DEPLOYER: Address = Address::repeat_byte(0xde);

fn rule() -> FreshWatch {
    let rule = FreshCode { sources: [MIXER].into(), funded_s: 120, stands_s: 36 };
    FreshWatch::new(rule, [VAULT].into())
}

fn sent(from: Address, to: Option<Address>, value: u64, input: &[u8]) -> Transaction {
    Transaction {
        hash: B256::repeat_byte(7),
        kind: 2,
        from,
        to,
        value: U256::from(value),
        input: Bytes::copy_from_slice(input),
        succeeded: Some(true),
    }
}

/// PUSH20 of an address between other code.
fn code(holds: Address) -> Vec<u8> {
    [&[0x60, 0x80, 0x73][..], holds.as_slice(), &[0x5a, 0xf1]].concat()
}

fn withdrawal(from: Address, to: Address) -> Log {
    let data = [to.into_word().as_slice(), &[1; 64]].concat();
    Log { address: from, topics: vec![WITHDRAWAL], data: data.into(), transaction: B256::repeat_byte(8), index: 0 }
}

fn at(rule: &mut FreshWatch, number: u64, transactions: Vec<Transaction>, logs: Vec<Log>) -> Evaluation {
    let view = BlockView { transactions, logs, ..view(number, []) };
    rule.observe(&view, view.logs.iter(), None)
}

fn pays() -> Transaction {
    sent(MIXER, Some(DEPLOYER), 1, &[])
}

fn makes() -> Transaction {
    sent(DEPLOYER, None, 0, &code(VAULT))
}

#[test]
fn the_topic_is_that_of_the_mixer() {
    assert_eq!(WITHDRAWAL, keccak256("Withdrawal(address,bytes32,address,uint256)"));
    assert_eq!(rule().keys().collect::<Vec<_>>(), [(MIXER, WITHDRAWAL)]);
}

/// Each row: what happens at block 5, what at block 6, and whether it fires there.
#[test]
fn funded_makers_of_code_that_knows_the_asset_are_told() {
    let failed = |one: Transaction| Transaction { succeeded: Some(false), ..one };
    let other = Address::repeat_byte(0x0e);
    let cut = Log { data: Bytes::from_static(&[0; 31]), ..withdrawal(MIXER, DEPLOYER) };
    let dirty = Log { data: vec![0xff; 96].into(), ..withdrawal(MIXER, DEPLOYER) };
    let table = [
        (vec![pays()], vec![], vec![makes()], true),
        (vec![], vec![withdrawal(MIXER, DEPLOYER)], vec![makes()], true),
        (vec![], vec![], vec![pays(), makes()], true),
        (vec![], vec![], vec![makes(), pays()], true),
        (vec![], vec![], vec![sent(MIXER, None, 0, &code(VAULT))], true),
        // As an argument of the constructor, padded to a word.
        (vec![pays()], vec![], vec![sent(DEPLOYER, None, 0, VAULT.into_word().as_slice())], true),
        (vec![], vec![], vec![makes()], false),
        (vec![failed(pays())], vec![], vec![makes()], false),
        (vec![sent(MIXER, Some(DEPLOYER), 0, &[])], vec![], vec![makes()], false),
        (vec![sent(other, Some(DEPLOYER), 1, &[])], vec![withdrawal(other, DEPLOYER)], vec![makes()], false),
        (vec![], vec![cut, dirty], vec![makes()], false),
        (vec![pays()], vec![], vec![failed(makes())], false),
        (vec![pays()], vec![], vec![sent(DEPLOYER, None, 0, &code(other))], false),
        (vec![pays()], vec![], vec![sent(DEPLOYER, None, 0, &VAULT.as_slice()[..19])], false),
        (vec![pays()], vec![], vec![sent(DEPLOYER, Some(other), 0, &code(VAULT))], false),
    ];
    for (row, (before, logs, then, expected)) in table.into_iter().enumerate() {
        let mut rule = rule();
        let none = at(&mut rule, 5, before, logs);
        assert_eq!((fires(&none), fires(&at(&mut rule, 6, then, vec![]))), (Some(false), Some(expected)), "row {row}");
    }
}

#[test]
fn it_says_who_made_what_with_whose_money_and_for_how_long() {
    let mut rule = rule();
    at(&mut rule, 5, vec![pays()], vec![]);
    let found = at(&mut rule, 15, vec![makes(), makes()], vec![]);
    let (explanation, of) = figures(&found);
    assert_eq!(
        explanation,
        format!(
            "{DEPLOYER}, funded by a listed source at block 5, made 2 contract(s) at block 15 whose code holds {VAULT}, first in transaction {}",
            B256::repeat_byte(7)
        )
    );
    assert_eq!(
        (of["funded_block"].as_str(), of["count"].as_str(), of["holds"].as_str()),
        ("5", "2", VAULT.to_string().as_str())
    );
    // Three blocks of 12 s; and ten after its funding the account is funded no longer.
    assert_eq!(fires(&at(&mut rule, 18, vec![], vec![])), Some(true));
    assert_eq!(fires(&at(&mut rule, 19, vec![makes()], vec![])), Some(false));
    assert_eq!(rule.span_s(), 156);
}

/// However many are funded, the newest are remembered, and a reorg that takes the flood back leaves those before it.
#[test]
fn memory_is_bounded() {
    let mut rule = rule();
    let account = |number: u64| Address::from_word(B256::from(U256::from(number + 1)));
    let flood = |from: u64| (from..from + 3_000).map(|number| withdrawal(MIXER, account(number))).collect::<Vec<_>>();
    rule.rule.funded_s = 1 << 20;
    for (number, from) in [(1, 0), (2, 3_000), (3, 6_000)] {
        at(&mut rule, number, vec![], flood(from));
    }
    assert_eq!(rule.funded.len(), 9_000);
    at(&mut rule, 67, vec![], vec![]);
    assert_eq!(rule.funded.len(), FUNDED_MAX);
    let made = |by| sent(account(by), None, 0, &code(VAULT));
    assert_eq!(fires(&at(&mut rule, 68, vec![made(9_000 - 4_097)], vec![])), Some(false));
    assert_eq!(fires(&at(&mut rule, 69, vec![made(9_000 - 4_096)], vec![])), Some(true));
    rule.rollback(&block(68));
    at(&mut rule, 69, vec![], flood(10_000));
    rule.rollback(&block(68));
    assert_eq!(fires(&at(&mut rule, 69, vec![made(9_000 - 4_096)], vec![])), Some(true));
}

/// What a block of the property has: nothing, money for one of three, or something that one of them makes.
#[derive(Debug, Clone, Copy)]
enum Happening {
    Nothing,
    Funded(u8),
    Made(u8),
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn a_reorg_leaves_what_a_straight_run_leaves(
        blocks in branches(prop_oneof![Just(Happening::Nothing), (0..3_u8).prop_map(Happening::Funded), (0..3_u8).prop_map(Happening::Made)])
    ) {
        let observe = |rule: &mut FreshWatch, number: u64, happening: &Happening| match happening {
            Happening::Nothing => at(rule, number, vec![], vec![]),
            Happening::Funded(who) => at(rule, number, vec![sent(MIXER, Some(Address::repeat_byte(*who)), 1, &[])], vec![]),
            Happening::Made(who) => at(rule, number, vec![sent(Address::repeat_byte(*who), None, 0, &code(VAULT))], vec![]),
        };
        rollback_is_a_straight_run(rule, observe, FreshWatch::rollback, &blocks);
    }
}
