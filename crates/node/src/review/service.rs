//! Queued transactions as a Safe transaction service gives them (`/api/v1` with numbers, `/api/v2` with numbers as texts).

use alloy::primitives::Bytes as Hex;
use serde::{Deserialize, Deserializer};
use serde_json::Value;
use thiserror::Error;
use watchfire_types::{Address, B256, Bytes, Operation, SafeTransaction, U256};

use super::{Claimed, Proposal};

/// Most transactions of a queue that are looked at.
pub const QUEUE_MAX: usize = 100;

/// Why a text is no queue.
#[derive(Debug, Error)]
pub enum NoQueue {
    /// Not JSON, or other JSON.
    #[error("it is no answer of a Safe transaction service: {0}")]
    Json(#[from] serde_json::Error),
    /// An operation that no Safe has.
    #[error("a transaction of nonce {nonce} has operation {operation}, and there are 0 and 1 only")]
    Operation {
        /// Its nonce.
        nonce: U256,
        /// What it is.
        operation: u8,
    },
    /// More than is looked at.
    #[error("it has {0} transactions, and at most {QUEUE_MAX} are looked at")]
    TooMany(usize),
}

/// What a service says of a Safe.
#[derive(Debug, Deserialize)]
pub struct Info {
    /// The nonce of the next transaction that is executed.
    #[serde(deserialize_with = "number")]
    pub nonce: U256,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Transaction {
    safe: Address,
    to: Address,
    #[serde(deserialize_with = "number")]
    value: U256,
    data: Option<Hex>,
    operation: u8,
    #[serde(deserialize_with = "number")]
    safe_tx_gas: U256,
    #[serde(deserialize_with = "number")]
    base_gas: U256,
    #[serde(deserialize_with = "number")]
    gas_price: U256,
    gas_token: Option<Address>,
    refund_receiver: Option<Address>,
    #[serde(deserialize_with = "number")]
    nonce: U256,
    safe_tx_hash: B256,
    #[serde(default)]
    confirmations: Option<Vec<Confirmation>>,
    #[serde(default)]
    is_executed: bool,
}

#[derive(Deserialize)]
struct Confirmation {
    owner: Address,
    signature: Option<Hex>,
}

/// A whole number, or one in decimal digits as a text.
fn number<'de, D: Deserializer<'de>>(deserializer: D) -> Result<U256, D::Error> {
    #[derive(Deserialize)]
    #[serde(untagged)]
    enum Number {
        Whole(u64),
        Text(String),
    }
    match Number::deserialize(deserializer)? {
        Number::Whole(number) => Ok(U256::from(number)),
        Number::Text(text) if !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit()) => {
            U256::from_str_radix(&text, 10).map_err(serde::de::Error::custom)
        }
        Number::Text(_) => Err(serde::de::Error::custom("a number is not in decimal digits")),
    }
}

/// What waits in a queue: a page of the service, a list, or one transaction. What is executed is left out.
///
/// # Errors
/// [`NoQueue`]; nothing of a text that is not understood whole is looked at.
pub fn queue(text: &[u8]) -> Result<Vec<Proposal>, NoQueue> {
    let all = match serde_json::from_slice(text)? {
        Value::Array(all) => all,
        Value::Object(mut page) if page.contains_key("results") => {
            serde_json::from_value(page.remove("results").unwrap_or_default())?
        }
        one => vec![one],
    };
    if all.len() > QUEUE_MAX {
        return Err(NoQueue::TooMany(all.len()));
    }
    let all: Vec<Transaction> = all.into_iter().map(serde_json::from_value).collect::<Result<_, _>>()?;
    all.into_iter().filter(|one| !one.is_executed).map(proposal).collect()
}

fn proposal(one: Transaction) -> Result<Proposal, NoQueue> {
    let Transaction { safe, to, value, data, nonce, safe_tx_gas, base_gas, gas_price, safe_tx_hash, .. } = one;
    let operation = match one.operation {
        0 => Operation::Call,
        1 => Operation::DelegateCall,
        operation => return Err(NoQueue::Operation { nonce, operation }),
    };
    let transaction = SafeTransaction {
        to,
        value,
        data: data.map_or_else(Bytes::new, |data| data.0),
        operation,
        safe_tx_gas,
        base_gas,
        gas_price,
        gas_token: one.gas_token.unwrap_or_default(),
        refund_receiver: one.refund_receiver.unwrap_or_default(),
        nonce,
    };
    let signatures = one.confirmations.unwrap_or_default().into_iter();
    let signatures = signatures.map(|Confirmation { owner, signature }| {
        let signature = signature.map_or_else(Bytes::new, |signature| signature.0);
        Claimed { owner, signature }
    });
    Ok(Proposal { safe, transaction, claimed: safe_tx_hash, signatures: signatures.collect() })
}
