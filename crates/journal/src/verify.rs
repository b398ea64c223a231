//! Checking a whole log: every frame, every record by the caller's check, and the index against the journal.

mod chains;

use std::collections::BTreeSet;
use std::fmt;

use watchfire_types::{Bytes, EventHash};

pub use chains::{ChainFault, ChainFaultKind, ChainLink, HashChains};

use crate::error::{DamageKind, JournalError};
use crate::frame::Content;
use crate::index::IndexStore;
use crate::position::Position;
use crate::recovery::{self, Tail};
use crate::replay::Record;
use crate::segment::{self, Header};
use crate::storage::Storage;

/// Faults and differences that a report lists; the rest is only counted.
pub const LISTED_MAX: usize = 1000;

/// One thing in the journal that does not hold.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum LogFault {
    /// Bytes that are not what was written.
    Damage {
        /// Segment file.
        segment: String,
        /// Byte offset.
        offset: u64,
        /// What does not hold.
        kind: DamageKind,
    },
    /// A record that is whole but fails the caller's check.
    Record {
        /// Where it stands.
        position: Position,
        /// One line.
        cause: String,
    },
}

impl fmt::Display for LogFault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Damage { segment, offset, kind } => write!(f, "segment {segment} at offset {offset}: {kind}"),
            Self::Record { position, cause } => write!(f, "record at {position}: {cause}"),
        }
    }
}

/// One thing in which the index differs from the journal.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum IndexDifference {
    /// The journal holds it, the index should and does not, or holds another record there.
    Missing(Position),
    /// The index holds a record there that the journal does not.
    Extra(Position),
}

/// What a check of the whole log found.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct LogReport {
    /// Segment files.
    pub segments: u64,
    /// Whole records.
    pub records: u64,
    /// Bytes of those records.
    pub bytes: u64,
    /// Holes that repairs have left, and the records that stood there.
    pub holes: u64,
    /// Records that stood where the holes are; they can come again, elsewhere in the log.
    pub lost: u64,
    /// Records that were pruned.
    pub pruned: u64,
    /// Bytes of an incomplete tail: a commit that was never acknowledged, or one being written right now.
    pub incomplete_bytes: u64,
    /// Faults, the first [`LISTED_MAX`] of them.
    pub faults: Vec<LogFault>,
    /// All faults.
    pub fault_count: u64,
    /// Whether there was an index to compare.
    pub index_compared: bool,
    /// Records after what the index has reached: lag, no difference.
    pub index_behind: u64,
    /// Differences of the index, the first [`LISTED_MAX`] of them.
    pub differences: Vec<IndexDifference>,
    /// All differences.
    pub difference_count: u64,
}

impl LogReport {
    /// Whether everything holds.
    #[must_use]
    pub const fn is_sound(&self) -> bool {
        self.fault_count == 0 && self.difference_count == 0
    }

    fn fault(&mut self, fault: LogFault) {
        self.fault_count += 1;
        if self.faults.len() < LISTED_MAX {
            self.faults.push(fault);
        }
    }

    fn damage(&mut self, number: u32, offset: usize, kind: DamageKind) {
        self.fault(LogFault::Damage { segment: segment::name(number), offset: offset as u64, kind });
    }

    fn difference(&mut self, difference: IndexDifference) {
        self.difference_count += 1;
        if self.differences.len() < LISTED_MAX {
            self.differences.push(difference);
        }
    }
}

/// Walks the whole log in order, going on after damage, and hands each whole record to `check`; then compares `index`.
///
/// # Errors
/// What keeps it from reading at all. Whatever does not hold is in the report.
pub fn verify_log<S: Storage>(
    storage: &S,
    index: Option<&IndexStore>,
    mut check: impl FnMut(&Record) -> Result<(), String>,
) -> Result<LogReport, JournalError> {
    let mut report = LogReport { index_compared: index.is_some(), ..LogReport::default() };
    let mut comparison = index.map(Comparison::new).transpose()?;
    let numbers = segment::list(storage)?;
    let (numbers, prepared) = recovery::without_prepared(storage, &numbers)?;
    if let Some(missing) = recovery::missing_before(numbers, prepared) {
        report.damage(missing, 0, DamageKind::MissingSegment);
    }
    report.segments = numbers.len() as u64;
    let present: BTreeSet<u32> = numbers.iter().copied().collect();
    let mut previous = None;
    for &number in numbers {
        let bytes = segment::load(storage, number)?;
        let base = Header::decode(&bytes).filter(|header| header.number == number).and_then(|header| header.base);
        let expected = number == 0 || present.contains(&(number - 1)) || base.is_some();
        if !expected {
            report.damage(number - 1, 0, DamageKind::MissingSegment);
            previous = None;
        }
        let last = numbers.last() == Some(&number);
        let end = if last { None } else { segment::load_header(storage, number.wrapping_add(1))? };
        let end = base.map(|base| base.end).or(end.map(|next| next.previous_end));
        let first_record = match recovery::check_header(&bytes, number, previous) {
            Ok(header) => header.first_record,
            Err(error) => {
                let kind =
                    if let JournalError::Damaged { kind, .. } = error { kind } else { DamageKind::SegmentHeader };
                report.damage(number, 0, kind);
                0
            }
        };
        let faults = report.fault_count;
        let walk = Walk { bytes: &bytes, number, end: end.map(|end| end as usize), last };
        let (stop, records) = walk.run(&mut report, &mut |report, record| {
            if let Err(cause) = check(&record) {
                report.fault(LogFault::Record { position: record.position, cause });
            }
            if let Some(comparison) = &mut comparison {
                comparison.record(report, &record);
            }
            Ok(())
        })?;
        // After damage the counts prove nothing.
        let sound = report.fault_count == faults;
        previous = sound.then_some((stop, first_record + records));
        if let Some(base) = base {
            report.pruned += base.next_record.saturating_sub(records);
            previous = sound.then_some((base.stood as usize, base.next_record));
        }
    }
    if let Some(comparison) = &mut comparison {
        comparison.finish(&mut report)?;
    }
    Ok(report)
}

/// One segment's frames.
struct Walk<'a> {
    bytes: &'a [u8],
    number: u32,
    /// Where the next segment's header says that this one ends.
    end: Option<usize>,
    last: bool,
}

impl Walk<'_> {
    /// Whether a segment that is followed by another may end at `at`. Where the next header is lost, frames further on decide.
    fn ends_at(&self, at: usize) -> bool {
        match self.end {
            Some(end) => at >= end,
            None => recovery::next_header(self.bytes, self.number, at).is_none(),
        }
    }

    /// Hands out every whole record; returns where they end and how many there are.
    fn run(
        &self,
        report: &mut LogReport,
        each: &mut impl FnMut(&mut LogReport, Record) -> Result<(), JournalError>,
    ) -> Result<(usize, u64), JournalError> {
        let (mut at, mut records) = (segment::HEADER, 0);
        loop {
            while let Some((header, content)) = recovery::frame_at(self.bytes, self.number, at) {
                let record = match content {
                    Content::Record(record) => record,
                    Content::Note(_) => {
                        at += header.size();
                        continue;
                    }
                    Content::Hole(lost) => {
                        report.holes += 1;
                        report.lost += u64::from(lost);
                        records += u64::from(lost);
                        at += header.size();
                        continue;
                    }
                };
                let position = Position::new(self.number, u32::try_from(at).unwrap_or(u32::MAX));
                report.records += 1;
                report.bytes += record.len() as u64;
                records += 1;
                each(report, Record { position, bytes: Bytes::copy_from_slice(record) })?;
                at += header.size();
            }
            let kind = if self.last {
                match recovery::judge_tail(self.bytes, self.number, at) {
                    Tail::Clean => return Ok((at, records)),
                    Tail::Incomplete(length) => {
                        report.incomplete_bytes += length as u64;
                        return Ok((at, records));
                    }
                    Tail::Damaged(kind) => kind,
                }
            } else if self.ends_at(at) {
                return Ok((at, records));
            } else {
                recovery::kind_at(self.bytes, self.number, at)
            };
            report.damage(self.number, at, kind);
            match recovery::next_header(self.bytes, self.number, at) {
                Some((next, _)) => at = next,
                None => return Ok((at, records)),
            }
        }
    }
}

/// The journal's records against the index's.
struct Comparison {
    store: IndexStore,
    indexed: Position,
    /// What both hold: 24 bytes a record.
    found: Vec<(Position, [u8; 16])>,
}

impl Comparison {
    fn new(store: &IndexStore) -> Result<Self, JournalError> {
        Ok(Self { store: store.clone(), indexed: store.indexed()?, found: Vec::new() })
    }

    fn record(&mut self, report: &mut LogReport, record: &Record) {
        if record.position >= self.indexed {
            report.index_behind += 1;
            return;
        }
        let hash = EventHash::of(&record.bytes);
        let [short @ .., _, _, _, _, _, _, _, _, _, _, _, _, _, _, _, _] = *hash.as_bytes();
        self.found.push((record.position, short));
    }

    fn finish(&mut self, report: &mut LogReport) -> Result<(), JournalError> {
        let mut held =
            self.store.hashes().map(|found| found.map(|(hash, at)| (at, hash))).collect::<Result<Vec<_>, _>>()?;
        held.sort_unstable();
        for (position, _) in self.found.iter().filter(|found| held.binary_search(found).is_err()) {
            report.difference(IndexDifference::Missing(*position));
        }
        for (position, _) in held.iter().filter(|held| self.found.binary_search(held).is_err()) {
            report.difference(IndexDifference::Extra(*position));
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests;
