//! Tries with proofs, for blocks that tests make up.

use std::collections::BTreeMap;

use alloy_primitives::B256;
use alloy_trie::proof::ProofRetainer;
use alloy_trie::{EMPTY_ROOT_HASH, HashBuilder, Nibbles};
use watchfire_types::Bytes;

/// Root and one proof per key over these values.
pub(crate) fn trie(values: &BTreeMap<Vec<u8>, Vec<u8>>, wanted: &[Vec<u8>]) -> (B256, Vec<Vec<Bytes>>) {
    if values.is_empty() {
        return (EMPTY_ROOT_HASH, wanted.iter().map(|_| Vec::new()).collect());
    }
    let one = |key: &Vec<u8>| {
        let retainer = ProofRetainer::from_iter([Nibbles::unpack(key)]);
        let mut builder = HashBuilder::default().with_proof_retainer(retainer);
        let sorted: BTreeMap<Nibbles, &Vec<u8>> =
            values.iter().map(|(key, value)| (Nibbles::unpack(key), value)).collect();
        for (key, value) in sorted {
            builder.add_leaf(key, value);
        }
        let root = builder.root();
        let nodes = builder.take_proof_nodes().into_nodes_sorted().into_iter().map(|(_, node)| node.0).collect();
        (root, nodes)
    };
    let proofs: Vec<(B256, Vec<Bytes>)> = wanted.iter().map(one).collect();
    let root = proofs.first().map_or_else(|| one(&Vec::new()).0, |(root, _)| *root);
    (root, proofs.into_iter().map(|(_, proof)| proof).collect())
}
