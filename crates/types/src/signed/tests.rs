#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use bytes::Bytes;
use ed25519_dalek::{Signer, SigningKey};

use super::{Unverified, VerifyError};
use crate::body::{Body, Human, HumanStatement};
use crate::domain;
use crate::event::Event;
use crate::id::{Epoch, EventHash, IncidentId, MemberKey, NetworkId, Seq};
use crate::time::Timestamp;

const NETWORK: NetworkId = NetworkId::from_bytes([7; 32]);

fn signed(domain: &[u8], network: NetworkId, author: Option<MemberKey>) -> Unverified {
    let key = SigningKey::from_bytes(&[1; 32]);
    let human = Human { person: "p".into(), role: "r".into(), reason: "why".into() };
    let event = Event {
        network,
        author: author.unwrap_or_else(|| MemberKey::from_bytes(key.verifying_key().to_bytes())),
        epoch: Epoch::from_bytes([2; 16]),
        seq: Seq::new(0),
        prev: EventHash::from_bytes([0; 32]),
        time: Timestamp::from_millis(1),
        body: Body::Note(HumanStatement { incident: IncidentId::from_bytes([3; 32]), human }),
    };
    let bytes = Bytes::from_static(b"event bytes");
    let signature = key.sign(&domain::signing_input(domain, network, &bytes)).to_bytes();
    Unverified::from_wire(event, bytes, signature, Bytes::from_static(b"outer bytes"))
}

/// A signature holds for its own domain, network and author, and for no other.
#[test]
fn a_signature_is_of_one_kind() {
    assert!(signed(domain::EVENT, NETWORK, None).verify(NETWORK).is_ok());
    let author = signed(domain::EVENT, NETWORK, None).event().author;
    assert_eq!(
        signed(domain::HEARTBEAT, NETWORK, None).verify(NETWORK).unwrap_err(),
        VerifyError::BadSignature { author }
    );
    let elsewhere = NetworkId::from_bytes([8; 32]);
    assert_eq!(
        signed(domain::EVENT, elsewhere, None).verify(NETWORK).unwrap_err(),
        VerifyError::ForeignNetwork { expected: NETWORK, found: elsewhere }
    );
}

/// Keys of small order, under which one signature verifies for many messages, are refused.
#[test]
fn weak_keys_are_refused() {
    let mut identity = [0; 32];
    identity[0] = 1;
    for bytes in [identity, [0; 32]] {
        let author = MemberKey::from_bytes(bytes);
        assert_eq!(
            signed(domain::EVENT, NETWORK, Some(author)).verify(NETWORK).unwrap_err(),
            VerifyError::WeakKey { author }
        );
    }
}
