//! A Safe of three owners with keys, and transactions in its queue as its service gives them.

use alloy::primitives::eip191_hash_message;
use alloy::signers::SignerSync as _;
use alloy::signers::local::PrivateKeySigner;
use serde_json::{Value, json};
use watchfire_types::{Address, B256, Bytes, Operation, SafeTransaction, SafeVersion, U256};

use super::WatchedSafe;

pub(crate) const VAULT: Address = Address::repeat_byte(0x51);
pub(crate) const PAYEE: Address = Address::repeat_byte(0x77);

/// One of the owners, or from 3 on a stranger.
pub(crate) fn key(number: u8) -> PrivateKeySigner {
    PrivateKeySigner::from_bytes(&B256::repeat_byte(number + 1)).unwrap()
}

pub(crate) fn safe() -> WatchedSafe {
    WatchedSafe {
        chain_id: 31337,
        safe: Address::repeat_byte(0x5a),
        version: SafeVersion { major: 1, minor: 4, patch: 1 },
        owners: (0..3).map(|number| key(number).address()).collect(),
        watched: [VAULT].into(),
        call_only: [Address::repeat_byte(0xca)].into(),
    }
}

/// A plain payment.
pub(crate) fn payment(nonce: u64) -> SafeTransaction {
    SafeTransaction { value: U256::from(5), ..SafeTransaction::call(PAYEE, Bytes::new(), U256::from(nonce)) }
}

pub(crate) fn hash(transaction: &SafeTransaction) -> B256 {
    let WatchedSafe { chain_id, safe, version, .. } = safe();
    transaction.hashes(version, chain_id, safe).safe_tx_hash
}

/// A confirmation by a key over a hash, as its device signs or as `eth_sign` does.
pub(crate) fn signed(by: &PrivateKeySigner, hash: B256, is_message: bool) -> Value {
    let over = if is_message { eip191_hash_message(hash) } else { hash };
    let mut bytes = by.sign_hash_sync(&over).unwrap().as_bytes();
    if is_message {
        bytes[64] += 4;
    }
    confirmation(by.address(), &bytes)
}

pub(crate) fn confirmation(owner: Address, signature: &[u8]) -> Value {
    json!({ "owner": owner, "submissionDate": "2026-11-22T10:00:00Z", "transactionHash": null, "signature": format!("0x{}", hex::encode(signature)), "signatureType": "EOA" })
}

/// As `/api/v2` gives it: numbers as texts.
pub(crate) fn queued(transaction: &SafeTransaction, confirmations: &[Value]) -> Value {
    let data = (!transaction.data.is_empty()).then(|| format!("0x{}", hex::encode(&transaction.data)));
    json!({
        "safe": safe().safe, "to": transaction.to, "value": transaction.value.to_string(), "data": data,
        "operation": u8::from(transaction.operation == Operation::DelegateCall),
        "gasToken": transaction.gas_token, "safeTxGas": transaction.safe_tx_gas.to_string(),
        "baseGas": transaction.base_gas.to_string(), "gasPrice": transaction.gas_price.to_string(),
        "refundReceiver": transaction.refund_receiver, "nonce": transaction.nonce.to_string(),
        "executionDate": null, "submissionDate": "2026-11-22T10:00:00Z", "blockNumber": null, "transactionHash": null,
        "safeTxHash": hash(transaction), "proposer": key(0).address(), "executor": null, "isExecuted": false,
        "isSuccessful": null, "origin": "{}", "dataDecoded": null, "confirmationsRequired": 2,
        "confirmations": confirmations, "trusted": true, "signatures": null,
    })
}

/// A page of the service.
pub(crate) fn page(queue: &[Value]) -> Vec<u8> {
    json!({ "count": queue.len(), "next": null, "previous": null, "results": queue }).to_string().into_bytes()
}
