//! What a checkpoint is held against before it is signed (S8), and when the next one is due.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use ed25519_dalek::{Signer, SigningKey};
use watchfire_transparency::merkle_root;
use watchfire_types::body::{Human, HumanStatement};
use watchfire_types::{Epoch, IncidentId, MemberKey, NetworkId, Seq};

use super::*;

fn event(seq: u64, body: Body) -> Verified<Event> {
    let key = SigningKey::from_bytes(&[1; 32]);
    let network = NetworkId::from_bytes([3; 32]);
    let event = Event {
        network,
        author: MemberKey::from_bytes(key.verifying_key().to_bytes()),
        epoch: Epoch::from_bytes([1; 16]),
        seq: Seq::new(seq),
        prev: EventHash::from_bytes([7; 32]),
        time: Timestamp::from_millis(seq),
        body,
    };
    watchfire_wire::seal(&event, |input| key.sign(input).to_bytes()).unwrap().verify(network).unwrap()
}

fn note(seq: u64) -> Verified<Event> {
    let human = Human { person: "p1".into(), role: "lead".into(), reason: seq.to_string() };
    event(seq, Body::Note(HumanStatement { incident: IncidentId::from_bytes([2; 32]), human }))
}

fn checkpoint(seq: u64) -> Verified<Event> {
    let stated = body::Checkpoint { member: "m".parse().unwrap(), size: 1, root: B256::ZERO, signature: [0; 64] };
    event(seq, Body::Checkpoint(stated))
}

fn at(ms: u64) -> Timestamp {
    Timestamp::from_millis(1_000_000 + ms)
}

/// Only the tree of the last checkpoint and what was authored since extends it: no smaller or equal one, no other root, no other size.
#[test]
fn only_what_was_authored_extends_the_last() {
    let mut own = Checkpoints::default();
    let mut leaves = Vec::new();
    let root = |leaves: &[Verified<Event>]| merkle_root(leaves.iter().map(Verified::outer));
    for seq in 0..7 {
        if seq == 4 {
            own.took(at(seq), &checkpoint(seq));
            assert!(!own.extends(4, root(&leaves)), "the same again extends nothing");
            continue;
        }
        leaves.push(note(seq));
        own.took(at(seq), &leaves[leaves.len() - 1]);
    }
    assert!(own.extends(6, root(&leaves)));
    assert!(!own.extends(5, root(&leaves[..5])), "not all of it");
    assert!(!own.extends(6, root(&leaves[..5])), "another root");
    assert!(!own.extends(7, root(&leaves)), "another size");
    leaves.swap(4, 5);
    assert!(!own.extends(6, root(&leaves)), "another order");
}

/// Nothing new is never due; an incident is due sooner, but not twice a minute.
#[test]
fn due_times() {
    let mut own = Checkpoints::default();
    assert_eq!(own.due(), None);
    own.took(at(0), &event(0, Body::Unknown(4_000, watchfire_types::Bytes::new())));
    assert_eq!(own.due(), Some(at(EVERY_MS)));
    own.took(at(5), &note(1));
    own.took(at(9_000), &note(2));
    assert_eq!(own.due(), Some(at(5 + INCIDENT_MS)));
    own.took(at(40_000), &checkpoint(3));
    assert_eq!(own.due(), None);
    own.took(at(41_000), &note(4));
    assert_eq!(own.due(), Some(at(40_000 + INCIDENT_EVERY_MS)));
    own.took(at(100_000), &checkpoint(5));
    own.took(at(900_000), &note(6));
    assert_eq!(own.due(), Some(at(700_000)), "overdue");
}
