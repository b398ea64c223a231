//! Every bound and every rule of the format, broken once: each breach has its own name.

use bytes::{BufMut, Bytes, BytesMut};
use prost::Message;
use watchfire_types::body::{Finding, Purpose};
use watchfire_types::{Body, StepIndex};

use super::samples::{
    author, bodies, certificate, co_signature, event, heartbeat, human, sealed, step_authority, vote,
};
use crate::bounds::{MAX_CALL_DATA, MAX_CATCH_UP_REQUEST, MAX_HEARTBEAT, MAX_REASON};
use crate::{
    CatchUpRequest, CatchUpResponse, Envelope, MAX_EVENT, MAX_PLAIN_EVENT, SignedHeartbeat, WireError, decode_signed,
    proto, seal,
};

fn refusal(body: Body) -> WireError {
    seal(&event(1, 3, body), |_| [7; 64]).unwrap_err()
}

/// The outer bytes of an event whose protobuf was changed before it was wrapped.
fn outer(change: impl FnOnce(&mut proto::Event)) -> Bytes {
    let bytes = sealed(1, 3, Body::Vote(vote())).outer().clone();
    let mut signed = proto::SignedEvent::decode(bytes).unwrap();
    let mut inner = proto::Event::decode(signed.event).unwrap();
    change(&mut inner);
    signed.event = inner.encode_to_vec().into();
    signed.encode_to_vec().into()
}

fn raw_outer(event: Bytes) -> Bytes {
    proto::SignedEvent { event, signature: Bytes::from(vec![7; 64]) }.encode_to_vec().into()
}

fn event_bytes() -> Bytes {
    proto::SignedEvent::decode(sealed(1, 3, Body::Vote(vote())).outer().clone()).unwrap().event
}

/// The same fields in another encoding are not the same event: each way of writing them differently is refused.
#[test]
fn a_signed_event_has_one_encoding() {
    let canonical = sealed(1, 3, Body::Vote(vote())).outer().clone();
    let signed = proto::SignedEvent::decode(canonical.clone()).unwrap();
    let unknown_field = [canonical.as_ref(), &[0x1a, 0]].concat();
    let field = |key: u8, content: &[u8]| {
        let length = u16::try_from(content.len()).unwrap();
        let [high, low] = (length << 1).to_be_bytes();
        [&[key, 0x80 | low >> 1, high], content].concat()
    };
    let swapped = [&[0x12, 64][..], &signed.signature, &field(0x0a, &signed.event)].concat();
    let twice = [canonical.as_ref(), &[0x12, 64], &signed.signature].concat();
    let padded = [&field(0x0a, &signed.event)[..], &[0x12, 0xc0, 0], &signed.signature].concat();
    for (name, bytes) in [("unknown field", unknown_field), ("swapped", swapped), ("twice", twice), ("padded", padded)]
    {
        let error = decode_signed(bytes.into()).unwrap_err();
        assert_eq!(error, WireError::NotCanonical { message: "signed event" }, "{name}");
    }
    let envelope = Envelope::Event(canonical).encode();
    let padded = Bytes::from([envelope.as_ref(), &[0x1a, 0]].concat());
    assert_eq!(Envelope::decode(&padded).unwrap_err(), WireError::NotCanonical { message: "envelope" });
}

/// Sizes are judged before anything is decoded.
#[test]
fn oversized_messages_are_refused() {
    let large = |size| Bytes::from(vec![0xff; size]);
    assert!(matches!(decode_signed(large(MAX_EVENT + 1)), Err(WireError::TooLarge { .. })));
    assert!(matches!(Envelope::decode(&large(crate::MAX_ENVELOPE + 1)), Err(WireError::TooLarge { .. })));
    assert!(matches!(SignedHeartbeat::decode(large(MAX_HEARTBEAT + 1)), Err(WireError::TooLarge { .. })));
    assert!(matches!(CatchUpRequest::decode(large(MAX_CATCH_UP_REQUEST + 1)), Err(WireError::TooLarge { .. })));
    let response = CatchUpResponse { events: vec![large(MAX_EVENT + 1)], ..CatchUpResponse::default() };
    assert!(matches!(CatchUpResponse::decode(response.encode()), Err(WireError::TooLarge { .. })));
    let plain = Body::Unknown(4_000, large(MAX_PLAIN_EVENT));
    assert!(matches!(refusal(plain), WireError::TooLarge { .. }));
}

/// An event has exactly one body, length-delimited, and no groups or broken fields beside it.
#[test]
fn an_event_has_one_body() {
    let refused = |event: &[u8]| decode_signed(raw_outer(Bytes::copy_from_slice(event))).unwrap_err();
    let valid = event_bytes();
    assert!(decode_signed(raw_outer(valid.clone())).is_ok());
    assert_eq!(decode_signed(outer(|event| event.body = None)).unwrap_err(), WireError::Bodies { found: 0 });
    let mut two = BytesMut::from(valid.as_ref());
    two.put_slice(&[0x82, 0x02, 0]);
    assert_eq!(refused(&two), WireError::Bodies { found: 2 });
    // Number 40 as a varint, a group, an overlong key, field number 0, and a length beyond the end.
    for tail in [&[0xc0, 0x02, 1][..], &[0x3b, 0x3c], &[0xff; 11], &[0x02, 0], &[0x3a, 5, 0]] {
        let mut broken = BytesMut::from(valid.as_ref());
        broken.put_slice(tail);
        assert_eq!(refused(&broken), WireError::BrokenField { offset: valid.len() }, "{tail:?}");
    }
}

/// Unknown fields of the header are room for later versions.
#[test]
fn unknown_header_fields_are_ignored() {
    let bytes = [event_bytes().as_ref(), &[0x3a, 1, 9, 0x40, 5]].concat();
    let decoded = decode_signed(raw_outer(bytes.into())).unwrap();
    assert_eq!(decoded.event().body, Body::Vote(vote()));
}

/// Fixed lengths of the header.
#[test]
fn header_fields_have_their_length() {
    type Field = fn(&mut proto::Event) -> &mut Bytes;
    let short = || Bytes::from_static(&[1; 15]);
    let cases: [(&str, Field); 4] = [
        ("event.network_id", |event| &mut event.network_id),
        ("event.author", |event| &mut event.author),
        ("event.epoch", |event| &mut event.epoch),
        ("event.prev", |event| &mut event.prev),
    ];
    for (expected, field) in cases {
        let error = decode_signed(outer(|event| *field(event) = short())).unwrap_err();
        assert!(matches!(error, WireError::Length { field, found: 15, .. } if field == expected), "{error}");
    }
    let cut = proto::SignedEvent { event: event_bytes(), signature: Bytes::from_static(&[7; 63]) };
    assert!(matches!(decode_signed(cut.encode_to_vec().into()), Err(WireError::Length { found: 63, .. })));
}

/// Bounds of texts and counts inside bodies.
#[test]
fn body_bounds_are_kept() {
    let finding = |change: fn(&mut Finding)| {
        let found = bodies().into_iter().find_map(|(_, body)| match body {
            Body::Finding(finding) => Some(finding),
            _ => None,
        });
        let mut finding = found.unwrap();
        change(&mut finding);
        refusal(Body::Finding(finding))
    };
    assert!(matches!(finding(|it| it.explanation = "x".repeat(513)), WireError::TooLong { limit: 512, .. }));
    assert!(matches!(finding(|it| it.kind = "x".repeat(65)), WireError::TooLong { .. }));
    let many = |it: &mut Finding| it.figures = (0..33).map(|n| (format!("{n:02}"), String::new())).collect();
    assert!(matches!(finding(many), WireError::Count { found: 33, .. }));

    let mut by_human = vote();
    let mut person = human();
    person.reason = "x".repeat(MAX_REASON + 1);
    by_human.basis = watchfire_types::body::Basis::Human(person);
    assert!(matches!(refusal(Body::Vote(by_human)), WireError::TooLong { field: "human.reason", .. }));

    let mut signature = co_signature(step_authority());
    signature.transaction.data = Bytes::from(vec![0; MAX_CALL_DATA + 1]);
    assert!(matches!(refusal(Body::CoSignature(signature)), WireError::TooLong { .. }));
    let mut signature = co_signature(step_authority());
    signature.omitted = (0..257).collect();
    assert!(matches!(refusal(Body::CoSignature(signature)), WireError::Count { found: 257, .. }));

    let zero = watchfire_types::body::Vote { step: StepIndex::new(0), ..vote() };
    assert!(matches!(refusal(Body::Vote(zero)), WireError::Range { field: "vote.step", found: 0 }));
    assert!(matches!(refusal(Body::Unknown(18, Bytes::new())), WireError::NotUnknown { number: 18 }));
}

/// A certificate holds one to 64 votes of its kinds and nothing else.
#[test]
fn certificates_hold_votes() {
    let purpose = || Purpose::Step(StepIndex::new(2));
    assert!(matches!(refusal(certificate(purpose(), &[])), WireError::Count { found: 0, .. }));
    let many = vec![Body::Vote(vote()); 65];
    assert!(matches!(refusal(certificate(purpose(), &many)), WireError::Count { found: 65, .. }));
    let nested = certificate(purpose(), &[Body::Vote(vote())]);
    assert_eq!(refusal(certificate(purpose(), &[nested])), WireError::NotAVote);
    let unknown = Body::Unknown(4_000, Bytes::new());
    assert_eq!(refusal(certificate(purpose(), &[unknown])), WireError::NotAVote);
}

/// Names, enums and required messages are checked on bytes that no encoder of ours makes.
#[test]
fn foreign_values_are_refused() {
    let vote_with = |change: fn(&mut proto::Vote)| {
        let bytes = outer(|event| {
            let Some(proto::event::Body::Vote(vote)) = &mut event.body else { panic!("a vote") };
            change(vote);
        });
        decode_signed(bytes).unwrap_err()
    };
    assert!(matches!(vote_with(|it| it.operator = "Op Alder".into()), WireError::Name { .. }));
    assert!(matches!(vote_with(|it| it.step = 256), WireError::Range { found: 256, .. }));
    assert!(matches!(vote_with(|it| it.basis = None), WireError::Missing { field: "vote.basis" }));
    assert!(matches!(vote_with(|it| it.evidence = None), WireError::Missing { field: "vote.evidence" }));
    assert!(matches!(vote_with(|it| it.decision = None), WireError::Missing { field: "decision" }));
}

/// Heartbeats and requests have bounds of their own.
#[test]
fn heartbeats_and_requests_are_bounded() {
    let mut alarmed = heartbeat();
    alarmed.alarms = vec!["x".into(); 33];
    let sealed = SignedHeartbeat::seal(author(1), super::samples::NETWORK, &alarmed, |_| [7; 64]);
    assert!(matches!(sealed, Err(WireError::Count { found: 33, .. })));

    let position = |byte| crate::EpochPosition {
        author: author(byte),
        epoch: watchfire_types::Epoch::from_bytes([1; 16]),
        seq: watchfire_types::Seq::new(1),
        hash: watchfire_types::EventHash::from_bytes([2; 32]),
    };
    let request = CatchUpRequest { vector: vec![position(1), position(1)], ..CatchUpRequest::default() };
    assert!(matches!(CatchUpRequest::decode(request.encode()), Err(WireError::NotAscending { .. })));
}

/// A severity or cause of a later version makes the event inert, not its sender a liar; zero means nothing in any version.
#[test]
fn values_of_later_versions_are_inert() {
    type In = proto::event::Body;
    let with = |found: fn(&Body) -> bool, number: i32| {
        let (_, body) = bodies().into_iter().find(|(_, body)| found(body)).unwrap();
        let mut signed = proto::SignedEvent::decode(sealed(1, 3, body).outer().clone()).unwrap();
        let mut inner = proto::Event::decode(signed.event).unwrap();
        match &mut inner.body {
            Some(In::Finding(finding)) => finding.severity = number,
            Some(In::Classified(classified)) => classified.severity = number,
            Some(In::NotContained(stated)) => stated.cause = number,
            other => panic!("{other:?}"),
        }
        signed.event = inner.encode_to_vec().into();
        let outer = Bytes::from(signed.encode_to_vec());
        decode_signed(outer.clone()).map(|event| (event.event().body.clone(), event.outer().clone() == outer))
    };
    let kinds: [fn(&Body) -> bool; 3] = [
        |body| matches!(body, Body::Finding(_)),
        |body| matches!(body, Body::Classified(_)),
        |body| matches!(body, Body::NotContained(_)),
    ];
    for kind in kinds {
        assert!(matches!(with(kind, 4_000).unwrap(), (Body::Unknown(..), true)), "kept verbatim");
        assert!(matches!(with(kind, 1).unwrap(), (body, true) if kind(&body)));
        assert!(matches!(with(kind, 0), Err(WireError::Range { found: 0, .. })));
    }
}
