//! Rules about calls over the recorded traces: what they say of the account that lost in each, attack or honest.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use std::collections::{BTreeMap, BTreeSet};

use watchfire_charter::{Charter, parse_rules};
use watchfire_detect::trace::{CallTree, Falls, Traced};
use watchfire_detect::{BlockTraces, Detectors};
use watchfire_trace_model::labelled::{LABELLED, trees, without_logs};
use watchfire_types::{Address, B256, BlockRef, BlockTime, BlockView, ChainId};

const CHAIN: ChainId = ChainId::new(31_337);

/// Everything that moves in a trace, as a coin of which nothing may be lost.
fn rule(tree: &CallTree) -> String {
    let tokens: BTreeSet<Address> = tree.frames().iter().flat_map(|frame| [frame.to, frame.account]).collect();
    let tokens = tokens.iter().filter(|token| !token.is_zero()).take(60);
    let limits: String = tokens.map(|token| format!(", \"{}\" = \"0\"", token.to_checksum(None))).collect();
    format!(
        "[[detector]]\nid = \"calls\"\nasset = \"victim\"\nseverity = \"SEV2\"\nkind = \"calls\"\nstands_s = 60\n\
         limits = {{ native = \"0\"{limits} }}\n"
    )
}

/// What a rule about this account says of the trace.
fn said(tree: &CallTree, account: Address) -> BTreeSet<String> {
    let (rules, _) = parse_rules(&rule(tree)).unwrap_or_else(|faults| panic!("{faults:#?}"));
    let charter = Charter::trial(rules.detectors, CHAIN, &BTreeSet::from([account]));
    let mut detectors = Detectors::new(&charter, CHAIN);
    let block = BlockRef { chain: CHAIN, number: 9, hash: B256::repeat_byte(9), time: BlockTime::from_secs(9) };
    let traces = [Traced { tx: Some(B256::repeat_byte(1)), tree: tree.clone() }];
    let judged = detectors.calls_judge().judge(BlockTraces { traces: &traces, whole: true });
    detectors.traced(&block, judged);
    let view = BlockView {
        block,
        parent: B256::ZERO,
        base_fee: None,
        transactions: vec![],
        logs: vec![],
        reads: BTreeMap::new(),
        agreed: BTreeSet::new(),
        unproved: false,
    };
    let found = detectors.observe(&view, &BTreeMap::new());
    let patterns = found.first().map(|finding| finding.figures["patterns"].clone()).unwrap_or_default();
    patterns.split(", ").filter(|name| !name.is_empty() && *name != "foreign-code").map(str::to_owned).collect()
}

/// Of every contract that is called, what is said of it; those of which nothing is are left out.
fn of_all(tree: &CallTree) -> BTreeMap<Address, BTreeSet<String>> {
    let root = tree.root();
    let outside = |address: &Address| *address != root.from && *address != root.to && !address.is_zero();
    let called: BTreeSet<Address> = tree.frames().iter().map(|frame| frame.to).filter(outside).collect();
    let lost = |account: &Address| Falls::of(tree, &BTreeSet::from([*account])) != Falls::of(tree, &BTreeSet::new());
    let all = called.into_iter().filter(lost).map(|account| (account, said(tree, account)));
    all.filter(|(_, said)| !said.is_empty()).collect()
}

/// The attacks that the patterns are for are seen by them, with logs and without.
#[test]
fn recorded_attacks_are_seen() {
    let wanted = [
        ("AttackReentrancy", "re-entry"),
        ("AttackReentrancy", "sender-profit"),
        ("AttackOracleBySwap", "price-moved"),
        ("AttackSharePriceBySwap", "flash-loan-profit"),
        ("AttackLooseInvariant", "sender-profit"),
    ];
    let traces: BTreeMap<String, CallTree> =
        trees(LABELLED).unwrap().into_iter().map(|(name, _, tree)| (name, tree)).collect();
    let mut missed = Vec::new();
    for (name, pattern) in wanted {
        let tree = &traces[name];
        for (logs, tree) in [(true, tree.clone()), (false, without_logs(tree).unwrap())] {
            let all = of_all(&tree);
            if !all.values().any(|said| said.contains(pattern)) {
                missed.push(format!("{name} (logs: {logs}): {pattern} of {all:?}"));
            }
        }
    }
    assert!(missed.is_empty(), "{}", missed.join("\n"));
}

/// Honest transactions set off neither re-entry nor a fresh contract. Patterns of profit see honest arbitrage too: a pool gives one coin for another.
#[test]
fn honest_traces_re_enter_nothing() {
    let mut told = Vec::new();
    for (name, attack, tree) in trees(LABELLED).unwrap() {
        for tree in [tree.clone(), without_logs(&tree).unwrap()] {
            let all = if attack { BTreeMap::new() } else { of_all(&tree) };
            let loud = |said: &BTreeSet<String>| said.contains("re-entry") || said.contains("fresh-contract");
            told.extend(
                all.into_iter()
                    .filter(|(_, said)| loud(said))
                    .map(|(account, said)| format!("{name} {account}: {said:?}")),
            );
        }
    }
    assert!(told.is_empty(), "{}", told.join("\n"));
}
