//! Reading the log's files beside their writer, or with none: nothing is locked, written or recovered.

use watchfire_types::Bytes;

use crate::error::{DamageKind, JournalError};
use crate::frame::Content;
use crate::position::Position;
use crate::recovery;
use crate::replay::Record;
use crate::segment;
use crate::storage::Storage;

/// Hands out every record from `from` on, in order. What is being written right now may be missing at the end.
///
/// # Errors
/// [`JournalError::Damaged`] where a segment that another follows ends before its records do; [`JournalError::Io`].
pub fn scan<S: Storage>(storage: &S, from: Position, mut each: impl FnMut(Record)) -> Result<(), JournalError> {
    let numbers = segment::list(storage)?;
    let (numbers, _) = recovery::without_prepared(storage, &numbers)?;
    for &number in numbers.iter().filter(|number| **number >= from.segment()) {
        let bytes = segment::load(storage, number)?;
        let first = if number == from.segment() { from.offset() as usize } else { 0 };
        let mut at = first.max(segment::HEADER);
        while let Some((header, content)) = recovery::frame_at(&bytes, number, at) {
            if let Content::Record(record) = content {
                let position = Position::new(number, u32::try_from(at).unwrap_or(u32::MAX));
                each(Record { position, bytes: Bytes::copy_from_slice(record) });
            }
            at += header.size();
        }
        let next = number.checked_add(1).filter(|next| numbers.contains(next));
        let next = next.map(|next| segment::load_header(storage, next)).transpose()?.flatten();
        let end = segment::base(storage, number)?.map(|base| base.end).or(next.map(|next| next.previous_end));
        if end.is_some_and(|end| at < end as usize) {
            let kind = recovery::kind_at(&bytes, number, at);
            return Err(segment::damaged(number, at, kind));
        }
    }
    let first = match numbers.first() {
        Some(&first) if segment::base(storage, first)?.is_some() => first,
        _ => 0,
    };
    match numbers.iter().zip(first..).find(|(number, expected)| **number != *expected) {
        Some((_, missing)) => Err(segment::damaged(missing, 0, DamageKind::MissingSegment)),
        None => Ok(()),
    }
}
