//! Raw evidence from a real anvil: bytes as they came, and what the header proves of them; liars and the limits of operators.

use std::collections::BTreeSet;

use alloy_primitives::{Address, B256, address};
use serde_json::{Value, json};
use watchfire_types::{BlockRef, BlockTime, Bytes, OperatorId};

use super::anvil::{Anvil, CHAIN, PATIENCE, patient};
use super::operator::{Act, Operator};
use crate::config::ChainConfig;
use crate::error::RpcError;
use crate::evidence::{self, EvidenceFault};
use crate::{ChainClient, RawFault, RawRequest};

const SENDER: Address = address!("f39Fd6e51aad88F6F4ce6aB8827279cffFb92266");
const RECEIVER: Address = address!("70997970C51812dc3A010C7d01b50e0d17dc79C8");

fn operator() -> OperatorId {
    "op-alder".parse().unwrap()
}

/// A chain with one block of three payments, through one operator.
async fn chain() -> (Anvil, Operator, std::sync::Arc<ChainClient>, BlockRef) {
    chain_of(3).await
}

/// The same of so many.
async fn chain_of(payments: u64) -> (Anvil, Operator, std::sync::Arc<ChainClient>, BlockRef) {
    let anvil = Anvil::start();
    anvil.call("evm_setAutomine", json!([false])).await;
    for value in 1..=payments {
        let value = format!("{value:#x}");
        anvil.call("eth_sendTransaction", json!([{ "from": SENDER, "to": RECEIVER, "value": value }])).await;
    }
    anvil.mine(1).await;
    let operator = Operator::start(&anvil.http, |_, _| Act::Pass).await;
    let config = ChainConfig::single(CHAIN, self::operator(), operator.url.clone());
    let client = ChainClient::connect(ChainConfig { limits: patient(), ..config }).await.unwrap();
    let (number, header) = (anvil.number().await, anvil.call("eth_getBlockByNumber", json!(["latest", false])).await);
    let time = u64::from_str_radix(header["timestamp"].as_str().unwrap().trim_start_matches("0x"), 16).unwrap();
    let block = BlockRef { chain: CHAIN, number, hash: anvil.hash(number).await, time: BlockTime::from_secs(time) };
    (anvil, operator, client, block)
}

async fn raw(client: &ChainClient, method: &'static str, params: Value) -> Result<Bytes, RawFault> {
    client.raw(&operator(), &RawRequest::new(method, &params), 1 << 20, PATIENCE).await
}

fn contradicts(result: &Result<impl std::fmt::Debug, EvidenceFault>) -> bool {
    matches!(result, Err(EvidenceFault::Contradicts(_)))
}

/// Header, transactions, receipts and their proofs, logs and state lead to the block's hash and roots.
#[tokio::test]
async fn an_honest_block_is_proved_whole() {
    let (_anvil, _operator, client, block) = chain().await;
    let body = raw(&client, "eth_getBlockByHash", json!([block.hash, true])).await.unwrap();
    let facts = evidence::block(&body, &block).unwrap();
    let receipts = raw(&client, "eth_getBlockReceipts", json!([block.hash])).await.unwrap();
    evidence::receipts(&receipts, &facts).unwrap();
    let of = BTreeSet::from([RECEIVER]);
    let proofs = evidence::receipt_proofs(&receipts, &block, &facts, &of).unwrap().unwrap();
    let proofs: Value = serde_json::from_slice(&proofs).unwrap();
    assert_eq!(proofs["receipts"].as_array().unwrap().len(), 3);
    for proof in proofs["receipts"].as_array().unwrap() {
        let field = |name: &str| proof[name].as_str().unwrap().parse::<alloy_primitives::Bytes>().unwrap();
        let nodes: Vec<alloy_primitives::Bytes> = serde_json::from_value(proof["proof"].clone()).unwrap();
        let path = alloy_trie::Nibbles::unpack(field("key"));
        alloy_trie::proof::verify_proof(facts.receipts_root, path, Some(field("value").to_vec()), &nodes).unwrap();
    }
    assert_eq!(evidence::receipt_proofs(&receipts, &block, &facts, &BTreeSet::new()).unwrap(), None);
    let logs = raw(&client, "eth_getLogs", json!([{ "blockHash": block.hash, "address": [RECEIVER] }])).await.unwrap();
    evidence::logs(&logs, &receipts, &of).unwrap();
    let slot = B256::ZERO;
    for account in [RECEIVER, Address::repeat_byte(0x77)] {
        let proof = raw(&client, "eth_getProof", json!([account, [slot], { "blockHash": block.hash }])).await.unwrap();
        evidence::state_proof(&proof, &facts, account, &[slot]).unwrap();
        assert!(contradicts(&evidence::state_proof(&proof, &facts, SENDER, &[slot])), "another account's proof");
        assert!(
            contradicts(&evidence::state_proof(&proof, &facts, account, &[B256::with_last_byte(9)])),
            "another slot's"
        );
    }
    let tracer = json!([block.hash, { "tracer": "prestateTracer", "tracerConfig": { "diffMode": true } }]);
    let first = raw(&client, "debug_traceBlockByHash", tracer.clone()).await.unwrap();
    assert!(evidence::same_result(&first, &raw(&client, "debug_traceBlockByHash", tracer).await.unwrap()));
    assert!(!evidence::same_result(&first, &logs));
}

/// Every receipt of a crowded block has its proof, and nothing is left out.
#[tokio::test]
async fn a_crowded_block_is_proved_whole() {
    let (_anvil, _operator, client, block) = chain_of(150).await;
    let body = raw(&client, "eth_getBlockByHash", json!([block.hash, true])).await.unwrap();
    let facts = evidence::block(&body, &block).unwrap();
    let receipts = raw(&client, "eth_getBlockReceipts", json!([block.hash])).await.unwrap();
    let proofs = evidence::receipt_proofs(&receipts, &block, &facts, &BTreeSet::from([RECEIVER])).unwrap().unwrap();
    let proofs: Value = serde_json::from_slice(&proofs).unwrap();
    assert!(proofs.get("leftOut").is_none());
    let proofs = proofs["receipts"].as_array().unwrap();
    assert_eq!(proofs.len(), 150);
    for proof in proofs {
        let field = |name: &str| proof[name].as_str().unwrap().parse::<alloy_primitives::Bytes>().unwrap();
        let nodes: Vec<alloy_primitives::Bytes> = serde_json::from_value(proof["proof"].clone()).unwrap();
        let path = alloy_trie::Nibbles::unpack(field("key"));
        alloy_trie::proof::verify_proof(facts.receipts_root, path, Some(field("value").to_vec()), &nodes).unwrap();
    }
}

/// Receipts had one by one are those of the whole block, whatever the operator says beside the root.
#[tokio::test]
async fn receipts_had_one_by_one_are_the_blocks() {
    let (_anvil, operator, client, block) = chain_of(5).await;
    let body = raw(&client, "eth_getBlockByHash", json!([block.hash, true])).await.unwrap();
    let facts = evidence::block(&body, &block).unwrap();
    let whole = raw(&client, "eth_getBlockReceipts", json!([block.hash])).await.unwrap();
    operator.now(|method, _| match method {
        "eth_getBlockReceipts" => Act::Fail(-32601, "method not found"),
        _ => Act::Pass,
    });
    assert!(matches!(raw(&client, "eth_getBlockReceipts", json!([block.hash])).await, Err(RawFault::Unsupported(_))));
    assert!(facts.transactions_proved && facts.transactions.len() == 5);
    let mut results = Vec::new();
    for transaction in &facts.transactions {
        let question = evidence::single_receipt(transaction);
        let answer = client.raw(&self::operator(), &question, 1 << 20, PATIENCE).await.unwrap();
        results.push(evidence::result(&answer).unwrap());
    }
    let together = evidence::together(&results);
    evidence::receipts(&together, &facts).unwrap();
    assert!(evidence::same_result(&together, &whole) && evidence::are_of(&together, &block));
    assert!(!evidence::are_of(&together, &BlockRef { hash: B256::ZERO, ..block }));
    let proofs = |answer| evidence::receipt_proofs(answer, &block, &facts, &BTreeSet::from([RECEIVER])).unwrap();
    assert_eq!(proofs(&together), proofs(&whole));
    results.swap(0, 1);
    assert!(contradicts(&evidence::receipts(&evidence::together(&results), &facts)));
}

/// The hash beside a transaction, which no root covers, is worked out where the transaction is of a known kind.
#[tokio::test]
async fn transactions_are_named_by_the_root() {
    let (_anvil, operator, client, block) = chain().await;
    let named = |answer: &[u8]| evidence::block(answer, &block).unwrap();
    let honest = named(&raw(&client, "eth_getBlockByHash", json!([block.hash, true])).await.unwrap());
    operator.now(|_, _| Act::Change(|block| block["transactions"][1]["hash"] = json!(B256::ZERO)));
    let lie = named(&raw(&client, "eth_getBlockByHash", json!([block.hash, true])).await.unwrap());
    assert_eq!(lie, honest);
    operator.now(|_, _| Act::Change(|block| block["transactions"][1]["type"] = json!("0x6a")));
    let unknown = named(&raw(&client, "eth_getBlockByHash", json!([block.hash, true])).await.unwrap());
    assert!(!unknown.transactions_proved);
    assert_eq!(unknown.transactions, honest.transactions);
}

/// An operator that changes a header, a transaction, a receipt or a balance is caught by the root; its bytes are there all the same.
#[tokio::test]
async fn a_lie_contradicts_the_block() {
    let (_anvil, operator, client, block) = chain().await;
    let true_block = raw(&client, "eth_getBlockByHash", json!([block.hash, true])).await.unwrap();
    let facts = evidence::block(&true_block, &block).unwrap();
    operator.now(|_, _| Act::Change(|result| result["gasUsed"] = json!("0x1")));
    let lie = raw(&client, "eth_getBlockByHash", json!([block.hash, true])).await.unwrap();
    assert!(contradicts(&evidence::block(&lie, &block)));
    operator.now(|_, _| Act::Change(|result| result["transactions"][1]["value"] = json!("0x9")));
    let lie = raw(&client, "eth_getBlockByHash", json!([block.hash, true])).await.unwrap();
    assert!(contradicts(&evidence::block(&lie, &block)));
    operator.now(|_, _| Act::Change(|result| result[1]["status"] = json!("0x0")));
    let lie = raw(&client, "eth_getBlockReceipts", json!([block.hash])).await.unwrap();
    assert!(contradicts(&evidence::receipts(&lie, &facts)));
    operator.now(|_, _| Act::Change(|result| result["balance"] = json!("0x1")));
    let lie = raw(&client, "eth_getProof", json!([RECEIVER, [], { "blockHash": block.hash }])).await.unwrap();
    assert!(contradicts(&evidence::state_proof(&lie, &facts, RECEIVER, &[])));
}

/// Of an account that is not there clients state zero hashes or those of nothing; whatever else is stated of it is no state.
#[tokio::test]
async fn an_absent_account_has_nothing() {
    let (_anvil, _operator, client, block) = chain().await;
    let body = raw(&client, "eth_getBlockByHash", json!([block.hash, true])).await.unwrap();
    let facts = evidence::block(&body, &block).unwrap();
    let (account, slot) = (Address::repeat_byte(0x77), B256::ZERO);
    let question = json!([account, [slot], { "blockHash": block.hash }]);
    let answer = raw(&client, "eth_getProof", question).await.unwrap();
    for (field, stated, holds) in [
        ("codeHash", json!(B256::ZERO), true),
        ("storageHash", json!(B256::ZERO), true),
        ("balance", json!("0x1"), false),
        ("nonce", json!("0x1"), false),
        ("codeHash", json!(B256::repeat_byte(1)), false),
        ("storageHash", json!(B256::repeat_byte(1)), false),
    ] {
        let mut changed: Value = serde_json::from_slice(&answer).unwrap();
        changed["result"][field] = stated.clone();
        let changed = serde_json::to_vec(&changed).unwrap();
        assert_eq!(evidence::state_proof(&changed, &facts, account, &[slot]).is_ok(), holds, "{field} {stated}");
    }
}

/// Each way of not answering has its name, and the size of an answer its bound.
#[tokio::test]
async fn faults_are_named() {
    let (_anvil, operator, client, block) = chain().await;
    let ask = || raw(&client, "eth_getBlockByHash", json!([block.hash, true]));
    operator.now(|_, _| Act::Fail(-32000, "missing trie node 1234 (path ) state 0x1 is not available"));
    assert!(matches!(ask().await, Err(RawFault::Pruned(_))));
    operator.now(|_, _| Act::Fail(-32601, "the method debug_traceBlockByHash does not exist/is not available"));
    assert!(matches!(ask().await, Err(RawFault::Unsupported(_))));
    operator.now(|_, _| Act::Say(Value::Null));
    assert_eq!(ask().await, Err(RawFault::UnknownBlock));
    operator.now(|_, _| Act::Pass);
    let small = RawRequest::new("eth_getBlockByHash", &json!([block.hash, true]));
    assert_eq!(client.raw(&self::operator(), &small, 100, PATIENCE).await, Err(RawFault::TooLong(100)));
    let stranger = "op-nobody".parse().unwrap();
    assert!(matches!(client.raw(&stranger, &small, 100, PATIENCE).await, Err(RawFault::Unreachable(_))));
    operator.now(|_, _| Act::Status(429));
    assert!(matches!(ask().await, Err(RawFault::RateLimited { .. })));
    // An operator that asks for an hour is asked again before the evidence is gone.
    let refused = RpcError::RateLimited { retry_after_ms: Some(3_600_000) };
    assert_eq!(RawFault::from(refused), RawFault::RateLimited { retry_after_ms: 60_000 });
}

/// An operator that limits evidence slows evidence alone: the feed's questions do not rest, and the endpoint stays healthy.
#[tokio::test]
async fn a_limit_on_evidence_rests_nobody_else() {
    let (_anvil, operator, client, block) = chain().await;
    operator.now(|method, _| if method == "eth_getBlockReceipts" { Act::Status(429) } else { Act::Pass });
    for _ in 0..2 {
        let refused = raw(&client, "eth_getBlockReceipts", json!([block.hash])).await;
        assert!(matches!(refused, Err(RawFault::RateLimited { .. })), "{refused:?}");
    }
    assert!(client.health().iter().all(|endpoint| endpoint.healthy));
    let mut feed = client.feed(BTreeSet::new(), crate::Backfill::default());
    let ready = async { while !matches!(feed.recv().await, Some(crate::FeedEvent::Ready) | None) {} };
    tokio::time::timeout(PATIENCE, ready).await.unwrap();
    assert!(client.health().iter().all(|endpoint| endpoint.healthy));
}
