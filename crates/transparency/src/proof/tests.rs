//! Proofs against the RFC's own example, against ct-merkle and against every kind of change.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use ct_merkle::{RootHash, mem_backed_tree::MemoryBackedTree};
use proptest::prelude::*;
use sha2::Sha256;

use super::{ConsistencyProof, InclusionProof};
use crate::error::ProofError;
use crate::tree::{Hash, Tree, leaf_hash, node_hash};

/// Tree sizes up to here are compared in full.
const SIZE: u64 = 130;

fn leaf(index: u64) -> Vec<u8> {
    format!("leaf {index}").into_bytes()
}

fn tree(size: u64) -> Tree {
    (0..size).map(leaf).collect()
}

/// The seven leaves d0 to d6 of RFC 9162, section 2.1.5, and the proofs it gives by name.
#[test]
fn the_example_of_the_rfc() {
    let tree = tree(7);
    let leaves: Vec<Hash> = (0..7).map(|index| leaf_hash(&leaf(index))).collect();
    let [a, b, c, d, e, f, j] = leaves.as_slice() else { panic!() };
    let (g, h, i) = (node_hash(a, b), node_hash(c, d), node_hash(e, f));
    let (k, l) = (node_hash(&g, &h), node_hash(&i, j));
    assert_eq!(tree.root_at(7), Some(node_hash(&k, &l)));
    assert_eq!(tree.inclusion(0, 7).unwrap().path, [*b, h, l]);
    assert_eq!(tree.inclusion(3, 7).unwrap().path, [*c, g, l]);
    assert_eq!(tree.inclusion(4, 7).unwrap().path, [*f, *j, k]);
    assert_eq!(tree.inclusion(6, 7).unwrap().path, [i, k]);
    assert_eq!(tree.consistency(3, 7).unwrap().path, [*c, *d, g, l]);
    assert_eq!(tree.consistency(4, 7).unwrap().path, [l]);
    assert_eq!(tree.consistency(6, 7).unwrap().path, [i, *j, k]);
}

/// Every inclusion proof of every tree up to 130 leaves has the bytes that ct-merkle makes, verifies here and there, and is small.
#[test]
fn inclusion_agrees_with_ct_merkle() {
    let ours = tree(SIZE);
    let mut theirs = MemoryBackedTree::<Sha256, Vec<u8>>::new();
    for size in 1..=SIZE {
        theirs.push(leaf(size - 1));
        let root = ours.root_at(size).unwrap();
        let their_root: RootHash<Sha256> = theirs.root();
        assert_eq!(their_root.as_bytes().as_slice(), root);
        for index in 0..size {
            let proof = ours.inclusion(index, size).unwrap();
            let their_proof = theirs.prove_inclusion(usize::try_from(index).unwrap());
            assert_eq!(their_proof.as_bytes(), proof.path.concat(), "{index} of {size}");
            proof.verify(&leaf_hash(&leaf(index)), &root).unwrap();
            let bytes = proof.to_bytes();
            let levels = size.next_power_of_two().trailing_zeros() as usize;
            assert!(bytes.len() <= 32 * levels + 160, "{index} of {size}: {} bytes", bytes.len());
            assert_eq!(InclusionProof::from_bytes(&bytes), Ok(proof));
            let longer = [&bytes[..], &[0]].concat();
            assert_eq!(InclusionProof::from_bytes(&longer), Err(ProofError::Bytes { found: longer.len() }));
        }
    }
}

/// Every consistency proof of every tree up to 130 leaves has the bytes that ct-merkle makes, and verifies.
#[test]
fn consistency_agrees_with_ct_merkle() {
    let ours = tree(SIZE);
    let mut theirs = MemoryBackedTree::<Sha256, Vec<u8>>::new();
    for to in 1..=SIZE {
        theirs.push(leaf(to - 1));
        let root = ours.root_at(to).unwrap();
        for from in 1..to {
            let proof = ours.consistency(from, to).unwrap();
            let their_proof = theirs.prove_consistency(usize::try_from(to - from).unwrap());
            assert_eq!(their_proof.as_bytes(), proof.path.concat(), "{from} to {to}");
            proof.verify(&ours.root_at(from).unwrap(), &root).unwrap();
            assert_eq!(ConsistencyProof::from_bytes(&proof.to_bytes()), Ok(proof));
        }
    }
}

/// What is no leaf or no tree has no proof.
#[test]
fn outside_is_said() {
    let tree = tree(7);
    assert_eq!(tree.inclusion(7, 7), Err(ProofError::Outside { wanted: 7, size: 7 }));
    assert_eq!(tree.inclusion(7, 8), Err(ProofError::Outside { wanted: 7, size: 7 }));
    assert_eq!(tree.inclusion(0, 0), Err(ProofError::Outside { wanted: 0, size: 0 }));
    assert_eq!(tree.consistency(0, 7), Err(ProofError::Outside { wanted: 0, size: 7 }));
    assert_eq!(tree.consistency(5, 8), Err(ProofError::Outside { wanted: 5, size: 7 }));
    assert_eq!(tree.consistency(6, 5), Err(ProofError::Outside { wanted: 6, size: 5 }));
    assert_eq!(tree.consistency(7, 7).unwrap().path, Vec::<Hash>::new());
    tree.consistency(7, 7).unwrap().verify(&tree.root_at(7).unwrap(), &tree.root_at(7).unwrap()).unwrap();
}

fn sizes() -> impl Strategy<Value = (u64, u64)> {
    (1_u64..300).prop_flat_map(|to| (1..=to, Just(to)))
}

proptest! {
    /// No other leaf, index, size, root or path verifies in the place of the right one.
    #[test]
    fn inclusion_binds((below, size) in sizes(), other in 0_u64..300, bit in 0_usize..256, node in any::<prop::sample::Index>()) {
        let tree = tree(size);
        let (index, root) = (below - 1, tree.root_at(size).unwrap());
        let (proof, hash) = (tree.inclusion(index, size).unwrap(), leaf_hash(&leaf(index)));
        let mut flipped = root;
        flipped[bit / 8] ^= 1 << (bit % 8);
        prop_assert_eq!(proof.verify(&hash, &flipped), Err(ProofError::OtherRoot));
        prop_assert_eq!(proof.verify(&flipped, &root), Err(ProofError::OtherRoot));
        if other != index {
            let moved = InclusionProof { index: other, ..proof.clone() };
            prop_assert!(moved.verify(&hash, &root).is_err());
        }
        if !proof.path.is_empty() {
            let mut broken = proof.clone();
            broken.path[node.index(proof.path.len())][bit / 8] ^= 1 << (bit % 8);
            prop_assert_eq!(broken.verify(&hash, &root), Err(ProofError::OtherRoot));
            broken.path.pop();
            prop_assert!(matches!(broken.verify(&hash, &root), Err(ProofError::Length { .. })), "too short");
        }
        let mut long = proof;
        long.path.push([0; 32]);
        prop_assert!(matches!(long.verify(&hash, &root), Err(ProofError::Length { .. })), "too long");
    }

    /// No other root of either tree verifies in the place of the right one: what a proof leads from is bound by what it leads to.
    #[test]
    fn consistency_binds((from, to) in sizes(), bit in 0_usize..256, node in any::<prop::sample::Index>()) {
        let tree = tree(to);
        let (old, root) = (tree.root_at(from).unwrap(), tree.root_at(to).unwrap());
        let proof = tree.consistency(from, to).unwrap();
        let flip = |hash: Hash| { let mut hash = hash; hash[bit / 8] ^= 1 << (bit % 8); hash };
        prop_assert!(proof.verify(&flip(old), &root).is_err());
        prop_assert!(proof.verify(&old, &flip(root)).is_err());
        if !proof.path.is_empty() {
            let mut broken = proof.clone();
            let at = node.index(proof.path.len());
            broken.path[at] = flip(broken.path[at]);
            prop_assert!(broken.verify(&old, &root).is_err());
            broken.path.pop();
            prop_assert!(matches!(broken.verify(&old, &root), Err(ProofError::Length { .. })), "too short");
        }
    }

    /// Any bytes are a proof or an error, and a proof that is read has no other bytes. Verifying anything ends.
    #[test]
    fn any_bytes_are_judged(bytes in prop::collection::vec(any::<u8>(), 0..200), numbers in any::<(u64, u64)>()) {
        for bytes in [bytes.clone(), [&numbers.0.to_be_bytes()[..], &numbers.1.to_be_bytes(), &bytes].concat()] {
            if let Ok(proof) = InclusionProof::from_bytes(&bytes) {
                prop_assert_eq!(proof.to_bytes(), bytes.clone());
            }
            if let Ok(proof) = ConsistencyProof::from_bytes(&bytes) {
                prop_assert_eq!(proof.to_bytes(), bytes.clone());
            }
        }
        let path = bytes.as_chunks::<32>().0.to_vec();
        let _ = InclusionProof { index: numbers.0, size: numbers.1, path: path.clone() }.verify(&[0; 32], &[0; 32]);
        let _ = ConsistencyProof { from: numbers.0, to: numbers.1, path }.verify(&[0; 32], &[0; 32]);
    }
}
