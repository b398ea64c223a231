//! Receipts as JSON-RPC tells them, and what a header proves of them.
//!
//! A receipt is encoded here by what every type has in common (EIP-2718: the type's byte, then status or state root, gas, bloom and logs), so that
//! a type that came later is proved like those known today. Optimism's deposits are the known exception. The bloom of each receipt is computed
//! from its logs, never taken from the answer: whoever changes a log changes the root.

use alloy_primitives::{Address, B256, Bloom, Bytes, Log as RawLog, LogData, U64};
use alloy_rlp::{BufMut as _, Encodable, Header as ListHeader};
use alloy_trie::root::ordered_trie_root_with_encoder;
use serde::Deserialize;
use watchfire_types::Log;

/// Types whose encoding is as above for certain (EIP-2718, 2930, 1559, 4844, 7702).
const KNOWN_MAX: u64 = 4;
/// A deposit of Optimism and its kin: with its nonce and version since Canyon.
const DEPOSIT: u64 = 0x7e;

/// One receipt. Fields that are not here are read over.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Receipt {
    pub(crate) transaction_hash: B256,
    #[serde(default, rename = "type")]
    kind: Option<U64>,
    #[serde(default)]
    status: Option<U64>,
    /// State root in its place, before Byzantium.
    #[serde(default)]
    root: Option<Bytes>,
    cumulative_gas_used: U64,
    logs: Vec<Entry>,
    #[serde(default)]
    deposit_nonce: Option<U64>,
    #[serde(default)]
    deposit_receipt_version: Option<U64>,
}

#[derive(Debug, Deserialize)]
struct Entry {
    address: Address,
    topics: Vec<B256>,
    data: Bytes,
}

/// What the header proves.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Proof {
    /// All of it: the root is the header's.
    Root,
    /// The bloom is the header's and the root is not, among receipts of a type whose encoding is unknown here.
    BloomOnly {
        /// That type.
        kind: u64,
    },
}

/// What differs from the header.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Unproved {
    Root(B256),
    Bloom,
    /// A log with more topics than the EVM knows.
    Topics,
}

impl Receipt {
    fn kind(&self) -> u64 {
        self.kind.unwrap_or_default().to()
    }

    /// Whether its transaction succeeded; before Byzantium none says.
    pub(crate) fn succeeded(&self) -> Option<bool> {
        self.status.map(|status| status != U64::ZERO)
    }

    /// Its logs as the root covers them.
    fn raw_logs(&self) -> Option<Vec<RawLog>> {
        let logs = self.logs.iter();
        logs.map(|log| {
            let data = LogData::new(log.topics.clone(), log.data.clone())?;
            Some(RawLog { address: log.address, data })
        })
        .collect()
    }
}

/// One receipt ready to be hashed.
struct Hashed<'a> {
    receipt: &'a Receipt,
    bloom: Bloom,
    logs: Vec<RawLog>,
}

impl Hashed<'_> {
    /// EIP-2718 bytes: what the trie's leaf holds.
    fn encode(&self, out: &mut Vec<u8>) {
        let receipt = self.receipt;
        if let Ok(kind @ 1..=0x7f) = u8::try_from(receipt.kind()) {
            out.put_u8(kind);
        }
        let state = receipt.root.as_ref().filter(|root| receipt.status.is_none() && root.len() == 32);
        let succeeded = receipt.status.is_some_and(|status| status != U64::ZERO);
        let gas: u64 = receipt.cumulative_gas_used.to();
        let version = receipt.deposit_receipt_version.filter(|_| receipt.kind() == DEPOSIT);
        let deposit =
            version.map(|version| (receipt.deposit_nonce.unwrap_or_default().to::<u64>(), version.to::<u64>()));
        let payload_length = state.map_or_else(|| succeeded.length(), Encodable::length)
            + gas.length()
            + self.bloom.length()
            + self.logs.length()
            + deposit.map_or(0, |(nonce, version)| nonce.length() + version.length());
        ListHeader { list: true, payload_length }.encode(out);
        match state {
            Some(root) => root.encode(out),
            None => succeeded.encode(out),
        }
        gas.encode(out);
        self.bloom.encode(out);
        self.logs.encode(out);
        if let Some((nonce, version)) = deposit {
            nonce.encode(out);
            version.encode(out);
        }
    }
}

/// Holds a block's receipts against its header's root and bloom.
pub(crate) fn prove(root: B256, bloom: Bloom, receipts: &[Receipt]) -> Result<Proof, Unproved> {
    let mut all = Bloom::ZERO;
    let mut hashed = Vec::with_capacity(receipts.len());
    for receipt in receipts {
        let logs = receipt.raw_logs().ok_or(Unproved::Topics)?;
        let mut bloom = Bloom::ZERO;
        logs.iter().for_each(|log| bloom.accrue_log(log));
        all.accrue_bloom(&bloom);
        hashed.push(Hashed { receipt, bloom, logs });
    }
    let computed = ordered_trie_root_with_encoder(&hashed, |receipt, out| receipt.encode(out));
    let unknown = || receipts.iter().map(Receipt::kind).find(|kind| *kind > KNOWN_MAX);
    match (computed == root, all == bloom) {
        (true, true) => Ok(Proof::Root),
        (false, true) => unknown().map_or(Err(Unproved::Root(computed)), |kind| Ok(Proof::BloomOnly { kind })),
        (true, false) => Err(Unproved::Bloom),
        (false, false) => Err(unknown().map_or(Unproved::Root(computed), |_| Unproved::Bloom)),
    }
}

/// The logs of a block, in block order.
pub(crate) fn logs(receipts: Vec<Receipt>) -> Vec<Log> {
    let all = receipts.into_iter().flat_map(|receipt| {
        let transaction = receipt.transaction_hash;
        receipt.logs.into_iter().map(move |log| (log, transaction))
    });
    let numbered = all.zip(0u64..).map(|((log, transaction), index)| Log {
        address: log.address,
        topics: log.topics,
        data: log.data.0,
        transaction,
        index,
    });
    numbered.collect()
}
