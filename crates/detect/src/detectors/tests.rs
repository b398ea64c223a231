#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use std::collections::{BTreeMap, BTreeSet, VecDeque};

use alloy_primitives::{Address, B256, I256, U256, keccak256};
use proptest::prelude::*;
use watchfire_charter::{Asset, Class, Criticality, Detector, StateExpectation, Watch};
use watchfire_types::body::Finding;
use watchfire_types::{AssetId, BlockRef, BlockTime, BlockView, Bytes, ChainId, Log, Read, ReadOutcome, Severity};

use super::{Detectors, Rule, Watching};
use crate::event::EventWatch;
use crate::outflow::OutflowWatch;
use crate::state::StateWatch;

const CHAIN: ChainId = ChainId::new(31337);
const VAULT: Address = Address::repeat_byte(0xaa);
const RESERVE: Address = Address::repeat_byte(0xab);
const TOKEN: Address = Address::repeat_byte(0x70);
const STRANGER: Address = Address::repeat_byte(0x5f);

fn asset_id() -> AssetId {
    "vault-core".parse().unwrap()
}

/// Detectors with one rule on the vault and its reserve, built as `Detectors::new` builds them.
fn detectors(watching: Watching) -> Detectors {
    let rule = Rule {
        id: "rule".parse().unwrap(),
        asset: asset_id(),
        severity: Severity::Sev1,
        watching,
        history: VecDeque::new(),
        unread: 0,
    };
    Detectors::of(CHAIN, vec![rule])
}

fn outflow(limit: Option<u64>, share_bps: Option<u16>) -> Detectors {
    let group = BTreeSet::from([VAULT, RESERVE]);
    detectors(Watching::Outflow(OutflowWatch::new(group, None, 60, limit.map(U256::from), share_bps)))
}

fn block(number: u64, branch: u8) -> BlockRef {
    let mut hash = [branch; 32];
    hash[..8].copy_from_slice(&number.to_be_bytes());
    BlockRef { chain: CHAIN, number, hash: B256::from(hash), time: BlockTime::from_secs(1_000 + number * 12) }
}

fn word(value: u64) -> ReadOutcome {
    ReadOutcome::Value(Bytes::copy_from_slice(&U256::from(value).to_be_bytes::<32>()))
}

fn native(number: u64, vault: u64, reserve: u64) -> BlockView {
    let reads = BTreeMap::from([
        (Read::Balance { account: VAULT }, word(vault)),
        (Read::Balance { account: RESERVE }, word(reserve)),
    ]);
    BlockView {
        block: block(number, 0),
        parent: block(number.saturating_sub(1), 0).hash,
        base_fee: None,
        transactions: Vec::new(),
        logs: vec![],
        reads,
        agreed: BTreeSet::new(),
        unproved: false,
    }
}

fn run(detectors: &mut Detectors, views: &[BlockView]) -> Vec<Vec<Finding>> {
    views.iter().map(|view| detectors.observe(view, &BTreeMap::new())).collect()
}

/// An outflow above the limit fires with its figures and stands from its first block; one equal to the limit does not.
#[test]
fn absolute_limit() {
    let mut rules = outflow(Some(25), None);
    let found = run(&mut rules, &[native(1, 100, 0), native(2, 75, 0), native(3, 74, 0), native(4, 70, 0)]);
    assert!(found[0].is_empty() && found[1].is_empty());
    assert_eq!(found[2][0].figures["outflow"], "26");
    assert_eq!(found[3][0].figures["outflow"], "30");
    assert_eq!(found[3][0].first, block(3, 0));
    assert_eq!(found[3][0].block, block(4, 0));
    assert_eq!(found[2][0].explanation, "net outflow 26 wei in 24 s (block 1 to 3): 100 before, 74 now; limit 25");
}

/// Movement inside the group and deposits are no outflow; a share is exact at its edge.
#[test]
fn internal_movement_deposits_and_share() {
    let mut rules = outflow(None, Some(1_000));
    let views = [native(1, 100, 0), native(2, 10, 90), native(3, 10, 300), native(4, 10, 269), native(5, 9, 269)];
    let found = run(&mut rules, &views);
    assert!(found[..4].iter().all(Vec::is_empty), "{found:?}");
    assert_eq!(found[4][0].figures["outflow"], "32");
}

/// A deposit within the window does not hide the drain that follows it, nor does a vault that was empty when the window began.
#[test]
fn deposits_hide_nothing() {
    let mut rules = outflow(Some(25), None);
    let found = run(&mut rules, &[native(1, 0, 0), native(2, 100, 0), native(3, 1_000, 0), native(4, 900, 0)]);
    assert!(found[..3].iter().all(Vec::is_empty), "{found:?}");
    assert_eq!(found[3][0].figures["outflow"], "100");
    assert_eq!(found[3][0].figures["from_block"], "3");
}

/// The window slides: an old outflow stops counting once its block is the window's start.
#[test]
fn window_slides() {
    let mut rules = outflow(Some(25), None);
    let mut views = vec![native(1, 100, 0), native(2, 50, 0)];
    views.extend((3..=9).map(|number| native(number, 50, 0)));
    let standing: Vec<_> = run(&mut rules, &views).iter().map(Vec::len).collect();
    // 60 s are five blocks of 12 s: the block at 2 is the start of the window that ends at 7.
    assert_eq!(standing, [0, 1, 1, 1, 1, 1, 0, 0, 0]);
}

/// After a recovery the window starts at its block: the finished attack's outflow contains nothing again.
#[test]
fn floor_restarts_the_window() {
    let mut rules = outflow(Some(25), None);
    assert_eq!(run(&mut rules, &[native(1, 100, 0), native(2, 50, 0)])[1].len(), 1);
    let floors = BTreeMap::from([(asset_id(), block(3, 0))]);
    assert!(rules.observe(&native(3, 50, 0), &floors).is_empty());
    assert!(rules.observe(&native(4, 40, 0), &floors).is_empty());
    let again = rules.observe(&native(5, 20, 0), &floors);
    assert_eq!(again[0].figures["outflow"], "30");
    assert_eq!(again[0].first, block(5, 0), "a new attack is a new standing");
}

fn unreadable(number: u64) -> BlockView {
    let mut blind = native(number, 0, 0);
    blind.reads.insert(Read::Balance { account: VAULT }, ReadOutcome::Unavailable("operators disagree".into()));
    blind
}

/// A balance that nobody could read is neither a finding nor the end of one: what stood stands, on what was read last.
#[test]
fn unreadable_balance() {
    let mut rules = outflow(Some(25), None);
    assert!(run(&mut rules, &[native(1, 100, 0), unreadable(2)])[1].is_empty(), "nothing is found in it");
    let found = run(&mut rules, &[native(3, 50, 0), unreadable(4), unreadable(5), native(6, 50, 0), native(7, 90, 0)]);
    assert_eq!(found[1], found[0], "its evidence is the block where it was judged");
    assert_eq!(found[2], found[0]);
    assert_eq!((found[3][0].first, found[3][0].block), (block(3, 0), block(6, 0)));
    assert!(found[4].is_empty(), "an answer ends it");
    assert!(rules.observe(&unreadable(8), &BTreeMap::new()).is_empty(), "and what ended does not come back");
}

/// Blocks in a row without an answer are counted, for whoever watches the detectors; one answer ends the count.
#[test]
fn blindness_is_counted() {
    let mut rules = outflow(Some(25), None);
    let blind = |rules: &Detectors| rules.blind(2).map(|blind| blind.blocks).collect::<Vec<_>>();
    let mut counts = Vec::new();
    for view in [native(1, 100, 0), unreadable(2), unreadable(3), unreadable(4), native(5, 100, 0), unreadable(6)] {
        rules.observe(&view, &BTreeMap::new());
        counts.push(blind(&rules));
    }
    assert_eq!(counts, [vec![], vec![], vec![2], vec![3], vec![], vec![]]);
}

/// What stands through an unread block ends like any other: by a recovery, and by the reorg that takes its evidence.
#[test]
fn an_unread_block_keeps_nothing_that_is_over() {
    let mut rules = outflow(Some(25), None);
    run(&mut rules, &[native(1, 100, 0), native(2, 50, 0)]);
    let floors = BTreeMap::from([(asset_id(), block(3, 0))]);
    assert!(rules.observe(&unreadable(3), &floors).is_empty(), "recovered");

    let mut rules = outflow(Some(25), None);
    run(&mut rules, &[native(1, 100, 0), native(2, 90, 0), native(3, 50, 0), unreadable(4)]);
    rules.rollback(&block(2, 0));
    assert!(rules.observe(&unreadable(3), &BTreeMap::new()).is_empty(), "orphaned");

    let mut rules = outflow(Some(25), None);
    let found = run(&mut rules, &[native(1, 100, 0), native(2, 50, 0), native(3, 40, 0)]);
    rules.rollback(&block(2, 0));
    assert_eq!(rules.observe(&unreadable(3), &BTreeMap::new()), found[1], "as it was judged before the reorg");
}

fn erc20(number: u64, balance: u64, logs: Vec<Log>) -> BlockView {
    let mut view = native(number, 0, 0);
    let selector = keccak256(b"balanceOf(address)");
    let call = |account: Address| Read::Call {
        to: TOKEN,
        data: [&selector[..4], account.into_word().as_slice()].concat().into(),
    };
    view.reads = BTreeMap::from([(call(VAULT), word(balance)), (call(RESERVE), word(0))]);
    view.logs = logs;
    view
}

fn transfer(from: Address, to: Address, amount: u64) -> Log {
    Log {
        address: TOKEN,
        topics: vec![keccak256(b"Transfer(address,address,uint256)"), from.into_word(), to.into_word()],
        data: Bytes::copy_from_slice(&U256::from(amount).to_be_bytes::<32>()),
        transaction: B256::repeat_byte(1),
        index: 0,
    }
}

/// A token's loss is measured by balance; logs only explain it, and a disagreement is told.
#[test]
fn transfer_logs_explain_or_disagree() {
    let group = BTreeSet::from([VAULT, RESERVE]);
    let watch = || Watching::Outflow(OutflowWatch::new(group.clone(), Some(TOKEN), 60, Some(U256::from(5)), None));
    let honest = [erc20(1, 100, vec![]), erc20(2, 90, vec![transfer(VAULT, STRANGER, 10)])];
    let found = run(&mut detectors(watch()), &honest);
    assert!(found[1][0].explanation.ends_with("Transfer logs agree"), "{}", found[1][0].explanation);
    let silent =
        [erc20(1, 100, vec![]), erc20(2, 90, vec![transfer(VAULT, STRANGER, 3), transfer(VAULT, RESERVE, 50)])];
    let found = run(&mut detectors(watch()), &silent);
    assert!(found[1][0].explanation.ends_with("Transfer logs disagree by 7"), "{}", found[1][0].explanation);
    assert_eq!(found[1][0].figures["unexplained"], "7");
    // What a block without an answer logged explains the next block's difference, and not after a reorg took it.
    let unread = |number, amount| {
        let mut view = erc20(number, 0, vec![transfer(VAULT, STRANGER, amount)]);
        view.reads.clear();
        view
    };
    let mut rules = detectors(watch());
    run(&mut rules, &[erc20(1, 100, vec![]), unread(2, 4), unread(3, 9)]);
    rules.rollback(&block(2, 0));
    let found = run(&mut rules, &[erc20(3, 90, vec![transfer(VAULT, STRANGER, 6)])]);
    assert!(found[0][0].explanation.ends_with("Transfer logs agree"), "{}", found[0][0].explanation);
}

fn with_state(number: u64, outcome: ReadOutcome) -> BlockView {
    let mut view = native(number, 0, 0);
    view.reads = BTreeMap::from([(Read::Storage { account: VAULT, slot: B256::ZERO }, outcome)]);
    view
}

fn state(expect: StateExpectation) -> Detectors {
    let read = Read::Storage { account: VAULT, slot: B256::ZERO };
    detectors(Watching::State(StateWatch::new("owner".into(), read, expect, 24)))
}

/// A change fires at its block, stands for the stated time, and a revert is a change too.
#[test]
fn state_change() {
    let mut rules = state(StateExpectation::Unchanged);
    let views = [
        with_state(1, word(7)),
        with_state(2, word(7)),
        with_state(3, word(8)),
        with_state(4, word(8)),
        with_state(5, ReadOutcome::Unavailable("late".into())),
        with_state(6, word(8)),
        with_state(7, ReadOutcome::Reverted(Bytes::new())),
    ];
    let found = run(&mut rules, &views);
    let standing: Vec<_> = found.iter().map(Vec::len).collect();
    assert_eq!(standing, [0, 0, 1, 1, 1, 0, 1]);
    assert!(found[2][0].explanation.starts_with("owner changed at block 3 from 0x"));
    assert!(found[6][0].explanation.ends_with("to revert 0x"));
}

/// What nobody could read ends no change and moves it to no block: it stands on the block where it was judged last, until an answer ends it.
#[test]
fn unreadable_state() {
    let mut rules = state(StateExpectation::Unchanged);
    let late = |number| with_state(number, ReadOutcome::Unavailable("late".into()));
    let mut nothing = with_state(5, word(8));
    nothing.reads.clear();
    let found =
        run(&mut rules, &[with_state(1, word(7)), with_state(2, word(8)), with_state(3, word(8)), late(4), nothing]);
    assert_eq!((found[2][0].first, found[2][0].block), (block(2, 0), block(3, 0)));
    assert_eq!((&found[3], &found[4]), (&found[2], &found[2]));
    let found = run(&mut rules, &[late(6), with_state(7, word(8)), late(8), with_state(9, word(9))]);
    let standing: Vec<_> = found.iter().map(Vec::len).collect();
    assert_eq!(standing, [1, 0, 0, 1], "an answer past its time ends it, and what ended does not come back");
    assert_eq!((found[3][0].first, found[3][0].block), (block(9, 0), block(9, 0)));
}

/// Bounds are inclusive, stand while broken, and an answer that is no word breaks them.
#[test]
fn state_bounds() {
    let bounds = StateExpectation::Within { min: Some(U256::from(5)), max: Some(U256::from(9)) };
    let mut rules = state(bounds);
    let outcomes = [word(5), word(9), word(10), word(4), ReadOutcome::Reverted(Bytes::new()), word(6)];
    let standing: Vec<_> = (1..)
        .zip(outcomes)
        .map(|(number, outcome)| rules.observe(&with_state(number, outcome), &BTreeMap::new()).len())
        .collect();
    assert_eq!(standing, [0, 0, 1, 1, 1, 0]);
}

/// However long an answer and what was expected are, the figures stay within what the wire takes, 128 bytes.
#[test]
fn long_answers_are_cut() {
    let long = |byte: u8| Bytes::from(vec![byte; 4_096]);
    let mut rules = state(StateExpectation::Equals(long(1)));
    assert!(run(&mut rules, &[with_state(1, ReadOutcome::Value(long(1)))])[0].is_empty());
    let found = rules.observe(&with_state(2, ReadOutcome::Value(long(2))), &BTreeMap::new());
    assert!(found[0].figures.values().all(|value| value.len() <= 128), "{:?}", found[0].figures);
    assert!(found[0].figures["expected"].contains("(4096 bytes, hash 0x"));
    // Two that begin alike are told apart.
    let alike = |last: u8| Bytes::from([vec![0; 95], vec![last]].concat());
    let mut rules = state(StateExpectation::Equals(alike(1)));
    let found = rules.observe(&with_state(1, ReadOutcome::Value(alike(2))), &BTreeMap::new());
    assert_ne!(found[0].figures["expected"], found[0].figures["found"]);
    let most = Some(U256::MAX - U256::from(1));
    let mut rules = state(StateExpectation::Within { min: most, max: most });
    let found = rules.observe(&with_state(2, word(7)), &BTreeMap::new());
    assert!(found[0].figures.values().all(|value| value.len() <= 128), "{:?}", found[0].figures);
}

/// A feed's signed answer among five results, as `latestRoundData()` gives it: judged and told as the number that it is.
#[test]
fn state_bounds_of_one_result() {
    let signed = |number: i64| I256::try_from(number).unwrap().into_raw();
    let round = |answer: i64| {
        let words = [signed(1), signed(answer), signed(3), signed(3), signed(1)];
        ReadOutcome::Value(words.iter().flat_map(U256::to_be_bytes::<32>).collect::<Vec<_>>().into())
    };
    let (min, max) = (Some(signed(-5)), Some(signed(9)));
    let mut rules = state(StateExpectation::Number { word: 1, signed: true, min, max });
    let outcomes = [round(-5), round(9), round(10), round(-6), word(7), round(0)];
    let found: Vec<_> = (1..)
        .zip(outcomes)
        .map(|(number, outcome)| rules.observe(&with_state(number, outcome), &BTreeMap::new()))
        .collect();
    assert_eq!(found.iter().map(Vec::len).collect::<Vec<_>>(), [0, 0, 1, 1, 1, 0]);
    assert_eq!(found[3][0].explanation, "owner is -6, allowed -5 to 9");
    assert_eq!(found[3][0].figures["found"], "-6");
}

/// An event fires on address, topic0 and the topics asked for, counts its matches, and ends.
#[test]
fn event_match() {
    let topic = keccak256(b"OwnershipTransferred(address,address)");
    let to = STRANGER.into_word();
    let watch =
        EventWatch::new(VAULT, "OwnershipTransferred(address,address)".into(), topic, BTreeMap::from([(2, to)]), 12);
    let mut rules = detectors(Watching::Event(watch));
    let log = |address, new_owner: B256| Log {
        address,
        topics: vec![topic, VAULT.into_word(), new_owner],
        data: Bytes::new(),
        transaction: B256::repeat_byte(9),
        index: 0,
    };
    let mut views: Vec<_> = (1..=4).map(|number| native(number, 0, 0)).collect();
    views[0].logs = vec![log(RESERVE, to), log(VAULT, VAULT.into_word())];
    views[1].logs = vec![log(VAULT, to), log(VAULT, to)];
    let found = run(&mut rules, &views);
    assert_eq!(found.iter().map(Vec::len).collect::<Vec<_>>(), [0, 1, 1, 0]);
    assert_eq!(found[1][0].figures["count"], "2");
    assert_eq!(found[2][0].figures["event_block"], "2");
}

/// `new` takes the charter's rules of this chain and groups contracts with internal addresses.
#[test]
fn rules_of_the_chain_only() {
    let charter = include_str!("../../../charter/tests-data/drill.charter.toml");
    let (mut charter, _) = watchfire_charter::parse(charter).expect("the fixture is valid");
    charter.detectors.clear();
    let asset = |chain| Asset {
        name: String::new(),
        chain,
        contracts: BTreeSet::from([VAULT]),
        internal: BTreeSet::from([RESERVE]),
        owner: None,
        dependencies: BTreeSet::new(),
        criticality: Criticality::High,
        rto_s: 0,
        rpo_s: 0,
    };
    charter.assets.insert(asset_id(), asset(CHAIN));
    charter.assets.insert("elsewhere".parse().unwrap(), asset(ChainId::new(1)));
    let watch = Watch::Outflow { token: None, window_s: 300, limit: Some(U256::from(1)), share_bps: None };
    let rule =
        |asset: AssetId| Detector { asset, severity: Severity::Sev2, class: Class::Decisive, watch: watch.clone() };
    charter.detectors.insert("here".parse().unwrap(), rule(asset_id()));
    charter.detectors.insert("there".parse().unwrap(), rule("elsewhere".parse().unwrap()));
    let rules = Detectors::new(&charter, CHAIN);
    assert_eq!(rules.rules.len(), 1);
    assert_eq!(rules.reads(), BTreeSet::from([Read::Balance { account: VAULT }, Read::Balance { account: RESERVE }]));
    assert_eq!(rules.window_s_max(), 300);
}

proptest! {
    /// S7: after any reorg within the kept depth the findings are those of a node that only ever saw the new branch.
    #[test]
    fn rollback_equals_a_fresh_run(
        trunk in prop::collection::vec(0_u64..200, 1..40),
        stale in prop::collection::vec(0_u64..200, 1..20),
        branch in prop::collection::vec(0_u64..200, 1..40),
    ) {
        let at = |offset: usize, balances: &[u64]| -> Vec<BlockView> {
            balances.iter().enumerate().map(|(i, balance)| native((offset + i) as u64, *balance, 0)).collect()
        };
        let (trunk_views, new) = (at(0, &trunk), at(trunk.len(), &branch));
        let mut reorged = outflow(Some(50), Some(3_000));
        run(&mut reorged, &trunk_views);
        run(&mut reorged, &at(trunk.len(), &stale));
        reorged.rollback(&trunk_views.last().unwrap().block);
        let mut fresh = outflow(Some(50), Some(3_000));
        run(&mut fresh, &trunk_views);
        prop_assert_eq!(run(&mut reorged, &new), run(&mut fresh, &new));
    }

    /// Findings agree with a plain definition over all blocks: the highest balance since the window's start less the one now.
    #[test]
    fn outflow_matches_the_definition(balances in prop::collection::vec(0_u64..1_000, 1..120), limit in 0_u64..500) {
        let mut rules = outflow(Some(limit), None);
        for (i, balance) in balances.iter().enumerate() {
            let start = i.saturating_sub(5); // 60 s at 12 s a block
            let expected = balances[start..=i].iter().max().unwrap() - balance;
            let found = rules.observe(&native(i as u64, *balance, 0), &BTreeMap::new());
            prop_assert_eq!(!found.is_empty(), expected > limit);
        }
    }
}
