//! What an answer says of who gave it, by the way in which it was asked for.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use serde_json::json;
use watchfire_evm::evidence::BlockFacts;

use super::*;
use crate::evidence::fixture::block;

/// A receipt that says it is of this block and leads to another root.
fn false_receipts(of: &BlockRef) -> Vec<u8> {
    let nobody = watchfire_types::Address::ZERO;
    let receipt = json!({
        "type": "0x2", "status": "0x1", "cumulativeGasUsed": "0x1", "logs": [], "logsBloom": format!("0x{}", "00".repeat(256)),
        "transactionHash": B256::ZERO, "transactionIndex": "0x0", "blockHash": of.hash, "blockNumber": "0x64",
        "gasUsed": "0x1", "effectiveGasPrice": "0x1", "from": nobody, "to": nobody, "contractAddress": null
    });
    json!({ "result": [receipt] }).to_string().into_bytes()
}

/// Receipts that had to be asked for one by one are a lie where the header proves of which transactions, and they say themselves that they are of
/// the block; else they are nothing.
#[test]
fn a_lie_is_one_only_where_the_question_was_right() {
    let (block, other) = (block(100), block(101));
    let want = Want::receipts(&block);
    let judge = |way: &Way, answer: &[u8], transactions_proved| {
        let (state_root, receipts_root, transactions) = (B256::ZERO, B256::ZERO, vec![B256::ZERO]);
        let facts = BlockFacts { state_root, receipts_root, transactions, transactions_proved };
        let mut known = Known::default();
        known.facts = Some(facts);
        way.judge(&want, answer, &block, &known, &Touched::new())
    };
    let singly = Way::Singly(vec![B256::ZERO]);
    let lie = false_receipts(&block);
    assert!(matches!(judge(&singly, &lie, true), Ok(Err(_))));
    assert!(judge(&singly, &lie, false).unwrap_err().contains("unproved"));
    assert!(judge(&singly, &false_receipts(&other), true).unwrap_err().contains("another block"));
    assert!(matches!(judge(&Way::Wanted, &false_receipts(&other), false), Ok(Err(_))), "it was asked for the block");
    let by_number = Way::ByNumber(RawRequest::new("eth_getBlockReceipts", &json!(["0x64"])));
    assert!(judge(&by_number, &lie, true).unwrap_err().contains("at that number"));
}
