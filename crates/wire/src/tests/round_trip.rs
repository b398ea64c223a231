//! What was encoded decodes to the same, and to nothing else.

use bytes::Bytes;
use ed25519_dalek::Signer;
use proptest::prelude::*;
use watchfire_types::body::FaultProof;
use watchfire_types::{Body, NetworkId, domain};

use super::samples::{NETWORK, author, bodies, heartbeat, key, sealed, signed_heartbeat, vote};
use super::strategies::event;
use crate::{CatchUpResponse, Envelope, SignedHeartbeat, decode_signed, seal};

proptest! {
    #![proptest_config(ProptestConfig::with_cases(256))]

    /// Any event within the bounds survives sealing and decoding, bytes and all.
    #[test]
    fn events_round_trip(event in event()) {
        let sealed = seal(&event, |input| {
            assert!(input.starts_with(domain::EVENT) && input[domain::EVENT.len()..].starts_with(event.network.as_bytes()));
            [7; 64]
        });
        let sealed = sealed.unwrap();
        prop_assert_eq!(sealed.event(), &event);
        let again = decode_signed(sealed.outer().clone()).unwrap();
        prop_assert_eq!(&again, &sealed);
    }

    /// Envelopes and catch-up responses carry any bytes unchanged.
    #[test]
    fn carriers_round_trip(content in proptest::collection::vec(any::<u8>(), 0..300), complete: bool) {
        let content = Bytes::from(content);
        for envelope in [Envelope::Event(content.clone()), Envelope::Heartbeat(content.clone())] {
            prop_assert_eq!(Envelope::decode(&envelope.clone().encode()).unwrap(), envelope);
        }
        let pruned = vec![crate::PrunedChain { author: author(2), epoch: watchfire_types::Epoch::from_bytes([2; 16]), before: watchfire_types::Seq::new(9) }];
        let response = CatchUpResponse { events: vec![content.clone(), content.clone()], complete, pruned, witnesses: vec![content] };
        prop_assert_eq!(CatchUpResponse::decode(response.encode()).unwrap(), response);
    }
}

/// A sealed event verifies in its own network and in no other.
#[test]
fn signatures_hold_in_one_network() {
    for (name, body) in bodies() {
        let sealed = sealed(1, 3, body);
        assert!(sealed.clone().verify(NETWORK).is_ok(), "{name}");
        assert!(sealed.verify(NetworkId::from_bytes([0x12; 32])).is_err(), "{name}");
    }
}

/// A heartbeat verifies in its own network and in no other, and an event's signature is worth nothing as a heartbeat's.
#[test]
fn heartbeats_hold_in_one_network_and_domain() {
    let signed = signed_heartbeat();
    assert_eq!(signed.clone().verify(NETWORK).unwrap().heartbeat(), &heartbeat());
    assert_eq!(SignedHeartbeat::decode(signed.bytes().clone()).unwrap(), signed);
    assert!(signed.verify(NetworkId::from_bytes([0x12; 32])).is_err());
    let wrong_domain = SignedHeartbeat::seal(author(1), NETWORK, &heartbeat(), |input| {
        let content = &input[domain::HEARTBEAT.len() + 32..];
        key(1).sign(&domain::signing_input(domain::EVENT, NETWORK, content)).to_bytes()
    });
    assert!(wrong_domain.unwrap().verify(NETWORK).is_err());
}

/// Events inside a fault proof are opened one level: a certificate there stays closed, and its signature still holds.
#[test]
fn nesting_is_one_level_deep() {
    let certificates: Vec<Body> =
        bodies().into_iter().filter(|(_, body)| matches!(body, Body::Certificate(_))).map(|(_, body)| body).collect();
    let inner = FaultProof {
        first: Box::new(sealed(9, 5, certificates[0].clone())),
        second: Box::new(sealed(9, 5, Body::Vote(vote()))),
    };
    let proof = sealed(1, 3, Body::FaultProof(inner));
    let Body::FaultProof(opened) = &proof.event().body else { panic!("a fault proof") };
    assert!(matches!(opened.first.event().body, Body::Unknown(20, _)));
    assert!(matches!(opened.second.event().body, Body::Vote(_)));
    assert!(opened.first.check(NETWORK).is_ok() && opened.second.check(NETWORK).is_ok());
}

/// Two events of the largest plain size fit into one fault proof, so that no contradiction is too large to be shown.
#[test]
fn the_largest_contradiction_fits_into_a_proof() {
    let filler = |byte: u8| {
        let room = crate::MAX_PLAIN_EVENT - sealed(9, 5, Body::Unknown(4_000, Bytes::new())).outer().len() - 8;
        sealed(9, 5, Body::Unknown(4_000, Bytes::from(vec![byte; room])))
    };
    let (first, second) = (Box::new(filler(1)), Box::new(filler(2)));
    assert!(first.outer().len() > crate::MAX_PLAIN_EVENT - 16);
    let proof = sealed(1, u64::MAX, Body::FaultProof(FaultProof { first, second }));
    assert!(proof.outer().len() <= crate::MAX_EVENT);
    let envelope = Envelope::Event(proof.outer().clone()).encode();
    assert!(Envelope::decode(&envelope).is_ok());
}
