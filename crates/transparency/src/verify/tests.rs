//! Signed checkpoints: golden bytes, each signature bound, and the published C2SP crates as readers.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use ed25519_dalek::{Signer, SigningKey};
use proptest::prelude::*;
use signed_note::{StandardVerifier, Verifier as _, VerifierList};
use watchfire_types::{Epoch, NetworkId};

use super::*;
use crate::checkpoint::Origin;
use crate::note::log_verifier_key;
use crate::tree::Tree;

const TIME: u64 = 1_679_315_147;

fn key(seed: u8) -> SigningKey {
    SigningKey::from_bytes(&[seed; 32])
}

fn member(seed: u8) -> MemberKey {
    MemberKey::from_bytes(key(seed).verifying_key().to_bytes())
}

fn checkpoint(size: u64) -> Checkpoint {
    let tree: Tree = (0..size).map(|leaf| leaf.to_be_bytes()).collect();
    let origin = Origin {
        network: NetworkId::from_bytes([0xab; 32]),
        member: "alder-1".parse().unwrap(),
        epoch: Epoch::from_bytes([0xe0; 16]),
    };
    Checkpoint { origin, size, root: tree.root_at(size).unwrap() }
}

fn witnessed(checkpoint: &Checkpoint, name: &str, seed: u8, time_s: u64) -> Witnessed {
    let signature = key(seed).sign(checkpoint.cosigned_text(time_s).as_bytes()).to_bytes();
    Witnessed { witness: name.parse().unwrap(), time_s, signature }
}

/// Signed by key 1, witnessed by keys 2 and 3.
fn sample() -> SignedCheckpoint {
    let checkpoint = checkpoint(5);
    let signature = key(1).sign(checkpoint.text().as_bytes()).to_bytes();
    let mut signed = SignedCheckpoint::new(checkpoint.clone(), &member(1), &signature);
    signed.witnessed(&witnessed(&checkpoint, "birch-1", 2, TIME), &member(2));
    signed.witnessed(&witnessed(&checkpoint, "cedar-1", 3, TIME + 1), &member(3));
    signed
}

fn witnesses() -> BTreeMap<MemberId, MemberKey> {
    let entry = |(name, seed): (&str, u8)| (name.parse().unwrap(), member(seed));
    [("alder-1", 1), ("birch-1", 2), ("cedar-1", 3), ("dogwood-1", 4)].into_iter().map(entry).collect()
}

/// Golden bytes of a checkpoint with its author's and a witness's line.
#[test]
fn golden_note() {
    assert_eq!(sample().to_string(), include_str!("golden.txt"));
    assert_eq!(SignedCheckpoint::parse(include_str!("golden.txt")).unwrap(), sample());
}

/// Every known line is checked; unknown ones say nothing.
#[test]
fn known_lines_are_checked() {
    let names = |found: Vec<Witnessed>| found.into_iter().map(|line| line.witness.to_string()).collect::<Vec<_>>();
    assert_eq!(names(sample().verify(&member(1), &witnesses()).unwrap()), ["birch-1", "cedar-1"]);
    assert!(matches!(sample().verify(&member(2), &witnesses()), Err(NoteError::NotSigned { .. })));

    let mut stranger = sample();
    stranger.witnessed(&witnessed(&checkpoint(5), "elm-1", 9, TIME), &member(9));
    assert_eq!(names(stranger.verify(&member(1), &witnesses()).unwrap()), ["birch-1", "cedar-1"]);

    let mut itself = sample();
    itself.witnessed(&witnessed(&checkpoint(5), "alder-1", 1, TIME), &member(1));
    assert_eq!(
        names(itself.verify(&member(1), &witnesses()).unwrap()),
        ["birch-1", "cedar-1"],
        "nobody is its own witness"
    );

    let mut false_line = sample();
    false_line.witnessed(&witnessed(&checkpoint(4), "dogwood-1", 4, TIME), &member(4));
    assert!(matches!(false_line.verify(&member(1), &witnesses()), Err(NoteError::BadSignature { .. })));

    let mut later = sample();
    later.witnessed(&witnessed(&checkpoint(5), "birch-1", 2, TIME + 9), &member(2));
    assert_eq!(later.verify(&member(1), &witnesses()).unwrap()[0].time_s, TIME + 9);

    let mut after_time = sample();
    after_time.witnessed(&witnessed(&checkpoint(5), "dogwood-1", 4, 1 << 63), &member(4));
    assert!(matches!(after_time.verify(&member(1), &witnesses()), Err(NoteError::BadSignature { .. })));
}

/// A reader of the published crates takes the author's line under the same verifier key.
#[test]
fn the_published_crates_read_it() {
    let name = sample().checkpoint().origin.to_string();
    let id = u32::from_be_bytes(log_key_id(&name, &member(1)));
    let verifier = StandardVerifier::new(&log_verifier_key(&name, &member(1))).unwrap();
    assert_eq!(verifier.key_id(), id, "the same key id");
    let text = sample().to_string();
    let note = signed_note::Note::from_bytes(text.as_bytes()).unwrap();
    let (verified, _) = note.verify(&VerifierList::new(vec![Box::new(verifier)])).unwrap();
    assert_eq!(verified.len(), 1);
    let read = tlog_tiles::Checkpoint::from_bytes(note.text()).unwrap();
    assert_eq!((read.origin(), read.size()), (name.as_str(), 5));
    assert_eq!(read.hash().0, sample().checkpoint().root);
}

/// The Merkle hashes of the published crate are the same.
#[test]
fn the_published_crates_hash_alike() {
    assert_eq!(tlog_tiles::record_hash(b"leaf").0, crate::tree::leaf_hash(b"leaf"));
    let (left, right) = ([1; 32], [2; 32]);
    assert_eq!(
        tlog_tiles::node_hash(tlog_tiles::Hash(left), tlog_tiles::Hash(right)).0,
        crate::tree::node_hash(&left, &right)
    );
}

proptest! {
    /// Any changed byte makes the note unreadable, unsigned or false, or is in a line's unknown part.
    #[test]
    fn every_byte_counts(at in any::<prop::sample::Index>(), byte in any::<u8>()) {
        let text = sample().to_string();
        let mut bytes = text.clone().into_bytes();
        let at = at.index(bytes.len());
        prop_assume!(bytes[at] != byte);
        bytes[at] = byte;
        let Ok(changed) = String::from_utf8(bytes) else { return Ok(()) };
        if let Ok(read) = SignedCheckpoint::parse(&changed) {
            prop_assert_eq!(read.to_string(), changed);
            if let Ok(found) = read.verify(&member(1), &witnesses()) {
                let whole = sample();
                prop_assert_eq!(read.checkpoint(), whole.checkpoint());
                prop_assert!(found.len() < 2, "a line of another name or id counts for nobody");
            }
        }
    }
}
