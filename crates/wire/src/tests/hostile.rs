//! Bytes that nobody meant well: never a panic, and whatever is accepted is its own one encoding.

use bytes::Bytes;
use proptest::prelude::*;

use super::samples::{bodies, sealed, signed_heartbeat};
use super::strategies::event;
use crate::{CatchUpRequest, CatchUpResponse, Envelope, SignedHeartbeat, decode_signed, seal};

/// Every decoder sees the bytes; what decodes as an event encodes to the same bytes again.
fn feed(bytes: &Bytes) {
    if let Ok(event) = decode_signed(bytes.clone()) {
        assert_eq!(event.outer(), bytes);
        if let Ok(again) = seal(event.event(), |_| [7; 64]) {
            assert_eq!(again.event(), event.event());
        }
    }
    let _ = Envelope::decode(bytes);
    let _ = SignedHeartbeat::decode(bytes.clone());
    let _ = CatchUpRequest::decode(bytes.clone());
    let _ = CatchUpResponse::decode(bytes.clone());
}

/// One way to damage valid bytes.
#[derive(Debug, Clone)]
enum Damage {
    Flip(prop::sample::Index, u8),
    Cut(prop::sample::Index),
    Insert(prop::sample::Index, Vec<u8>),
    Repeat(prop::sample::Index, prop::sample::Index),
}

fn damage() -> impl Strategy<Value = Damage> {
    use prop::sample::Index;
    prop_oneof![
        (any::<Index>(), 1..=u8::MAX).prop_map(|(at, bits)| Damage::Flip(at, bits)),
        any::<Index>().prop_map(Damage::Cut),
        (any::<Index>(), proptest::collection::vec(any::<u8>(), 1..12))
            .prop_map(|(at, bytes)| Damage::Insert(at, bytes)),
        (any::<Index>(), any::<Index>()).prop_map(|(from, to)| Damage::Repeat(from, to)),
    ]
}

fn damaged(bytes: &[u8], damage: Vec<Damage>) -> Bytes {
    let mut bytes = bytes.to_vec();
    for damage in damage {
        if bytes.is_empty() {
            break;
        }
        match damage {
            Damage::Flip(at, bits) => {
                let at = at.index(bytes.len());
                bytes[at] ^= bits;
            }
            Damage::Cut(at) => bytes.truncate(at.index(bytes.len())),
            Damage::Insert(at, more) => {
                let at = at.index(bytes.len());
                bytes.splice(at..at, more);
            }
            Damage::Repeat(from, to) => {
                let (from, to) = (from.index(bytes.len()), to.index(bytes.len()));
                let piece = bytes[from.min(to)..from.max(to)].to_vec();
                bytes.extend(piece);
            }
        }
    }
    bytes.into()
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(512))]

    /// Arbitrary bytes.
    #[test]
    fn arbitrary_bytes_never_panic(bytes in proptest::collection::vec(any::<u8>(), 0..2_000)) {
        feed(&bytes.into());
    }

    /// Valid events with damage anywhere, the signed part included.
    #[test]
    fn damaged_events_never_panic(event in event(), marks in proptest::collection::vec(damage(), 1..4)) {
        let sealed = seal(&event, |_| [7; 64]).unwrap();
        feed(&damaged(sealed.outer(), marks));
    }

    /// Damage inside the event bytes, wrapped so that the outer form stays canonical.
    #[test]
    fn damaged_contents_never_panic(event in event(), marks in proptest::collection::vec(damage(), 1..4)) {
        use prost::Message;
        let sealed = seal(&event, |_| [7; 64]).unwrap();
        let mut signed = crate::proto::SignedEvent::decode(sealed.outer().clone()).unwrap();
        signed.event = damaged(&signed.event, marks);
        feed(&signed.encode_to_vec().into());
    }

    /// Damaged heartbeats.
    #[test]
    fn damaged_heartbeats_never_panic(marks in proptest::collection::vec(damage(), 1..6)) {
        feed(&damaged(signed_heartbeat().bytes(), marks));
    }
}

/// A single changed bit anywhere in a signed event is another event, refused or with a signature that does not hold.
#[test]
fn every_flipped_bit_is_noticed() {
    let (_, body) = bodies().swap_remove(2);
    let sealed = sealed(1, 3, body);
    for at in 0..sealed.outer().len() {
        let mut bytes = sealed.outer().to_vec();
        bytes[at] ^= 1;
        let survives = decode_signed(bytes.into()).is_ok_and(|event| event.check(super::samples::NETWORK).is_ok());
        assert!(!survives, "bit at byte {at}");
    }
}
