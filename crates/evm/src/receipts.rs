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

use alloy::rpc::types::Log as RpcLog;
use alloy_primitives::{B256, Bloom};
use serde::Deserialize;
use serde_json::json;
use tokio::time::Instant;
use watchfire_types::{Log, OperatorId};

use crate::budget::Priority;
use crate::endpoint::{Remote, decode};
use crate::error::RpcError;
use crate::head::Head;
use crate::quorum::{Agreement, gather, gather_by};
use crate::read::{is_canonical, quantity};
use crate::receipt::{self, Proof, Receipt, Unproved, prove};
use crate::rpc::Request;

/// Most transactions of a block whose receipts are asked for one by one.
pub(crate) const TRANSACTIONS_MAX: usize = 5_000;

/// How many blocks an endpoint whose receipts are of an unknown kind is asked for none: a chain gets no others overnight.
const UNKNOWN_REST_BLOCKS: u64 = 1_000;

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
    let number = head.block.number;
    let cause = match prove(head.receipts_root, head.bloom, &receipts) {
        Ok(Proof::Root) => return Ok(receipt::logs(receipts, |_, _| true)),
        Ok(Proof::BloomOnly { kind }) => {
            let until = number.saturating_add(UNKNOWN_REST_BLOCKS);
            if remote.lacks.known_receipts_until.fetch_max(until, Ordering::Relaxed) == 0 {
                tracing::info!(endpoint.name = %remote.config.name, kind, "endpoint has receipts of an unknown kind");
            }
            return Err(RpcError::Unable(format!(
                "its receipts have a type {kind:#x}, whose encoding is unknown here"
            )));
        }
        Err(Unproved::Root(root)) => format!("receipts of block {number} have root {root}, not the header's"),
        Err(Unproved::Bloom) => format!("receipts of block {number} have another bloom than the header's"),
        Err(Unproved::Topics) => format!("a log of block {number} has more than four topics"),
    };
    Err(RpcError::Garbage(cause))
}

/// As the endpoint answers them: of the whole block, else one by one.
pub(crate) async fn receipts(remote: &Remote, head: &Head, timeout: Duration) -> Result<Vec<Receipt>, RpcError> {
    if !remote.lacks.block_receipts.at(Instant::now()) {
        let request = Request::new("eth_getBlockReceipts", json!([head.block.hash]));
        match remote.one::<Vec<Receipt>>(Priority::Feed, request, timeout).await {
            Ok(Some(receipts)) => return Ok(receipts),
            Ok(None) => return Err(RpcError::UnknownBlock),
            Err(error) if error.backs_off() || error == RpcError::BackingOff => return Err(error),
            // Providers without the method answer with all sorts of codes: anything else means "try the other way".
            Err(error) => {
                if error.method_missing() && remote.lacks.block_receipts.note(&error, Instant::now()) {
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
