//! A block's logs, proved by the header.
//!
//! A header with an empty bloom has none. Else they come from receipts whose computed root is the header's: from
//! `eth_getBlockReceipts`, else from one `eth_getTransactionReceipt` per transaction; one endpoint is enough then. Where the
//! chain has receipt types whose encoding is unknown here, `eth_getLogs` by block hash must be equal from k operators; such an
//! endpoint is asked for receipts only every [`UNKNOWN_REST_BLOCKS`] blocks.
//! The transaction hash beside a log is not part of what the root proves.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use alloy::consensus::proofs::calculate_receipt_root;
use alloy::rpc::types::{Log as RpcLog, TransactionReceipt};
use alloy_primitives::{B256, Bloom, U64};
use serde::Deserialize;
use serde_json::{Value, json};
use tokio::time::Instant;
use watchfire_types::{Log, OperatorId};

use crate::budget::Priority;
use crate::endpoint::{Remote, decode};
use crate::error::RpcError;
use crate::head::Head;
use crate::quorum::{Agreement, gather, gather_by};
use crate::read::{is_canonical, quantity};
use crate::rpc::{Request, cut};

/// Most transactions of a block whose receipts are asked for one by one.
const TRANSACTIONS_MAX: usize = 5_000;

/// How many blocks an endpoint whose receipts are of an unknown kind is asked for none: a chain gets no others overnight.
const UNKNOWN_REST_BLOCKS: u64 = 1_000;
/// Receipt types of EIP-2718 whose encoding is known here: legacy to EIP-7702.
const KNOWN_TYPE_MAX: u64 = 4;

/// The logs of a block, in block order; with the operators whose word they are, where the header does not prove them.
pub(crate) async fn logs(
    remotes: &[Arc<Remote>],
    agree: usize,
    head: &Head,
    timeout: Duration,
    patient: bool,
) -> Agreement<(Vec<Log>, Option<BTreeSet<OperatorId>>)> {
    if head.bloom == Bloom::ZERO {
        return Ok((Vec::new(), None));
    }
    let deadline = Instant::now() + timeout;
    let proved = |remote| async move { vec![proved(remote, head, timeout).await] };
    let mut first = gather(remotes, 1, 1, deadline, patient, proved).await;
    let cause = match first.pop() {
        Some(Ok(logs)) => return Ok((logs, None)),
        Some(Err(cause)) => cause,
        None => "nobody was asked".to_owned(),
    };
    let stated = |remote| async move { vec![stated(remote, head, timeout).await] };
    let mut equal = gather_by(remotes, agree, 1, deadline.max(Instant::now() + timeout / 2), patient, stated).await;
    match equal.pop() {
        Some(Ok((logs, by))) => Ok((logs, Some(by))),
        Some(Err(second)) => Err(format!("receipts: {cause}; logs: {second}")),
        None => Err(cause),
    }
}

async fn proved(remote: Arc<Remote>, head: &Head, timeout: Duration) -> Result<Vec<Log>, RpcError> {
    let rests = remote.lacks.known_receipts_until.load(Ordering::Relaxed);
    if head.block.number < rests {
        return Err(RpcError::Unable(format!("its receipts are of an unknown kind; asked again from block {rests}")));
    }
    let receipts = receipts(&remote, head, timeout).await?;
    let known = |receipt: &Value| {
        receipt
            .get("type")
            .is_none_or(|kind| U64::deserialize(kind).is_ok_and(|kind| kind.to::<u64>() <= KNOWN_TYPE_MAX))
    };
    if !receipts.iter().all(known) {
        let until = head.block.number.saturating_add(UNKNOWN_REST_BLOCKS);
        if remote.lacks.known_receipts_until.fetch_max(until, Ordering::Relaxed) == 0 {
            tracing::info!(endpoint.name = %remote.config.name, "endpoint has receipts of an unknown kind");
        }
        return Err(RpcError::Unable("its receipts are of an unknown kind".to_owned()));
    }
    let typed: Result<Vec<TransactionReceipt>, _> = receipts.into_iter().map(serde_json::from_value).collect();
    check(head, typed.map_err(|error| RpcError::Garbage(cut(&error.to_string())))?)
}

/// As the endpoint answers them: of the whole block, else one by one.
async fn receipts(remote: &Remote, head: &Head, timeout: Duration) -> Result<Vec<Value>, RpcError> {
    if !remote.lacks.block_receipts.load(Ordering::Relaxed) {
        let request = Request::new("eth_getBlockReceipts", json!([head.block.hash]));
        match remote.one::<Vec<Value>>(Priority::Feed, request, timeout).await {
            Ok(Some(receipts)) => return Ok(receipts),
            Ok(None) => return Err(RpcError::UnknownBlock),
            Err(error) if error.backs_off() || error == RpcError::BackingOff => return Err(error),
            // Providers without the method answer with all sorts of codes: anything else means "try the other way".
            Err(error) => {
                if error.method_missing() && !remote.lacks.block_receipts.swap(true, Ordering::Relaxed) {
                    tracing::info!(endpoint.name = %remote.config.name, "endpoint has no eth_getBlockReceipts");
                }
            }
        }
    }
    let request = Request::new("eth_getBlockByHash", json!([head.block.hash, false]));
    let block: Transactions = remote.one(Priority::Feed, request, timeout).await?.ok_or(RpcError::UnknownBlock)?;
    if block.transactions.len() > TRANSACTIONS_MAX {
        return Err(RpcError::TooLong(TRANSACTIONS_MAX));
    }
    let requests: Vec<Request> =
        block.transactions.iter().map(|hash| Request::new("eth_getTransactionReceipt", json!([hash]))).collect();
    let answers = remote.ask(Priority::Feed, &requests, timeout).await;
    answers.into_iter().map(|answer| decode(&answer?)?.ok_or(RpcError::UnknownBlock)).collect()
}

/// Only the field that is needed: whole blocks of some chains hold transaction types unknown here.
#[derive(Deserialize)]
struct Transactions {
    transactions: Vec<B256>,
}

fn check(head: &Head, receipts: Vec<TransactionReceipt>) -> Result<Vec<Log>, RpcError> {
    let hashes: Vec<B256> = receipts.iter().map(|receipt| receipt.transaction_hash).collect();
    let inner: Vec<_> = receipts.into_iter().map(|receipt| receipt.inner.into_primitives_receipt()).collect();
    let root = calculate_receipt_root(&inner);
    if root != head.receipts_root {
        let text = format!("receipts of block {} have root {root}, not the header's", head.block.number);
        return Err(RpcError::Garbage(text));
    }
    let all = inner.iter().zip(hashes).flat_map(|(receipt, transaction)| {
        receipt.logs().iter().map(move |log| (log.address, log.data.clone(), transaction))
    });
    let numbered = all.zip(0u64..).map(|((address, data, transaction), index)| Log {
        address,
        topics: data.topics().to_vec(),
        data: data.data.0.clone(),
        transaction,
        index,
    });
    Ok(numbered.collect())
}

/// The endpoint's word for the logs. An endpoint that cannot ask by hash is asked by number, re-checked before and after.
async fn stated(remote: Arc<Remote>, head: &Head, timeout: Duration) -> Result<Vec<Log>, RpcError> {
    let by_hash = Request::new("eth_getLogs", json!([{ "blockHash": head.block.hash }]));
    let logs = match remote.one::<Vec<RpcLog>>(Priority::Feed, by_hash, timeout).await {
        Ok(logs) => logs,
        Err(error) if error.backs_off() || matches!(error, RpcError::BackingOff | RpcError::UnknownBlock) => {
            return Err(error);
        }
        Err(_) => {
            is_canonical(&remote, &head.block, Priority::Feed, timeout).await?;
            let number = quantity(head.block.number);
            let request = Request::new("eth_getLogs", json!([{ "fromBlock": number, "toBlock": number }]));
            let logs = remote.one(Priority::Feed, request, timeout).await?;
            is_canonical(&remote, &head.block, Priority::Feed, timeout).await?;
            logs
        }
    };
    let logs = logs.ok_or(RpcError::UnknownBlock)?;
    // The header's bloom is not empty, so a block without logs is one that this node has not indexed yet.
    if logs.is_empty() {
        return Err(RpcError::UnknownBlock);
    }
    let numbered = logs.into_iter().zip(0u64..).map(|(log, index)| Log {
        address: log.inner.address,
        topics: log.inner.data.topics().to_vec(),
        data: log.inner.data.data.0.clone(),
        transaction: log.transaction_hash.unwrap_or_default(),
        index,
    });
    Ok(numbered.collect())
}
