//! By what the events of the log are found in the index.

use std::collections::BTreeSet;

use watchfire_bundle::belong::blocks;
use watchfire_journal::{RecordKeys, Term, TermKind};
use watchfire_types::body::{Sealed, SealedAbout};
use watchfire_types::{Body, Bytes, IncidentId};
use watchfire_wire::decode_signed;

/// The index keys of one record of the journal.
#[must_use]
pub fn index_keys(record: &[u8]) -> Option<RecordKeys> {
    let signed = decode_signed(Bytes::copy_from_slice(record)).ok()?;
    let event = signed.event();
    let term = |kind, value| Term { kind, value };
    let mut terms = vec![
        term(TermKind::BodyKind, event.body.kind().as_bytes().to_vec()),
        term(TermKind::Time, event.time.as_millis().to_be_bytes().to_vec()),
    ];
    terms.extend(incident(&event.body).map(|incident| term(TermKind::Incident, incident.as_bytes().to_vec())));
    let numbers: BTreeSet<_> = blocks(event).iter().map(|block| (block.chain.get(), block.number)).collect();
    terms.extend(numbers.into_iter().map(|(chain, number)| {
        let value = [chain.to_be_bytes(), number.to_be_bytes()].concat();
        term(TermKind::Block, value)
    }));
    Some(RecordKeys { author: event.author, epoch: event.epoch, seq: event.seq, terms })
}

/// The incident that an event names. Those that belong to one by asset and block time are found by the rules, which know when
/// incidents closed.
fn incident(body: &Body) -> Option<IncidentId> {
    match body {
        Body::Acknowledged(said) | Body::Rejected(said) | Body::Note(said) => Some(said.incident),
        Body::Classified(classified) => Some(classified.incident),
        Body::EvidenceCollected(collected) => Some(collected.incident),
        Body::EvidenceAccessed(accessed) => Some(accessed.incident),
        Body::EvidenceMissed(missed) => Some(missed.incident),
        Body::Sealed(Sealed { about: SealedAbout::Incident(incident), .. }) => Some(*incident),
        _ => None,
    }
}
