//! By what the events of the log are found in the index.

use watchfire_journal::{RecordKeys, Term, TermKind};
use watchfire_types::{Body, Bytes};
use watchfire_wire::decode_signed;

/// The kebab-case name of a body's kind, as in records.
#[must_use]
pub fn kind_of(body: &Body) -> &'static str {
    match body {
        Body::Started(_) => "started",
        Body::Finding(_) => "finding",
        Body::Vote(_) => "vote",
        Body::Veto(_) => "veto",
        Body::Certificate(_) => "certificate",
        Body::CoSignature(_) => "co-signature",
        Body::Submitted(_) => "submitted",
        Body::Executed(_) => "executed",
        Body::PostconditionChecked(_) => "postcondition-checked",
        Body::Retracted(_) => "retracted",
        Body::Classified(_) => "classified",
        Body::Acknowledged(_) => "acknowledged",
        Body::Rejected(_) => "rejected",
        Body::Note(_) => "note",
        Body::CloseVote(_) => "close-vote",
        Body::NotContained(_) => "not-contained",
        Body::Attested(_) => "attested",
        Body::FaultProof(_) => "fault-proof",
        Body::Unknown(..) => "unknown",
    }
}

/// The index keys of one record of the journal.
#[must_use]
pub fn index_keys(record: &[u8]) -> Option<RecordKeys> {
    let signed = decode_signed(Bytes::copy_from_slice(record)).ok()?;
    let event = signed.event();
    let time = event.time.as_millis().to_be_bytes().to_vec();
    let kind = kind_of(&event.body).as_bytes().to_vec();
    let terms = vec![Term { kind: TermKind::BodyKind, value: kind }, Term { kind: TermKind::Time, value: time }];
    Some(RecordKeys { author: event.author, epoch: event.epoch, seq: event.seq, terms })
}
