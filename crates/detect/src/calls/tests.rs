#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use std::collections::BTreeSet;

use alloy_primitives::{Address, B256, U256, keccak256};
use proptest::prelude::*;
use watchfire_charter::{Calls, Pattern};
use watchfire_types::{BlockRef, BlockView, Log, Transaction};

use super::{CREATED_MAX, CallsWatch, TRANSFER};
use crate::detectors::Evaluation;
use crate::fixture::*;
use crate::trace::{CallKind, CallTree, Frame, Model, Traced};

const SENDER: Address = Address::repeat_byte(1);
const OWN: Address = Address::repeat_byte(2);
const OTHER: Address = Address::repeat_byte(5);
const LIBRARY: Address = Address::repeat_byte(6);

fn rule(patterns: &[Pattern], limit: u64) -> CallsWatch {
    let rule = Calls {
        patterns: patterns.iter().copied().collect(),
        limits: [(Address::ZERO, U256::from(limit))].into(),
        fresh_blocks: 5,
        known: BTreeSet::from([LIBRARY]),
        stands_s: 24,
    };
    CallsWatch::new(rule, BTreeSet::from([VAULT]))
}

fn frame(kind: CallKind, parent: usize, from: Address, to: Address, value: u64) -> Frame {
    Frame {
        kind,
        from,
        to,
        value: U256::from(value),
        input: if value == 0 { vec![1, 2, 3, 4] } else { Vec::new() },
        output: Vec::new(),
        failed: false,
        reverted: false,
        logs: Vec::new(),
        parent,
        depth: 0,
        end: 0,
        account: Address::ZERO,
    }
}

fn call(parent: usize, from: Address, to: Address, value: u64) -> Frame {
    frame(CallKind::Call, parent, from, to, value)
}

fn traced(frames: Vec<Frame>, hash: u8) -> Traced {
    Traced { tx: Some(B256::repeat_byte(hash)), tree: CallTree::new(frames).unwrap() }
}

/// The vault pays out twice so much, the second time asked while it pays the first.
fn reentrancy(amount: u64) -> Traced {
    let frames = vec![
        call(0, SENDER, OWN, 0),
        call(0, OWN, VAULT, 0),
        call(1, VAULT, OWN, amount),
        call(2, OWN, VAULT, 0),
        call(3, VAULT, OWN, amount),
    ];
    traced(frames, 7)
}

/// One withdrawal of so much.
fn withdrawal(from: Address, amount: u64) -> Traced {
    traced(vec![call(0, SENDER, from, 0), call(0, from, VAULT, 0), call(1, VAULT, from, amount)], 8)
}

/// A contract that is made, by somebody or by the transaction, and may then withdraw.
fn creation(withdraws: bool) -> Traced {
    let mut frames = vec![frame(CallKind::Create, 0, SENDER, OTHER, 0)];
    if withdraws {
        frames.extend([call(0, OTHER, VAULT, 0), call(1, VAULT, OTHER, 9)]);
    }
    traced(frames, 9)
}

/// What is said of these traces at their block.
fn tell(rule: &mut CallsWatch, block: &BlockRef, traces: &[Traced], whole: bool, model: Option<&Model>) {
    let judging = rule.judging();
    rule.traced(block, traces.iter().map(|traced| judging.judge(traced, model)).collect(), whole);
}

fn said(rule: &mut CallsWatch, number: u64, traces: &[Traced]) -> Evaluation {
    tell(rule, &block(number), traces, true, Model::shipped().ok().as_ref());
    rule.observe(&view(number, []), None)
}

fn patterns(rule: &mut CallsWatch, number: u64, traces: &[Traced]) -> Option<String> {
    match said(rule, number, traces) {
        Evaluation::Fires { figures, .. } => Some(figures["patterns"].clone()),
        Evaluation::Quiet => None,
        Evaluation::Unknown => panic!("traces are no reads"),
    }
}

/// One line with the figures; nothing up to the limit, and nothing of an honest withdrawal of as much.
#[test]
fn re_entry_with_value_out() {
    let only = || rule(&[Pattern::ReEntry], 9);
    let said = said(&mut only(), 3, &[reentrancy(5)]);
    let (explanation, figures) = figures(&said);
    assert_eq!(
        explanation,
        format!(
            "re-entry at block 3: the asset lost 10 wei (limit 9); {VAULT} was called again 1 time(s) while it called others, first by {OWN}"
        )
    );
    let named = ["lost", "limit", "coin", "count", "event_block"].map(|name| figures[name].as_str());
    assert_eq!(named, ["10", "9", "native", "1", "3"]);
    assert_eq!(figures["transaction"], B256::repeat_byte(7).to_string());
    assert_eq!(patterns(&mut rule(&[Pattern::ReEntry], 10), 3, &[reentrancy(5)]), None, "not above the limit");
    assert_eq!(patterns(&mut only(), 3, &[withdrawal(OWN, 10)]), None);
    // Asked again after it paid is no re-entry; nor is a failed one.
    let mut twice = reentrancy(5).tree.frames().to_vec();
    (twice[3].parent, twice[4].parent) = (0, 3);
    assert_eq!(patterns(&mut only(), 3, &[traced(twice, 7)]), None);
    let mut failed = reentrancy(50).tree.frames().to_vec();
    failed[3].failed = true;
    assert_eq!(patterns(&mut only(), 3, &[traced(failed, 7)]), None);
}

/// A contract is fresh in its own transaction and for five blocks, whoever made it, and not for six.
#[test]
fn fresh_contracts() {
    let only = || rule(&[Pattern::FreshContract], 8);
    assert_eq!(patterns(&mut only(), 1, &[creation(true)]).unwrap(), "fresh-contract");
    assert_eq!(patterns(&mut only(), 1, &[creation(false), withdrawal(OTHER, 9)]).unwrap(), "fresh-contract");
    assert_eq!(patterns(&mut only(), 1, &[withdrawal(OTHER, 9)]), None);
    for (later, fresh) in [(5, true), (6, false)] {
        let mut rule = only();
        assert_eq!(patterns(&mut rule, 1, &[creation(false)]), None);
        assert_eq!(patterns(&mut rule, 1 + later, &[withdrawal(OTHER, 9)]).is_some(), fresh, "after {later} blocks");
        assert_eq!(patterns(&mut rule, 1 + later + 9, &[withdrawal(OTHER, 8)]), None, "not above the limit");
    }
}

/// Code that nobody named is told though nothing was lost; known code, the asset's own and precompiles are not.
#[test]
fn foreign_code() {
    let runs =
        |code: Address| traced(vec![call(0, SENDER, VAULT, 0), frame(CallKind::DelegateCall, 0, VAULT, code, 0)], 4);
    let only = || rule(&[Pattern::ForeignCode], 9);
    let told = said(&mut only(), 1, &[runs(OTHER)]);
    let (explanation, _) = figures(&told);
    assert_eq!(
        explanation,
        format!(
            "foreign-code at block 1: the asset lost nothing above its limits; {VAULT} ran the code of {OTHER} as its own"
        )
    );
    let precompile = Address::with_last_byte(9);
    for code in [LIBRARY, VAULT, precompile] {
        assert_eq!(patterns(&mut only(), 1, &[runs(code)]), None);
    }
    let elsewhere = traced(vec![call(0, SENDER, OWN, 0), frame(CallKind::DelegateCall, 0, OWN, OTHER, 0)], 4);
    assert_eq!(patterns(&mut only(), 1, &[elsewhere]), None);
}

/// What the sender gains, borrows, and asks prices for is seen by the features; only what the charter asks for is told.
#[test]
fn what_features_see() {
    // Borrowed from another and returned within, while the vault is drained: no price, no fresh contract.
    let loan = |back: u64| {
        let mut frames = vec![
            call(0, SENDER, OWN, 0),
            call(0, OWN, OTHER, 0),
            call(1, OTHER, OWN, 1_000),
            call(1, OTHER, OWN, 0),
            call(3, OWN, VAULT, 0),
            call(4, VAULT, OWN, 600),
            call(1, OWN, OTHER, back),
        ];
        frames[6].parent = 3;
        traced(frames, 3)
    };
    let all = || rule(&Pattern::ALL, 500);
    assert!(patterns(&mut all(), 1, &[loan(1_000)]).unwrap().contains("flash-loan-profit"));
    assert_eq!(patterns(&mut rule(&[Pattern::FlashLoanProfit], 500), 1, &[withdrawal(OWN, 600)]), None);
    assert_eq!(patterns(&mut rule(&[Pattern::FlashLoanProfit], 600), 1, &[loan(1_000)]), None);
}

/// A trace that comes late is told from the next block on, stands after its own block, and goes with it.
#[test]
fn late_traces() {
    let mut late = rule(&[Pattern::ReEntry], 0);
    let quiet = |rule: &mut CallsWatch, number| fires(&rule.observe(&view(number, []), None)).unwrap();
    assert!(!quiet(&mut late, 1) && !quiet(&mut late, 2));
    tell(&mut late, &block(1), &[reentrancy(1)], true, None);
    assert!(quiet(&mut late, 3), "24 s after block 1");
    late.rollback(&block(1));
    assert!(quiet(&mut late, 2), "its block is still there");
    late.rollback(&block(0));
    assert!(!quiet(&mut late, 1));
    tell(&mut late, &block(1), &[reentrancy(1)], true, None);
    assert!(!quiet(&mut late, 4), "it stood until block 3");
    tell(&mut late, &block(5), &[reentrancy(1)], true, None);
    assert_eq!(fires(&late.observe(&view(5, []), Some(&block(5)))), Some(false), "a recovery came after it");
}

/// It is blind from where something was not traced to where everything is again.
#[test]
fn blind_without_traces() {
    let mut rule = rule(&[Pattern::ReEntry], 0);
    assert!(rule.sees());
    tell(&mut rule, &block(1), &[], false, None);
    assert!(!rule.sees());
    tell(&mut rule, &block(2), &[withdrawal(OWN, 1)], true, None);
    assert!(rule.sees());
}

/// Asked for is what calls the asset, makes it emit, takes a token out of it, or creates; what failed left nothing behind.
#[test]
fn what_is_asked_for() {
    let sent = |number: u8, to: Option<Address>, succeeded: Option<bool>| Transaction {
        hash: B256::repeat_byte(number),
        kind: 2,
        from: SENDER,
        to,
        value: U256::ZERO,
        input: vec![].into(),
        succeeded,
    };
    let log = |number: u8, address: Address, topics: Vec<B256>| Log {
        address,
        topics,
        data: vec![].into(),
        transaction: B256::repeat_byte(number),
        index: 0,
    };
    assert_eq!(TRANSFER, keccak256("Transfer(address,address,uint256)"));
    let view = BlockView {
        transactions: vec![
            sent(1, Some(VAULT), Some(true)),
            sent(2, Some(OTHER), Some(true)),
            sent(3, None, None),
            sent(4, Some(VAULT), Some(false)),
        ],
        logs: vec![
            log(5, VAULT, vec![]),
            log(6, OTHER, vec![TRANSFER, VAULT.into_word(), OTHER.into_word()]),
            log(7, OTHER, vec![TRANSFER, OTHER.into_word(), VAULT.into_word()]),
        ],
        ..view(1, [])
    };
    let asked = |patterns: &[Pattern]| {
        let mut hashes = BTreeSet::new();
        rule(patterns, 0).to_trace(&view, &mut hashes);
        hashes.into_iter().map(|hash| hash[0]).collect::<Vec<_>>()
    };
    assert_eq!(asked(&[Pattern::ReEntry]), [1, 5, 6]);
    assert_eq!(asked(&[Pattern::FreshContract]), [1, 3, 5, 6]);
}

/// However much is created, a bounded number is remembered; depth costs no stack.
#[test]
fn floods_are_bounded() {
    let mut rule = rule(&Pattern::ALL, 0);
    for number in 0..3_u64 {
        let made = |index: u64| {
            frame(CallKind::Create, 0, SENDER, Address::from_word(U256::from(index + number * 5_000 + 1).into()), 0)
        };
        said(&mut rule, number, &[traced((0..5_000).map(made).collect(), 1)]);
        assert!(rule.created.len() <= CREATED_MAX, "{}", rule.created.len());
    }
    let deep = (0..20_000)
        .map(|index: usize| call(index.saturating_sub(1), OWN, if index.is_multiple_of(2) { VAULT } else { OTHER }, 0));
    assert_eq!(patterns(&mut rule, 5, &[traced(deep.collect(), 2)]), None);
}

fn traces(kind: u8) -> Vec<Traced> {
    match kind {
        1 => vec![reentrancy(3)],
        2 => vec![creation(false)],
        3 => vec![withdrawal(OTHER, 9)],
        4 => vec![creation(true), withdrawal(OWN, 2)],
        _ => vec![],
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(48))]

    #[test]
    fn rollback(kinds in branches(prop::sample::select(vec![0_u8, 0, 0, 0, 0, 0, 0, 1, 2, 3, 4]))) {
        rollback_is_a_straight_run(
            || rule(&Pattern::ALL, 1),
            |rule, number, kind: &u8| said(rule, number, &traces(*kind)),
            CallsWatch::rollback,
            &kinds,
        );
    }

    /// Whatever is traced: what fires lost more than the limit, or ran foreign code.
    #[test]
    fn nothing_fires_below_the_limit(kinds in prop::collection::vec(0_u8..5, 1..60), limit in 0_u64..20) {
        let mut rule = rule(&Pattern::ALL, limit);
        for (number, kind) in kinds.iter().enumerate() {
            if let Evaluation::Fires { figures, .. } = said(&mut rule, number as u64, &traces(*kind)) {
                prop_assert!(figures["lost"].parse::<u64>().unwrap() > limit);
            }
        }
    }
}

/// The order in which blocks' traces arrive changes nothing once they are there.
#[test]
fn arrival_changes_nothing() {
    let run = |late: bool| {
        let mut rule = rule(&Pattern::ALL, 1);
        let judged: Vec<(BlockRef, Vec<Traced>)> =
            (1..5_u8).map(|number| (block(number.into()), traces(number))).collect();
        let order: Vec<usize> = if late { vec![3, 1, 0, 2] } else { vec![0, 1, 2, 3] };
        (1..5).for_each(|number| drop(rule.observe(&view(number, []), None)));
        order.into_iter().for_each(|at| tell(&mut rule, &judged[at].0, &judged[at].1, true, None));
        rule.observe(&view(5, []), None)
    };
    assert!(matches!(run(false), Evaluation::Fires { .. }));
    assert_eq!(run(true), run(false));
}
