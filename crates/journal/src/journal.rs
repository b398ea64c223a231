//! The journal's writer: append, sync, read back.

use tracing::{info, warn};
use watchfire_types::Bytes;
use watchfire_types::planted::{Mutation, planted};

use crate::background::fill;
use crate::durable::{Durable, Watermark};
use crate::error::{JournalError, is_full};
use crate::position::Position;
use crate::reading::{OpenSegment, read_record};
use crate::recovery::{self, Found, Recovery};
use crate::replay::{HEADER, Replay, Tail, advance};
use crate::space::{Ahead, Space};
use crate::storage::{Storage, StorageFile, read_range};
use crate::{frame, prune, segment};

/// Bytes that one commit may hold: 16 MiB.
pub const COMMIT_MAX: usize = 16 << 20;

/// A commit that grows beyond this is written (not synced) in parts.
const WRITE_AT: usize = 1 << 20;

/// Sizes of the log's files, in bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct JournalOptions {
    /// A segment that reached this size is followed by a new one as soon as that is prepared. At most 1 GiB.
    pub segment_bytes: u32,
    /// Least number of zeros written ahead at once: 512 bytes to 64 MiB.
    pub chunk_bytes: u32,
    /// Zeros that stand ahead before every commit: what is left to write in once the disk is full. At most 64 MiB.
    pub reserve_bytes: u32,
}

impl Default for JournalOptions {
    /// Segments of 16 MiB, zeros 256 KiB at a time, 1 MiB in reserve.
    fn default() -> Self {
        Self { segment_bytes: 16 << 20, chunk_bytes: 256 << 10, reserve_bytes: 1 << 20 }
    }
}

/// The log's only writer. Commits happen on the caller's thread: a hand-over would cost more than the sync. What a commit need
/// not wait for (zeros ahead, the next segment) is done beside it.
#[derive(Debug)]
pub struct Journal<S: Storage> {
    storage: S,
    options: JournalOptions,
    file: S::File,
    ahead: Ahead<S>,
    /// End of what is written to the file.
    written: Position,
    /// Frames appended and not yet written; they begin at `written`.
    buffer: Vec<u8>,
    records: u64,
    durable: Durable,
    watermark: Watermark,
    recovery: Recovery,
    poison: Option<String>,
    /// The older segment that was read last.
    reading: OpenSegment<S>,
}

impl<S: Storage> Journal<S> {
    /// Opens the log, or begins one in an empty directory. Checks every record, drops an incomplete tail, writes the last
    /// commit again, and syncs it and the files' names, so that all that [`Journal::replay`] gives is durable even after a sync that
    /// failed or a kill that came before one.
    ///
    /// # Errors
    /// [`JournalError::Damaged`] for anything that no crash explains, [`JournalError::DiskFull`] when a first segment does not
    /// fit, [`JournalError::Io`].
    pub fn open(storage: S, options: JournalOptions) -> Result<Self, JournalError> {
        let options = JournalOptions {
            segment_bytes: options.segment_bytes.min(1 << 30),
            chunk_bytes: options.chunk_bytes.clamp(512, 64 << 20),
            reserve_bytes: options.reserve_bytes.min(64 << 20),
        };
        let (numbers, obsolete) = segment::list_from_base(&storage)?;
        let found = recovery::walk(&storage, &numbers)?;
        prune::remove(&storage, &obsolete)?;
        let (file, found) = match found {
            Some(found) => (resume(&storage, &found)?, found),
            None => {
                let (file, length) = begin(&storage, &options)?;
                let end = segment::HEADER;
                let scan = recovery::Scan { end, records: 0, lost: 0, last_commit: end };
                (file, Found { number: 0, scan, records: 0, lost: 0, pruned: 0, length, dropped: 0, prepared: None })
            }
        };
        let end = advance(Position::new(found.number, 0), found.scan.end);
        let segments = u32::try_from(numbers.len().max(1)).unwrap_or(u32::MAX) - u32::from(found.prepared.is_some());
        let recovery = Recovery {
            dropped_bytes: found.dropped as u64,
            segments,
            records: found.records,
            lost: found.lost,
            pruned: found.pruned,
        };
        if found.dropped > 0 {
            warn!(dropped_bytes = found.dropped, "dropped an incomplete tail that was never acknowledged");
        }
        let durable = Durable::new(end, found.records);
        Ok(Self {
            ahead: Ahead::new(
                storage.clone(),
                options,
                found.number,
                found.length.max(found.scan.end) as u64,
                found.prepared,
            ),
            storage,
            options,
            file,
            written: end,
            buffer: Vec::new(),
            records: found.records,
            durable,
            watermark: Watermark::new(durable),
            recovery,
            poison: None,
            reading: OpenSegment::default(),
        })
    }

    /// Adds a record of 1 to [`frame::RECORD_MAX`] bytes to the current commit. Not durable before [`Journal::sync`].
    ///
    /// # Errors
    /// [`JournalError::RecordSize`], [`JournalError::CommitSize`] and [`JournalError::DiskFull`] leave the log as it was; any
    /// other error ends it.
    pub fn append(&mut self, record: &[u8]) -> Result<Position, JournalError> {
        self.sound()?;
        if record.is_empty() || record.len() > frame::RECORD_MAX {
            return Err(JournalError::RecordSize { length: record.len(), max: frame::RECORD_MAX });
        }
        if self.end() == self.durable.through() {
            self.open_commit()?;
        }
        let start = self.end();
        let commit = self.durable.through().offset();
        let size = frame::size(record.len());
        if (start.offset() - commit) as usize + size > COMMIT_MAX {
            return Err(JournalError::CommitSize { max: COMMIT_MAX });
        }
        let stop = u64::from(start.offset()) + size as u64;
        if stop > u64::from(u32::MAX) {
            let segment = segment::name(start.segment());
            return Err(JournalError::DiskFull { segment, needed: size as u64, poisoned: false });
        }
        match self.ahead.ensure(stop) {
            Err(error @ JournalError::Io { .. }) => return Err(self.poisoned(error)),
            other => other?,
        }
        frame::encode(&mut self.buffer, start.segment(), start.offset(), commit, record);
        self.records += 1;
        if self.buffer.len() >= WRITE_AT {
            self.write()?;
        }
        Ok(start)
    }

    /// Makes every appended record durable: one write and one fdatasync, or nothing at all if all of them are durable already.
    ///
    /// # Errors
    /// Any error ends the log: nothing is known about what reached the disk, and the node must stop.
    pub fn sync(&mut self) -> Result<Durable, JournalError> {
        self.sound()?;
        let end = self.end();
        if end == self.durable.through() {
            return Ok(self.durable);
        }
        self.write()?;
        let synced = if planted(Mutation::SkipsSync) { Ok(()) } else { self.file.sync() };
        let survives = planted(Mutation::SurvivesFailedSync);
        if let Err(source) = synced.or_else(|source| if survives { Ok(()) } else { Err(source) }) {
            let error = self.write_error("sync", source);
            return Err(self.poisoned(error));
        }
        self.durable = Durable::new(end, self.records);
        self.watermark.set(self.durable);
        Ok(self.durable)
    }

    /// Takes up what was prepared beside the writer and asks for more where it is needed. Appending does so by itself; an idle
    /// owner calls it now and then, so that a disk that has room again is noticed.
    ///
    /// # Errors
    /// [`JournalError::Io`] ends the log: the disk is not sound.
    pub fn tend(&mut self) -> Result<(), JournalError> {
        self.sound()?;
        let end = u64::from(self.durable.through().offset());
        self.ahead.tend(end).map_err(|error| self.poisoned(error))
    }

    /// Fills the segment with zeros to its end, makes the next one, and waits for both: in a burst they would cost the disk as much as
    /// the records. On a full disk it does not wait.
    ///
    /// # Errors
    /// As [`Journal::tend`].
    pub fn prepare(&mut self) -> Result<(), JournalError> {
        self.sound()?;
        self.ahead.settle().map_err(|error| self.poisoned(error))
    }

    /// Does one piece of the work beside the writer, where the storage leaves that to its owner ([`BackgroundMode::Driven`]);
    /// whether there was one.
    ///
    /// [`BackgroundMode::Driven`]: crate::storage::BackgroundMode::Driven
    pub fn drive(&mut self) -> bool {
        self.ahead.step()
    }

    /// What the last sync made durable.
    #[must_use]
    pub fn durable(&self) -> Durable {
        self.durable
    }

    /// A handle by which followers on other threads see how far the log is durable.
    #[must_use]
    pub fn watermark(&self) -> Watermark {
        self.watermark.clone()
    }

    /// End of the log: where the next record of this segment would stand.
    #[must_use]
    pub fn end(&self) -> Position {
        advance(self.written, self.buffer.len())
    }

    /// Records appended, since the first segment ever written.
    #[must_use]
    pub fn records(&self) -> u64 {
        self.records
    }

    /// What opening found.
    #[must_use]
    pub fn recovery(&self) -> &Recovery {
        &self.recovery
    }

    /// Whether the disk still gives room.
    #[must_use]
    pub fn space(&self) -> Space {
        self.ahead.space(u64::from(self.end().offset()))
    }

    /// The storage, for followers.
    #[must_use]
    pub fn storage(&self) -> &S {
        &self.storage
    }

    /// Every record in order, those appended and not yet synced included.
    ///
    /// # Errors
    /// [`JournalError::Poisoned`], [`JournalError::Io`].
    pub fn replay(&self) -> Result<Replay<'_, S>, JournalError> {
        self.replay_from(Position::START)
    }

    /// As [`Journal::replay`], from the record at `from` on.
    ///
    /// # Errors
    /// [`JournalError::Poisoned`], [`JournalError::Io`].
    pub fn replay_from(&self, from: Position) -> Result<Replay<'_, S>, JournalError> {
        self.sound()?;
        Ok(Replay::new(Tail::new(self.storage.clone(), from)?, self.written, &self.buffer))
    }

    /// What the base says about what was pruned, if the log begins with one.
    ///
    /// # Errors
    /// [`JournalError::Damaged`], [`JournalError::Io`].
    pub fn base(&self) -> Result<Option<Vec<u8>>, JournalError> {
        prune::base(&self.storage)
    }

    /// The record at `position`, which [`Journal::append`] or a replay gave.
    ///
    /// # Errors
    /// [`JournalError::NoSuchRecord`] for a position where none can stand, [`JournalError::Damaged`] when the bytes there do not
    /// check, [`JournalError::Io`], [`JournalError::Poisoned`].
    pub fn read(&self, position: Position) -> Result<Bytes, JournalError> {
        self.sound()?;
        let offset = position.offset();
        if position >= self.end() || offset < HEADER || !(offset as usize).is_multiple_of(frame::ALIGNMENT) {
            return Err(JournalError::NoSuchRecord { position });
        }
        if position.segment() == self.written.segment() {
            if position < self.written {
                return read_record(&self.file, position);
            }
            let frames = &self.buffer[(offset - self.written.offset()) as usize..];
            return match frame::decode(frames, position.segment(), offset) {
                Some((_, frame::Content::Record(record))) => Ok(Bytes::copy_from_slice(record)),
                _ => Err(JournalError::NoSuchRecord { position }),
            };
        }
        self.reading.read(&self.storage, position)
    }

    fn sound(&self) -> Result<(), JournalError> {
        match &self.poison {
            Some(cause) => Err(JournalError::Poisoned { cause: cause.clone() }),
            None => Ok(()),
        }
    }

    fn poisoned(&mut self, error: JournalError) -> JournalError {
        self.poison = Some(error.to_string());
        error
    }

    fn write_error(&self, doing: &'static str, source: std::io::Error) -> JournalError {
        let file = segment::name(self.written.segment());
        if is_full(&source) {
            JournalError::DiskFull { segment: file, needed: self.buffer.len() as u64, poisoned: true }
        } else {
            JournalError::Io { doing, file, source }
        }
    }

    fn write(&mut self) -> Result<(), JournalError> {
        if self.buffer.is_empty() {
            return Ok(());
        }
        if let Err(source) = self.file.write_at(u64::from(self.written.offset()), &self.buffer) {
            let error = self.write_error("write", source);
            return Err(self.poisoned(error));
        }
        self.written = self.end();
        self.buffer.clear();
        Ok(())
    }

    /// Before the first record of a commit, where everything is durable: takes up what was prepared and goes on in the next
    /// segment if that is there. The size of a segment is soft: a writer waits only where it is far beyond.
    fn open_commit(&mut self) -> Result<(), JournalError> {
        self.ahead.writes();
        self.tend()?;
        let (end, bound) = (u64::from(self.end().offset()), u64::from(self.options.segment_bytes));
        if end < bound {
            return Ok(());
        }
        let rolled = self.ahead.next_ready(end >= 2 * bound).and_then(|ready| if ready { self.roll() } else { Ok(()) });
        rolled.map_err(|error| self.poisoned(error))
    }

    /// Goes on in the next segment, which stands prepared. Its header becomes durable with the first commit in it; until then
    /// the segment counts as prepared only.
    fn roll(&mut self) -> Result<(), JournalError> {
        let previous = self.end();
        let number = previous.segment() + 1;
        let name = segment::name(number);
        let header =
            segment::Header { number, previous_end: previous.offset(), first_record: self.records, base: None };
        let file = self.storage.open(&name).map_err(JournalError::io("open", name.clone()))?;
        file.write_at(0, &header.encode()).map_err(JournalError::io("begin", name))?;
        self.file = file;
        self.written = Position::new(number, HEADER);
        self.ahead.rolled();
        self.durable = Durable::new(self.written, self.records);
        self.watermark.set(self.durable);
        info!(segment = number, "began a new journal segment");
        Ok(())
    }
}

/// Makes the first segment: written aside, synced, renamed, and its name synced, so that it is there whole or not at all.
fn begin<S: Storage>(storage: &S, options: &JournalOptions) -> Result<(S::File, usize), JournalError> {
    let name = segment::name(0);
    let length = segment::HEADER + options.chunk_bytes as usize + options.reserve_bytes as usize;
    let header = segment::Header { number: 0, previous_end: 0, first_record: 0, base: None };
    let prepare = || -> std::io::Result<()> {
        let file = storage.create(segment::PREPARED)?;
        file.write_at(0, &header.encode())?;
        fill(&file, segment::HEADER as u64, length as u64)?;
        file.sync()
    };
    if let Err(source) = prepare() {
        if is_full(&source) {
            // It only takes room; if it cannot be removed, the next attempt replaces it.
            let _ = storage.remove(segment::PREPARED);
            return Err(JournalError::DiskFull { segment: name, needed: length as u64, poisoned: false });
        }
        return Err(JournalError::Io { doing: "prepare", file: name, source });
    }
    storage.rename(segment::PREPARED, &name).map_err(JournalError::io("rename", name.clone()))?;
    storage.sync_directory().map_err(JournalError::io("sync the directory of", name.clone()))?;
    let file = storage.open(&name).map_err(JournalError::io("open", name))?;
    Ok((file, length))
}

/// Opens the last segment for appending. The last commit, and the header with the first, is written again before the sync:
/// after a sync that failed, the kernel may show bytes that are not on the disk and would not write them by itself. What is
/// dropped becomes zeros. The names are synced too: a process killed between a rename and that sync leaves a file that is there to
/// see, and a power cut takes with everything that was acknowledged in it.
fn resume<S: Storage>(storage: &S, found: &Found) -> Result<S::File, JournalError> {
    let name = segment::name(found.number);
    let file = storage.open(&name).map_err(JournalError::io("open", name.clone()))?;
    let renew = || -> std::io::Result<()> {
        let (last, end) = (found.scan.last_commit, found.scan.end);
        let from = if last == segment::HEADER { 0 } else { last };
        let commit = read_range(&file, from as u64, end - from)?;
        file.write_at(from as u64, &commit)?;
        fill(&file, end as u64, (end + found.dropped) as u64)?;
        file.sync()
    };
    renew().map_err(JournalError::io("renew the end of", name))?;
    storage.sync_directory().map_err(JournalError::io("sync", "the journal directory"))?;
    Ok(file)
}

#[cfg(test)]
mod tests;
