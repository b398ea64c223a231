//! The proof texts: one form each, and every part bound to the checkpoint below.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use ed25519_dalek::{Signer, SigningKey};
use proptest::prelude::*;
use watchfire_types::{Epoch, MemberKey, NetworkId};

use super::*;
use crate::checkpoint::Origin;
use crate::tree::{Tree, leaf_hash};

fn key() -> SigningKey {
    SigningKey::from_bytes(&[1; 32])
}

fn leaf(index: u64) -> Vec<u8> {
    format!("leaf {index}").into_bytes()
}

fn tree() -> Tree {
    (0..21).map(leaf).collect()
}

fn signature(checkpoint: &Checkpoint) -> [u8; 64] {
    key().sign(checkpoint.text().as_bytes()).to_bytes()
}

fn checkpoint(size: u64) -> Checkpoint {
    let origin = Origin {
        network: NetworkId::from_bytes([0xab; 32]),
        member: "alder-1".parse().unwrap(),
        epoch: Epoch::from_bytes([0xe0; 16]),
    };
    Checkpoint { origin, size, root: tree().root_at(size).unwrap() }
}

fn signed(size: u64) -> SignedCheckpoint {
    let author = MemberKey::from_bytes(key().verifying_key().to_bytes());
    SignedCheckpoint::new(checkpoint(size), &author, &signature(&checkpoint(size)))
}

fn inclusion(index: u64, size: u64) -> InclusionText {
    let proof = tree().inclusion(index, size).unwrap();
    InclusionText { leaf: leaf(index), proof, checkpoint: signed(size) }
}

fn consistency(from: u64, to: u64, sign: bool) -> ConsistencyText {
    let old = checkpoint(from);
    let old_signature = sign.then(|| signature(&old));
    ConsistencyText {
        old_root: old.root,
        old_signature,
        proof: tree().consistency(from, to).unwrap(),
        checkpoint: signed(to),
    }
}

/// Golden bytes of both texts.
#[test]
fn golden_texts() {
    assert_eq!(inclusion(3, 21).to_string(), include_str!("inclusion.golden.txt"));
    assert_eq!(consistency(6, 21, true).to_string(), include_str!("consistency.golden.txt"));
}

/// Every proof of the tree reads back as what it was, and verifies against what stands in the text alone.
#[test]
fn texts_read_back() {
    for size in 1..=21 {
        for at in 0..size {
            let text = inclusion(at, size);
            let read = InclusionText::parse(&text.to_string()).unwrap();
            assert_eq!(read, text);
            read.proof.verify(&leaf_hash(&read.leaf), &read.checkpoint.checkpoint().root).unwrap();
            let text = consistency(at + 1, size, at % 2 == 0);
            let read = ConsistencyText::parse(&text.to_string()).unwrap();
            assert_eq!(read, text);
            assert_eq!(read.old_checkpoint(), checkpoint(at + 1));
            read.proof.verify(&read.old_root, &read.checkpoint.checkpoint().root).unwrap();
        }
    }
}

/// Breaches are named by their line in the whole file.
#[test]
fn breaches_are_named() {
    let text = inclusion(3, 21).to_string();
    let line = |text: &str| match InclusionText::parse(text) {
        Err(NoteError::Malformed { line, .. }) => line,
        other => panic!("{other:?}"),
    };
    assert_eq!(line(&text.replace("tlog-proof@v1", "tlog-proof@v2")), 1);
    assert_eq!(line(&text.replace("extra ", "extra  ")), 2);
    assert_eq!(line(&text.replace("index 3", "index 03")), 3);
    assert_eq!(line(&text.replace("index 3\n", "index 3\nAAAA\n")), 4);
    assert_eq!(line(&text.replace("\n21\n", "\n021\n")), 3 + 5 + 1 + 2);
    let text = consistency(6, 21, true).to_string();
    assert!(ConsistencyText::parse(&text.replace("old 6", "old -6")).is_err());
    assert!(ConsistencyText::parse(&text.replace("root ", "root")).is_err());
    assert!(ConsistencyText::parse(&text.replace("signature ", "signature A")).is_err());
    assert!(ConsistencyText::parse(&inclusion(3, 21).to_string()).is_err());
    assert!(matches!(InclusionText::parse(&"x".repeat(TEXT_MAX + 1)), Err(NoteError::TooLong { .. })));
}

proptest! {
    /// A changed byte is refused, or prints as it was read, and never proves the same leaf elsewhere.
    #[test]
    fn one_form(at in any::<prop::sample::Index>(), byte in 0_u8..128) {
        for text in [inclusion(3, 21).to_string(), consistency(6, 21, true).to_string()] {
            let mut bytes = text.into_bytes();
            let at = at.index(bytes.len());
            bytes[at] = byte;
            let Ok(changed) = String::from_utf8(bytes) else { continue };
            if let Ok(read) = InclusionText::parse(&changed) {
                prop_assert_eq!(read.to_string(), changed);
            } else if let Ok(read) = ConsistencyText::parse(&changed) {
                prop_assert_eq!(read.to_string(), changed);
            }
        }
    }
}
