//! A whole node (real log, real keys, real network task) that is told what was traced after the block that it was traced of.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use watchfire_detect::trace::{TraceFault, Traced, read_traces};
use watchfire_evm::FeedEvent;
use watchfire_types::body::{Body, Finding};
use watchfire_types::{Address, B256, BlockTime, Transaction, U256};

use super::*;
use crate::run::now;
use crate::run::start::{Assembled, assemble, open};

const CHAIN: ChainId = ChainId::new(31337);
const RULE: &str = "[[detector]]\nid = \"vault-code\"\nasset = \"vault-core\"\nseverity = \"SEV3\"\nkind = \"calls\"\n\
                    patterns = [\"foreign-code\"]\nlimits = { native = \"1\" }\nstands_s = 600\n";

fn vault() -> Address {
    "0xe7f1725E7734CE288F8367e1Bb143E90bb3F0512".parse().unwrap()
}

fn block(number: u64, branch: u8) -> BlockRef {
    let mut hash = [branch; 32];
    hash[..8].copy_from_slice(&number.to_be_bytes());
    BlockRef { chain: CHAIN, number, hash: B256::from(hash), time: BlockTime::from_secs(1_800_000_000 + number) }
}

/// A block in which somebody calls the vault.
fn called(number: u64, branch: u8, parent: u8) -> FeedEvent {
    let one = Transaction {
        hash: B256::repeat_byte(1),
        kind: 2,
        from: Address::repeat_byte(2),
        to: Some(vault()),
        value: U256::ZERO,
        input: Default::default(),
        succeeded: Some(true),
    };
    let view = BlockView {
        block: block(number, branch),
        parent: block(number - 1, parent).hash,
        base_fee: Some(1),
        transactions: vec![one],
        logs: Vec::new(),
        reads: Default::default(),
        agreed: ["op-alder", "op-elm"].map(|name| name.parse().unwrap()).into(),
        unproved: false,
    };
    FeedEvent::Block { view: Box::new(view), finalized: None, arrived: now() }
}

/// The vault runs somebody's code.
async fn traced(node: &Node, block: BlockRef) -> TraceReport {
    let text = format!(
        r#"{{"type": "CALL", "from": "{0}", "to": "{1}", "calls": [{{"type": "DELEGATECALL", "from": "{1}", "to": "{2}", "input": "0x01020304"}}]}}"#,
        Address::repeat_byte(2),
        vault(),
        Address::repeat_byte(7)
    );
    let mut traces = Vec::new();
    read_traces::<TraceFault>(text.as_bytes(), |traced| {
        traces.push(Traced { tx: Some(B256::repeat_byte(1)), ..traced });
        Ok(())
    })
    .unwrap();
    let judge = node.chains[&CHAIN].detectors.calls_judge();
    report(block, judge, Asked { traces, fault: None }).await.unwrap()
}

fn found(node: &Node) -> Vec<Finding> {
    let findings = node.driver.machine().events().filter_map(|event| match &event.body {
        Body::Finding(finding) if finding.kind == "calls" => Some(finding.clone()),
        _ => None,
    });
    findings.collect()
}

/// Without an endpoint that traces the node says so; a trace that comes late is told with the next block, as context; one of a block that is
/// gone is nothing.
#[tokio::test]
async fn late_traces_are_told_with_the_next_block() {
    let (directory, config) = crate::run::fixture::directory();
    let charter = directory.path().join("charter.toml");
    std::fs::write(&charter, std::fs::read_to_string(&charter).unwrap() + RULE).unwrap();
    let Assembled { mut node, inbox: _inbox, output, socket: _socket } = assemble(open(&config).unwrap()).unwrap();
    node.take(output).await.unwrap();
    node.on_feed(CHAIN, called(1, 0, 0)).await.unwrap();
    node.on_feed(CHAIN, FeedEvent::Ready).await.unwrap();
    for number in 2..=7 {
        node.on_feed(CHAIN, called(number, 0, 0)).await.unwrap();
    }
    assert!(node.status().alarms.iter().any(|line| line.starts_with("detector-untraced: vault-code")));
    let gone = traced(&node, block(7, 1)).await;
    node.on_traced(gone);
    node.on_feed(CHAIN, called(8, 0, 0)).await.unwrap();
    assert_eq!(found(&node), [], "a block that is not this chain's");
    let late = traced(&node, block(7, 0)).await;
    node.on_traced(late);
    assert_eq!(found(&node), []);
    node.on_feed(CHAIN, called(9, 0, 0)).await.unwrap();
    let told = found(&node);
    assert_eq!((told.len(), told[0].block, told[0].figures["event_block"].as_str()), (1, block(9, 0), "7"));
    assert!(node.charter.is_context(&told[0].detector));

    // The reorg takes what it was told at and leaves what it is about: it is told again.
    node.on_feed(CHAIN, FeedEvent::Orphaned { blocks: vec![block(9, 0), block(8, 0)] }).await.unwrap();
    node.on_feed(CHAIN, called(8, 2, 0)).await.unwrap();
    assert_eq!(found(&node).iter().map(|finding| finding.block).collect::<Vec<_>>(), [block(9, 0), block(8, 2)]);
}
