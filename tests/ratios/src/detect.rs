//! What detection costs beside reading the same bytes, with many rules, with none concerned, and through a reorg.

use std::collections::{BTreeMap, BTreeSet};
use std::hint::black_box;
use std::sync::Arc;
use std::time::Instant;

use alloy_primitives::{Address, B256, Bloom, Bytes, Log, U256, keccak256};
use serde::Deserialize;
use serde_json::{Value, json};
use watchfire_charter::{Charter, Class, Detector, StateExpectation, Watch};
use watchfire_detect::{Detectors, Interest};
use watchfire_evm::{InOrder, TextBlock};
use watchfire_types::{AssetId, BlockRef, BlockTime, BlockView, ChainId, Read, ReadOutcome, Severity};

use crate::report::{Bound, Report};
use crate::world::charter;

#[path = "../../../crates/evm/src/blocks/fixture.rs"]
#[allow(dead_code)]
mod fixture;

/// Logs of a block: a busy one of mainnet has some five hundred.
const LOGS: usize = 300;
/// Logs of a block whose bloom is not half full: one that is says "perhaps" to one rule in sixty-four.
const QUIET: usize = 60;
/// Blocks of a round.
const BLOCKS: u64 = 64;
/// Logs of a transaction.
const TOGETHER: usize = 4;
/// Contracts that emit, and what.
const CONTRACTS: u64 = 500;
const EVENTS: u64 = 8;

/// A log as it comes, with nothing left out that a rule may ask for.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
#[allow(dead_code)]
struct Plain {
    address: Address,
    topics: Vec<B256>,
    data: Bytes,
    transaction_hash: B256,
}

/// A block's receipts, of which nothing but the logs is wanted.
#[derive(Deserialize)]
#[allow(dead_code)]
struct PlainBlock {
    receipts: Vec<PlainReceipt>,
}

#[derive(Deserialize)]
#[allow(dead_code)]
struct PlainReceipt {
    logs: Vec<Plain>,
}

/// Blocks with their receipts, and their logs alone, as a node tells them.
struct Traffic {
    chain: ChainId,
    texts: Vec<Arc<[u8]>>,
    logs: Vec<Vec<u8>>,
    blooms: Vec<Bloom>,
}

fn contract(nth: u64) -> Address {
    Address::from_word(keccak256(format!("contract {nth}")))
}

fn event(nth: u64) -> B256 {
    keccak256(format!("Event{nth}(address,address,uint256)"))
}

fn time(number: u64) -> BlockTime {
    BlockTime::from_secs(1_700_000_000 + number * 12)
}

/// A block without anything in it.
fn empty(chain: ChainId, number: u64) -> BlockView {
    let block = BlockRef { chain, number, hash: keccak256(number.to_be_bytes()), time: time(number) };
    let (transactions, logs, reads, agreed) = (Vec::new(), Vec::new(), BTreeMap::new(), BTreeSet::new());
    BlockView { block, parent: B256::ZERO, base_fee: None, transactions, logs, reads, agreed, unproved: false }
}

/// Any fixed mixture does: who emits, what, and between whom.
fn log(number: u64, index: usize) -> Log {
    let seed = keccak256([number.to_be_bytes(), (index as u64).to_be_bytes()].concat());
    let pick = |from: usize| u64::from(u16::from_be_bytes([seed[from], seed[from + 1]]));
    let topics = vec![event(pick(2) % EVENTS), seed, B256::from(U256::from(pick(4)))];
    let data = vec![seed[6]; 32 * (1 + usize::from(seed[7] % 3))];
    Log::new(contract(pick(0) % CONTRACTS), topics, data.into()).expect("three topics")
}

/// What a node says of each log beside what the log is.
fn say_where(receipts: &mut [Value], hash: &Value, number: u64) {
    let mut index = 0;
    for (place, receipt) in receipts.iter_mut().enumerate() {
        let transaction = receipt["transactionHash"].clone();
        for log in receipt["logs"].as_array_mut().into_iter().flatten() {
            log["blockHash"] = hash.clone();
            log["blockNumber"] = json!(format!("{number:#x}"));
            log["blockTimestamp"] = json!("0x681b304b");
            log["transactionHash"] = transaction.clone();
            log["transactionIndex"] = json!(format!("{place:#x}"));
            log["logIndex"] = json!(format!("{index:#x}"));
            log["removed"] = json!(false);
            index += 1;
        }
    }
}

impl Traffic {
    fn of(chain: ChainId, count: usize) -> Self {
        let mut traffic = Self { chain, texts: Vec::new(), logs: Vec::new(), blooms: Vec::new() };
        for number in 1..=BLOCKS {
            let logs: Vec<Log> = (0..count).map(|index| log(number, index)).collect();
            let done: Vec<_> = logs.chunks(TOGETHER).map(|logs| fixture::done(2, logs.to_vec())).collect();
            let mut text = fixture::entry(number, B256::ZERO, &done);
            let hash = text["block"]["hash"].clone();
            say_where(text["receipts"].as_array_mut().expect("a list"), &hash, number);
            let receipts = text["receipts"].as_array().expect("a list").iter();
            let told: Vec<&Value> = receipts.flat_map(|receipt| receipt["logs"].as_array().expect("a list")).collect();
            traffic.logs.push(serde_json::to_vec(&told).expect("a log is plain data"));
            traffic.texts.push(serde_json::to_vec(&text).expect("a block is plain data").into());
            let mut bloom = Bloom::ZERO;
            logs.iter().for_each(|log| bloom.accrue_log(log));
            traffic.blooms.push(bloom);
        }
        traffic
    }

    /// Each block as backtest takes it: read ahead on all cores.
    fn views<'a>(&'a self, interest: &Arc<Interest>) -> impl Iterator<Item = BlockView> + 'a {
        let (mut ahead, interest) = (InOrder::new(), Arc::clone(interest));
        let ahead_max = 2 * InOrder::<TextBlock>::cores();
        let mut texts = self.texts.iter();
        std::iter::from_fn(move || {
            while ahead.given() < ahead_max
                && let Some(text) = texts.next()
            {
                let (text, interest) = (Arc::clone(text), Arc::clone(&interest));
                let wanted = move |address: &_, topics: &[_]| interest.concerns(address, topics);
                ahead.give(move || TextBlock::read(&text, wanted).expect("a sound block"));
            }
            let mut view = ahead.take()?.on(self.chain);
            view.block.time = time(view.block.number);
            Some(view)
        })
    }
}

/// A charter with these rules over its first asset.
fn with(rules: impl Iterator<Item = Watch>) -> (Charter, ChainId) {
    let mut charter = (*charter()).clone();
    let (asset, chain): (AssetId, ChainId) =
        charter.assets.iter().next().map(|(id, asset)| (id.clone(), asset.chain)).expect("it protects something");
    let rule = |watch| Detector { asset: asset.clone(), severity: Severity::Sev2, class: Class::Decisive, watch };
    let id = |place: usize| format!("rule-{place:05}").parse().expect("an id");
    charter.detectors = rules.enumerate().map(|(place, watch)| (id(place), rule(watch))).collect();
    (charter, chain)
}

/// Rules about eight events, `kind` and those after it, of contracts from `first` on; contracts beyond [`CONTRACTS`] emit nothing, and nobody
/// emits an event beyond [`EVENTS`].
fn events(first: u64, count: u64, kind: u64) -> impl Iterator<Item = Watch> {
    (first..first + count).map(move |nth| Watch::Event {
        address: contract(nth),
        event: "Event".to_owned(),
        topic: event(kind + nth % EVENTS),
        topics: BTreeMap::new(),
        stands_s: 60,
    })
}

/// Reads each block and judges it.
fn detect(traffic: &Traffic, detectors: &mut Detectors, interest: &Arc<Interest>) {
    let floors = BTreeMap::new();
    for view in traffic.views(interest) {
        black_box(detectors.observe(&view, &floors));
    }
}

fn decode<T: for<'a> Deserialize<'a>>(texts: &[impl AsRef<[u8]>]) {
    for text in texts {
        black_box(serde_json::from_slice::<T>(text.as_ref()).expect("sound logs"));
    }
}

/// Blocks a second with 1,000 rules, ten of which fire now and then, in those of serde_json into plain logs.
pub(crate) fn rules(rounds: u32) -> Report {
    let (charter, chain) = with(events(0, 10, 0).chain(events(CONTRACTS, 990, 0)));
    let traffic = Traffic::of(chain, LOGS);
    let interest = Arc::new(Detectors::new(&charter, chain).interest());
    let ratios = (0..rounds).map(|_| {
        let mut detectors = Detectors::new(&charter, chain);
        let plain = seconds(|| decode::<PlainBlock>(&traffic.texts));
        plain / seconds(|| detect(&traffic, &mut detectors, &interest))
    });
    Report::new("detect-rules", format!("1,000 rules, {LOGS} logs a block"), ratios.collect(), Bound::Least(0.90))
}

/// Time of a block with 10,000 rules in that with 10; the same ten fire.
pub(crate) fn scaling(rounds: u32) -> Report {
    let few = with(events(0, 10, 0));
    let many = with(events(0, 10, 0).chain(events(CONTRACTS, 9_990, 0)));
    let traffic = Traffic::of(few.1, LOGS);
    let time = |(charter, chain): &(Charter, ChainId)| {
        let mut detectors = Detectors::new(charter, *chain);
        let interest = Arc::new(detectors.interest());
        seconds(|| detect(&traffic, &mut detectors, &interest))
    };
    let ratios = (0..rounds).map(|_| time(&many) / time(&few));
    Report::new("detect-scaling", "10,000 rules against 10".to_owned(), ratios.collect(), Bound::Most(1.5))
}

/// Time of a block whose bloom concerns none of 1,000 rules, which are about events that nobody emits, in that of decoding its logs.
pub(crate) fn bloom_miss(rounds: u32) -> Report {
    let (charter, chain) = with(events(CONTRACTS, 1_000, EVENTS));
    let mut traffic = Traffic::of(chain, QUIET);
    let interest = Arc::new(Detectors::new(&charter, chain).interest());
    // A bloom may say "perhaps" of what is not there; such a block is no miss.
    let misses: Vec<bool> = traffic.blooms.iter().map(|bloom| !interest.may_concern(bloom.data())).collect();
    let kept = |place: usize| misses.get(place).copied().unwrap_or_default();
    let (mut logs, mut blooms) = (0.., 0..);
    traffic.logs.retain(|_| logs.next().is_some_and(kept));
    traffic.blooms.retain(|_| blooms.next().is_some_and(kept));
    assert!(!traffic.logs.is_empty(), "every block's bloom concerns a rule");
    let views: Vec<BlockView> = (1..=BLOCKS).map(|number| empty(chain, number)).collect();
    let ratios = (0..rounds).map(|_| {
        let mut detectors = Detectors::new(&charter, chain);
        let plain = seconds(|| decode::<Vec<Plain>>(&traffic.logs));
        let floors = BTreeMap::new();
        let missed = seconds(|| {
            for (bloom, empty) in traffic.blooms.iter().zip(&views) {
                assert!(!interest.may_concern(bloom.data()), "it is a miss");
                black_box(detectors.observe(empty, &floors));
            }
        });
        missed / plain
    });
    let setting = format!("1,000 rules about other events, {QUIET} logs a block");
    Report::new("detect-bloom-miss", setting, ratios.collect(), Bound::Most(0.02))
}

/// Time of taking 64 blocks back and judging them again, in that of judging them first, with 1,000 rules of every kind.
pub(crate) fn reorg(rounds: u32) -> Report {
    let token = |nth: u64| Watch::Outflow {
        token: Some(contract(nth)),
        window_s: 600,
        limit: Some(U256::from(1)),
        share_bps: None,
    };
    let slot = |nth: u64| Watch::State {
        what: "slot".to_owned(),
        read: Read::Storage { account: contract(nth), slot: B256::ZERO },
        expect: StateExpectation::Unchanged,
        stands_s: 60,
    };
    let (charter, chain) =
        with(events(0, 10, 0).chain(events(CONTRACTS, 890, 0)).chain((0..50).map(token)).chain((0..50).map(slot)));
    let traffic = Traffic::of(chain, LOGS);
    let (interest, reads) =
        (Arc::new(Detectors::new(&charter, chain).interest()), Detectors::new(&charter, chain).reads());
    let answers = |number: u64| {
        let word = ReadOutcome::Value(U256::from(1_000 - number / 8).to_be_bytes_vec().into());
        reads.iter().map(|read| (read.clone(), word.clone())).collect::<BTreeMap<_, _>>()
    };
    let views = traffic.views(&interest);
    let views: Vec<BlockView> = views.map(|view| BlockView { reads: answers(view.block.number), ..view }).collect();
    let base = BlockView { reads: answers(0), ..empty(chain, 0) };
    let ratios = (0..rounds).map(|_| {
        let floors = BTreeMap::new();
        let mut detectors = Detectors::new(&charter, chain);
        detectors.observe(&base, &floors);
        let mut judged = [Vec::new(), Vec::new()];
        let first = seconds(|| judged[0].extend(views.iter().map(|view| detectors.observe(view, &floors))));
        let again = seconds(|| {
            detectors.rollback(&base.block);
            judged[1].extend(views.iter().map(|view| detectors.observe(view, &floors)));
        });
        assert_eq!(judged[0], judged[1], "the same blocks say the same");
        again / first
    });
    Report::new("detect-reorg", format!("{BLOCKS} blocks, 1,000 rules"), ratios.collect(), Bound::Most(2.0))
}

#[allow(clippy::disallowed_methods)]
fn seconds(work: impl FnOnce()) -> f64 {
    let start = Instant::now();
    work();
    start.elapsed().as_secs_f64()
}
