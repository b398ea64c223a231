//! Telling what a crash may leave from what it cannot.
//!
//! A crash can leave only the last commit incomplete: sectors of it still hold the zeros that were there before, and were durable
//! before the commit was begun. Such a tail was never acknowledged and is dropped. Anything else is damage, and is named: a frame that does not check
//! although every sector of it was written, one that ends beyond the file, one that a later commit follows (which proves that it had been synced), a frame
//! missing before the end that the next segment names.
//!
//! A last segment without its header is prepared room, not a segment yet: its header reaches the disk with its first commit.
//!
//! Limits: a last commit of which a whole sector is zero, its own or since the disk lost it, looks torn. That it was acknowledged is for others to
//! tell: the index, which follows what is durable alone ([`JournalError::TailLost`]), the witnesses' memory, and peers. And a torn commit of which a
//! header never reached the disk, but the whole of a frame did that a hostile record embeds for its own place, is named as damage, which a repair mends.

use crate::error::{DamageKind, JournalError};
use crate::frame::{self, Content};
use crate::segment::{self, Header};
use crate::storage::Storage;

const SECTOR: usize = 512;
/// No prepared segment is shorter, whatever the options.
const PREPARED_MIN: usize = 1024;

/// What opening the log found.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Recovery {
    /// Bytes of the incomplete tail that were dropped; 0 after a clean stop. As far as the journal alone can tell none was ever acknowledged.
    pub dropped_bytes: u64,
    /// Segment files.
    pub segments: u32,
    /// Records, those lost to damage included.
    pub records: u64,
    /// Records that repairs have taken out for good. What stood there can come again, elsewhere in the log.
    pub lost: u64,
    /// Records that were pruned: an archive holds them.
    pub pruned: u64,
}

/// The frames at the start of a segment that check.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Scan {
    /// Offset after the last of them.
    pub(crate) end: usize,
    /// Records, those that stood where now holes are included.
    pub(crate) records: u64,
    /// Records that stood where now holes are.
    pub(crate) lost: u64,
    /// Where the last commit among them begins; `end` if there is none.
    pub(crate) last_commit: usize,
}

/// Walks the frames from the first on until one does not check.
pub(crate) fn scan(bytes: &[u8], number: u32) -> Scan {
    let mut found = Scan { end: segment::HEADER, records: 0, lost: 0, last_commit: segment::HEADER };
    while let Some((header, content)) = frame_at(bytes, number, found.end) {
        found.last_commit = header.commit as usize;
        found.end += header.size();
        match content {
            Content::Record(_) => found.records += 1,
            Content::Hole(lost) => {
                found.records += u64::from(lost);
                found.lost += u64::from(lost);
            }
            Content::Note(_) => {}
        }
    }
    found
}

/// The frame at `offset` and what it holds, if both check.
pub(crate) fn frame_at(bytes: &[u8], number: u32, offset: usize) -> Option<(frame::Header, Content<'_>)> {
    frame::decode(bytes.get(offset..)?, number, u32::try_from(offset).ok()?)
}

/// What follows the frames of the last segment.
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
///
/// A record's author chooses its bytes, and could make a header for their place. From `end` on each header that holds says where the next frame
/// stands, so that nothing inside one is looked at. Past the first that does not hold only a whole frame counts, and no header is believed in how
/// far it reaches.
fn later_commit(bytes: &[u8], number: u32, end: usize) -> bool {
    let mut at = end;
    while let Some(header) = header_at(bytes, number, at) {
        if header.commit as usize > end {
            return true;
        }
        at += header.size();
    }
    while let Some((next, header)) = next_header(bytes, number, at) {
        at = next;
        if header.content(&bytes[next..]).is_some() {
            if header.commit as usize > end {
                return true;
            }
            at += header.size() - frame::ALIGNMENT;
        }
    }
    false
}

/// The header at `offset`, if it holds.
fn header_at(bytes: &[u8], number: u32, offset: usize) -> Option<frame::Header> {
    frame::header(bytes.get(offset..)?, number, u32::try_from(offset).ok()?)
}

/// Whether an interrupted write explains the bytes at `end`; `last` is the last byte of the file that is not zero.
fn may_be_torn(bytes: &[u8], number: u32, end: usize, last: usize) -> bool {
    // A commit overwrites zeros that were synced: no crash makes the file end inside it.
    if bytes.len() < end + frame::HEADER {
        return false;
    }
    let place = u32::try_from(end).unwrap_or(u32::MAX);
    let Some(header) = frame::header(&bytes[end..], number, place) else {
        // A header is within one sector: it was not written at all, or the write stopped inside it.
        return last < end + frame::HEADER || bytes[end..].iter().take(frame::HEADER).all(|byte| *byte == 0);
    };
    let stop = end + header.size();
    if stop > bytes.len() {
        return false;
    }
    if bytes[stop - 1] == 0 {
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
    /// Records in all segments, and how many of them repairs have taken out.
    pub(crate) records: u64,
    pub(crate) lost: u64,
    /// Records that were pruned.
    pub(crate) pruned: u64,
    /// Bytes of the last segment's file.
    pub(crate) length: usize,
    /// Bytes of an incomplete tail after `scan.end`.
    pub(crate) dropped: usize,
    /// Length of the segment that stands prepared after this one.
    pub(crate) prepared: Option<u64>,
}

/// What the bytes of a segment's file are.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum State {
    /// A segment, or what damage left of one.
    Begun,
    /// Room for one: its header was never acknowledged. `clean`: nothing but zeros.
    Prepared { clean: bool },
}

/// Judges the last file of several. A prepared segment is there in its whole length or not at all; its header is written with
/// its first commit, in one sector with that commit's first bytes.
pub(crate) fn state(bytes: &[u8], number: u32) -> State {
    if Header::decode(bytes).is_some() || bytes.len() < PREPARED_MIN {
        return State::Begun;
    }
    let (header, frames) = bytes.split_at(bytes.len().min(segment::HEADER));
    if frames.iter().all(|byte| *byte == 0) {
        return State::Prepared { clean: header.iter().all(|byte| *byte == 0) };
    }
    let first = segment::HEADER;
    let lost_whole = bytes.iter().take(SECTOR).all(|byte| *byte == 0);
    if lost_whole && !later_commit(bytes, number, first) { State::Prepared { clean: false } } else { State::Begun }
}

/// The segments and what stands prepared after them: its bytes, if it is clean.
pub(crate) fn without_prepared<'a, S: Storage>(
    storage: &S,
    numbers: &'a [u32],
) -> Result<(&'a [u32], Option<Prepared>), JournalError> {
    let Some((&last, before)) = numbers.split_last().filter(|(_, before)| !before.is_empty()) else {
        return Ok((numbers, None));
    };
    let bytes = segment::load(storage, last)?;
    Ok(match state(&bytes, last) {
        State::Begun => (numbers, None),
        State::Prepared { clean } => (before, Some(Prepared { number: last, length: bytes.len() as u64, clean })),
    })
}

/// The first segment that is missing between the last one and what was prepared after it.
pub(crate) fn missing_before(numbers: &[u32], prepared: Option<Prepared>) -> Option<u32> {
    let after = numbers.last()?.checked_add(1)?;
    prepared.is_some_and(|prepared| prepared.number != after).then_some(after)
}

/// A segment that stands prepared.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Prepared {
    pub(crate) number: u32,
    pub(crate) length: u64,
    pub(crate) clean: bool,
}

/// Walks all segments; `None` when there is none.
///
/// # Errors
/// [`JournalError::Damaged`] at the first thing that no crash explains.
pub(crate) fn walk<S: Storage>(storage: &S, numbers: &[u32]) -> Result<Option<Found>, JournalError> {
    let (numbers, prepared) = without_prepared(storage, numbers)?;
    if let Some(missing) = missing_before(numbers, prepared) {
        return Err(segment::damaged(missing, 0, DamageKind::MissingSegment));
    }
    let (mut previous, mut lost, mut pruned) = (None, 0, 0);
    let mut found = None;
    for (index, &number) in numbers.iter().enumerate() {
        let bytes = segment::load(storage, number)?;
        let base = Header::decode(&bytes).and_then(|header| header.base);
        let expected = match index.checked_sub(1) {
            Some(before) => numbers[before] + 1,
            None if base.is_some() => number,
            None => 0,
        };
        if number != expected {
            return Err(segment::damaged(expected, 0, DamageKind::MissingSegment));
        }
        let header = check_header(&bytes, number, previous)?;
        let scan = scan(&bytes, number);
        if let Some(base) = base {
            let records = base.next_record.checked_sub(scan.records);
            let whole = scan.end == base.end as usize && scan.lost == 0;
            // A base is followed by a segment: the one that was written to is never pruned.
            let (Some(records), true, false) = (records, whole, numbers.len() == 1) else {
                return Err(segment::damaged(number, scan.end, DamageKind::Base));
            };
            pruned = records;
            previous = Some((base.stood as usize, base.next_record));
            continue;
        }
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
        lost += scan.lost;
        let prepared = prepared.filter(|prepared| prepared.clean && prepared.number == number + 1);
        let prepared = prepared.map(|prepared| prepared.length);
        found = Some(Found { number, scan, records, lost, pruned, length: bytes.len(), dropped, prepared });
    }
    Ok(found)
}
