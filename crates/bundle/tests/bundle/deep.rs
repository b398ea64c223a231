//! Trie nodes that no trie has: their path is longer than any key. A liar can hash a header of its own over them.

use alloy_consensus::Header;
use alloy_primitives::{B256, keccak256};
use alloy_trie::Nibbles;
use alloy_trie::nodes::{ExtensionNode, LeafNode, RlpNode};
use serde_json::json;
use sha2::{Digest as _, Sha256};
use watchfire_bundle::verify;
use watchfire_types::body::{Body, EvidenceItem, EvidenceKind};
use watchfire_types::{BlockRef, Bytes};
use watchfire_wire::bundle::{Bundle, BundledBlock, ProvedReceipt};

use crate::fixture::{Story, block, charter, whole};
use crate::hostile::manifest;

/// A path of a hash's whole length, and a leaf under it.
fn nodes() -> [Bytes; 2] {
    let leaf: Bytes = alloy_rlp::encode(LeafNode::new(Nibbles::from_nibbles([7]), vec![7; 40])).into();
    let extension = ExtensionNode::new(Nibbles::from_nibbles([1; 64]), RlpNode::from_rlp(&leaf));
    [alloy_rlp::encode(extension).into(), leaf]
}

/// What a liar says it collected of a block of its own making.
fn story() -> (Story, BlockRef, Header) {
    let mut story = Story::whole();
    let [root, leaf] = nodes();
    let receipts_root = keccak256(&root);
    let header = Header { number: 140, timestamp: 1_700_000_140, receipts_root, ..Header::default() };
    let block = BlockRef { hash: header.hash_slow(), ..block(140) };
    let mut answer = serde_json::to_value(&header).unwrap();
    answer["hash"] = json!(block.hash);
    let hexed = |bytes: &Bytes| format!("0x{}", hex::encode(bytes));
    let proofs = json!({ "block": block.hash, "receiptsRoot": receipts_root, "receipts": [{
        "index": 1, "key": "0x01", "value": "0x02c401808080", "proof": [hexed(&root), hexed(&leaf)],
    }]});
    let account = json!({ "address": B256::ZERO, "nonce": "0x0" });
    let mut lie = manifest(&story);
    let template = lie.items.remove(0);
    lie.items.clear();
    for (kind, content) in [
        (EvidenceKind::Block, json!({ "result": answer })),
        (EvidenceKind::ReceiptProofs, proofs),
        (EvidenceKind::StateProof, account),
    ] {
        let content = Bytes::from(serde_json::to_vec(&content).unwrap());
        let object = B256::from_slice(&Sha256::digest(&content));
        lie.items.push(EvidenceItem { kind, block, object, size: content.len() as u64, ..template.clone() });
        story.objects.insert(object, content);
    }
    story.authors[4].says(Body::EvidenceCollected(lie));
    (story, block, header)
}

/// Goal: a liar's objects keep nobody from making a bundle, and prove nothing in it.
#[test]
fn a_liars_nodes_prove_nothing() {
    let (story, block, _) = story();
    let file = story.bundle();
    let report = verify(&file, Some(&charter()));
    assert!(report.holds, "{:?}", report.first_failure);
    let theirs = Bundle::decode(&file).unwrap().blocks.into_iter().find(|held| held.hash == block.hash).unwrap();
    assert!(theirs.receipts.is_empty(), "{theirs:?}");
}

/// The same nodes in a bundle that a liar wrote itself.
pub(crate) fn written() -> Bytes {
    let (story, block, header) = story();
    let mut bundle = Bundle::decode(&story.bundle()).unwrap();
    let receipt =
        ProvedReceipt { index: 1, receipt: Bytes::from_static(&[2, 0xc4, 1, 0x80, 0x80, 0xc0]), proof: nodes().into() };
    let (chain, hash, header) = (block.chain, block.hash, alloy_rlp::encode(header).into());
    bundle.blocks.retain(|held| held.hash != hash);
    bundle.blocks.push(BundledBlock { chain, hash, header, receipts: vec![receipt], accounts: Vec::new() });
    bundle.blocks.sort_by_key(|block| (block.chain, block.hash));
    bundle.encode().unwrap()
}

/// Goal: whoever verifies it is told which receipt is not proved, and the rest of it is judged.
#[test]
fn a_written_proof_fails_by_name() {
    let report = verify(&written(), Some(&charter()));
    let failure = report.first_failure.as_ref().unwrap();
    assert_eq!(failure.name, "receipt");
    assert!(failure.detail.contains("deeper than a key"), "{}", failure.detail);
    let names =
        |report: &watchfire_bundle::Report| -> Vec<&str> { report.checks.iter().map(|check| check.name).collect() };
    let (all, held) = (names(&report), names(&verify(&whole(), Some(&charter()))));
    assert_eq!(held.iter().find(|name| !all.contains(name)), None);
}
