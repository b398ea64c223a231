//! Reading the log's files beside their writer, or with none: nothing is locked, written or recovered.

use std::collections::VecDeque;

use watchfire_types::Bytes;

use crate::error::{DamageKind, JournalError};
use crate::frame::Content;
use crate::position::{Page, Position};
use crate::recovery;
use crate::replay::Record;
use crate::segment;
use crate::storage::Storage;

/// Hands out every record from `from` on, in order. What is being written right now may be missing at the end.
///
/// # Errors
/// [`JournalError::Damaged`] where a segment that another follows ends before its records do; [`JournalError::Io`].
pub fn scan<S: Storage>(storage: &S, from: Position, mut each: impl FnMut(Record)) -> Result<(), JournalError> {
    let numbers = numbers(storage)?;
    for &number in numbers.iter().filter(|number| **number >= from.segment()) {
        records(storage, &numbers, number, from, |record| {
            each(record);
            true
        })?;
    }
    missing(storage, &numbers)
}

/// The first `limit` records of a part of the log, looked through in its direction, that stand at `from` or later and are wanted; in the
/// log's order. Only the segments between the part's begin and the last record found are read, one at a time.
///
/// # Errors
/// As [`scan`], for the segments that are read.
pub fn scan_page<S: Storage>(
    storage: &S,
    from: Position,
    page: Page,
    limit: usize,
    mut wanted: impl FnMut(&Record) -> bool,
) -> Result<Vec<Record>, JournalError> {
    let numbers = numbers(storage)?;
    let mut found = VecDeque::new();
    match page {
        Page::After(place) => {
            // Whether a record stands at that place or not: its segment is read from the begin.
            let from = from.max(Position::new(place.segment(), 0));
            for &number in numbers.iter().filter(|number| **number >= from.segment()) {
                records(storage, &numbers, number, from, |record| {
                    if found.len() < limit && page.holds(record.position) && wanted(&record) {
                        found.push_back(record);
                    }
                    found.len() < limit
                })?;
                if found.len() >= limit {
                    break;
                }
            }
        }
        Page::Before(place) => {
            let there = |number: &&u32| (from.segment()..=place.segment()).contains(*number);
            for &number in numbers.iter().filter(there).rev() {
                let mut last = VecDeque::new();
                records(storage, &numbers, number, from, |record| {
                    let goes_on = page.holds(record.position);
                    if goes_on && wanted(&record) {
                        if found.len() + last.len() >= limit {
                            last.pop_front();
                        }
                        if found.len() + last.len() < limit {
                            last.push_back(record);
                        }
                    }
                    goes_on
                })?;
                last.append(&mut found);
                found = last;
                if found.len() >= limit {
                    break;
                }
            }
        }
    }
    Ok(found.into())
}

fn numbers<S: Storage>(storage: &S) -> Result<Vec<u32>, JournalError> {
    let numbers = segment::list(storage)?;
    Ok(recovery::without_prepared(storage, &numbers)?.0.to_vec())
}

/// Hands out the records of one segment from `from` on while `each` wants more.
fn records<S: Storage>(
    storage: &S,
    numbers: &[u32],
    number: u32,
    from: Position,
    mut each: impl FnMut(Record) -> bool,
) -> Result<(), JournalError> {
    let bytes = segment::load(storage, number)?;
    let first = if number == from.segment() { from.offset() as usize } else { 0 };
    let mut at = first.max(segment::HEADER);
    while let Some((header, content)) = recovery::frame_at(&bytes, number, at) {
        if let Content::Record(record) = content {
            let position = Position::new(number, u32::try_from(at).unwrap_or(u32::MAX));
            if !each(Record { position, bytes: Bytes::copy_from_slice(record) }) {
                return Ok(());
            }
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
    Ok(())
}

/// The first segment that ought to be there and is not.
fn missing<S: Storage>(storage: &S, numbers: &[u32]) -> Result<(), JournalError> {
    let first = match numbers.first() {
        Some(&first) if segment::base(storage, first)?.is_some() => first,
        _ => 0,
    };
    match numbers.iter().zip(first..).find(|(number, expected)| **number != *expected) {
        Some((_, missing)) => Err(segment::damaged(missing, 0, DamageKind::MissingSegment)),
        None => Ok(()),
    }
}

#[cfg(test)]
mod tests;
