//! Arbitrary evidence bodies, and their bounds.

use bytes::Bytes;
use proptest::collection::{btree_set, vec};
use proptest::prelude::*;
use prost::Message;
use watchfire_types::body::{
    AccessAction, Custodian, Custody, EvidenceAccessed, EvidenceCheck, EvidenceCollected, EvidenceItem, EvidenceKind,
    EvidenceMissed, MissCause,
};
use watchfire_types::{Body, EventHash, IncidentId, MemberKey, Timestamp};

use super::samples::{bodies, event, sealed};
use super::strategies::{block, hash, human, name};
use crate::bounds::{MAX_EVIDENCE_ITEMS, MAX_PARAMS};
use crate::{MAX_PLAIN_EVENT, WireError, decode_signed, proto, seal};

fn kind() -> impl Strategy<Value = EvidenceKind> {
    use EvidenceKind::{Block, Logs, ReceiptProofs, Receipts, StateDiff, StateProof};
    prop::sample::select(vec![Block, Receipts, ReceiptProofs, Logs, StateDiff, StateProof])
}

fn check() -> impl Strategy<Value = EvidenceCheck> {
    use EvidenceCheck::{BlockHash, Contradicts, OneOperator, ReceiptsRoot, StateRoot, TwoOperators};
    prop::sample::select(vec![BlockHash, ReceiptsRoot, StateRoot, TwoOperators, OneOperator, Contradicts])
}

fn action() -> impl Strategy<Value = AccessAction> {
    use AccessAction::{Copied, Disposed, Exported, Read};
    prop::sample::select(vec![Copied, Read, Exported, Disposed])
}

fn cause() -> impl Strategy<Value = MissCause> {
    prop::sample::select(vec![
        MissCause::Pruned,
        MissCause::RateLimited,
        MissCause::Timeout,
        MissCause::Unreachable,
        MissCause::Unsupported,
        MissCause::UnknownBlock,
        MissCause::Contradicts,
        MissCause::OperatorsDisagree,
        MissCause::TooFewOperators,
        MissCause::OverBound,
        MissCause::Damaged,
        MissCause::NotCopied,
        MissCause::Refused,
    ])
}

fn incident() -> impl Strategy<Value = IncidentId> {
    any::<[u8; 32]>().prop_map(IncidentId::from_bytes)
}

fn custody() -> impl Strategy<Value = Custody> {
    ("\\PC{0,16}", "\\PC{0,32}").prop_map(|(tool, clock)| Custody { tool, clock })
}

fn item() -> impl Strategy<Value = EvidenceItem> {
    let request = ("[a-zA-Z_]{0,64}", "\\PC{0,64}", hash());
    (kind(), block(), name(), request, hash(), any::<u64>(), any::<u64>(), check()).prop_map(
        |(kind, block, operator, (method, params, request), object, size, at, check)| EvidenceItem {
            kind,
            block,
            operator,
            method,
            params,
            request,
            object,
            size,
            at: Timestamp::from_millis(at),
            check,
        },
    )
}

fn accessed() -> impl Strategy<Value = EvidenceAccessed> {
    let by = prop_oneof!["\\PC{0,128}".prop_map(Custodian::Node), human().prop_map(Custodian::Human)];
    let from = proptest::option::of(any::<[u8; 32]>().prop_map(MemberKey::from_bytes));
    (incident(), action(), btree_set(hash(), 1..20), by, from, "\\PC{0,128}", custody()).prop_map(
        |(incident, action, objects, by, from, detail, custody)| EvidenceAccessed {
            incident,
            action,
            objects: objects.into_iter().collect(),
            by,
            from,
            detail,
            custody,
        },
    )
}

fn missed() -> impl Strategy<Value = EvidenceMissed> {
    let about = (kind(), block(), proptest::option::of(name()), proptest::option::of(hash()));
    (incident(), name(), about, cause(), any::<u32>(), "\\PC{0,128}", custody()).prop_map(
        |(incident, asset, (kind, block, operator, object), cause, attempts, detail, custody)| EvidenceMissed {
            incident,
            asset,
            kind,
            block,
            operator,
            object,
            cause,
            attempts,
            detail,
            custody,
        },
    )
}

pub(super) fn body() -> impl Strategy<Value = Body> {
    let basis = any::<[u8; 32]>().prop_map(EventHash::from_bytes);
    prop_oneof![
        (incident(), name(), basis, custody(), vec(item(), 1..6)).prop_map(
            |(incident, asset, basis, custody, items)| {
                Body::EvidenceCollected(EvidenceCollected { incident, asset, basis, custody, items })
            }
        ),
        accessed().prop_map(Body::EvidenceAccessed),
        missed().prop_map(Body::EvidenceMissed),
    ]
}

fn sample<T>(found: impl Fn(Body) -> Option<T>) -> T {
    bodies().into_iter().find_map(|(_, body)| found(body)).unwrap()
}

fn collected() -> EvidenceCollected {
    sample(|body| if let Body::EvidenceCollected(collected) = body { Some(collected) } else { None })
}

/// A manifest whose every text has its longest form is still a plain event; one item more is refused by name.
#[test]
fn the_largest_manifest_is_a_plain_event() {
    let mut manifest = collected();
    let mut item = manifest.items[0].clone();
    item.operator = "o".repeat(64).parse().unwrap();
    item.method = "m".repeat(64);
    item.params = "p".repeat(MAX_PARAMS);
    (item.size, item.at) = (u64::MAX, Timestamp::from_millis(u64::MAX));
    item.block.number = u64::MAX;
    manifest.items = vec![item.clone(); MAX_EVIDENCE_ITEMS];
    let sealed = sealed(1, u64::MAX, Body::EvidenceCollected(manifest.clone()));
    assert!(sealed.outer().len() < MAX_PLAIN_EVENT, "{}", sealed.outer().len());
    manifest.items.push(item);
    let refusal = seal(&event(1, 3, Body::EvidenceCollected(manifest)), |_| [7; 64]).unwrap_err();
    assert!(matches!(refusal, WireError::Count { found: 33, .. }), "{refusal}");
}

/// Objects of one access are named once each, in order.
#[test]
fn accessed_objects_are_strictly_ascending() {
    let mut accessed = sample(|body| if let Body::EvidenceAccessed(it) = body { Some(it) } else { None });
    accessed.objects = vec![accessed.objects[0]; 2];
    let refusal = seal(&event(1, 3, Body::EvidenceAccessed(accessed)), |_| [7; 64]).unwrap_err();
    assert_eq!(refusal, WireError::NotAscending { field: "evidence_accessed.objects" });
}

/// A kind, check, action or cause of a later version makes the event inert; zero is refused.
#[test]
fn values_of_later_versions_are_inert() {
    type In = proto::event::Body;
    let changes: [fn(&mut In, i32) -> bool; 4] = [
        |body, number| {
            if let In::EvidenceCollected(it) = body {
                it.items[1].kind = number;
                true
            } else {
                false
            }
        },
        |body, number| {
            if let In::EvidenceCollected(it) = body {
                it.items[1].check = number;
                true
            } else {
                false
            }
        },
        |body, number| {
            if let In::EvidenceAccessed(it) = body {
                it.action = number;
                true
            } else {
                false
            }
        },
        |body, number| {
            if let In::EvidenceMissed(it) = body {
                it.cause = number;
                true
            } else {
                false
            }
        },
    ];
    for change in changes {
        let with = |number| {
            let encodings = bodies().into_iter().map(|(_, body)| sealed(1, 3, body).outer().clone());
            let changed = encodings.filter_map(|outer| {
                let mut signed = proto::SignedEvent::decode(outer).unwrap();
                let mut inner = proto::Event::decode(signed.event).unwrap();
                let hit = inner.body.as_mut().is_some_and(|body| change(body, number));
                signed.event = inner.encode_to_vec().into();
                hit.then(|| Bytes::from(signed.encode_to_vec()))
            });
            decode_signed(changed.into_iter().next().unwrap()).map(|event| event.event().body.clone())
        };
        assert!(matches!(with(4_000).unwrap(), Body::Unknown(35..=37, _)));
        assert!(!matches!(with(1).unwrap(), Body::Unknown(..)));
        assert!(matches!(with(0), Err(WireError::Range { found: 0, .. })));
    }
}
