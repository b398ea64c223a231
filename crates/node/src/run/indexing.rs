//! By what the events of the log are found in the index.

use watchfire_journal::{RecordKeys, Term, TermKind};
use watchfire_types::{BlockRef, Body, Bytes, IncidentId};
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
    terms.extend(block(&event.body).map(|block| {
        let value = [block.chain.get().to_be_bytes(), block.number.to_be_bytes()].concat();
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
        _ => None,
    }
}

/// The block that an event speaks of.
fn block(body: &Body) -> Option<BlockRef> {
    match body {
        Body::Finding(finding) => Some(finding.block),
        Body::Vote(vote) => Some(vote.evidence),
        Body::Veto(veto) => Some(veto.head),
        Body::CoSignature(signature) => Some(signature.agreed),
        Body::Executed(executed) => Some(executed.block),
        Body::PostconditionChecked(checked) => Some(checked.block),
        Body::CloseVote(close) => Some(close.closed_at),
        Body::NotContained(stated) => Some(stated.head),
        Body::Attested(attested) => Some(attested.head),
        _ => None,
    }
}
