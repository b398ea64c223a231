//! A whole node (real log, real keys, real network task) that is told blocks and reorgs.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use std::collections::BTreeMap;

use watchfire_types::body::Body;
use watchfire_types::{Address, Bytes, EventHash, Read, ReadOutcome, U256};

use super::*;
use crate::run::fixture;
use crate::run::start::{Assembled, assemble, open};

const CHAIN: ChainId = ChainId::new(31337);
const ETHER: u128 = 1_000_000_000_000_000_000;

fn vault() -> Address {
    "0xe7f1725E7734CE288F8367e1Bb143E90bb3F0512".parse().unwrap()
}

fn block(number: u64, branch: u8) -> BlockRef {
    let mut hash = [branch; 32];
    hash[..8].copy_from_slice(&number.to_be_bytes());
    let time = BlockTime::from_secs(1_800_000_000 + number);
    BlockRef { chain: CHAIN, number, hash: B256::from(hash), time }
}

/// A block in which the vault holds so many ether.
fn holding(number: u64, branch: u8, parent: u8, ether: u128) -> FeedEvent {
    let balance = Bytes::copy_from_slice(&U256::from(ether * ETHER).to_be_bytes::<32>());
    let reads = BTreeMap::from([(Read::Balance { account: vault() }, ReadOutcome::Value(balance))]);
    let parent = block(number - 1, parent).hash;
    let agreed = ["op-alder", "op-elm"].map(|name| name.parse().unwrap()).into();
    let view = BlockView {
        block: block(number, branch),
        parent,
        base_fee: Some(1),
        transactions: Vec::new(),
        logs: Vec::new(),
        reads,
        agreed,
        unproved: false,
    };
    FeedEvent::Block { view: Box::new(view), finalized: None, arrived: now() }
}

struct Seen {
    findings: Vec<(EventHash, BlockRef)>,
    retracted: Vec<(EventHash, BlockRef)>,
}

fn seen(node: &Node) -> Seen {
    let mut seen = Seen { findings: Vec::new(), retracted: Vec::new() };
    for event in node.driver.machine().events() {
        match &event.body {
            Body::Finding(finding) => seen.findings.push((event.hash(), finding.block)),
            Body::Retracted(retracted) => seen.retracted.push((retracted.event, retracted.orphaned)),
            _ => {}
        }
    }
    seen
}

/// A drain is found; the reorg that takes its block retracts the finding; the other branch, without the drain, finds nothing.
/// A deposit that a reorg took is forgotten too: what it seemed to bring is not missed afterwards.
#[tokio::test]
async fn a_reorg_retracts_findings_and_rolls_detectors_back() {
    let (_directory, config) = fixture::directory();
    let Assembled { mut node, inbox: _inbox, output, socket: _socket } = assemble(open(&config).unwrap()).unwrap();
    node.take(output).await.unwrap();
    node.on_feed(CHAIN, holding(1, 0, 0, 100)).await.unwrap();
    node.on_feed(CHAIN, FeedEvent::Ready).await.unwrap();
    node.on_feed(CHAIN, holding(2, 0, 0, 100)).await.unwrap();
    assert!(node.ready && seen(&node).findings.is_empty());
    node.on_feed(CHAIN, holding(3, 0, 0, 10)).await.unwrap();
    let found = seen(&node);
    assert_eq!(found.findings.iter().map(|(_, at)| *at).collect::<Vec<_>>(), [block(3, 0)]);
    assert!(found.retracted.is_empty());

    node.on_feed(CHAIN, FeedEvent::Orphaned { blocks: vec![block(3, 0)] }).await.unwrap();
    let gone = seen(&node).retracted;
    assert!(gone.contains(&found.findings[0]), "{gone:?}");
    let state = node.chains.get(&CHAIN).unwrap();
    assert_eq!(state.head.map(|(head, _)| head), Some(block(2, 0)));
    node.on_feed(CHAIN, holding(3, 1, 0, 100)).await.unwrap();
    let after = seen(&node);
    assert_eq!(after.findings, found.findings, "the branch without the drain found something");
    assert_eq!(after.retracted, gone);

    node.on_feed(CHAIN, holding(4, 1, 1, 200)).await.unwrap();
    node.on_feed(CHAIN, FeedEvent::Orphaned { blocks: vec![block(4, 1)] }).await.unwrap();
    node.on_feed(CHAIN, holding(4, 2, 1, 100)).await.unwrap();
    assert_eq!(seen(&node).findings, found.findings, "a deposit that never was is missed");
    assert_eq!(node.chains.get(&CHAIN).unwrap().head.map(|(head, _)| head), Some(block(4, 2)));
}

/// A drain in the very block that replaces an orphaned one is found: the detectors went back before it came, and take a block only
/// above the newest that they saw.
#[tokio::test]
async fn a_drain_in_the_replacing_block_is_found() {
    let (_directory, config) = fixture::directory();
    let Assembled { mut node, inbox: _inbox, output, socket: _socket } = assemble(open(&config).unwrap()).unwrap();
    node.take(output).await.unwrap();
    for number in 1..=3 {
        node.on_feed(CHAIN, holding(number, 0, 0, 100)).await.unwrap();
    }
    node.on_feed(CHAIN, FeedEvent::Ready).await.unwrap();
    node.on_feed(CHAIN, FeedEvent::Orphaned { blocks: vec![block(3, 0), block(2, 0)] }).await.unwrap();
    node.on_feed(CHAIN, holding(2, 1, 0, 10)).await.unwrap();
    let found: Vec<_> = seen(&node).findings.into_iter().map(|(_, at)| at).collect();
    assert_eq!(found, [block(2, 1)]);
}

/// Blocks whose logs the header does not prove are counted, and the first is named.
#[tokio::test]
async fn blocks_without_a_proof_are_counted() {
    let (_directory, config) = fixture::directory();
    let Assembled { mut node, inbox: _inbox, output, socket: _socket } = assemble(open(&config).unwrap()).unwrap();
    node.take(output).await.unwrap();
    let mut told = Vec::new();
    for (number, unproved) in [(1, false), (2, true), (3, false), (4, true)] {
        let mut event = holding(number, 0, 0, 100);
        if let FeedEvent::Block { view, .. } = &mut event {
            view.unproved = unproved;
        }
        node.on_feed(CHAIN, event).await.unwrap();
        let chain = node.status().chains.remove(0);
        told.push((chain.unproved_blocks, chain.first_unproved_block));
    }
    assert_eq!(told, [(0, None), (1, Some(2)), (1, Some(2)), (2, Some(2))]);
}

/// Blocks that a start left out stand in status and heartbeat, by number, while the chain goes on.
#[tokio::test]
async fn blocks_left_out_stand_as_an_alarm() {
    let (_directory, config) = fixture::directory();
    let Assembled { mut node, inbox: _inbox, output, socket: _socket } = assemble(open(&config).unwrap()).unwrap();
    node.take(output).await.unwrap();
    let said = |node: &Node| {
        let (status, heartbeat) = (node.status().alarms, node.heartbeat_facts().alarms);
        [status, heartbeat].map(|lines| lines.into_iter().find(|line| line.starts_with("blocks-unseen")))
    };
    assert_eq!(said(&node), [None, None]);
    node.on_feed(CHAIN, FeedEvent::Unseen { first: Some(41), last: 79 }).await.unwrap();
    node.on_feed(CHAIN, holding(80, 0, 0, 100)).await.unwrap();
    node.on_feed(CHAIN, FeedEvent::Ready).await.unwrap();
    for line in said(&node) {
        let line = line.expect("an alarm");
        assert!(line.starts_with("blocks-unseen: chain 31337: blocks 41 to 79 were not scanned"), "{line}");
    }
    node.on_feed(CHAIN, FeedEvent::Unseen { first: None, last: 90 }).await.unwrap();
    assert!(said(&node)[0].as_ref().is_some_and(|line| line.contains("windows up to 90")), "{:?}", said(&node));
}

/// The same block, so many seconds old, none of whose state anybody could read.
fn unread(number: u64, age_s: u64) -> FeedEvent {
    let mut event = holding(number, 0, 0, 100);
    if let FeedEvent::Block { view, arrived, .. } = &mut event {
        view.block.time = BlockTime::from_secs(arrived.as_millis() / 1_000 - age_s);
        view.reads.values_mut().for_each(|outcome| *outcome = ReadOutcome::Unavailable("pruned".to_owned()));
    }
    event
}

/// What a node caught up with and could not read stands as an alarm, and after a restart too: a stretch of such blocks as one line. A young
/// block without an answer does not: its state is read again with the next one.
#[tokio::test]
async fn past_blocks_without_state_stand_as_an_alarm() {
    let (directory, config) = fixture::directory();
    let Assembled { mut node, inbox: _inbox, output, socket: _socket } = assemble(open(&config).unwrap()).unwrap();
    node.take(output).await.unwrap();
    let said = |node: &Node| {
        let lines = node.status().alarms.into_iter().filter(|line| line.starts_with("blocks-unseen"));
        lines.map(|line| line.split(" were ").next().unwrap_or_default().to_owned()).collect::<Vec<_>>()
    };
    let kept = || {
        let text = std::fs::read(directory.path().join("scanned.json")).unwrap();
        serde_json::from_slice::<serde_json::Value>(&text).unwrap()["31337"]["unseen"].clone()
    };
    node.on_feed(CHAIN, holding(2, 0, 0, 100)).await.unwrap();
    node.on_feed(CHAIN, unread(3, PAST_S + 60)).await.unwrap();
    assert_eq!(said(&node), ["blocks-unseen: chain 31337: blocks 3 to 3"]);
    assert_eq!(kept(), serde_json::json!([[3, 3]]), "a crash now forgets it");
    node.on_feed(CHAIN, unread(4, PAST_S + 50)).await.unwrap();
    node.on_feed(CHAIN, holding(5, 0, 0, 100)).await.unwrap();
    node.on_feed(CHAIN, unread(6, PAST_S + 40)).await.unwrap();
    node.on_feed(CHAIN, unread(7, 0)).await.unwrap();
    let both = ["blocks-unseen: chain 31337: blocks 3 to 4", "blocks-unseen: chain 31337: blocks 6 to 6"];
    assert_eq!(said(&node), both);
    assert_eq!(kept(), serde_json::json!([[3, 4], [6, 6]]));
}

const TWIN: ChainId = ChainId::new(1337);

/// Beside the vault one of the same code on another chain, which is raised by what is found there.
fn with_a_twin(directory: &std::path::Path, config: &std::path::Path) {
    let append = |path: &std::path::Path, text: &str| {
        let whole = std::fs::read_to_string(path).unwrap() + text;
        std::fs::write(path, whole).unwrap();
    };
    let vault = vault();
    append(
        &directory.join("charter.toml"),
        &format!(
            "[[chain]]\nid = 1337\nname = \"two\"\nblock_time_ms = 1000\nfinality = \"finalized\"\ngas_cap = 16777216\nroute = \"public\"\n\
             stagger_ms_min = 500\n[[asset]]\nid = \"vault-twin\"\nname = \"Twin\"\nchain = 1337\ncontracts = [\"{vault}\"]\n\
             criticality = \"critical\"\nrto_s = 3600\nrpo_s = 60\n[[detector]]\nid = \"twin-sister\"\nasset = \"vault-twin\"\nkind = \"sister\"\n\
             contract = \"{vault}\"\nelsewhere = \"vault-core\"\nelsewhere_contract = \"{vault}\"\nlag_s = 2\n"
        ),
    );
    append(
        config,
        "[[chain]]\nid = 1337\nagree = 1\n[[chain.endpoint]]\nname = \"two\"\noperator = \"op-alder\"\nhttp = \"http://127.0.0.1:1\"\n",
    );
}

/// A block of a chain in which its vault holds so many ether, with the code that both have.
fn coded(chain: ChainId, number: u64, (branch, parent): (u8, u8), ether: u128) -> FeedEvent {
    let FeedEvent::Block { mut view, finalized, arrived } = holding(number, branch, parent, ether) else { panic!() };
    view.block.chain = chain;
    view.reads.insert(Read::CodeHash { account: vault() }, ReadOutcome::Value(Bytes::copy_from_slice(&[7; 32])));
    FeedEvent::Block { view, finalized, arrived }
}

/// What is found on one chain raises the vault of the same code on another, as long as it is canonical there.
#[tokio::test]
async fn a_finding_raises_the_same_code_on_another_chain() {
    let (directory, config) = fixture::directory();
    with_a_twin(directory.path(), &config);
    let Assembled { mut node, inbox: _inbox, output, socket: _socket } = assemble(open(&config).unwrap()).unwrap();
    node.take(output).await.unwrap();
    let raised = |node: &Node| {
        let of =
            |state: &ChainState| state.detectors.blind(1).map(|blind| blind.detector.to_string()).collect::<Vec<_>>();
        let found: Vec<_> =
            seen(node).findings.into_iter().filter(|(_, at)| at.chain == TWIN).map(|(_, at)| at.number).collect();
        (found, of(node.chains.get(&TWIN).unwrap()))
    };
    for number in 1..=3 {
        node.on_feed(TWIN, coded(TWIN, number, (0, 0), 100)).await.unwrap();
    }
    assert_eq!(raised(&node), (vec![], vec!["twin-sister".to_owned()]));
    for number in 1..=5 {
        node.on_feed(CHAIN, coded(CHAIN, number, (0, 0), if number < 4 { 100 } else { 10 })).await.unwrap();
    }
    // Two seconds before block 5 nothing was lost yet.
    node.on_feed(TWIN, coded(TWIN, 4, (0, 0), 100)).await.unwrap();
    node.on_feed(TWIN, coded(TWIN, 5, (0, 0), 100)).await.unwrap();
    assert_eq!(raised(&node), (vec![], vec![]));
    node.on_feed(TWIN, coded(TWIN, 6, (0, 0), 100)).await.unwrap();
    assert_eq!(raised(&node), (vec![6], vec![]));

    node.on_feed(CHAIN, FeedEvent::Orphaned { blocks: vec![block(5, 0), block(4, 0)] }).await.unwrap();
    for number in 4..=6 {
        node.on_feed(CHAIN, coded(CHAIN, number, (1, u8::from(number > 4)), 100)).await.unwrap();
    }
    node.on_feed(TWIN, coded(TWIN, 7, (0, 0), 100)).await.unwrap();
    node.on_feed(TWIN, coded(TWIN, 8, (0, 0), 100)).await.unwrap();
    assert_eq!(raised(&node).0, [6], "what was orphaned there raises nothing here");
}
