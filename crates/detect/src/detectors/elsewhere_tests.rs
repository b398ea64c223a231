//! Detectors of two chains that hear of each other.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use std::collections::{BTreeMap, BTreeSet};

use alloy_primitives::{Address, U256};
use watchfire_charter::{Asset, Charter, Class, Comparison, CrossChain, Detector, Quantity, Sister};
use watchfire_types::{AssetId, ReadOutcome, Severity};

use super::*;
use crate::detectors::{Blind, Blindness};
use crate::fixture::*;

const THERE: ChainId = ChainId::new(10);
const TWIN: Address = Address::repeat_byte(0xbb);

fn id(name: &str) -> AssetId {
    name.parse().unwrap()
}

/// A vault here, its twin there that may lose nothing, and two rules that look from here at there.
fn charter() -> Charter {
    let rule = |asset: &str, class, watch| Detector { asset: id(asset), severity: Severity::Sev1, class, watch };
    let kinds = BTreeSet::new();
    let sister = Sister { contract: VAULT, elsewhere: id("twin"), elsewhere_contract: TWIN, kinds, lag_s: 30 };
    let held = || Quantity::Held { token: None };
    let (one, compare) = (U256::from(1), Comparison::AtMost);
    let cross = CrossChain {
        left: held(),
        scale_left: one,
        compare,
        elsewhere: id("twin"),
        right: held(),
        scale_right: one,
        tolerance_bps: 0,
        lag_s: 60,
        skew_s: 6,
    };
    let outflow = Watch::Outflow { token: None, window_s: 60, limit: Some(U256::from(10)), share_bps: None };
    let detectors = BTreeMap::from([
        ("cross".parse().unwrap(), rule("vault", Class::Decisive, Watch::CrossChain(cross))),
        ("drained".parse().unwrap(), rule("twin", Class::Decisive, outflow.clone())),
        ("noise".parse().unwrap(), rule("twin", Class::Context, outflow)),
        ("sister".parse().unwrap(), rule("vault", Class::Context, Watch::Sister(sister))),
    ]);
    let mut charter = Charter::trial(detectors, CHAIN, &[VAULT].into());
    let twin = charter.assets.get_mut(&id("twin")).unwrap();
    *twin = Asset { chain: THERE, contracts: [TWIN].into(), ..twin.clone() };
    charter
}

/// A block with what an account holds, and its code.
fn holding(chain: ChainId, number: u64, account: Address, wei: u64) -> BlockView {
    let code = ReadOutcome::Value(vec![1; 32].into());
    let reads = [(Read::Balance { account }, word(U256::from(wei))), (code_read(account), code)];
    BlockView { block: BlockRef { chain, ..block(number) }, ..view(number, reads) }
}

#[test]
fn both_chains_are_asked_for_what_rules_of_one_compare() {
    let charter = charter();
    let of = |account| BTreeSet::from([Read::Balance { account }, code_read(account)]);
    let (here, there) = (Detectors::new(&charter, CHAIN), Detectors::new(&charter, THERE));
    assert_eq!((here.reads(), there.reads()), (of(VAULT), of(TWIN)));
    // Both look as far back as the rule, and a minute more.
    assert_eq!((here.window_s_max(), there.window_s_max()), (126, 126));
}

/// Here goes on as ever; there is drained at block 20, which is known here two blocks later, and compared once it is final and 60 s past.
#[test]
fn a_drained_sister_is_heard_of_and_a_broken_backing_found() {
    let charter = charter();
    let (mut here, mut there) = (Detectors::new(&charter, CHAIN), Detectors::new(&charter, THERE));
    let none = BTreeMap::new();
    let mut told = BTreeMap::new();
    for number in 0..40 {
        let view = holding(THERE, number, TWIN, if number < 20 { 100 } else { 50 });
        let standing = there.observe(&view, &none);
        here.hear(&view, &standing);
        here.hear_final(&BlockRef { chain: THERE, ..block(number.saturating_sub(2)) });
        let view = holding(CHAIN, number, VAULT, 90);
        for finding in here.observe(&view, &none) {
            told.entry(finding.kind).or_insert_with(Vec::new).push(number);
        }
    }
    // The outflow stands for its window of five blocks.
    assert_eq!(told["sister"], [23, 24, 25, 26, 27]);
    assert_eq!(told["cross-chain"], (26..40).collect::<Vec<_>>());
    assert_eq!(told.len(), 2);
}

#[test]
fn who_hears_nothing_says_so_and_what_was_taken_back_is_forgotten() {
    let charter = charter();
    let mut here = Detectors::new(&charter, CHAIN);
    let none = BTreeMap::new();
    for number in 0..20 {
        assert_eq!(here.observe(&holding(CHAIN, number, VAULT, 90), &none), []);
    }
    let behind = |here: &Detectors| {
        let why = |blind: Blind| (blind.detector.to_string(), blind.blocks, blind.why);
        here.blind(1).map(why).collect::<Vec<_>>()
    };
    let of = |rule: &str| (rule.to_owned(), 20, Blindness::Behind);
    assert_eq!(behind(&here), [of("cross"), of("sister")]);
    let mut there = Detectors::new(&charter, THERE);
    let mut drain = |from: u64, to: u64, here: &mut Detectors| {
        for number in from..to {
            let view = holding(THERE, number, TWIN, if number < 16 { 100 } else { 50 });
            let standing = there.observe(&view, &none);
            here.hear(&view, &standing);
        }
    };
    drain(10, 19, &mut here);
    let kinds = |found: Vec<Finding>| found.into_iter().map(|finding| finding.kind).collect::<Vec<_>>();
    assert_eq!(kinds(here.observe(&holding(CHAIN, 20, VAULT, 90), &none)), ["sister"]);
    // Of another chain, it takes nothing back here.
    here.rollback(&BlockRef { chain: THERE, ..block(15) });
    here.rollback(&block(19));
    assert_eq!(kinds(here.observe(&holding(CHAIN, 20, VAULT, 90), &none)), Vec::<String>::new());
    assert_eq!(behind(&here)[1].2, Blindness::Behind);
}

/// A trial has one chain: what compares two has nothing to compare with there, and says so.
#[test]
fn on_one_chain_nothing_is_compared() {
    let mut charter = charter();
    charter.assets.get_mut(&id("twin")).unwrap().chain = CHAIN;
    let mut both = Detectors::new(&charter, CHAIN);
    for number in 0..20 {
        let reads = [holding(CHAIN, number, VAULT, 90), holding(CHAIN, number, TWIN, 50)].map(|view| view.reads);
        let view = BlockView { reads: reads.into_iter().flatten().collect(), ..view(number, []) };
        let standing = both.observe(&view, &BTreeMap::new());
        both.hear(&view, &standing);
        both.hear_final(&view.block);
    }
    let blind: Vec<_> = both.blind(1).map(|blind| (blind.detector.to_string(), blind.blocks, blind.why)).collect();
    assert_eq!(blind, [("cross".to_owned(), 20, Blindness::Behind)]);
}
