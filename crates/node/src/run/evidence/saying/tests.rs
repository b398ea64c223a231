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

/// What one member fetches is gathered: whole attacks are a few events, however it asks.
#[test]
fn fetches_are_gathered() {
    let mut unsaid = Unsaid::default();
    let (of, by) = (fixture::incident(1), MemberKey::from_bytes([2; 32]));
    let at = |ms| Timestamp::from_millis(1_800_000_000_000 + ms);
    for number in 0..600_u16 {
        for again in 0..3 {
            unsaid.fetch(of, by, ChainId::new(1), B256::left_padding_from(&number.to_be_bytes()), at(again));
        }
    }
    // Enough for an event is said at once, what is less after a while.
    let said = due(&mut unsaid.fetched, at(1), false);
    assert_eq!(said.iter().map(|(_, copies)| copies.objects.len()).collect::<Vec<_>>(), [600]);
    unsaid.fetch(of, by, ChainId::new(1), B256::ZERO, at(5));
    assert!(due(&mut unsaid.fetched, at(5 + SAID_MS - 1), false).is_empty());
    assert_eq!(due(&mut unsaid.fetched, at(5 + SAID_MS), false).len(), 1);
}
