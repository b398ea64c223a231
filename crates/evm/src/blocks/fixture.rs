//! Blocks as texts, with headers, roots and blooms by alloy's own code: a second opinion on ours.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use alloy::consensus::proofs::calculate_receipt_root;
use alloy::consensus::{Eip658Value, Receipt, ReceiptEnvelope, ReceiptWithBloom};
use alloy::primitives::{Address, B256, Bloom, Bytes, Log, keccak256};
use serde_json::{Value, json};

/// One transaction's outcome.
#[derive(Clone)]
pub(crate) struct Done {
    pub(crate) kind: u8,
    pub(crate) status: Eip658Value,
    pub(crate) logs: Vec<Log>,
}

/// A log with as many topics.
pub(crate) fn log(address: u8, topics: &[B256], data: &[u8]) -> Log {
    Log::new(Address::repeat_byte(address), topics.to_vec(), Bytes::copy_from_slice(data)).unwrap()
}

/// A transaction that succeeds.
pub(crate) fn done(kind: u8, logs: Vec<Log>) -> Done {
    Done { kind, status: Eip658Value::Eip658(true), logs }
}

pub(crate) fn envelope(done: &Done, gas: u64) -> ReceiptEnvelope {
    let receipt = Receipt { status: done.status, cumulative_gas_used: gas, logs: done.logs.clone() };
    let whole: ReceiptWithBloom<Receipt> = receipt.into();
    match done.kind {
        1 => ReceiptEnvelope::Eip2930(whole),
        2 => ReceiptEnvelope::Eip1559(whole),
        3 => ReceiptEnvelope::Eip4844(whole),
        4 => ReceiptEnvelope::Eip7702(whole),
        _ => ReceiptEnvelope::Legacy(whole),
    }
}

fn hash(number: u64, index: usize) -> B256 {
    keccak256(format!("{number}/{index}"))
}

/// `{"block": .., "receipts": [..]}` with these transactions; the first calls the account that is twenty times 0x0a, the others create.
pub(crate) fn entry(number: u64, parent: B256, outcomes: &[Done]) -> Value {
    let envelopes: Vec<_> = outcomes.iter().zip(1..).map(|(done, nth)| envelope(done, 21_000 * nth)).collect();
    entry_with_root(number, parent, outcomes, calculate_receipt_root(&envelopes))
}

/// The same under another root.
pub(crate) fn entry_with_root(number: u64, parent: B256, outcomes: &[Done], receipts_root: B256) -> Value {
    let mut logs_bloom = Bloom::ZERO;
    outcomes.iter().flat_map(|done| &done.logs).for_each(|log| logs_bloom.accrue_log(log));
    let header = alloy::consensus::Header {
        number,
        parent_hash: parent,
        timestamp: 1_000 + number,
        receipts_root,
        logs_bloom,
        base_fee_per_gas: Some(7),
        ..Default::default()
    };
    let mut block = serde_json::to_value(alloy::rpc::types::Header::new(header)).unwrap();
    let transaction = |(index, done): (usize, &Done)| {
        let to = (index == 0).then(|| Address::repeat_byte(10));
        json!({
            "hash": hash(number, index), "type": format!("{:#x}", done.kind), "from": Address::repeat_byte(9), "to": to,
            "value": "0x5", "input": "0x0102", "chainId": "0x7a69", "authorizationList": [], "someFieldOfLater": {"a": [1]},
        })
    };
    block["transactions"] = outcomes.iter().enumerate().map(transaction).collect();
    block["someFieldOfLater"] = json!(null);
    let receipt = |(index, done): (usize, &Done)| {
        let mut bloom = Bloom::ZERO;
        done.logs.iter().for_each(|log| bloom.accrue_log(log));
        let mut receipt = json!({
            "logsBloom": bloom, "transactionHash": hash(number, index), "type": format!("{:#x}", done.kind),
            "cumulativeGasUsed": format!("{:#x}", 21_000 * (index + 1)), "logs": done.logs, "someFieldOfLater": "0x",
        });
        match done.status {
            Eip658Value::Eip658(succeeded) => receipt["status"] = json!(if succeeded { "0x1" } else { "0x0" }),
            Eip658Value::PostState(root) => receipt["root"] = json!(root),
        }
        receipt
    };
    let receipts: Vec<Value> = outcomes.iter().enumerate().map(receipt).collect();
    json!({ "block": block, "receipts": receipts })
}

/// The hash of an entry's block.
pub(crate) fn hash_of(entry: &Value) -> B256 {
    entry["block"]["hash"].as_str().unwrap().parse().unwrap()
}
