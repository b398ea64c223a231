//! By what the events of the log are found in the index.

use watchfire_journal::{RecordKeys, Term, TermKind};
use watchfire_types::Bytes;
use watchfire_wire::decode_signed;

/// The index keys of one record of the journal.
#[must_use]
pub fn index_keys(record: &[u8]) -> Option<RecordKeys> {
    let signed = decode_signed(Bytes::copy_from_slice(record)).ok()?;
    let event = signed.event();
    let time = event.time.as_millis().to_be_bytes().to_vec();
    let kind = event.body.kind().as_bytes().to_vec();
    let terms = vec![Term { kind: TermKind::BodyKind, value: kind }, Term { kind: TermKind::Time, value: time }];
    Some(RecordKeys { author: event.author, epoch: event.epoch, seq: event.seq, terms })
}
