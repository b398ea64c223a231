//! By what the events of the log are found in the index, and the node's answer to where they stand.

use watchfire_journal::index::CANDIDATES;
use watchfire_journal::{IndexStore, JournalError, Page, Position, Query, RecordKeys, Term, TermKind};
use watchfire_types::control::{Locate, LogPlace, Reply};
use watchfire_types::{BlockRef, Body, Bytes, IncidentId, Timestamp};
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

/// Where events stand, as the index knows.
pub(super) fn locate(store: &IndexStore, what: &Locate) -> Result<Reply, JournalError> {
    let place = |position: Position| -> LogPlace { (position.segment(), position.offset()) };
    // Asked first: whatever is indexed meanwhile is found by those who read on from here.
    let indexed = store.indexed()?;
    let positions = match what {
        Locate::Fitting { author, epoch, seqs, kind, times_ms, blocks, from, backwards } => {
            let query = Query {
                author: *author,
                epoch: *epoch,
                seqs: *seqs,
                incident: None,
                kind: kind.as_ref().map(|kind| kind.as_bytes().to_vec()),
                times: times_ms.map(|(since, until)| (Timestamp::from_millis(since), Timestamp::from_millis(until))),
                blocks: *blocks,
                limit: 0,
            };
            let from = Position::new(from.0, from.1);
            let page = if *backwards { Page::Before(from) } else { Page::After(from) };
            store.candidates(&query, page, CANDIDATES)?
        }
        Locate::Named { events } => {
            let mut positions = Vec::new();
            for event in events.iter().take(Locate::EVENTS_MAX) {
                positions.extend(store.by_hash(*event)?.map(|record| record.position));
            }
            positions
        }
    };
    Ok(Reply::Located { places: positions.into_iter().map(place).collect(), indexed: place(indexed) })
}
