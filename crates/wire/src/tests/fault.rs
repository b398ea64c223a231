//! Checkpoint bodies, witness messages and fault objects: one encoding each, every bound refused.

use bytes::Bytes;
use proptest::collection::vec;
use proptest::prelude::*;
use watchfire_types::body::{Body, Checkpoint, CheckpointFault, FaultProof, Inconsistency};
use watchfire_types::fault::{FalseHistory, FaultKind, FaultObject};
use watchfire_types::{Epoch, MemberKey};

use super::samples::{NETWORK, author, checkpoint, sealed, vote};
use super::strategies::{hash, name};
use crate::bounds::{MAX_PROOF_HASHES, MAX_SUBTREES, MAX_WITNESS};
use crate::{Envelope, FAULT_HEADER, WireError, decode_fault, encode_fault};

fn any_checkpoint() -> impl Strategy<Value = Checkpoint> {
    (name(), 1..=u64::MAX, hash(), any::<[u8; 32]>(), any::<[u8; 32]>()).prop_map(|(member, size, root, r, s)| {
        Checkpoint { member, size, root, signature: [r, s].concat().try_into().unwrap() }
    })
}

fn fault() -> impl Strategy<Value = CheckpointFault> {
    let against = (any_checkpoint(), hash(), vec(hash(), 0..8))
        .prop_map(|(checkpoint, prefix_root, path)| Inconsistency { checkpoint, prefix_root, path });
    (any::<[u8; 32]>(), any::<[u8; 16]>(), any_checkpoint(), proptest::option::of(against)).prop_map(
        |(author, epoch, checkpoint, against)| CheckpointFault {
            author: MemberKey::from_bytes(author),
            epoch: Epoch::from_bytes(epoch),
            checkpoint,
            against,
        },
    )
}

/// Any checkpoint body.
pub(super) fn body() -> impl Strategy<Value = Body> {
    prop_oneof![any_checkpoint().prop_map(Body::Checkpoint), fault().prop_map(Body::CheckpointFault)]
}

fn claim() -> CheckpointFault {
    CheckpointFault {
        author: author(1),
        epoch: Epoch::from_bytes([0xe0; 16]),
        checkpoint: checkpoint(2),
        against: None,
    }
}

/// One sample of each kind of fault object, by a name that the golden file uses.
pub(super) fn objects() -> Vec<(&'static str, FaultObject)> {
    let event = |seq| sealed(1, seq, Body::Vote(vote()));
    let pair = FaultProof { first: Box::new(event(4)), second: Box::new(event(5)) };
    let against =
        Inconsistency { checkpoint: checkpoint(9), prefix_root: [0x67; 32].into(), path: vec![[1; 32].into()] };
    let history = FalseHistory {
        base: Some(Box::new(sealed(1, 3, Body::Checkpoint(checkpoint(3))))),
        subtrees: vec![[2; 32], [3; 32]],
        events: vec![event(4), event(5)],
        note: Some(claim()),
    };
    let object = |kind| FaultObject { network: NETWORK, kind };
    vec![
        ("fault-events", object(FaultKind::Events(pair))),
        ("fault-checkpoints", object(FaultKind::Checkpoints(CheckpointFault { against: Some(against), ..claim() }))),
        ("fault-history", object(FaultKind::History(history))),
    ]
}

/// Every kind reads back as it was, and any changed or missing byte does not read as the same.
#[test]
fn objects_read_back() {
    for (name, object) in objects() {
        let file = encode_fault(&object);
        assert_eq!(decode_fault(&file).as_ref(), Ok(&object), "{name}");
        for end in 0..file.len() {
            assert!(decode_fault(&file.slice(..end)).is_err(), "{name} cut at {end}");
        }
        for at in 0..file.len() {
            let mut changed = file.to_vec();
            changed[at] ^= 1;
            assert_ne!(decode_fault(&changed.into()).as_ref(), Ok(&object), "{name} at {at}");
        }
    }
}

/// Bounds are refused where they are passed.
#[test]
fn bounds_are_kept() {
    let history = |subtrees, events| {
        let history = FalseHistory { base: None, subtrees: vec![[0; 32]; subtrees], events, note: None };
        decode_fault(&encode_fault(&FaultObject { network: NETWORK, kind: FaultKind::History(history) }))
    };
    let event = || vec![sealed(1, 4, Body::Vote(vote()))];
    assert!(history(MAX_SUBTREES, event()).is_ok());
    assert!(matches!(history(MAX_SUBTREES + 1, event()), Err(WireError::Count { .. })));
    assert!(matches!(history(0, Vec::new()), Err(WireError::Count { .. })));
    assert!(matches!(decode_fault(&Bytes::from_static(b"watchfire-fault/v2\n")), Err(WireError::Missing { .. })));
    assert!(decode_fault(&Bytes::from_static(FAULT_HEADER)).is_err());

    let witness = |length| Envelope::decode(&Envelope::Witness(vec![b'x'; length].into()).encode());
    assert!(witness(MAX_WITNESS).is_ok());
    assert!(matches!(witness(MAX_WITNESS + 1), Err(WireError::TooLarge { limit: MAX_WITNESS, .. })));
}

/// No proof of more hashes than a tree has levels, no checkpoint of nothing.
#[test]
fn what_cannot_be_is_not_sealed() {
    let refused = |body| {
        let event = super::samples::event(1, 3, body);
        crate::seal(&event, |_| panic!("never signed")).unwrap_err()
    };
    assert!(matches!(refused(Body::Checkpoint(checkpoint(0))), WireError::Range { .. }));
    let path = vec![[0; 32].into(); MAX_PROOF_HASHES + 1];
    let against = Inconsistency { checkpoint: checkpoint(9), prefix_root: [0; 32].into(), path };
    let fault = CheckpointFault { against: Some(against), ..claim() };
    assert!(matches!(refused(Body::CheckpointFault(fault)), WireError::Count { .. }));
}
