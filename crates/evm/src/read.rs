//! State reads of one endpoint, pinned to a block hash.

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use alloy::rpc::types::Header;
use alloy_primitives::{Bytes as AlloyBytes, U256, keccak256};
use bytes::Bytes;
use serde_json::{Value, json};
use watchfire_types::{BlockRef, ChainId, Read, ReadOutcome};

use crate::budget::Priority;
use crate::endpoint::{Remote, decode};
use crate::error::RpcError;
use crate::head::Head;
use crate::rpc::{Answer, Request};

/// Longest answer of one read; longer ones are refused, not cut.
const READ_BYTES_MAX: usize = 64 * 1024;

/// The block parameter of EIP-1898.
pub(crate) fn by_hash(block: &BlockRef) -> Value {
    json!({ "blockHash": block.hash })
}

pub(crate) fn quantity(number: u64) -> Value {
    Value::String(format!("{number:#x}"))
}

/// The header at a number or tag, checked against its own hash.
pub(crate) async fn header(
    remote: &Remote,
    chain: ChainId,
    at: &Value,
    priority: Priority,
    timeout: Duration,
) -> Result<Head, RpcError> {
    let request = Request::new("eth_getBlockByNumber", json!([at, false]));
    let header: Option<Header> = remote.one(priority, request, timeout).await?;
    Head::check(chain, &header.ok_or(RpcError::UnknownBlock)?)
}

/// Checked headers at these heights, one answer each.
pub(crate) async fn headers(
    remote: Arc<Remote>,
    chain: ChainId,
    numbers: Vec<u64>,
    priority: Priority,
    timeout: Duration,
) -> Vec<Result<Head, RpcError>> {
    let requests: Vec<Request> =
        numbers.iter().map(|number| Request::new("eth_getBlockByNumber", json!([quantity(*number), false]))).collect();
    let answers = remote.ask(priority, &requests, timeout).await;
    let checked = answers.into_iter().zip(numbers).map(|(answer, number)| {
        let head = Head::check(chain, &decode::<Header>(&answer?)?.ok_or(RpcError::UnknownBlock)?)?;
        if head.block.number == number {
            Ok(head)
        } else {
            Err(RpcError::Garbage(format!("asked for block {number}, got {}", head.block.number)))
        }
    });
    checked.collect()
}

/// The answers of one endpoint to these reads at this block. Where the endpoint does not know EIP-1898 it is asked by number,
/// and the number must have this hash before and after.
pub(crate) async fn reads(
    remote: Arc<Remote>,
    block: BlockRef,
    reads: Arc<Vec<Read>>,
    priority: Priority,
    timeout: Duration,
) -> Vec<Result<ReadOutcome, RpcError>> {
    let lacks = &remote.lacks.block_hash_parameter;
    if !lacks.load(Ordering::Relaxed) {
        let answers = ask(&remote, &reads, &by_hash(&block), priority, timeout).await;
        let misunderstood =
            !answers.is_empty() && answers.iter().all(|answer| answer.as_ref().is_err_and(is_unknown_parameter));
        if !misunderstood {
            return answers;
        }
    }
    let same = || async { is_canonical(&remote, &block, priority, timeout).await };
    if let Err(error) = same().await {
        return reads.iter().map(|_| Err(error.clone())).collect();
    }
    let answers = ask(&remote, &reads, &quantity(block.number), priority, timeout).await;
    if let Err(error) = same().await {
        return reads.iter().map(|_| Err(error.clone())).collect();
    }
    if answers.iter().any(Result::is_ok) && !lacks.swap(true, Ordering::Relaxed) {
        tracing::info!(endpoint.name = %remote.config.name, "endpoint reads by number only");
    }
    answers
}

/// Whether the endpoint's canonical block at this height is this one.
pub(crate) async fn is_canonical(
    remote: &Remote,
    block: &BlockRef,
    priority: Priority,
    timeout: Duration,
) -> Result<(), RpcError> {
    let head = header(remote, block.chain, &quantity(block.number), priority, timeout).await?;
    if head.block.hash == block.hash { Ok(()) } else { Err(RpcError::UnknownBlock) }
}

/// What a node says to a block parameter that it cannot parse; a pruned state or a revert is something else.
fn is_unknown_parameter(error: &RpcError) -> bool {
    let RpcError::Node { code, message, .. } = error else { return matches!(error, RpcError::Http(400)) };
    let text = message.to_ascii_lowercase();
    matches!(code, -32602 | -32600 | -32700)
        || ["invalid argument", "invalid params", "cannot unmarshal", "invalid type", "deserialize"]
            .iter()
            .any(|known| text.contains(known))
}

async fn ask(
    remote: &Remote,
    reads: &[Read],
    at: &Value,
    priority: Priority,
    timeout: Duration,
) -> Vec<Result<ReadOutcome, RpcError>> {
    let requests: Vec<Request> = reads.iter().map(|read| request(read, at)).collect();
    let answers = remote.ask(priority, &requests, timeout).await;
    answers.into_iter().zip(reads).map(|(answer, read)| outcome(read, answer)).collect()
}

fn request(read: &Read, at: &Value) -> Request {
    match read {
        Read::Call { to, data } => {
            Request::new("eth_call", json!([{ "to": to, "data": AlloyBytes::from(data.clone()) }, at]))
        }
        Read::Balance { account } => Request::new("eth_getBalance", json!([account, at])),
        Read::Storage { account, slot } => Request::new("eth_getStorageAt", json!([account, slot, at])),
        Read::CodeHash { account } | Read::Delegation { account } => Request::new("eth_getCode", json!([account, at])),
    }
}

/// What the code of an account that delegates begins with (EIP-7702).
const DELEGATION: [u8; 3] = [0xef, 0x01, 0x00];

pub(crate) fn outcome(read: &Read, answer: Answer) -> Result<ReadOutcome, RpcError> {
    let raw = match answer {
        Ok(raw) => raw,
        Err(error) => {
            let reverted = matches!(read, Read::Call { .. }).then(|| error.revert_data()).flatten();
            return reverted.map_or(Err(error), |data| bounded(data).map(ReadOutcome::Reverted));
        }
    };
    let missing = || RpcError::Garbage("null in answer to a read".to_owned());
    let value = match read {
        Read::Call { .. } => decode::<AlloyBytes>(&raw)?.ok_or_else(missing)?.0,
        // Some nodes answer storage without leading zeros, so it is read as a number like a balance.
        Read::Balance { .. } | Read::Storage { .. } => {
            let word: U256 = decode(&raw)?.ok_or_else(missing)?;
            Bytes::copy_from_slice(&word.to_be_bytes::<32>())
        }
        Read::CodeHash { .. } => {
            let code: AlloyBytes = decode(&raw)?.ok_or_else(missing)?;
            return Ok(ReadOutcome::Value(Bytes::copy_from_slice(keccak256(&code).as_slice())));
        }
        Read::Delegation { .. } => {
            let code: AlloyBytes = decode(&raw)?.ok_or_else(missing)?;
            let mut word = [0; 32];
            if let Some(delegate) = code.strip_prefix(&DELEGATION).filter(|delegate| delegate.len() == 20) {
                word[12..].copy_from_slice(delegate);
            }
            return Ok(ReadOutcome::Value(Bytes::copy_from_slice(&word)));
        }
    };
    bounded(value).map(ReadOutcome::Value)
}

fn bounded(value: Bytes) -> Result<Bytes, RpcError> {
    if value.len() > READ_BYTES_MAX { Err(RpcError::TooLong(READ_BYTES_MAX)) } else { Ok(value) }
}
