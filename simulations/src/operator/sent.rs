//! Transactions that a node handed to its operator, passed on or not: what it really bid, whatever it says of it.

use alloy::consensus::transaction::SignerRecoverable as _;
use alloy::consensus::{Transaction as _, TxEnvelope};
use alloy::eips::Decodable2718 as _;
use alloy_primitives::Address;
use serde_json::Value;

use crate::bid::Bid;

/// Transactions kept; the oldest goes first.
const SENT_MAX: usize = 1_024;

/// One transaction.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Sent {
    pub(crate) from: Address,
    pub(crate) nonce: u64,
    pub(crate) bid: Bid,
}

/// Keeps the transactions of a request or a batch, each once.
pub(super) fn keep(kept: &mut Vec<Sent>, request: &Value) {
    let all = request.as_array().map_or_else(|| std::slice::from_ref(request), Vec::as_slice);
    for one in all.iter().filter(|one| one["method"] == "eth_sendRawTransaction") {
        let sent = one["params"][0].as_str().and_then(decode);
        let Some(sent) = sent.filter(|sent| kept.iter().all(|other| other.bid.hash != sent.bid.hash)) else { continue };
        if kept.len() == SENT_MAX {
            kept.remove(0);
        }
        kept.push(sent);
    }
}

fn decode(raw: &str) -> Option<Sent> {
    let bytes = hex::decode(raw.strip_prefix("0x")?).ok()?;
    let transaction = TxEnvelope::decode_2718(&mut bytes.as_slice()).ok()?;
    let bid = Bid {
        hash: *transaction.tx_hash(),
        max_fee: transaction.max_fee_per_gas(),
        tip: transaction.max_priority_fee_per_gas().unwrap_or_default(),
    };
    Some(Sent { from: transaction.recover_signer().ok()?, nonce: transaction.nonce(), bid })
}
