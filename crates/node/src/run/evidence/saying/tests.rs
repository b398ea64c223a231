//! What the log refuses is neither forgotten nor kept without bound.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use super::*;
use crate::evidence::fixture;

fn manifest(incident: u8, object: u8) -> EvidenceStatement {
    let objects = [B256::repeat_byte(object), B256::repeat_byte(object.wrapping_add(1))];
    match fixture::collected(1, fixture::incident(incident), &objects, 100).body.clone() {
        Body::EvidenceCollected(collected) => EvidenceStatement::Collected(collected),
        other => panic!("{other:?}"),
    }
}

/// Refused statements wait in order; beyond the bound one miss an incident stands for all that is lost.
#[test]
fn what_is_refused_waits_within_bounds() {
    let mut unsaid = Unsaid::default();
    for number in 0..=255_u8 {
        unsaid.refused(manifest(number % 2, number));
    }
    assert_eq!((unsaid.refused.len(), unsaid.lost.len()), (REFUSED_MAX, 0));
    for _ in 0..3 {
        unsaid.refused(manifest(1, 7));
        unsaid.refused(manifest(2, 9));
    }
    assert_eq!(unsaid.refused.len(), REFUSED_MAX);
    assert!(unsaid.refused.iter().take(2).eq([&manifest(0, 0), &manifest(1, 1)]));
    let lost: Vec<_> = unsaid.lost.values().map(|missed| (missed.incident, missed.object, missed.cause)).collect();
    let of = |incident, object| (fixture::incident(incident), Some(B256::repeat_byte(object)), MissCause::Refused);
    assert_eq!(lost, [of(1, 7), of(2, 9)]);
}
