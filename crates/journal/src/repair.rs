//! Repair: damaged bytes are set aside, and holes stand where they were.
//!
//! A sound record keeps its place and its bytes; nothing is written in a record's stead. Each damaged segment is first copied
//! whole to `NAME.damaged-K`, which is never touched again, and then replaced by one rename with a file in which holes (see
//! [`crate::frame`]) cover what does not check: so what follows keeps its place too, and the log says for good that something
//! stood there. What was lost comes again from peers, which hold it verbatim, and is appended as any event of others is; also
//! events of the own earlier epochs, since a process authors in an epoch of its own.
//!
//! A base that is not whole is not repaired: what it says cannot be had from peers, but from the
//! archives, whose import keeps what is sound beside it (`watchfire log import`).
//!
//! Where the counts that the segment headers give cannot be brought together the repair refuses: it never guesses.

use std::collections::BTreeMap;

use crate::error::{DamageKind, JournalError};
use crate::frame::{self, Content};
use crate::recovery::{self, Tail};
use crate::segment::{self, Header};
use crate::storage::{Storage, StorageFile};

/// Name under which a repaired segment is written.
const REPAIRED: &str = "repair.tmp";
/// Smallest hole: a header and one more unit.
const HOLE_MIN: usize = 2 * frame::ALIGNMENT;
/// Most segments in a row that are made anew where their files are missing: more than a stray file's name may make it.
const MISSING_MAX: u32 = 64;
/// Least length of a segment file that is made anew.
const FILE_MIN: usize = 4096;

/// One stretch of bytes that did not check.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DamagedRange {
    /// Offset of its first byte; 0 for the segment's own header.
    pub from: u64,
    /// Offset after its last byte.
    pub to: u64,
    /// What did not hold at its start.
    pub kind: DamageKind,
}

/// What was done about one segment.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SegmentRepair {
    /// File name.
    pub segment: String,
    /// Name of the copy that holds its bytes as they were; `None` for a segment that was missing.
    pub set_aside: Option<String>,
    /// What did not check.
    pub ranges: Vec<DamagedRange>,
    /// Records that were kept, byte by byte where they were.
    pub kept: u64,
    /// Records that stood in the damaged ranges: exact if the next segment tells, else at least one a range.
    pub lost: u64,
}

#[derive(Debug)]
struct Plan {
    number: u32,
    /// The header as found, or as it must have been.
    header: Option<Header>,
    ranges: Vec<DamagedRange>,
    /// Whether the file itself is there.
    present: bool,
    end: usize,
    kept: u64,
    lost: u64,
}

impl Plan {
    /// Holes to write: the header is no hole.
    fn holes(&self) -> impl Iterator<Item = &DamagedRange> {
        self.ranges.iter().filter(|range| range.from > 0)
    }

    fn first(&self) -> Option<u64> {
        self.header.map(|header| header.first_record)
    }
}

/// Repairs the log in `storage`, which no journal may have open. `check` says whether bytes found after a damaged place are
/// a record of this log (a signature that holds): their checksum alone can be made by whoever wrote an earlier record.
///
/// # Errors
/// [`JournalError::Damaged`] for what cannot be repaired, [`JournalError::Io`]. Whatever fails, each segment is as it was or
/// repaired whole.
pub fn repair<S: Storage>(
    storage: &S,
    mut check: impl FnMut(&[u8]) -> bool,
) -> Result<Vec<SegmentRepair>, JournalError> {
    let listed = segment::list(storage)?;
    let (numbers, prepared) = recovery::without_prepared(storage, &listed)?;
    let Some(&last) = numbers.last() else { return Ok(Vec::new()) };
    let last = prepared.map_or(last, |prepared| last.max(prepared.number - 1));
    let mut headers = BTreeMap::new();
    for &number in numbers {
        let header = segment::load_header(storage, number)?.filter(|header| header.number == number);
        headers.extend(header.map(|header| (number, header)));
    }
    let mut plans = Vec::new();
    let base = match numbers.first() {
        Some(&first) => check_base(storage, first)?.map(|ends| (first, ends)),
        None => None,
    };
    let first = base.map_or(0, |(number, _)| number + 1);
    refuse_wide_gaps(first, &listed)?;
    for number in first..=last {
        let next = number.checked_add(1).and_then(|next| headers.get(&next));
        let bytes = if numbers.contains(&number) { Some(segment::load(storage, number)?) } else { None };
        plans.push(plan(number, bytes.as_deref(), headers.get(&number), next, number == last, &mut check)?);
    }
    reconcile(&mut plans, base.map(|(_, ends)| ends))?;
    let mut done = Vec::new();
    for plan in plans.iter().filter(|plan| !plan.ranges.is_empty()) {
        done.push(write(storage, plan)?);
    }
    // What stands there now must open.
    recovery::walk(storage, &segment::list(storage)?)?;
    Ok(done)
}

/// A file is made for each missing segment: a name that is far beyond the others is no reason for thousands.
fn refuse_wide_gaps(first: u32, numbers: &[u32]) -> Result<(), JournalError> {
    let mut expected = first;
    for &number in numbers.iter().filter(|number| **number >= first) {
        let missing = number - expected;
        if missing > MISSING_MAX {
            return Err(JournalError::SegmentsMissing {
                from: segment::name(expected),
                missing,
                next: segment::name(number),
            });
        }
        expected = number.saturating_add(1);
    }
    Ok(())
}

/// Notes in the log that `lost` records, acknowledged once, stood after its end: a hole there, as any damage leaves one. Nobody may have
/// the log open, and it must hold. Its bytes before that are set aside.
///
/// # Errors
/// [`JournalError::Damaged`] where the log does not hold, [`JournalError::Io`]. Whatever fails, the segment is as it was or has the hole.
pub fn note_lost_tail<S: Storage>(storage: &S, lost: u64) -> Result<Option<SegmentRepair>, JournalError> {
    let Some(found) = recovery::walk(storage, &segment::list(storage)?)? else { return Ok(None) };
    let (number, from) = (found.number, found.scan.end);
    let to = from + found.dropped.next_multiple_of(frame::ALIGNMENT).max(HOLE_MIN);
    let header = segment::load_header(storage, number)?;
    let kept = found.scan.records - found.scan.lost;
    let range = DamagedRange { from: from as u64, to: to as u64, kind: DamageKind::MissingFrame };
    let lost = found.scan.lost + lost;
    let plan = Plan { number, header, ranges: vec![range], present: true, end: to, kept, lost };
    let done = write(storage, &plan)?;
    recovery::walk(storage, &segment::list(storage)?)?;
    Ok(Some(done))
}

/// Where a base says that the segment after it continues, if this segment is one. It must be whole: its header, notes and records.
fn check_base<S: Storage>(storage: &S, number: u32) -> Result<Option<(usize, u64)>, JournalError> {
    let bytes = segment::load(storage, number)?;
    let found = recovery::scan(&bytes, number);
    // No other segment holds a note.
    let noted = matches!(recovery::frame_at(&bytes, number, segment::HEADER), Some((_, Content::Note(_))));
    match segment::base(storage, number)? {
        Some(base) if found.end == base.end as usize && found.lost == 0 => {
            Ok(Some((base.stood as usize, base.next_record)))
        }
        None if !noted => Ok(None),
        Some(_) | None => Err(segment::damaged(number, found.end, DamageKind::Base)),
    }
}

/// Looks a segment through.
fn plan(
    number: u32,
    bytes: Option<&[u8]>,
    header: Option<&Header>,
    next: Option<&Header>,
    last: bool,
    check: &mut impl FnMut(&[u8]) -> bool,
) -> Result<Plan, JournalError> {
    let end = next.map(|next| next.previous_end as usize);
    let mut plan = Plan {
        number,
        header: header.copied(),
        ranges: Vec::new(),
        present: bytes.is_some(),
        end: segment::HEADER,
        kept: 0,
        lost: 0,
    };
    if header.is_none() {
        let kind = if bytes.is_some() { DamageKind::SegmentHeader } else { DamageKind::MissingSegment };
        plan.ranges.push(DamagedRange { from: 0, to: segment::HEADER as u64, kind });
    }
    let walk = Walk { bytes: bytes.unwrap_or_default(), number, end, last };
    walk.run(&mut plan, check);
    if end.is_some_and(|end| plan.end != end) {
        return Err(segment::damaged(number, plan.end, DamageKind::BrokenSequence));
    }
    Ok(plan)
}

struct Walk<'a> {
    bytes: &'a [u8],
    number: u32,
    end: Option<usize>,
    last: bool,
}

impl Walk<'_> {
    fn run(&self, plan: &mut Plan, check: &mut impl FnMut(&[u8]) -> bool) {
        let mut at = segment::HEADER;
        loop {
            while let Some((header, content)) = recovery::frame_at(self.bytes, self.number, at) {
                match content {
                    Content::Record(_) => plan.kept += 1,
                    Content::Hole(lost) => plan.lost += u64::from(lost),
                    Content::Note(_) => {}
                }
                at += header.size();
            }
            plan.end = at;
            let Some(kind) = self.damage(at) else { return };
            let to = self.resume(at, check);
            match plan.ranges.last_mut() {
                // One after another they are one hole.
                Some(range) if range.to == at as u64 && range.from > 0 => range.to = to as u64,
                _ => plan.ranges.push(DamagedRange { from: at as u64, to: to as u64, kind }),
            }
            at = to;
        }
    }

    /// What is wrong at `at`, where no frame checks; `None` where the segment may end.
    fn damage(&self, at: usize) -> Option<DamageKind> {
        if let Some(end) = self.end {
            return (at < end).then(|| recovery::kind_at(self.bytes, self.number, at));
        }
        match recovery::judge_tail(self.bytes, self.number, at) {
            Tail::Clean => None,
            Tail::Incomplete(_) if self.last => None,
            Tail::Incomplete(_) => Some(recovery::kind_at(self.bytes, self.number, at)),
            Tail::Damaged(kind) => Some(kind),
        }
    }

    /// Where sound frames go on after the damage at `at`, or where the segment ends.
    fn resume(&self, at: usize, check: &mut impl FnMut(&[u8]) -> bool) -> usize {
        let written = self.bytes.iter().rposition(|byte| *byte != 0).map_or(0, |last| last + 1);
        let stop = self.end.unwrap_or_else(|| written.next_multiple_of(frame::ALIGNMENT).max(at + HOLE_MIN));
        let place = u32::try_from(at).unwrap_or(u32::MAX);
        let rest = self.bytes.get(at..).unwrap_or_default();
        if let Some(header) = frame::header(rest, self.number, place) {
            // Its length checks: the frame after it is where it says.
            return (at + header.size()).min(stop);
        }
        let places = (at + HOLE_MIN..stop).step_by(frame::ALIGNMENT);
        let sound = |at: &usize| match recovery::frame_at(self.bytes, self.number, *at) {
            Some((_, Content::Record(record))) => check(record),
            Some((_, Content::Hole(_))) => true,
            Some((_, Content::Note(_))) | None => false,
        };
        places.into_iter().find(sound).unwrap_or(stop)
    }
}

/// Gives each segment the header it must have had, and each hole the number of records that the headers leave for it.
fn reconcile(plans: &mut [Plan], base: Option<(usize, u64)>) -> Result<(), JournalError> {
    // From the end: where nothing is missing, the segment after tells the first record.
    for at in (0..plans.len()).rev() {
        let next = plans.get(at + 1).and_then(Plan::first);
        let plan = &plans[at];
        if plan.header.is_some() || plan.holes().next().is_some() {
            continue;
        }
        let known = next.and_then(|next| next.checked_sub(plan.kept + plan.lost));
        plans[at].header =
            known.map(|first_record| Header { number: plan.number, previous_end: 0, first_record, base: None });
    }
    let mut previous: Option<(usize, u64)> = base;
    for at in 0..plans.len() {
        let next = plans.get(at + 1).and_then(Plan::first);
        let plan = &mut plans[at];
        let (end, records) = previous.unwrap_or((0, 0));
        let rebuilt = plan.ranges.first().is_some_and(|range| range.from == 0);
        let found =
            plan.header.unwrap_or(Header { number: plan.number, previous_end: 0, first_record: records, base: None });
        let previous_end = if rebuilt { u32::try_from(end).unwrap_or(u32::MAX) } else { found.previous_end };
        let header = Header { previous_end, ..found };
        plan.header = Some(header);
        let broken = segment::damaged(plan.number, 0, DamageKind::BrokenSequence);
        let continues =
            previous.is_none_or(|(end, records)| header.previous_end as usize == end && header.first_record == records);
        let holes = plan.holes().count() as u64;
        let known = match next {
            Some(next) => match next.checked_sub(header.first_record + plan.kept + plan.lost) {
                Some(lost) => lost,
                None => return Err(broken),
            },
            None => holes,
        };
        if !continues || (holes == 0 && known > 0) {
            return Err(broken);
        }
        plan.lost += known;
        previous = Some((plan.end, header.first_record + plan.kept + plan.lost));
    }
    Ok(())
}

/// Sets the segment aside and puts the repaired one in its place.
fn write<S: Storage>(storage: &S, plan: &Plan) -> Result<SegmentRepair, JournalError> {
    let name = segment::name(plan.number);
    let old = if plan.present { segment::load(storage, plan.number)? } else { Vec::new() };
    let mut bytes = old.clone();
    bytes.resize(old.len().max(plan.end).max(FILE_MIN), 0);
    if let Some(header) = plan.header {
        bytes[..segment::HEADER].copy_from_slice(&header.encode());
    }
    let held = plan.holes().count() as u64;
    let new: u64 = plan.lost.saturating_sub(old_holes(&old, plan));
    for (index, range) in plan.holes().enumerate() {
        // One a hole where there are enough, the rest in the first.
        let rest = new.saturating_sub(held.saturating_sub(1));
        let lost = if index == 0 { rest.max(u64::from(new > 0)) } else { u64::from(new >= held) };
        let lost = u32::try_from(lost).unwrap_or(u32::MAX);
        let (from, to) = (usize::try_from(range.from).unwrap_or(0), usize::try_from(range.to).unwrap_or(0));
        let place = u32::try_from(from).unwrap_or(u32::MAX);
        bytes[from..to].copy_from_slice(&frame::hole(plan.number, place, to - from, lost));
    }
    put(storage, REPAIRED, &bytes)?;
    let set_aside = if plan.present { Some(set_aside(storage, &name, &old)?) } else { None };
    storage.rename(REPAIRED, &name).map_err(JournalError::io("replace", name.clone()))?;
    storage.sync_directory().map_err(JournalError::io("sync the directory of", name.clone()))?;
    Ok(SegmentRepair { segment: name, set_aside, ranges: plan.ranges.clone(), kept: plan.kept, lost: new })
}

/// Records in holes that stood there before.
fn old_holes(old: &[u8], plan: &Plan) -> u64 {
    let (mut at, mut lost) = (segment::HEADER, 0);
    while at < plan.end {
        match recovery::frame_at(old, plan.number, at) {
            Some((header, content)) => {
                if let Content::Hole(records) = content {
                    lost += u64::from(records);
                }
                at += header.size();
            }
            None => match plan.holes().find(|range| range.from == at as u64) {
                Some(range) => at = usize::try_from(range.to).unwrap_or(usize::MAX),
                None => return lost,
            },
        }
    }
    lost
}

/// Copies the damaged file to a name that nothing has, durably.
fn set_aside<S: Storage>(storage: &S, name: &str, bytes: &[u8]) -> Result<String, JournalError> {
    let names = storage.list().map_err(JournalError::io("list", "the journal directory"))?;
    let mut copies = (1u32..).map(|copy| format!("{name}.damaged-{copy}"));
    let Some(copy) = copies.find(|copy| !names.contains(copy)) else { return Err(JournalError::NoMoreSegments) };
    put(storage, &copy, bytes)?;
    storage.sync_directory().map_err(JournalError::io("sync the directory of", copy.clone()))?;
    Ok(copy)
}

fn put<S: Storage>(storage: &S, name: &str, bytes: &[u8]) -> Result<(), JournalError> {
    let file = storage.create(name).map_err(JournalError::io("create", name))?;
    file.write_at(0, bytes).map_err(JournalError::io("write", name))?;
    file.sync().map_err(JournalError::io("sync", name))
}

#[cfg(test)]
mod tests;
