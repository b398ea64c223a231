//! Receipts as JSON-RPC tells them, and what a header proves of them.
//!
//! A receipt is encoded here by what every type has in common (EIP-2718: the type's byte, then status or state root, gas, bloom and logs), so that
//! a type that came later is proved like those known today. Optimism's deposits are the known exception. The root covers every log and the bloom of
//! its receipt: a bloom that the answer states is believed where the root is the header's with it, and is computed from the logs otherwise. Whoever
//! changes a log changes the root.

mod hex;

use std::borrow::Cow;

use alloy_primitives::{Address, B256, Bloom, Bytes, U64};
use alloy_rlp::{BufMut as _, Encodable, Header as ListHeader};
use alloy_trie::root::ordered_trie_root_with_encoder;
use serde::{Deserialize, Deserializer};
use watchfire_types::Log;

pub(crate) use hex::Hex;

/// Types whose encoding is as above for certain (EIP-2718, 2930, 1559, 4844, 7702).
const KNOWN_MAX: u64 = 4;
/// Topics that the EVM's LOG0 to LOG4 write.
const TOPICS_MAX: usize = 4;
/// A deposit of Optimism and its kin: with its nonce and version since Canyon.
const DEPOSIT: u64 = 0x7e;

/// What logs carry, as it came: decoded, or still the text that it stands in.
pub(crate) trait Data: Encodable {
    fn decoded(self) -> Bytes;
}

impl Data for Bytes {
    fn decoded(self) -> Bytes {
        self
    }
}

/// One receipt. Fields that are not here are read over.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Receipt<D = Bytes> {
    pub(crate) transaction_hash: B256,
    #[serde(default, rename = "type")]
    kind: Option<U64>,
    #[serde(default)]
    status: Option<U64>,
    /// State root in its place, before Byzantium.
    #[serde(default)]
    root: Option<Bytes>,
    cumulative_gas_used: U64,
    logs: Vec<Entry<D>>,
    #[serde(default, deserialize_with = "stated_bloom")]
    logs_bloom: Option<Bloom>,
    #[serde(default)]
    deposit_nonce: Option<U64>,
    #[serde(default)]
    deposit_receipt_version: Option<U64>,
}

/// What is no bloom counts as none.
fn stated_bloom<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<Bloom>, D::Error> {
    let text: Option<Cow<'de, str>> = Deserialize::deserialize(deserializer)?;
    Ok(text.and_then(|text| text.parse().ok()))
}

#[derive(Debug, Deserialize)]
struct Entry<D> {
    address: Address,
    topics: Vec<B256>,
    data: D,
}

impl<D: Data> Entry<D> {
    fn payload_length(&self) -> usize {
        self.address.length() + self.topics.length() + self.data.length()
    }
}

impl<D: Data> Encodable for Entry<D> {
    fn encode(&self, out: &mut dyn alloy_rlp::BufMut) {
        ListHeader { list: true, payload_length: self.payload_length() }.encode(out);
        self.address.encode(out);
        self.topics.encode(out);
        self.data.encode(out);
    }

    fn length(&self) -> usize {
        let payload_length = self.payload_length();
        ListHeader { list: true, payload_length }.length() + payload_length
    }
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

impl<D> Receipt<D> {
    fn kind(&self) -> u64 {
        self.kind.unwrap_or_default().to()
    }

    /// What its logs set.
    fn bloom(&self) -> Bloom {
        let mut bloom = Bloom::ZERO;
        self.logs.iter().for_each(|log| bloom.accrue_raw_log(log.address, &log.topics));
        bloom
    }

    /// Whether its transaction succeeded; before Byzantium none says.
    pub(crate) fn succeeded(&self) -> Option<bool> {
        self.status.map(|status| status != U64::ZERO)
    }
}

/// One receipt ready to be hashed.
struct Hashed<'a, D> {
    receipt: &'a Receipt<D>,
    bloom: &'a Bloom,
}

impl<D: Data> Hashed<'_, D> {
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
            + receipt.logs.length()
            + deposit.map_or(0, |(nonce, version)| nonce.length() + version.length());
        ListHeader { list: true, payload_length }.encode(out);
        match state {
            Some(root) => root.encode(out),
            None => succeeded.encode(out),
        }
        gas.encode(out);
        self.bloom.encode(out);
        receipt.logs.encode(out);
        if let Some((nonce, version)) = deposit {
            nonce.encode(out);
            version.encode(out);
        }
    }
}

/// The receipts' root with these blooms, and all of those together.
fn root<D: Data>(receipts: &[Receipt<D>], blooms: &[Bloom]) -> (B256, Bloom) {
    let hashed: Vec<_> = receipts.iter().zip(blooms).map(|(receipt, bloom)| Hashed { receipt, bloom }).collect();
    let mut all = Bloom::ZERO;
    blooms.iter().for_each(|bloom| all.accrue_bloom(bloom));
    (ordered_trie_root_with_encoder(&hashed, |receipt, out| receipt.encode(out)), all)
}

/// Holds a block's receipts against its header's root and bloom.
pub(crate) fn prove<D: Data>(header: B256, bloom: Bloom, receipts: &[Receipt<D>]) -> Result<Proof, Unproved> {
    if receipts.iter().flat_map(|receipt| &receipt.logs).any(|log| log.topics.len() > TOPICS_MAX) {
        return Err(Unproved::Topics);
    }
    let stated: Option<Vec<Bloom>> = receipts.iter().map(|receipt| receipt.logs_bloom).collect();
    if stated.is_some_and(|blooms| root(receipts, &blooms) == (header, bloom)) {
        return Ok(Proof::Root);
    }
    let blooms: Vec<Bloom> = receipts.iter().map(Receipt::bloom).collect();
    let (computed, all) = root(receipts, &blooms);
    let unknown = || receipts.iter().map(Receipt::kind).find(|kind| *kind > KNOWN_MAX);
    match (computed == header, all == bloom) {
        (true, true) => Ok(Proof::Root),
        (false, true) => unknown().map_or(Err(Unproved::Root(computed)), |kind| Ok(Proof::BloomOnly { kind })),
        (true, false) => Err(Unproved::Bloom),
        (false, false) => Err(unknown().map_or(Unproved::Root(computed), |_| Unproved::Bloom)),
    }
}

/// Those of a block's logs that are wanted, by the contract that emitted each and its topics, in block order; each has its place among all of them
/// as index. The data of the others is never decoded into bytes of its own. Where a receipt does not say whether its transaction succeeded its logs do, and all
/// are wanted.
pub(crate) fn logs<D: Data>(receipts: Vec<Receipt<D>>, wanted: impl Fn(&Address, &[B256]) -> bool) -> Vec<Log> {
    let all = receipts.into_iter().flat_map(|receipt| {
        let (transaction, silent) = (receipt.transaction_hash, receipt.status.is_none());
        receipt.logs.into_iter().map(move |log| (log, transaction, silent))
    });
    let numbered = all.zip(0u64..).filter(|((log, _, silent), _)| *silent || wanted(&log.address, &log.topics));
    numbered
        .map(|((log, transaction, _), index)| Log {
            address: log.address,
            topics: log.topics,
            data: log.data.decoded().0,
            transaction,
            index,
        })
        .collect()
}
