//! Blocks as files hold them, with headers, roots and blooms that hold together.

use alloy::consensus::proofs::calculate_receipt_root;
use alloy::consensus::{Eip658Value, Header, Receipt, ReceiptEnvelope, ReceiptWithBloom};
use alloy::primitives::{Address, B256, Bloom, Log, U256, keccak256};
use serde_json::{Value, json};

/// Who is called, and emits.
fn vault() -> Address {
    "0x1000000000000000000000000000000000000001".parse().unwrap()
}

/// Blocks 1, 2, ... ten seconds apart: for each amount a transaction with 7 wei that calls `withdraw(uint256)` of the vault, which emits
/// `Moved(address indexed to, uint256 amount)`.
pub(crate) fn chain(amounts: &[&[u64]]) -> Vec<Value> {
    let mut parent = B256::ZERO;
    let mut blocks = Vec::new();
    for (number, amounts) in (1..).zip(amounts) {
        let block = block(number, parent, amounts);
        parent = block["block"]["hash"].as_str().unwrap().parse().unwrap();
        blocks.push(block);
    }
    blocks
}

fn block(number: u64, parent_hash: B256, amounts: &[u64]) -> Value {
    let word = |amount: u64| U256::from(amount).to_be_bytes::<32>();
    let topics = vec![keccak256("Moved(address,uint256)"), Address::repeat_byte(9).into_word()];
    let log = |amount: u64| Log::new(vault(), topics.clone(), word(amount).to_vec().into()).unwrap();
    let logs: Vec<Log> = amounts.iter().map(|amount| log(*amount)).collect();
    let receipts: Vec<ReceiptEnvelope> = logs.iter().zip(1..).map(|(log, nth)| receipt(log, nth)).collect();
    let mut logs_bloom = Bloom::ZERO;
    logs.iter().for_each(|log| logs_bloom.accrue_log(log));
    let receipts_root = calculate_receipt_root(&receipts);
    let timestamp = 1_000 + number * 10;
    let header = Header { number, parent_hash, timestamp, receipts_root, logs_bloom, ..Default::default() };
    let mut block = serde_json::to_value(alloy::rpc::types::Header::new(header)).unwrap();
    let hash = |index: usize| keccak256(format!("{number}/{index}"));
    let sent = |(index, amount): (usize, &u64)| {
        let input = [&keccak256("withdraw(uint256)")[..4], &word(*amount)].concat();
        json!({
            "hash": hash(index), "type": "0x2", "from": Address::repeat_byte(9), "to": vault(), "value": "0x7",
            "input": format!("0x{}", alloy::primitives::hex::encode(input)), "chainId": "0x1",
        })
    };
    block["transactions"] = amounts.iter().enumerate().map(sent).collect();
    let told = |(index, log): (usize, &Log)| {
        json!({
            "transactionHash": hash(index), "type": "0x2", "status": "0x1",
            "cumulativeGasUsed": format!("{:#x}", 21_000 * (index + 1)), "logs": [log],
        })
    };
    let receipts: Vec<Value> = logs.iter().enumerate().map(told).collect();
    json!({ "block": block, "receipts": receipts })
}

fn receipt(log: &Log, nth: u64) -> ReceiptEnvelope {
    let logs = vec![log.clone()];
    let receipt = Receipt { status: Eip658Value::Eip658(true), cumulative_gas_used: 21_000 * nth, logs };
    ReceiptEnvelope::Eip1559(ReceiptWithBloom::from(receipt))
}
