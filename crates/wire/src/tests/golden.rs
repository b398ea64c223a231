//! Golden bytes of everything that is signed, stored or sent. A change of one is a change of the protocol.

use std::collections::BTreeMap;

use bytes::Bytes;
use watchfire_types::{Epoch, EventHash, Seq};

use super::samples::{author, bodies, sealed, signed_heartbeat};
use crate::{
    CatchUpRequest, CatchUpResponse, ChainBound, Envelope, EpochPosition, PrunedChain, WitnessWanted, decode_signed,
};

/// `name hex` lines: outer bytes of each sample, in the order of the samples.
const GOLDEN: &str = include_str!("golden.txt");

fn encodings() -> Vec<(&'static str, Bytes)> {
    let mut encodings: Vec<(&'static str, Bytes)> =
        bodies().into_iter().map(|(name, body)| (name, sealed(1, 3, body).outer().clone())).collect();
    let epoch = Epoch::from_bytes([0xe0; 16]);
    let request = CatchUpRequest {
        vector: vec![EpochPosition {
            author: author(1),
            epoch,
            seq: Seq::new(3),
            hash: EventHash::from_bytes([0xaa; 32]),
        }],
        from: Some(ChainBound { author: author(1), epoch }),
        ..CatchUpRequest::default()
    };
    let response = CatchUpResponse { events: vec![encodings[2].1.clone()], complete: true, ..Default::default() };
    let wanted = WitnessWanted { author: author(2), epoch, size: 5, held: vec![[1; 8], [2; 8]] };
    let wanting = CatchUpRequest { wanted: vec![wanted], ..CatchUpRequest::default() };
    let pruned = CatchUpResponse {
        pruned: vec![PrunedChain { author: author(2), epoch, before: Seq::new(9) }],
        witnesses: vec![Bytes::from_static(b"note")],
        ..CatchUpResponse::default()
    };
    encodings.push(("envelope-event", Envelope::Event(Bytes::from_static(b"event")).encode()));
    encodings.push(("envelope-heartbeat", Envelope::Heartbeat(Bytes::from_static(b"heartbeat")).encode()));
    encodings.push(("envelope-witness", Envelope::Witness(Bytes::from_static(b"note")).encode()));
    encodings.extend(super::fault::objects().into_iter().map(|(name, object)| (name, crate::encode_fault(&object))));
    encodings.push(("heartbeat", signed_heartbeat().bytes().clone()));
    encodings.push(("catch-up-request", request.encode()));
    encodings.push(("catch-up-response", response.encode()));
    encodings.push(("catch-up-request-wanting", wanting.encode()));
    encodings.push(("catch-up-response-pruned", pruned.encode()));
    encodings.push(("pruned-log", crate::encode_pruned(&super::pruned::log()).into()));
    encodings
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

/// Every encoding is byte for byte what was published, and nothing is missing from the file.
#[test]
fn encodings_are_the_published_bytes() {
    let golden: BTreeMap<&str, &str> = GOLDEN.lines().filter_map(|line| line.split_once(' ')).collect();
    let encodings = encodings();
    assert_eq!(golden.len(), encodings.len(), "golden.txt has one line for each sample");
    for (name, bytes) in encodings {
        assert_eq!(golden.get(name).copied().unwrap_or("no line"), hex(&bytes), "{name}");
    }
}

/// Every published event decodes to the sample it was made from.
#[test]
fn published_events_decode() {
    for (name, body) in bodies() {
        let decoded = decode_signed(sealed(1, 3, body.clone()).outer().clone()).unwrap();
        assert_eq!(decoded.event().body, body, "{name}");
    }
}
