//! What a proof may not have beside what it proves.

#![allow(clippy::unwrap_used)]

use alloy_trie::proof::ProofRetainer;
use alloy_trie::{HashBuilder, Nibbles};

use super::*;

/// Goal: an absent key is proved by the nodes up to where its path ends, and by nothing after that.
#[test]
fn nothing_is_left_over() {
    let (key, absent) = ([0x11; 32], [0x22; 32]);
    // All keys begin alike, so that the root is an extension, which leads past the absent one.
    let keys = [key, [0x12; 32]];
    let mut builder = HashBuilder::default().with_proof_retainer(ProofRetainer::from_iter([Nibbles::unpack(key)]));
    keys.iter().for_each(|key| builder.add_leaf(Nibbles::unpack(key), &[7; 40]));
    let root = builder.root();
    let nodes: Vec<Bytes> =
        builder.take_proof_nodes().into_nodes_sorted().into_iter().map(|(_, node)| node.0).collect();
    assert_eq!(nodes.len(), 3, "an extension, a branch, a leaf");
    assert_eq!(prove(root, &key, &Bytes::from(vec![7; 40]), &nodes), Ok(()));
    assert_eq!(prove(root, &absent, &Bytes::new(), &nodes[..1]), Ok(()));
    assert!(prove(root, &absent, &Bytes::new(), &nodes[..2]).is_err());
    assert!(prove(root, &key, &Bytes::from(vec![7; 40]), &nodes[..2]).is_err());
}
