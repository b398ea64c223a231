//! Arbitrary sealed bodies, and their bounds.

use proptest::collection::{btree_set, vec};
use proptest::prelude::*;
use watchfire_types::body::{SEALED_TEXT_MAX, Sealed, SealedAbout, SealedKey};
use watchfire_types::{Body, IncidentId, MemberId};

use super::samples::{event, sealed, sealed_body};
use super::strategies::{hash, human, name};
use crate::bounds::{MAX_REASON, SEALED_OVERHEAD};
use crate::{MAX_PLAIN_EVENT, WireError, seal};

fn about() -> impl Strategy<Value = SealedAbout> {
    prop_oneof![
        any::<[u8; 32]>().prop_map(|incident| SealedAbout::Incident(IncidentId::from_bytes(incident))),
        name().prop_map(SealedAbout::Vulnerability),
    ]
}

fn key(member: MemberId) -> impl Strategy<Value = SealedKey> {
    (hash(), vec(any::<u8>(), 48)).prop_map(move |(encapsulated, wrapped)| SealedKey {
        member: member.clone(),
        encapsulated,
        wrapped: wrapped.into(),
    })
}

/// Any sealed body.
pub(super) fn body() -> impl Strategy<Value = Body> {
    let keys = btree_set(name::<MemberId>(), 1..4).prop_flat_map(|ids| ids.into_iter().map(key).collect::<Vec<_>>());
    (about(), human(), hash(), keys, vec(any::<u8>(), SEALED_OVERHEAD..128)).prop_map(
        |(about, human, commitment, keys, ciphertext)| {
            Body::Sealed(Sealed { about, human, commitment, keys, ciphertext: ciphertext.into() })
        },
    )
}

/// The longest words to the most members are still a plain event; a byte or a member more is refused by name.
#[test]
fn the_largest_sealed_body_is_a_plain_event() {
    let mut body = sealed_body(SealedAbout::Vulnerability("v".repeat(64).parse().unwrap()));
    let key = body.keys[0].clone();
    let named = |index: usize| SealedKey { member: format!("{index:064}").parse().unwrap(), ..key.clone() };
    body.keys = (0..64).map(named).collect();
    body.ciphertext = vec![7; SEALED_TEXT_MAX + SEALED_OVERHEAD].into();
    body.human.reason = "r".repeat(MAX_REASON);
    let outer = sealed(1, u64::MAX, Body::Sealed(body.clone()));
    assert!(outer.outer().len() < MAX_PLAIN_EVENT, "{}", outer.outer().len());
    let refused = |body: Sealed| seal(&event(1, 3, Body::Sealed(body)), |_| [7; 64]).unwrap_err();
    let mut longer = body.clone();
    longer.ciphertext = vec![7; SEALED_TEXT_MAX + SEALED_OVERHEAD + 1].into();
    assert!(matches!(refused(longer), WireError::Count { field: "sealed.ciphertext", .. }));
    body.keys.push(named(64));
    assert!(matches!(refused(body), WireError::Count { field: "sealed.keys", found: 65, .. }));
}

/// Members are named once each, in order, and each key has its exact length.
#[test]
fn recipients_are_well_formed() {
    let sample = || sealed_body(SealedAbout::Incident(IncidentId::from_bytes([0x1d; 32])));
    let refused = |body: Sealed| seal(&event(1, 3, Body::Sealed(body)), |_| [7; 64]).unwrap_err();
    let mut swapped = sample();
    swapped.keys.reverse();
    assert_eq!(refused(swapped), WireError::NotAscending { field: "sealed.keys" });
    let mut short = sample();
    short.keys[0].wrapped = vec![1; 47].into();
    assert!(matches!(refused(short), WireError::Length { field: "sealed.keys.wrapped", expected: 48, found: 47 }));
    let mut none = sample();
    none.keys.clear();
    assert!(matches!(refused(none), WireError::Count { field: "sealed.keys", found: 0, .. }));
}
