//! One block as a text: `{"block": .., "receipts": [..]}` in the shapes of `eth_getBlockByNumber` and `eth_getBlockReceipts`.
//!
//! The header must hash to its own hash, the receipts to its root and their logs to its bloom, and each receipt must be that of the
//! transaction at its place; else the block is refused and the [`BlockFault`] says what differs. Transactions and receipts of a type that is
//! not known here, and fields that are not known, are read over: where the receipts' encoding is unknown too, the bloom alone proves their logs.
//!
//! Since the root covers every byte of every log, all of them are hashed, whoever they concern: straight from the text's digits, without a copy of
//! their data. Only then those that nobody wants are left out, by contract and topics, before anything is made of them.
//!
//! Beside these a text may say `chainId`, and `reads`: state at this block as a list of JSON-RPC requests with their answers,
//! `[{"method": "eth_getBalance", "params": ["0x..", "0x10"], "result": "0x5"}]`. Nothing proves them. Whether there are `traces` is told; they are not read
//! here.

mod answered;
mod asked;
mod fault;
mod listed;

use std::collections::{BTreeMap, BTreeSet};

use alloy_primitives::{Address, B256, U64};
use serde::Deserialize;
use serde::de::IgnoredAny;
use watchfire_types::{BlockView, ChainId, Read, ReadOutcome};

use crate::head::Head;
use crate::receipt::{self, Proof, Receipt, Unproved, prove};
use answered::{Answered, Block, Receipts};
pub use fault::BlockFault;
pub(crate) use listed::{Body, Listed};

/// A block that proves itself.
#[derive(Debug)]
pub struct TextBlock {
    /// The chain that it says it is of: its own `chainId`, and what its transactions were signed for. Nothing where none says.
    pub chain: Option<ChainId>,
    /// A receipt type whose encoding is not known here, where the bloom alone proves the logs.
    pub bloom_only: Option<u64>,
    /// How many transactions it has, whether or not they are given whole.
    pub transactions: usize,
    /// Whether traces stand beside it.
    pub traced: bool,
    view: BlockView,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Entry<'a> {
    #[serde(deserialize_with = "answered::block")]
    block: Answered<Block>,
    #[serde(borrow, deserialize_with = "answered::receipts")]
    receipts: Answered<Receipts<'a>>,
    #[serde(default)]
    chain_id: Option<U64>,
    #[serde(default)]
    reads: Option<Vec<asked::Asked>>,
    #[serde(default)]
    traces: Option<IgnoredAny>,
}

impl TextBlock {
    /// Reads a block and holds it, with all its receipts, against its header. Of its logs those are kept that are `wanted`, by the contract that emitted each and
    /// its topics, and those of transactions that do not say whether they succeeded; each has its place among all of them as index.
    ///
    /// # Errors
    /// [`BlockFault`] with what differs, in whichever log.
    pub fn read(text: &[u8], wanted: impl Fn(&Address, &[B256]) -> bool) -> Result<Self, BlockFault> {
        let entry: Entry<'_> = serde_json::from_slice(text).map_err(|error| BlockFault::shape(text, &error))?;
        let Block { header, listed } = given(entry.block)?;
        let receipts = given(entry.receipts)?;
        let number = header.inner.number;
        // What chain it is of is the caller's to say; a header names none.
        let head = Head::check(ChainId::new(0), &header).map_err(|_| BlockFault::HeaderHash {
            number,
            stated: header.hash,
            computed: header.inner.hash_slow(),
        })?;
        let hashes = listed.hashes();
        paired(number, &hashes, &receipts)?;
        let proof = prove(head.receipts_root, head.bloom, &receipts).map_err(|unproved| match unproved {
            Unproved::Root(computed) => BlockFault::ReceiptsRoot { number, stated: head.receipts_root, computed },
            Unproved::Bloom => BlockFault::Bloom { number },
            Unproved::Topics => BlockFault::Topics { number },
        })?;
        let chain = chain(number, entry.chain_id.map(|chain| chain.to()), listed.chains())?;
        let mut reads: BTreeMap<Read, ReadOutcome> = BTreeMap::new();
        for (index, asked) in entry.reads.into_iter().flatten().enumerate() {
            let answers = asked.answers(&head.block).map_err(|cause| BlockFault::Read { number, index, cause })?;
            reads.extend(answers);
        }
        let mut transactions = listed.whole();
        for (transaction, receipt) in transactions.iter_mut().zip(&receipts) {
            transaction.succeeded = receipt.succeeded();
        }
        let view = BlockView {
            block: head.block,
            parent: head.parent,
            base_fee: head.base_fee,
            transactions,
            logs: receipt::logs(receipts, wanted),
            reads,
            agreed: BTreeSet::new(),
            unproved: matches!(proof, Proof::BloomOnly { .. }),
        };
        let bloom_only = match proof {
            Proof::Root => None,
            Proof::BloomOnly { kind } => Some(kind),
        };
        Ok(Self { chain, bloom_only, transactions: hashes.len(), traced: entry.traces.is_some(), view })
    }

    /// Its height.
    #[must_use]
    pub fn number(&self) -> u64 {
        self.view.block.number
    }

    /// The block as one of this chain.
    #[must_use]
    pub fn on(mut self, chain: ChainId) -> BlockView {
        self.view.block.chain = chain;
        self.view
    }
}

fn given<T>(answered: Answered<T>) -> Result<T, BlockFault> {
    match answered {
        Answered::Given(answer) => Ok(answer),
        Answered::Refused(error) => Err(BlockFault::Reply { cause: crate::rpc::node_error(&error).to_string() }),
    }
}

/// Each receipt is that of the transaction at its place.
fn paired<D>(number: u64, hashes: &[B256], receipts: &[Receipt<D>]) -> Result<(), BlockFault> {
    if hashes.len() != receipts.len() {
        return Err(BlockFault::Count { number, transactions: hashes.len(), receipts: receipts.len() });
    }
    let mut pairs = hashes.iter().zip(receipts).enumerate();
    match pairs.find(|(_, (hash, receipt))| **hash != receipt.transaction_hash) {
        None => Ok(()),
        Some((index, (hash, receipt))) => {
            Err(BlockFault::Order { number, index, transaction: *hash, receipt: receipt.transaction_hash })
        }
    }
}

fn chain(number: u64, stated: Option<u64>, mut signed: BTreeSet<u64>) -> Result<Option<ChainId>, BlockFault> {
    signed.extend(stated);
    let mut chains = signed.into_iter();
    match (chains.next(), chains.next()) {
        (Some(one), Some(other)) => Err(BlockFault::Chains { number, one, other }),
        (one, _) => Ok(one.map(ChainId::new)),
    }
}

#[cfg(test)]
mod fixture;
#[cfg(test)]
mod tests;
