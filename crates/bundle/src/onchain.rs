//! From raw answers of operators to what headers prove: headers as RLP, receipts and state with their trie proofs.
//!
//! Nothing is taken that does not verify here: an operator that answered nonsense leaves its raw object in the bundle, and no block.

use std::collections::{BTreeMap, BTreeSet};

use alloy_primitives::{Address, B256, Bytes as AlloyBytes, U256};
use serde::Deserialize;
use watchfire_types::body::{EvidenceItem, EvidenceKind};
use watchfire_types::{BlockRef, Body, Bytes, ChainId};
use watchfire_wire::bundle::{
    BundledBlock, MAX_BUNDLE_ACCOUNTS, MAX_BUNDLE_BLOCKS, MAX_BUNDLE_OBJECT, MAX_BUNDLE_OBJECTS, MAX_BUNDLE_RECEIPT,
    MAX_BUNDLE_RECEIPTS, ProvedAccount, ProvedReceipt, ProvedSlot,
};

use crate::belong::{Belonging, watched};
use crate::build::Parts;
use crate::trie::{self, HeaderFacts};

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

/// Blocks and objects of the incident's manifests, each in the order of the format.
pub(crate) fn collect(parts: &Parts<'_>, belonging: &Belonging) -> (Vec<BundledBlock>, BTreeMap<B256, Bytes>) {
    let told = parts.events.iter().filter(|event| belonging.told.contains(&event.hash()));
    let items: BTreeMap<(B256, BlockRef), &EvidenceItem> = told
        .filter_map(|event| match &event.body {
            Body::EvidenceCollected(collected) => Some(&collected.items),
            _ => None,
        })
        .flatten()
        .map(|item| ((item.object, item.block), item))
        .collect();
    let named: BTreeSet<B256> = items.keys().map(|(object, _)| *object).collect();
    let objects: BTreeMap<B256, Bytes> = parts
        .objects
        .iter()
        .filter(|(digest, content)| named.contains(*digest) && content.len() <= MAX_BUNDLE_OBJECT)
        .take(MAX_BUNDLE_OBJECTS)
        .map(|(digest, content)| (*digest, content.clone()))
        .collect();
    let mut blocks: BTreeMap<BlockKey, (BundledBlock, HeaderFacts)> = BTreeMap::new();
    let of = |kind| {
        let items = items.values().filter(move |item| item.kind == kind);
        items.filter_map(|item| Some((item.block, objects.get(&item.object)?)))
    };
    for (block, content) in of(EvidenceKind::Block) {
        if blocks.len() < MAX_BUNDLE_BLOCKS
            && let Some(opened) = header(block, content)
        {
            blocks.entry((block.chain, block.hash)).or_insert(opened);
        }
    }
    for (block, content) in of(EvidenceKind::ReceiptProofs) {
        if let Some((entry, facts)) = blocks.get_mut(&(block.chain, block.hash)) {
            receipts(entry, facts, content);
        }
    }
    let charters = parts.charters.iter().map(|text| (text.charter.version, text.charter.clone())).collect();
    for (block, content) in of(EvidenceKind::StateProof) {
        if let Some((entry, facts)) = blocks.get_mut(&(block.chain, block.hash)) {
            account(entry, facts, &watched(&charters, &parts.asset, block.chain), content);
        }
    }
    (blocks.into_values().map(|(block, _)| block).collect(), objects)
}

/// The header, if it is that of the block as the manifest names it.
fn header(block: BlockRef, content: &Bytes) -> Option<(BundledBlock, HeaderFacts)> {
    let answer: Answer<alloy_consensus::Header> = serde_json::from_slice(content).ok()?;
    let header = alloy_rlp::encode(&answer.result);
    let facts = trie::header(&header, block.hash).ok()?;
    if (facts.number, facts.time_s) != (block.number, block.time.as_secs()) {
        return None;
    }
    let (chain, hash) = (block.chain, block.hash);
    Some((BundledBlock { chain, hash, header: header.into(), receipts: Vec::new(), accounts: Vec::new() }, facts))
}

fn raw(nodes: Vec<AlloyBytes>) -> Vec<Bytes> {
    nodes.into_iter().map(|node| node.0).collect()
}

fn receipts(block: &mut BundledBlock, facts: &HeaderFacts, content: &Bytes) {
    let Ok(proofs) = serde_json::from_slice::<ReceiptProofs>(content) else { return };
    let mut held: BTreeMap<u64, ProvedReceipt> =
        std::mem::take(&mut block.receipts).into_iter().map(|receipt| (receipt.index, receipt)).collect();
    for ReceiptProof { index, value, proof } in proofs.receipts {
        let receipt = ProvedReceipt { index, receipt: value.0, proof: raw(proof) };
        let key = trie::receipt_key(index);
        let proved = trie::prove(facts.receipts_root, &key, &receipt.receipt, &receipt.proof).is_ok();
        let opened = !receipt.receipt.is_empty() && trie::receipt(&receipt.receipt).is_ok();
        let fits = receipt.receipt.len() <= MAX_BUNDLE_RECEIPT && held.len() < MAX_BUNDLE_RECEIPTS;
        if proved && opened && fits {
            held.entry(index).or_insert(receipt);
        }
    }
    block.receipts = held.into_values().collect();
}

fn account(block: &mut BundledBlock, facts: &HeaderFacts, watched: &BTreeSet<Address>, content: &Bytes) {
    let Ok(Answer { result }) = serde_json::from_slice::<Answer<AccountProof>>(content) else { return };
    // What some member collected of another account stays among the raw answers.
    let result = watched.contains(&result.address).then_some(result);
    let Some(mut proved) = result.and_then(|result| proved_account(facts, result)) else { return };
    match block.accounts.binary_search_by_key(&proved.address, |account| account.address) {
        Ok(at) => {
            let Some(held) = block.accounts.get_mut(at) else { return };
            let mut slots: BTreeMap<B256, ProvedSlot> =
                std::mem::take(&mut held.slots).into_iter().chain(proved.slots.drain(..)).map(by_slot).collect();
            while slots.len() > MAX_BUNDLE_ACCOUNTS {
                slots.pop_last();
            }
            held.slots = slots.into_values().collect();
        }
        Err(at) if block.accounts.len() < MAX_BUNDLE_ACCOUNTS => block.accounts.insert(at, proved),
        Err(_) => {}
    }
}

fn by_slot(slot: ProvedSlot) -> (B256, ProvedSlot) {
    (slot.slot, slot)
}

/// What of an answer the state root proves.
fn proved_account(facts: &HeaderFacts, answer: AccountProof) -> Option<ProvedAccount> {
    let AccountProof { address, account_proof, nonce, balance, storage_hash, code_hash, storage_proof } = answer;
    let key = trie::secure_key(address.as_slice());
    let proof = raw(account_proof);
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
        let key = trie::secure_key(slot.as_slice());
        let value = values.into_iter().find(|value| trie::prove(root, &key, value, &proof).is_ok())?;
        Some(ProvedSlot { slot, value, proof })
    };
    let slots: BTreeMap<B256, ProvedSlot> = storage_proof.into_iter().filter_map(slot).map(by_slot).collect();
    let slots = slots.into_values().take(MAX_BUNDLE_ACCOUNTS).collect();
    Some(ProvedAccount { address, value, proof, slots })
}
