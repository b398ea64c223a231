#![allow(clippy::unwrap_used)]

use alloy_primitives::keccak256;
use alloy_rlp::Encodable as _;
use alloy_trie::nodes::{BranchNode, ExtensionNode, LeafNode, RlpNode};
use alloy_trie::proof::ProofRetainer;
use alloy_trie::{HashBuilder, TrieMask};
use proptest::prelude::*;

use super::*;

fn nibbles(length: usize) -> Nibbles {
    Nibbles::from_nibbles(vec![1; length])
}

fn encoded(node: &TrieNode) -> Bytes {
    alloy_rlp::encode(node).into()
}

/// Nodes of these lengths, each under the one before: extensions and branches by turns, and a leaf at the end. Nobody's trie.
fn chain(lengths: &[usize]) -> Vec<Bytes> {
    let (last, before) = lengths.split_last().unwrap();
    let mut nodes = vec![encoded(&TrieNode::Leaf(LeafNode::new(nibbles(*last), vec![7; 40])))];
    for length in before.iter().rev() {
        let child = RlpNode::from_rlp(nodes.last().unwrap());
        let node = match length {
            1 => TrieNode::Branch(BranchNode::new(vec![child], TrieMask::new(1 << 1))),
            _ => TrieNode::Extension(ExtensionNode::new(nibbles(*length), child)),
        };
        nodes.push(encoded(&node));
    }
    nodes.reverse();
    nodes
}

fn root(nodes: &[Bytes]) -> B256 {
    keccak256(nodes.first().unwrap())
}

/// Goal: nodes whose path is longer than a hash, which the library cannot take, are refused by name; those as long as one are judged.
#[test]
fn paths_longer_than_a_hash_are_refused() {
    let key = [0x11; 32];
    for lengths in [&[64, 1][..], &[63, 1, 1], &[2, 62, 1], &[32, 1, 32]] {
        let nodes = chain(lengths);
        assert_eq!(prove(root(&nodes), &key, Some(&[7; 40]), &nodes), Err(TrieFault::TooDeep), "{lengths:?}");
    }
    for lengths in [&[63, 1][..], &[1, 63], &[2, 61, 1], &[64]] {
        let nodes = chain(lengths);
        assert_eq!(prove(root(&nodes), &key, Some(&[7; 40]), &nodes), Ok(()), "{lengths:?}");
    }
    assert_eq!(prove(B256::ZERO, &[0; 33], None, &[]), Err(TrieFault::LongKey { bytes: 33 }));
}

/// Goal: the same where the deeper nodes stand within their parents.
#[test]
fn paths_within_nodes_count() {
    let inner = TrieNode::Leaf(LeafNode::new(nibbles(31), vec![7]));
    let mut short = Vec::new();
    inner.encode(&mut short);
    let held = RlpNode::from_raw_rlp(&short).unwrap();
    let branch = TrieNode::Branch(BranchNode::new(vec![held], TrieMask::new(1 << 1)));
    let over = vec![
        encoded(&TrieNode::Extension(ExtensionNode::new(nibbles(33), RlpNode::from_rlp(&encoded(&branch))))),
        encoded(&branch),
    ];
    assert_eq!(prove(root(&over), &[0x11; 32], Some(&[7]), &over), Err(TrieFault::TooDeep));
    let exact = vec![
        encoded(&TrieNode::Extension(ExtensionNode::new(nibbles(32), RlpNode::from_rlp(&encoded(&branch))))),
        encoded(&branch),
    ];
    assert_eq!(prove(root(&exact), &[0x11; 32], Some(&[7]), &exact), Ok(()));
}

proptest! {
    /// Goal: any chain of nodes is judged without a panic, whatever the key.
    #[test]
    fn any_chain_is_judged(
        lengths in prop::collection::vec(1_usize..=64, 1..8),
        key in prop::collection::vec(any::<u8>(), 0..40),
        from in 0_usize..8,
    ) {
        let nodes = chain(&lengths);
        let nodes = &nodes[from.min(nodes.len() - 1)..];
        let _ = prove(root(nodes), &key, Some(&[7; 40]), nodes);
        let _ = prove(root(nodes), &key, None, nodes);
    }

    /// Goal: what a real trie proves, present or absent, is proved here too, whatever its shape.
    #[test]
    fn real_tries_are_never_too_deep(
        keys in prop::collection::btree_set(prop::array::uniform2(0_u8..4), 1..24),
        absent in prop::array::uniform2(0_u8..4),
        fill in prop::sample::select(vec![0_u8, 0x11]),
    ) {
        let whole = |start: [u8; 2]| { let mut key = [fill; 32]; key[0] = start[0]; key[31] = start[1]; key };
        let targets: Vec<[u8; 32]> = keys.iter().copied().chain([absent]).map(whole).collect();
        let mut builder = HashBuilder::default()
            .with_proof_retainer(targets.iter().map(Nibbles::unpack).collect::<ProofRetainer>());
        let mut held: Vec<[u8; 32]> = keys.iter().copied().map(whole).collect();
        held.sort_unstable();
        held.iter().for_each(|key| builder.add_leaf(Nibbles::unpack(key), &[9]));
        let root = builder.root();
        let nodes = builder.take_proof_nodes();
        for key in &targets {
            let path = Nibbles::unpack(key);
            // What stands in its parent is no node of its own in a proof.
            let own = nodes.matching_nodes_sorted(&path).into_iter().enumerate().filter(|(at, (_, node))| *at == 0 || node.len() >= 32);
            let proof: Vec<Bytes> = own.map(|(_, (_, node))| node).collect();
            let value = held.contains(key).then_some(&[9][..]);
            prop_assert_eq!(prove(root, key, value, &proof), Ok(()));
        }
    }
}
