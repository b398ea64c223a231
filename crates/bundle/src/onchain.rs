//! From raw answers of operators to what headers prove: headers as RLP, receipts and state with their trie proofs.
//!
//! Nothing is taken that does not verify here: an operator that answered nonsense leaves its raw object in the bundle, and no block.
//! Nor anything beyond the bounds of the format, which a made-up chain of headers and tries can exceed. Each collector has an equal part of
//! the room, of which what it names is paid.

use std::collections::{BTreeMap, BTreeSet};

use alloy_primitives::{Address, B256, Bytes as AlloyBytes, U256};
use serde::Deserialize;
use watchfire_types::body::{EvidenceItem, EvidenceKind};
use watchfire_types::{BlockRef, Body, Bytes, ChainId, Event, MemberKey, Verified};
use watchfire_wire::bundle::{
    BundledBlock, MAX_BUNDLE_ACCOUNTS, MAX_BUNDLE_BLOCKS, MAX_BUNDLE_HEADER, MAX_BUNDLE_NODE, MAX_BUNDLE_OBJECT,
    MAX_BUNDLE_OBJECTS, MAX_BUNDLE_PATH, MAX_BUNDLE_RECEIPT, MAX_BUNDLE_RECEIPT_NODE, MAX_BUNDLE_RECEIPTS,
    ProvedAccount, ProvedReceipt, ProvedSlot,
};

use crate::belong::watched;
use crate::build::Parts;
use crate::room::{shares, take};
use crate::trie::{self, HeaderFacts};

/// What every receipt, account and slot takes beside its bytes and nodes, and every node, at most.
const FRAME: u64 = 128;

/// A JSON-RPC answer.
#[derive(Deserialize)]
struct Answer<T> {
    result: T,
}

/// The derived object of kind `RECEIPT_PROOFS` (proto/watchfire/v1/body.proto).
#[derive(Deserialize)]
struct ReceiptProofs {
    receipts: Vec<ReceiptProof>,
}

#[derive(Deserialize)]
struct ReceiptProof {
    index: u64,
    value: AlloyBytes,
    proof: Vec<AlloyBytes>,
}

#[derive(Deserialize)]
struct ListedReceipts {
    receipts: Vec<ListedReceipt>,
    #[serde(default, rename = "leftOut")]
    left_out: u64,
}

#[derive(Deserialize)]
struct ListedReceipt {
    index: u64,
}

/// Which receipts an object of kind `RECEIPT_PROOFS` has.
pub(crate) struct Listed {
    /// Indexes of their transactions.
    pub(crate) indexes: BTreeSet<u64>,
    /// How many more of the block concern the asset, as it says.
    pub(crate) left_out: u64,
}

impl Listed {
    /// `None` for any other bytes.
    pub(crate) fn read(content: &[u8]) -> Option<Self> {
        let ListedReceipts { receipts, left_out } = serde_json::from_slice(content).ok()?;
        Some(Self { indexes: receipts.into_iter().map(|receipt| receipt.index).collect(), left_out })
    }
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct StatedAccount {
    address: Address,
    storage_proof: Vec<StatedSlot>,
}

#[derive(Deserialize)]
struct StatedSlot {
    key: U256,
}

/// What an object of kind `STATE_PROOF` is about.
pub(crate) struct Stated {
    /// Account.
    pub(crate) address: Address,
    /// Its slots.
    pub(crate) slots: BTreeSet<B256>,
}

impl Stated {
    /// `None` for any other bytes.
    pub(crate) fn read(content: &[u8]) -> Option<Self> {
        let Answer { result } = serde_json::from_slice::<Answer<StatedAccount>>(content).ok()?;
        let slots = result.storage_proof.into_iter().map(|slot| B256::from(slot.key)).collect();
        Some(Self { address: result.address, slots })
    }
}

/// `eth_getProof` (EIP-1186).
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct AccountProof {
    address: Address,
    account_proof: Vec<AlloyBytes>,
    nonce: U256,
    balance: U256,
    storage_hash: B256,
    code_hash: B256,
    storage_proof: Vec<StorageProof>,
}

#[derive(Deserialize)]
struct StorageProof {
    key: U256,
    value: U256,
    proof: Vec<AlloyBytes>,
}

type BlockKey = (ChainId, B256);

/// What of the incident's manifests there is room for: each collector's part, and what it is asked for at least.
struct Room {
    shares: BTreeMap<MemberKey, u64>,
    /// So that there are never more objects, and blocks, than the format has room for.
    least_object: u64,
    least_block: u64,
}

impl Room {
    fn parted(room: u64, named: &[(MemberKey, &EvidenceItem)], held: &BTreeMap<B256, Bytes>) -> Self {
        let least_object = room / MAX_BUNDLE_OBJECTS as u64 + 1;
        let least_block = room / MAX_BUNDLE_BLOCKS as u64 + 1;
        let mut asked: BTreeMap<MemberKey, u64> = BTreeMap::new();
        let mut counted = BTreeSet::new();
        for (author, item) in named {
            let Some(content) = held.get(&item.object) else { continue };
            let (asked, size) = (asked.entry(*author).or_default(), content.len() as u64);
            if counted.insert((*author, item.object)) {
                *asked += (size + FRAME).max(least_object);
            }
            // What is made of an object is bytes where it has two hex digits each.
            match item.kind {
                EvidenceKind::Block => *asked += least_block,
                EvidenceKind::ReceiptProofs | EvidenceKind::StateProof => *asked += size,
                _ => {}
            }
        }
        Self { shares: shares(room, &asked), least_object, least_block }
    }

    fn take(&mut self, author: MemberKey, cost: u64) -> bool {
        take(self.shares.get_mut(&author), cost)
    }
}

/// Blocks and objects that these events of the incident name, each in the order of the format, as far as `room` bytes go.
pub(crate) fn collect(
    parts: &Parts<'_>,
    of_incident: &[&Verified<Event>],
    room: u64,
) -> (Vec<BundledBlock>, BTreeMap<B256, Bytes>) {
    let named: Vec<(MemberKey, &EvidenceItem)> = of_incident
        .iter()
        .flat_map(|event| match &event.body {
            Body::EvidenceCollected(collected) => collected.items.iter().map(|item| (event.author, item)).collect(),
            _ => Vec::new(),
        })
        .collect();
    let mut room = Room::parted(room, &named, &parts.objects);
    let mut objects: BTreeMap<B256, Bytes> = BTreeMap::new();
    for (author, item) in &named {
        let held = parts.objects.get(&item.object).filter(|content| content.len() <= MAX_BUNDLE_OBJECT);
        let Some(content) = held.filter(|_| !objects.contains_key(&item.object)) else { continue };
        if room.take(*author, (content.len() as u64 + FRAME).max(room.least_object)) {
            objects.insert(item.object, content.clone());
        }
    }
    let of = |kind| {
        let items = named.iter().filter(move |(_, item)| item.kind == kind);
        items.filter_map(|(author, item)| Some((*author, item.block, objects.get(&item.object)?)))
    };
    let mut blocks: BTreeMap<BlockKey, (BundledBlock, HeaderFacts)> = BTreeMap::new();
    for (author, block, content) in of(EvidenceKind::Block) {
        if !blocks.contains_key(&(block.chain, block.hash))
            && let Some(opened) = header(block, content)
            && room.take(author, room.least_block)
        {
            blocks.insert((block.chain, block.hash), opened);
        }
    }
    for (author, block, content) in of(EvidenceKind::ReceiptProofs) {
        if let Some((entry, facts)) = blocks.get_mut(&(block.chain, block.hash)) {
            receipts(entry, facts, content, &mut |cost| room.take(author, cost));
        }
    }
    let charters = parts.charters.iter().map(|text| (text.charter.version, text.charter.clone())).collect();
    for (author, block, content) in of(EvidenceKind::StateProof) {
        if let Some((entry, facts)) = blocks.get_mut(&(block.chain, block.hash)) {
            let watched = watched(&charters, &parts.asset, block.chain);
            account(entry, facts, &watched, content, &mut |cost| room.take(author, cost));
        }
    }
    (blocks.into_values().map(|(block, _)| block).collect(), objects)
}

fn size(nodes: &[Bytes]) -> u64 {
    nodes.iter().map(|node| node.len() as u64 + FRAME).sum()
}

/// Whether a proof is within the bounds of the format.
fn bounded(nodes: &[Bytes], largest: usize) -> bool {
    nodes.len() <= MAX_BUNDLE_PATH && nodes.iter().all(|node| node.len() <= largest)
}

/// The header, if it is that of the block as the manifest names it.
fn header(block: BlockRef, content: &Bytes) -> Option<(BundledBlock, HeaderFacts)> {
    let answer: Answer<alloy_consensus::Header> = serde_json::from_slice(content).ok()?;
    let header = alloy_rlp::encode(&answer.result);
    let facts = trie::header(&header, block.hash).ok()?;
    if (facts.number, facts.time_s) != (block.number, block.time.as_secs()) || header.len() > MAX_BUNDLE_HEADER {
        return None;
    }
    let (chain, hash) = (block.chain, block.hash);
    Some((BundledBlock { chain, hash, header: header.into(), receipts: Vec::new(), accounts: Vec::new() }, facts))
}

fn raw(nodes: Vec<AlloyBytes>) -> Vec<Bytes> {
    nodes.into_iter().map(|node| node.0).collect()
}

fn receipts(block: &mut BundledBlock, facts: &HeaderFacts, content: &Bytes, pays: &mut impl FnMut(u64) -> bool) {
    let Ok(proofs) = serde_json::from_slice::<ReceiptProofs>(content) else { return };
    let mut held: BTreeMap<u64, ProvedReceipt> =
        std::mem::take(&mut block.receipts).into_iter().map(|receipt| (receipt.index, receipt)).collect();
    for ReceiptProof { index, value, proof } in proofs.receipts {
        let receipt = ProvedReceipt { index, receipt: value.0, proof: raw(proof) };
        let key = trie::receipt_key(index);
        let proved = trie::prove(facts.receipts_root, &key, &receipt.receipt, &receipt.proof).is_ok();
        let opened = !receipt.receipt.is_empty() && trie::receipt(&receipt.receipt).is_ok();
        let fits = receipt.receipt.len() <= MAX_BUNDLE_RECEIPT && held.len() < MAX_BUNDLE_RECEIPTS;
        let fits = fits && bounded(&receipt.proof, MAX_BUNDLE_RECEIPT_NODE) && !held.contains_key(&index);
        if proved && opened && fits && pays(receipt.receipt.len() as u64 + size(&receipt.proof) + FRAME) {
            held.insert(index, receipt);
        }
    }
    block.receipts = held.into_values().collect();
}

fn account(
    block: &mut BundledBlock,
    facts: &HeaderFacts,
    watched: &BTreeSet<Address>,
    content: &Bytes,
    pays: &mut impl FnMut(u64) -> bool,
) {
    let Ok(Answer { result }) = serde_json::from_slice::<Answer<AccountProof>>(content) else { return };
    // What some member collected of another account stays among the raw answers.
    let result = watched.contains(&result.address).then_some(result);
    let Some(mut proved) = result.and_then(|result| proved_account(facts, result)) else { return };
    let slots = std::mem::take(&mut proved.slots);
    let at = match block.accounts.binary_search_by_key(&proved.address, |account| account.address) {
        Ok(at) => at,
        Err(at) => {
            if block.accounts.len() >= MAX_BUNDLE_ACCOUNTS || !pays(size(&proved.proof) + FRAME) {
                return;
            }
            block.accounts.insert(at, proved);
            at
        }
    };
    let Some(account) = block.accounts.get_mut(at) else { return };
    let mut held: BTreeMap<B256, ProvedSlot> = std::mem::take(&mut account.slots).into_iter().map(by_slot).collect();
    for slot in slots {
        let fits = held.len() < MAX_BUNDLE_ACCOUNTS && !held.contains_key(&slot.slot);
        if fits && pays(size(&slot.proof) + FRAME) {
            held.insert(slot.slot, slot);
        }
    }
    account.slots = held.into_values().collect();
}

fn by_slot(slot: ProvedSlot) -> (B256, ProvedSlot) {
    (slot.slot, slot)
}

/// What of an answer the state root proves.
fn proved_account(facts: &HeaderFacts, answer: AccountProof) -> Option<ProvedAccount> {
    let AccountProof { address, account_proof, nonce, balance, storage_hash, code_hash, storage_proof } = answer;
    let key = trie::secure_key(address.as_slice());
    let proof = raw(account_proof);
    if !bounded(&proof, MAX_BUNDLE_NODE) {
        return None;
    }
    let account =
        alloy_trie::TrieAccount { nonce: nonce.try_into().ok()?, balance, storage_root: storage_hash, code_hash };
    let present = Bytes::from(alloy_rlp::encode(account));
    let value =
        [present, Bytes::new()].into_iter().find(|value| trie::prove(facts.state_root, &key, value, &proof).is_ok())?;
    let root = trie::storage_root(&value).ok()?;
    let slot = |StorageProof { key, value, proof }: StorageProof| {
        let slot = B256::from(key);
        let proof = raw(proof);
        // A zero is absent from the trie; some development chains keep it there.
        let values = [Bytes::from(alloy_rlp::encode(value)), Bytes::new()];
        if !bounded(&proof, MAX_BUNDLE_NODE) {
            return None;
        }
        let key = trie::secure_key(slot.as_slice());
        let value = values.into_iter().find(|value| trie::prove(root, &key, value, &proof).is_ok())?;
        Some(ProvedSlot { slot, value, proof })
    };
    let slots = storage_proof.into_iter().filter_map(slot).collect();
    Some(ProvedAccount { address, value, proof, slots })
}
