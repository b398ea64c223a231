//! What is past: blocks by number with their transactions, for whoever looks back over them.

use std::collections::{BTreeMap, BTreeSet};
use std::rc::Rc;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use alloy::rpc::types::Header;
use alloy_primitives::Bloom;
use futures::stream::{self, Stream, StreamExt as _};
use serde_json::json;
use serde_json::value::RawValue;
use tokio::time::Instant;
use watchfire_types::{BlockView, ChainId, Read, Transaction};

use crate::blocks::Body;
use crate::budget::Priority;
use crate::client::ChainClient;
use crate::endpoint::{Remote, decode};
use crate::error::{NotAgreed, RpcError};
use crate::head::Head;
use crate::quorum::gather;
use crate::read::quantity;
use crate::receipts::receipts;
use crate::rpc::Request;

/// Blocks asked for at the same time: what is held in memory is at most this many.
const BLOCKS_AT_ONCE: usize = 16;
/// Times a block is asked for before the history ends at it.
const ATTEMPTS: u32 = 8;
/// Times that a block with unanswered reads is asked for again while a node catches up.
const REREADS: u32 = 4;
/// Wait after the first failure; doubles with each: an endpoint that refuses for half a minute is given up.
const WAIT: Duration = Duration::from_millis(250);

/// A block of the past.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PastBlock {
    /// What detectors are shown.
    pub view: BlockView,
    /// How many transactions it has, whether or not they were asked for.
    pub transactions: usize,
}

/// A block as k operators tell it.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Told {
    head: Head,
    /// How many there are.
    count: usize,
    /// All of them, where they were asked for, else none.
    transactions: Vec<Transaction>,
}

impl ChainClient {
    /// The blocks `from..=to` in order, logs proved by their headers, `reads` pinned to each. Those whose header's bloom `concerns` nobody come
    /// without their logs, which are not asked for; transactions, each with whether it succeeded, come where they are `wanted`. At most 16 are in flight; whoever reads slowly
    /// holds the rest back. A block that is not agreed on is asked for eight times within half a minute, and then is the error that ends it;
    /// one with reads that are not answered is asked for once more and then given without them. That each is the child of the one before is
    /// for the reader to see.
    pub fn history(
        self: &Arc<Self>,
        from: u64,
        to: u64,
        reads: BTreeSet<Read>,
        concerns: impl Fn(&[u8; 256]) -> bool + 'static,
        wanted: bool,
    ) -> impl Stream<Item = Result<PastBlock, NotAgreed>> {
        let (client, asked) = (Arc::clone(self), Rc::new((reads, concerns)));
        let blocks = stream::iter(from..=to).map(move |number| {
            let (client, asked) = (Arc::clone(&client), Rc::clone(&asked));
            async move { client.past(number, &asked.0, &asked.1, wanted).await }
        });
        blocks.buffered(BLOCKS_AT_ONCE)
    }

    async fn past(
        &self,
        number: u64,
        reads: &BTreeSet<Read>,
        concerns: &impl Fn(&[u8; 256]) -> bool,
        wanted: bool,
    ) -> Result<PastBlock, NotAgreed> {
        let mut attempt = 0;
        loop {
            let told = self.past_once(number, reads, concerns, wanted).await;
            attempt += 1;
            match &told {
                Ok(past) if attempt > 1 || past.view.is_read() => return told,
                Err(_) if attempt >= ATTEMPTS => return told,
                Ok(_) | Err(_) => tokio::time::sleep(WAIT * 2_u32.pow(attempt - 1)).await,
            }
        }
    }

    async fn past_once(
        &self,
        number: u64,
        reads: &BTreeSet<Read>,
        concerns: &impl Fn(&[u8; 256]) -> bool,
        wanted: bool,
    ) -> Result<PastBlock, NotAgreed> {
        let (chain, timeout) = (self.config.chain, self.config.limits.request);
        let ask = |remote| async move {
            vec![match wanted {
                true => outcomes(remote, chain, number, timeout).await,
                false => block(remote, chain, number, false, timeout).await,
            }]
        };
        let mut told = gather(&self.remotes, self.config.agree, 1, Instant::now() + timeout, false, ask).await;
        let told = told.pop().unwrap_or_else(|| Err("nobody was asked".to_owned()));
        let Told { mut head, count, transactions } =
            told.map_err(|cause| self.not_agreed(format!("block {number}"), cause))?;
        if !concerns(head.bloom.data()) {
            // As of a block without logs nobody is asked.
            head.bloom = Bloom::ZERO;
        }
        let view = self.view(&head, reads, false).await?;
        Ok(PastBlock { view: BlockView { transactions, ..view }, transactions: count })
    }

    /// As [`Self::whole_view`], of a block that is caught up with: while a read has no answer all is asked for again, four times within four
    /// seconds, since a spent budget and an endpoint that rests answer a little later. `gone` says that a block of the stretch had no
    /// answer in spite of that: until one has, the others are asked for once, for state that is pruned stays so.
    pub(crate) async fn patient_view(
        &self,
        head: &Head,
        reads: &BTreeSet<Read>,
        transactions: bool,
        gone: &AtomicBool,
    ) -> Result<BlockView, NotAgreed> {
        let mut attempt = 0;
        loop {
            let view = self.whole_view(head, reads, false, transactions).await?;
            let whole = view.is_read();
            if whole || attempt == REREADS || gone.load(Ordering::Relaxed) {
                gone.store(!whole, Ordering::Relaxed);
                return Ok(view);
            }
            tokio::time::sleep(WAIT * 2_u32.pow(attempt)).await;
            attempt += 1;
        }
    }

    /// Everything about one block, with its transactions if they are wanted, each with whether it succeeded: equal from k operators and never
    /// left out, as its logs are. It takes two requests more.
    pub(crate) async fn whole_view(
        &self,
        head: &Head,
        reads: &BTreeSet<Read>,
        live: bool,
        transactions: bool,
    ) -> Result<BlockView, NotAgreed> {
        if !transactions {
            return self.view(head, reads, live).await;
        }
        let (chain, number) = (self.config.chain, head.block.number);
        let timeout = if live { self.live_timeout() } else { self.config.limits.request };
        let ask = |remote| async move { vec![outcomes(remote, chain, number, timeout).await] };
        let told = gather(&self.remotes, self.config.agree, 1, Instant::now() + timeout, live, ask);
        let (view, mut told) = tokio::join!(self.view(head, reads, live), told);
        let told = told.pop().unwrap_or_else(|| Err("nobody was asked".to_owned()));
        let not_agreed = |cause| self.not_agreed(format!("transactions of block {number}"), cause);
        let told = told.map_err(not_agreed)?;
        if told.head.block != head.block {
            return Err(not_agreed(format!("they are of block {}", told.head.block.hash)));
        }
        Ok(BlockView { transactions: told.transactions, ..view? })
    }
}

/// With its transactions, or with nothing but their number: a node recovers who sent each before it tells them whole.
async fn block(
    remote: Arc<Remote>,
    chain: ChainId,
    number: u64,
    wanted: bool,
    timeout: Duration,
) -> Result<Told, RpcError> {
    let request = Request::new("eth_getBlockByNumber", json!([quantity(number), wanted]));
    let text: Box<RawValue> = remote.one(Priority::Feed, request, timeout).await?.ok_or(RpcError::UnknownBlock)?;
    let header: Header = decode(&text)?.ok_or(RpcError::UnknownBlock)?;
    let body: Body = decode(&text)?.ok_or(RpcError::UnknownBlock)?;
    let head = Head::check(chain, &header)?;
    if head.block.number != number {
        return Err(RpcError::Garbage(format!("asked for block {number}, got {}", head.block.number)));
    }
    let count = body.transactions.hashes().len();
    let transactions = if wanted { body.transactions.whole() } else { Vec::new() };
    if wanted && transactions.len() != count {
        return Err(RpcError::Garbage(format!("block {number} has hashes where its {count} transactions belong")));
    }
    Ok(Told { head, count, transactions })
}

/// As [`block`], with whether each transaction succeeded, where the endpoint has receipts at all.
async fn outcomes(remote: Arc<Remote>, chain: ChainId, number: u64, timeout: Duration) -> Result<Told, RpcError> {
    let mut told = block(Arc::clone(&remote), chain, number, true, timeout).await?;
    if told.transactions.is_empty() {
        return Ok(told);
    }
    let receipts = match receipts(&remote, &told.head, timeout).await {
        Err(error) if error.method_missing() => return Ok(told),
        receipts => receipts?,
    };
    let succeeded: BTreeMap<_, _> =
        receipts.iter().map(|receipt| (receipt.transaction_hash, receipt.succeeded())).collect();
    for transaction in &mut told.transactions {
        transaction.succeeded = succeeded.get(&transaction.hash).copied().flatten();
    }
    Ok(told)
}
