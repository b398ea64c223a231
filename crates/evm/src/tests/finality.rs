//! What is final on a real node, by its tags, and who may say so.

use std::collections::BTreeSet;

use alloy_primitives::U64;
use serde_json::json;
use watchfire_types::BlockRef;

use super::anvil::{Anvil, PATIENCE, config, endpoint};
use super::operator::{Act, Operator};
use crate::client::ChainClient;
use crate::config::{Endpoint, Finality};
use crate::feed::{Backfill, FeedEvent};

/// Where each test starts, and how many blocks may pass until what was final there is said to be.
const START: u64 = 100;
const BLOCKS_MAX: u64 = 20;

async fn height(anvil: &Anvil, tag: &str) -> u64 {
    let block = anvil.call("eth_getBlockByNumber", json!([tag, false])).await;
    block["number"].as_str().unwrap().parse::<U64>().unwrap().to()
}

/// Mines until the feed calls a block of at least this height final; everything said is held against the node's own tag.
async fn final_from(anvil: &Anvil, tag: &str, least: u64, agree: usize, endpoints: Vec<Endpoint>) -> BlockRef {
    let finality = if tag == "safe" { Finality::Safe } else { Finality::Finalized };
    let client = ChainClient::connect(crate::ChainConfig { finality, ..config(agree, endpoints) }).await.unwrap();
    let mut events =
        client.feed(BTreeSet::new(), Backfill { window_s: 100, resume_after: None, ..Backfill::default() });
    let found = async {
        loop {
            let (view, finalized) = match events.recv().await.unwrap() {
                FeedEvent::Block { view, finalized, .. } => (view, finalized),
                FeedEvent::Ready | FeedEvent::EndpointHealth(_) => continue,
                other => panic!("{other:?}"),
            };
            let head = view.block.number;
            // What is scanned at the start is older than what is final by then.
            if let Some(block) = finalized.filter(|_| head > START) {
                assert!(block.number <= height(anvil, tag).await, "{tag}: {block:?}");
                assert_eq!(block.hash, anvil.hash(block.number).await);
                if block.number >= least {
                    return block;
                }
            }
            // The other tag would come this far too, much later.
            assert!(head < START + BLOCKS_MAX, "{tag}: nothing from {least} on is final at {head}");
            if head >= START {
                anvil.mine(1).await;
            }
        }
    };
    tokio::time::timeout(PATIENCE, found).await.expect("a final block in time")
}

/// Goal: with `finalized` and with `safe` in the charter exactly the blocks that the node's own tag covers are final.
#[tokio::test]
async fn the_nodes_tags_say_what_is_final() {
    for tag in ["finalized", "safe"] {
        let anvil = Anvil::start();
        anvil.mine(START).await;
        let (finalized, safe) = (height(&anvil, "finalized").await, height(&anvil, "safe").await);
        assert!(0 < finalized && finalized + BLOCKS_MAX < safe && safe + BLOCKS_MAX < START, "{finalized} {safe}");
        // What is final from the start on lies far below what is only safe, so neither can be taken for the other.
        let least = if tag == "safe" { safe } else { finalized };
        final_from(&anvil, tag, least, 1, vec![endpoint("a", &anvil.http)]).await;
    }
}

/// Goal: one operator of three that calls the newest block final, or nothing, moves no finality; what two of them cover is final.
#[tokio::test]
async fn one_operator_finalises_nothing() {
    let anvil = Anvil::start();
    anvil.mine(START).await;
    let newest = anvil.call("eth_getBlockByNumber", json!(["latest", false])).await;
    let hasty = Operator::start(&anvil.http, move |method, params| {
        if method == "eth_getBlockByNumber" && params[0] == "finalized" { Act::Say(newest.clone()) } else { Act::Pass }
    })
    .await;
    let without = Operator::start(&anvil.http, |method, params| {
        let tagged = method == "eth_getBlockByNumber" && params[0] == "finalized";
        if tagged { Act::Fail(-32602, "unknown block tag") } else { Act::Pass }
    })
    .await;
    let finalized = height(&anvil, "finalized").await;
    for bad in [&hasty, &without] {
        let endpoints = vec![endpoint("bad", &bad.url), endpoint("b", &anvil.http), endpoint("c", &anvil.http)];
        final_from(&anvil, "finalized", finalized, 2, endpoints).await;
    }
}
