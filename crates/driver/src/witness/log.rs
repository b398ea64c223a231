//! Where the witness's state survives: the journal's own format in one of two directories. It is rewritten, shorter, into the other one,
//! which counts once it is complete; so at every moment one of them holds the whole state.

use std::io;

use watchfire_journal::lock::LOCK_FILE;
use watchfire_journal::{
    DamageKind, Journal, JournalError, JournalOptions, LogFault, Position, Record, SegmentRepair, Space, Storage, scan,
    verify_log,
};
use watchfire_transparency::Hash;
use watchfire_types::Bytes;

/// Kinds of record: their first byte.
const BEGINS: u8 = 1;
const COMPLETE: u8 = 2;
const OWN: u8 = 3;
const LINE: u8 = 4;

/// Small files: a line is half a kilobyte.
const OPTIONS: JournalOptions =
    JournalOptions { segment_bytes: 4 << 20, chunk_bytes: 64 << 10, reserve_bytes: 64 << 10 };

/// Room of a full disk that is kept for what this node cosigns itself, and for whose last entry nothing is begun any more: one is at
/// most a few kilobytes.
const OWN_ROOM: u64 = 32 << 10;
const LAST_ROOM: u64 = 8 << 10;
/// Entries until a rewrite is tried again that did not fit on the disk.
const PATIENCE: usize = 1_024;

/// One remembered thing.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Entry {
    /// A cosignature of this node, with the tree it was given for (complete subtrees, largest first).
    Own {
        /// The tree's complete subtrees.
        subtrees: Vec<Hash>,
        /// The witness message.
        text: String,
    },
    /// Another member's witness message.
    Line(String),
}

impl Entry {
    fn encode(&self) -> Vec<u8> {
        match self {
            Self::Own { subtrees, text } => {
                // A frontier has at most 64 subtrees.
                let count = u8::try_from(subtrees.len()).unwrap_or(u8::MAX);
                [&[OWN, count], subtrees.concat().as_slice(), text.as_bytes()].concat()
            }
            Self::Line(text) => [&[LINE], text.as_bytes()].concat(),
        }
    }

    fn decode(bytes: &[u8]) -> Option<Self> {
        let text = |bytes: &[u8]| std::str::from_utf8(bytes).ok().map(str::to_owned);
        match bytes {
            [OWN, count, rest @ ..] => {
                let (subtrees, rest) = rest.split_at_checked(32 * usize::from(*count))?;
                Some(Self::Own { subtrees: subtrees.as_chunks::<32>().0.to_vec(), text: text(rest)? })
            }
            [LINE, rest @ ..] => Some(Self::Line(text(rest)?)),
            _ => None,
        }
    }
}

/// What one directory holds: complete state of a generation, or not.
#[derive(Debug, Default)]
struct Held {
    generation: Option<u64>,
    complete: bool,
    entries: Vec<Entry>,
}

impl Held {
    /// What a directory holds, which a node may be writing to. One that is not there, or is being emptied, holds nothing.
    fn read<S: Storage>(storage: &S) -> Result<Self, JournalError> {
        match Self::look(storage) {
            Err(JournalError::Io { source, .. }) if source.kind() == io::ErrorKind::NotFound => Ok(Self::default()),
            looked => looked,
        }
    }

    fn look<S: Storage>(storage: &S) -> Result<Self, JournalError> {
        let report = verify_log(storage, None, |_| Ok(()))?;
        if let Some(LogFault::Damage { segment, offset, kind }) = report.faults.into_iter().next() {
            return Err(JournalError::Damaged { segment, offset, kind });
        }
        let mut held = Self::after(report.lost);
        let mut unreadable = None;
        scan(storage, Position::START, |Record { bytes, position }| {
            if let Err(cause) = held.take(&bytes) {
                unreadable.get_or_insert_with(|| self::unreadable(position, &cause));
            }
        })?;
        unreadable.map_or(Ok(held), Err)
    }

    /// Nothing yet of a state of which so much is lost. Repaired: what is lost may be what says that it is whole.
    fn after(lost: u64) -> Self {
        Self { generation: (lost > 0).then_some(1), complete: lost > 0, entries: Vec::new() }
    }

    fn take(&mut self, bytes: &Bytes) -> Result<(), String> {
        match bytes.as_ref() {
            [BEGINS, generation @ ..] if self.generation.is_none() || self.complete => {
                let generation = generation.try_into().map_err(|_| "a broken first record".to_owned())?;
                self.generation = Some(u64::from_be_bytes(generation));
            }
            [COMPLETE] => self.complete = true,
            _ if self.generation.is_some() => {
                self.entries.push(Entry::decode(bytes).ok_or("a record of no known kind")?);
            }
            _ => return Err("a record before the first one".to_owned()),
        }
        Ok(())
    }

    fn whole(&self) -> Option<u64> {
        self.generation.filter(|_| self.complete)
    }
}

/// The log in use.
#[derive(Debug)]
pub(crate) struct WitnessLog<S: Storage> {
    storages: [S; 2],
    active: usize,
    generation: u64,
    journal: Journal<S>,
    records: usize,
    unsynced: bool,
    /// Records from which on a rewrite is worth trying again, after one that did not fit.
    rewrite_from: usize,
}

impl<S: Storage> WitnessLog<S> {
    /// Opens whichever directory holds the newest whole state, or begins one.
    pub(crate) fn open(storages: [S; 2]) -> Result<(Self, Vec<Entry>), JournalError> {
        // Nothing is begun, and nothing older is believed, beside what cannot be read: the newer state may be there.
        let mut sides: [Option<(u64, Held, Journal<S>)>; 2] = [None, None];
        let mut failed = None;
        for (number, (side, storage)) in sides.iter_mut().zip(&storages).enumerate() {
            match read_whole(storage) {
                Ok(whole) => *side = whole,
                Err(error) if is_half_removed(&error) => failed = Some(named(error, number)),
                Err(error) => return Err(named(error, number)),
            }
        }
        // What a rewrite was removing counts for nothing where the state that it wrote is there.
        if let (Some(error), true) = (failed, sides.iter().all(Option::is_none)) {
            return Err(error);
        }
        let generation = |side: &Option<(u64, Held, Journal<S>)>| side.as_ref().map(|(generation, ..)| *generation);
        let active = usize::from(generation(&sides[1]) > generation(&sides[0]));
        match sides[active].take() {
            Some((generation, held, journal)) => {
                drop(sides);
                // What a rewrite left behind when it was interrupted.
                wipe(&storages[1 - active])?;
                let records = held.entries.len();
                let log = Self { storages, active, generation, journal, records, unsynced: false, rewrite_from: 0 };
                Ok((log, held.entries))
            }
            None => {
                let journal = begin(&storages[0], 1, &[])?;
                let (active, generation, records) = (0, 1, 0);
                let log = Self { storages, active, generation, journal, records, unsynced: false, rewrite_from: 0 };
                Ok((log, Vec::new()))
            }
        }
    }

    /// Adds an entry, durable after [`WitnessLog::sync`]; whether the disk has room for it. On a full one others' entries wait first, then
    /// this node's; what is there stays whole, and both go on by themselves once there is room.
    ///
    /// # Errors
    /// Any other failure ends the log: the disk is not sound.
    pub(crate) fn append(&mut self, entry: &Entry) -> Result<bool, JournalError> {
        if !self.has_room(matches!(entry, Entry::Own { .. })) {
            return Ok(false);
        }
        match self.journal.append(&entry.encode()) {
            Err(JournalError::DiskFull { poisoned: false, .. }) => return Ok(false),
            appended => appended?,
        };
        self.records += 1;
        self.unsynced = true;
        Ok(true)
    }

    /// Whether there is room for an entry, an own one or another's.
    pub(crate) fn has_room(&self, own: bool) -> bool {
        match self.space() {
            Space::Ample => true,
            Space::Reserve { bytes_left } => bytes_left >= if own { LAST_ROOM } else { OWN_ROOM },
        }
    }

    /// Whether the disk still gives room.
    pub(crate) fn space(&self) -> Space {
        self.journal.space()
    }

    /// Takes up what was prepared beside the writer, and asks again where the disk was full.
    pub(crate) fn tend(&mut self) -> Result<(), JournalError> {
        self.journal.tend()
    }

    pub(crate) fn sync(&mut self) -> Result<(), JournalError> {
        self.journal.sync()?;
        self.unsynced = false;
        Ok(())
    }

    pub(crate) fn is_unsynced(&self) -> bool {
        self.unsynced
    }

    /// Records there, if there are more than so many and a rewrite is worth trying.
    pub(crate) fn records_beyond(&self, most: usize) -> Option<usize> {
        (self.records > most.max(self.rewrite_from)).then_some(self.records)
    }

    /// Replaces everything by these entries, durably: written whole beside the old state, which is removed afterwards. Where that does not
    /// fit on the disk the old state stays.
    pub(crate) fn rewrite(&mut self, entries: &[Entry]) -> Result<(), JournalError> {
        let other = 1 - self.active;
        let journal = match begin(&self.storages[other], self.generation + 1, entries) {
            Err(JournalError::DiskFull { .. }) => {
                self.rewrite_from = self.records + PATIENCE;
                // What was written of it only takes room.
                return wipe(&self.storages[other]);
            }
            begun => begun?,
        };
        self.journal = journal;
        wipe(&self.storages[self.active])?;
        self.active = other;
        self.generation += 1;
        self.records = entries.len();
        self.rewrite_from = 0;
        self.unsynced = false;
        Ok(())
    }
}

/// Whether a directory's first segment is gone: what [`wipe`] leaves when it is interrupted.
fn is_half_removed(error: &JournalError) -> bool {
    matches!(error, JournalError::Damaged { segment, kind: DamageKind::MissingSegment, .. } if segment == "00000000.log")
}

/// Says in which of the two directories it is.
fn named(error: JournalError, side: usize) -> JournalError {
    match error {
        JournalError::Damaged { segment, offset, kind } => {
            JournalError::Damaged { segment: format!("witness/{side}/{segment}"), offset, kind }
        }
        error => error,
    }
}

/// Sets damaged bytes of one directory aside and keeps every sound record: what is left is believed as far as it goes.
pub(crate) fn repair<S: Storage>(storage: &S) -> Result<Vec<SegmentRepair>, JournalError> {
    watchfire_journal::repair(storage, |record| {
        Entry::decode(record).is_some() || matches!(record, [COMPLETE] | [BEGINS, ..])
    })
}

/// The entries of whichever directory holds the newest whole state, read beside a running node too. Empty where there is none.
pub(crate) fn read<S: Storage>(storages: &[S; 2]) -> Result<Vec<Entry>, JournalError> {
    let (mut newest, mut failed) = (Held::default(), None);
    // A running node may put one in the place of the other meanwhile: what the first one has become by then is looked at too.
    for side in [0, 1, 0] {
        match Held::read(&storages[side]) {
            Ok(held) if held.whole() > newest.whole() => newest = held,
            Ok(_) => {}
            Err(error) if is_half_removed(&error) => failed = Some(named(error, side)),
            Err(error) => return Err(named(error, side)),
        }
    }
    match failed.filter(|_| newest.whole().is_none()) {
        Some(error) => Err(error),
        None => Ok(newest.entries),
    }
}

/// What a directory holds, if that is a whole state.
fn read_whole<S: Storage>(storage: &S) -> Result<Option<(u64, Held, Journal<S>)>, JournalError> {
    if names(storage)?.is_empty() {
        return Ok(None);
    }
    let journal = Journal::open(storage.clone(), OPTIONS)?;
    let mut held = Held::after(journal.recovery().lost);
    for record in journal.replay()? {
        let Record { bytes, position } = record?;
        held.take(&bytes).map_err(|cause| unreadable(position, &cause))?;
    }
    Ok(held.whole().map(|generation| (generation, held, journal)))
}

fn unreadable(position: Position, cause: &str) -> JournalError {
    let source = io::Error::new(io::ErrorKind::InvalidData, format!("record at {position}: {cause}"));
    JournalError::Io { doing: "read", file: "the witness state".to_owned(), source }
}

/// Begins a generation with these entries in an emptied directory, durably.
fn begin<S: Storage>(storage: &S, generation: u64, entries: &[Entry]) -> Result<Journal<S>, JournalError> {
    wipe(storage)?;
    let mut journal = Journal::open(storage.clone(), OPTIONS)?;
    journal.append(&[&[BEGINS][..], &generation.to_be_bytes()].concat())?;
    for entry in entries {
        match journal.append(&entry.encode()) {
            Err(JournalError::CommitSize { .. }) => {
                journal.sync()?;
                journal.append(&entry.encode())?;
            }
            appended => {
                appended?;
            }
        }
    }
    // Nothing before it counts without it: a sync of its own, so that no order of writes can put it first.
    journal.sync()?;
    journal.append(&[COMPLETE])?;
    journal.sync()?;
    Ok(journal)
}

fn names<S: Storage>(storage: &S) -> Result<Vec<String>, JournalError> {
    let names = storage.list().map_err(|source| failed("list", source))?;
    Ok(names.into_iter().filter(|name| name != LOCK_FILE).collect())
}

/// Removes every file, the first segment first: what a crash leaves is then no log.
fn wipe<S: Storage>(storage: &S) -> Result<(), JournalError> {
    let names = names(storage)?;
    if names.is_empty() {
        return Ok(());
    }
    for name in names {
        storage.remove(&name).map_err(|source| failed("remove old files of", source))?;
    }
    storage.sync_directory().map_err(|source| failed("sync", source))
}

fn failed(doing: &'static str, source: io::Error) -> JournalError {
    JournalError::Io { doing, file: "the witness directory".to_owned(), source }
}

#[cfg(test)]
mod tests;
