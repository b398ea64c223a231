//! Telling what a crash may leave from what it cannot.
//!
//! A crash can leave only the last commit incomplete: a short file, or sectors of it that still hold the zeros that were there
//! before. Such a tail was never acknowledged and is dropped. Anything else is damage, and is named: a frame that does not check
//! although every sector of it was written, one that a later commit follows (which proves that it had been synced), a frame
//! missing before the end that the next segment names.
//!
//! Limit: a last commit that holds 512 zero bytes of its own in one whole sector *and* rots later looks torn.

use crate::error::{DamageKind, JournalError};
use crate::frame;
use crate::segment::{self, Header};
use crate::storage::Storage;

const SECTOR: usize = 512;

/// What opening the log found.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Recovery {
    /// Bytes of the incomplete tail that were dropped; 0 after a clean stop. None of them was ever acknowledged.
    pub dropped_bytes: u64,
    /// Segment files.
    pub segments: u32,
    /// Records.
    pub records: u64,
}

/// The frames at the start of a segment that check.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Scan {
    /// Offset after the last of them.
    pub(crate) end: usize,
    pub(crate) records: u64,
    /// Where the last commit among them begins; `end` if there is none.
    pub(crate) last_commit: usize,
}

/// Walks the frames from the first on until one does not check.
pub(crate) fn scan(bytes: &[u8], number: u32) -> Scan {
    let mut found = Scan { end: segment::HEADER, records: 0, last_commit: segment::HEADER };
    while let Some((header, _)) = frame_at(bytes, number, found.end) {
        found.last_commit = header.commit as usize;
        found.end += header.size();
        found.records += 1;
    }
    if found.records == 0 {
        found.last_commit = found.end;
    }
    found
}

/// The frame at `offset` and its record, if both check.
pub(crate) fn frame_at(bytes: &[u8], number: u32, offset: usize) -> Option<(frame::Header, &[u8])> {
    frame::decode(bytes.get(offset..)?, number, u32::try_from(offset).ok()?)
}

/// What stands where the frames of the last segment stop checking.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Tail {
    /// Nothing but zeros, or nothing.
    Clean,
    /// A commit that was never acknowledged: so many bytes from the end on.
    Incomplete(usize),
    /// Acknowledged bytes that are not what was written.
    Damaged(DamageKind),
}

/// Judges what follows `end` in the last segment.
pub(crate) fn judge_tail(bytes: &[u8], number: u32, end: usize) -> Tail {
    let Some(last) = bytes.iter().rposition(|byte| *byte != 0).filter(|last| *last >= end) else {
        return Tail::Clean;
    };
    let rest = &bytes[end..=last];
    let kind = kind_at(bytes, number, end);
    if later_commit(bytes, number, end) || !may_be_torn(bytes, number, end, last) {
        return Tail::Damaged(kind);
    }
    Tail::Incomplete(rest.len())
}

/// What is wrong at `offset`, where no frame checks.
pub(crate) fn kind_at(bytes: &[u8], number: u32, offset: usize) -> DamageKind {
    kind_of(bytes.get(offset..).unwrap_or_default(), number, u32::try_from(offset).unwrap_or(u32::MAX))
}

/// As [`kind_at`], for bytes that begin at `place`.
pub(crate) fn kind_of(rest: &[u8], number: u32, place: u32) -> DamageKind {
    if frame::header(rest, number, place).is_some() {
        DamageKind::FrameContent
    } else if rest.iter().take(frame::HEADER).all(|byte| *byte == 0) {
        DamageKind::MissingFrame
    } else {
        DamageKind::FrameHeader
    }
}

/// Offset of the next frame after `offset` whose header checks, and its commit.
pub(crate) fn next_header(bytes: &[u8], number: u32, offset: usize) -> Option<(usize, frame::Header)> {
    let first = (offset / frame::ALIGNMENT + 1) * frame::ALIGNMENT;
    (first..bytes.len()).step_by(frame::ALIGNMENT).find_map(|at| {
        let rest = &bytes[at..];
        // Most of what follows is zero; a header never begins with five zero bytes and a zero commit.
        if rest.iter().take(8).all(|byte| *byte == 0) {
            return None;
        }
        Some((at, frame::header(rest, number, u32::try_from(at).ok()?)?))
    })
}

/// Whether a commit that began after `end` left a frame: then `end` had been synced.
fn later_commit(bytes: &[u8], number: u32, end: usize) -> bool {
    let mut at = end;
    while let Some((next, header)) = next_header(bytes, number, at) {
        if header.commit as usize > end {
            return true;
        }
        at = next;
    }
    false
}

/// Whether an interrupted write explains the bytes at `end`; `last` is the last byte of the file that is not zero.
fn may_be_torn(bytes: &[u8], number: u32, end: usize, last: usize) -> bool {
    let place = u32::try_from(end).unwrap_or(u32::MAX);
    let Some(header) = frame::header(&bytes[end..], number, place) else {
        // A header is within one sector: it was not written at all, or the write stopped inside it.
        return last < end + frame::HEADER || bytes[end..].iter().take(frame::HEADER).all(|byte| *byte == 0);
    };
    let stop = end + header.size();
    if stop > bytes.len() || bytes[stop - 1] == 0 {
        return true;
    }
    let first_sector = (end + frame::HEADER).div_ceil(SECTOR);
    (first_sector..stop / SECTOR)
        .any(|sector| bytes[sector * SECTOR..(sector + 1) * SECTOR].iter().all(|byte| *byte == 0))
}

/// Checks that `header` is that of segment `number` and continues what stands before it.
pub(crate) fn check_header(bytes: &[u8], number: u32, previous: Option<(usize, u64)>) -> Result<Header, JournalError> {
    let header = Header::decode(bytes)
        .filter(|header| header.number == number)
        .ok_or_else(|| segment::damaged(number, 0, DamageKind::SegmentHeader))?;
    match previous {
        Some((end, records)) if header.previous_end as usize != end || header.first_record != records => {
            Err(segment::damaged(number, 0, DamageKind::BrokenSequence))
        }
        None if number == 0 && (header.previous_end != 0 || header.first_record != 0) => {
            Err(segment::damaged(number, 0, DamageKind::BrokenSequence))
        }
        _ => Ok(header),
    }
}

/// Where appending goes on, after a walk over every segment.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Found {
    pub(crate) number: u32,
    pub(crate) scan: Scan,
    /// Records in all segments.
    pub(crate) records: u64,
    /// Bytes of the last segment's file.
    pub(crate) length: usize,
    /// Bytes of an incomplete tail after `scan.end`.
    pub(crate) dropped: usize,
}

/// Walks all segments; `None` when there is none.
///
/// # Errors
/// [`JournalError::Damaged`] at the first thing that no crash explains.
pub(crate) fn walk<S: Storage>(storage: &S, numbers: &[u32]) -> Result<Option<Found>, JournalError> {
    let mut previous = None;
    let mut found = None;
    for (index, &number) in numbers.iter().enumerate() {
        if index > 0 && numbers[index - 1] + 1 != number {
            return Err(segment::damaged(numbers[index - 1] + 1, 0, DamageKind::MissingSegment));
        }
        let bytes = segment::load(storage, number)?;
        let header = check_header(&bytes, number, previous)?;
        let scan = scan(&bytes, number);
        let mut dropped = 0;
        if let Some(&next) = numbers.get(index + 1) {
            // The next header says where this one ends; name the frame itself when it stops early.
            let next = segment::load_header(storage, next)?;
            if next.is_some_and(|next| scan.end < next.previous_end as usize) {
                return Err(segment::damaged(number, scan.end, kind_at(&bytes, number, scan.end)));
            }
        } else {
            match judge_tail(&bytes, number, scan.end) {
                Tail::Clean => {}
                Tail::Incomplete(length) => dropped = length,
                Tail::Damaged(kind) => return Err(segment::damaged(number, scan.end, kind)),
            }
        }
        let records = header.first_record + scan.records;
        previous = Some((scan.end, records));
        found = Some(Found { number, scan, records, length: bytes.len(), dropped });
    }
    Ok(found)
}
