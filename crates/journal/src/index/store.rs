//! What stands in sled: one tree, so that a batch and its cursor are stored together or not at all.
//!
//! The records themselves stay in the journal; here are lists of their positions. Keys, all big-endian: `c` the cursor; `v` the
//! layout's version; for each index its number, length of the bucket, bucket, position of the first record of the batch. The value
//! is a row of entries: what the bucket leaves out of what is indexed, and the record's position.
//!
//! Why lists: sled writes a page anew after ten changes in it, some 400 bytes for each key. A batch therefore makes one key for
//! all its records that fall into one bucket (a minute of time, 256 seqs or blocks, a body kind, a 64th of the hashes).

use std::collections::BTreeMap;
use std::iter::Peekable;
use std::ops::RangeInclusive;
use std::path::Path;
use std::sync::Arc;

use sled::{Batch, Db};
use watchfire_types::{Bytes, Epoch, EventHash, MemberKey, Seq};

use super::IndexOptions;
use super::keys::{Index, RecordKeys, TermKind, indexed};
use super::place::Place;
use super::source::Source;
use crate::durable::Durable;
use crate::error::JournalError;
use crate::lock::DirectoryLock;
use crate::position::{Page, Position};
use crate::reading::{RecordReader, read_record};
use crate::replay::Record;
use crate::segment;
use crate::storage::Storage;

const VERSION: &[u8] = b"watchfire log index 2";
/// Pages that sled has replaced are freed so many at a time.
const FREED_AT_ONCE: usize = 128;
/// Records that are compared to tell whose an index is.
const COMPARED_MAX: usize = 256;
const CURSOR: &[u8] = b"c";
const LAYOUT: &[u8] = b"v";

/// A record found through the index.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct IndexedRecord {
    /// Where it stands in the journal.
    pub position: Position,
    /// Its bytes.
    pub bytes: Bytes,
}

/// How far the journal is indexed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Cursor {
    /// Where to go on reading.
    pub(crate) next: Position,
    /// Records indexed.
    pub(crate) records: u64,
    /// The last of them.
    pub(crate) last: Option<(Position, EventHash)>,
}

impl Cursor {
    pub(crate) const START: Self = Self { next: Position::START, records: 0, last: None };

    fn encode(&self) -> Vec<u8> {
        let (position, hash) = self.last.unwrap_or((Position::START, EventHash::from_bytes([0; 32])));
        [&self.next.to_bytes()[..], &self.records.to_be_bytes(), &position.to_bytes(), hash.as_bytes()].concat()
    }

    fn decode(bytes: &[u8]) -> Option<Self> {
        let bytes: &[u8; 56] = bytes.try_into().ok()?;
        let at = |from: usize| bytes[from..from + 8].try_into().ok();
        let last = (Position::from_bytes(at(16)?), EventHash::from_bytes(bytes[24..].try_into().ok()?));
        Some(Self {
            next: Position::from_bytes(at(0)?),
            records: u64::from_be_bytes(at(8)?),
            last: (last.0 != Position::START).then_some(last),
        })
    }
}

/// The index as it stands on disk. Clones share it. Reading does not disturb the thread that fills it.
#[derive(Debug, Clone)]
pub struct IndexStore {
    db: Db,
    source: Arc<dyn Source>,
    // Given up after the store: fields drop in order.
    _lock: Arc<DirectoryLock>,
}

/// One entry of a list: what is indexed, whole, and where the record stands.
type Entry = (Vec<u8>, Position);

/// Key of a list without the position at its end.
fn list_key(index: Index, bucket: &[u8]) -> Vec<u8> {
    let length = u8::try_from(bucket.len()).unwrap_or(u8::MAX);
    [&[index as u8, length], bucket].concat()
}

/// The entries of a list.
fn entries(index: Index, key: &[u8], list: &[u8]) -> Vec<Entry> {
    let bucket = key.get(2..key.len().saturating_sub(8)).unwrap_or_default();
    let Some(width) = index.rest(bucket.len()).map(|rest| rest + 8) else { return Vec::new() };
    let entry = |entry: &[u8]| {
        let (rest, position) = entry.split_last_chunk::<8>()?;
        // A hash stands whole in its entry: its bucket is six bits of it.
        let value = if index == Index::Hash { rest.to_vec() } else { [bucket, rest].concat() };
        Some((value, Position::from_bytes(*position)))
    };
    list.chunks_exact(width).filter_map(entry).collect()
}

impl IndexStore {
    /// Opens the index in the directory `path` as it is, for looking at: nothing follows the journal. Records are read from
    /// `journal`.
    ///
    /// # Errors
    /// [`JournalError::InUse`] when somebody holds it, [`JournalError::Index`], [`JournalError::Io`].
    pub fn open<S: Storage>(path: &Path, journal: &S, options: IndexOptions) -> Result<Self, JournalError> {
        Place::take(path)?.open(options, journal)
    }

    pub(super) fn new<S: Storage>(db: Db, journal: &S, lock: Arc<DirectoryLock>) -> Self {
        Self { db, source: Arc::new(RecordReader::new(journal.clone())), _lock: lock }
    }

    /// What a test damages.
    #[cfg(test)]
    pub(crate) fn tree(&self) -> &Db {
        &self.db
    }

    /// Records indexed so far.
    ///
    /// # Errors
    /// [`JournalError::Index`].
    pub fn records(&self) -> Result<u64, JournalError> {
        Ok(self.cursor()?.map_or(0, |cursor| cursor.records))
    }

    /// End of what is indexed: journal positions before it must be here.
    ///
    /// # Errors
    /// [`JournalError::Index`].
    pub fn indexed(&self) -> Result<Position, JournalError> {
        Ok(self.cursor()?.map_or(Position::START, |cursor| cursor.next))
    }

    /// The record with this hash.
    ///
    /// # Errors
    /// [`JournalError::Index`], or what keeps the journal from being read.
    pub fn by_hash(&self, hash: EventHash) -> Result<Option<IndexedRecord>, JournalError> {
        let value = &hash.as_bytes()[..Index::HASH_BYTES];
        for found in self.range(Index::Hash, value, value) {
            let record = self.at(found?.1)?;
            if EventHash::of(&record.bytes) == hash {
                return Ok(Some(record));
            }
        }
        Ok(None)
    }

    /// Positions of one author's epoch's records with these seqs, in order of seq. Keys are told apart by their first 8
    /// bytes: whoever reads the records compares them whole.
    pub fn by_author(
        &self,
        author: MemberKey,
        epoch: Epoch,
        seqs: RangeInclusive<Seq>,
    ) -> impl Iterator<Item = Result<Position, JournalError>> + use<> {
        let value = |seq: Seq| indexed::author(author, epoch, seq);
        self.range(Index::Author, &value(*seqs.start()), &value(*seqs.end())).map(|found| found.map(|(_, at)| at))
    }

    /// Positions of one author's records of all epochs, as [`IndexStore::by_author`].
    pub(super) fn by_author_ever(
        &self,
        author: MemberKey,
    ) -> impl Iterator<Item = Result<Position, JournalError>> + use<> {
        let value = |byte: u8, seq: u64| indexed::author(author, Epoch::from_bytes([byte; 16]), Seq::new(seq));
        self.range(Index::Author, &value(0, 0), &value(u8::MAX, u64::MAX)).map(|found| found.map(|(_, at)| at))
    }

    /// Positions of the records with a value in this range, both ends included, in order of value and position. Values of other
    /// lengths than the first one's are none.
    pub fn by_term(
        &self,
        kind: TermKind,
        values: RangeInclusive<&[u8]>,
    ) -> impl Iterator<Item = Result<Position, JournalError>> + use<> {
        self.range(kind.index(), values.start(), values.end()).map(|found| found.map(|(_, at)| at))
    }

    /// Positions of records with this value in the order in which `page` is looked through: read from its begin on, so that what is
    /// taken of them is all that they cost. Only for what has a bucket of its own.
    pub(super) fn paged(
        &self,
        kind: TermKind,
        value: &[u8],
        page: Page,
    ) -> impl Iterator<Item = Result<Position, JournalError>> + use<> {
        let index = kind.index();
        let key = list_key(index, value);
        let at = |position: Position| [&key[..], &position.to_bytes()].concat();
        let lists: Box<dyn Iterator<Item = _>> = match page {
            Page::After(place) => {
                // The list before may end after that place.
                let first = self.db.range(at(Position::START)..=at(place)).next_back();
                let first = first.and_then(Result::ok).map_or_else(|| at(place), |(key, _)| key.to_vec());
                Box::new(self.db.range(first..=at(Position::END)))
            }
            Page::Before(place) => Box::new(self.db.range(at(Position::START)..at(place)).rev()),
        };
        lists.flat_map(move |found| match found {
            Ok((key, list)) => {
                let mut there: Vec<Position> = entries(index, &key, &list).into_iter().map(|(_, at)| at).collect();
                there.retain(|position| page.holds(*position));
                page.order(&mut there);
                there.into_iter().map(Ok).collect()
            }
            Err(error) => vec![Err(JournalError::index("read it")(error))],
        })
    }

    /// Position and shortened hash of every record that is indexed, in no order.
    pub(crate) fn hashes(
        &self,
    ) -> impl Iterator<Item = Result<([u8; Index::HASH_BYTES], Position), JournalError>> + use<> {
        let all = self.lists(Index::Hash, &[0], &[u8::MAX]);
        all.flat_map(|list| match list {
            Ok((_, entries)) => entries.into_iter().map(Ok).collect(),
            Err(error) => vec![Err(error)],
        })
        .filter_map(|found| match found {
            Ok((value, at)) => Some(Ok((value.try_into().ok()?, at))),
            Err(error) => Some(Err(error)),
        })
    }

    /// Positions of every record that is indexed, in order: 8 bytes of memory each.
    ///
    /// # Errors
    /// [`JournalError::Index`].
    pub fn positions(&self) -> Result<Vec<Position>, JournalError> {
        let mut positions = self.hashes().map(|found| found.map(|(_, at)| at)).collect::<Result<Vec<_>, _>>()?;
        positions.sort_unstable();
        Ok(positions)
    }

    /// The record at `position`, read from the journal.
    ///
    /// # Errors
    /// As [`crate::Journal::read`].
    pub fn at(&self, position: Position) -> Result<IndexedRecord, JournalError> {
        Ok(IndexedRecord { position, bytes: self.source.read(position)? })
    }

    /// Lists whose bucket lies between two, with their entries.
    fn lists(
        &self,
        index: Index,
        from: &[u8],
        to: &[u8],
    ) -> impl Iterator<Item = Result<(Vec<u8>, Vec<Entry>), JournalError>> + use<> {
        let (from, mut to) = (list_key(index, from), list_key(index, to));
        let length = from.len();
        to.extend([u8::MAX; 8]);
        self.db.range(from..=to).filter_map(move |found| match found {
            Ok((key, list)) if key.len() == length + 8 => {
                Some(Ok((key[..length].to_vec(), entries(index, &key, &list))))
            }
            Ok(_) => None,
            Err(error) => Some(Err(JournalError::index("read it")(error))),
        })
    }

    /// Entries with a value between two, in order of value and position. One bucket's lists are in memory at a time.
    fn range(&self, index: Index, from: &[u8], to: &[u8]) -> impl Iterator<Item = Result<Entry, JournalError>> + use<> {
        let lists = self.lists(index, &index.bucket(from), &index.bucket(to));
        let (from, to) = (from.to_vec(), to.to_vec());
        Buckets { lists: lists.peekable(), ready: Vec::new().into_iter() }
            .filter(move |entry| entry.as_ref().map_or(true, |(value, _)| (&from..=&to).contains(&value)))
    }

    pub(crate) fn cursor(&self) -> Result<Option<Cursor>, JournalError> {
        let bytes = self.db.get(CURSOR).map_err(JournalError::index("read its cursor"))?;
        Ok(bytes.and_then(|bytes| Cursor::decode(&bytes)))
    }

    /// Stores where records stand and the cursor after them, all or nothing.
    pub(crate) fn put(
        &self,
        cursor: Cursor,
        records: &[(Record, EventHash, Option<RecordKeys>)],
    ) -> Result<(), JournalError> {
        let Some((first, ..)) = records.first() else { return Ok(()) };
        let mut lists: BTreeMap<Vec<u8>, Vec<u8>> = BTreeMap::new();
        for (record, hash, keys) in records {
            let mut add = |index: Index, value: &[u8]| {
                let value = &value[..value.len().min(usize::from(u8::MAX))];
                let bucket = index.bucket(value);
                let rest = if index == Index::Hash { value } else { &value[bucket.len()..] };
                let list = lists.entry(list_key(index, &bucket)).or_default();
                list.extend_from_slice(rest);
                list.extend_from_slice(&record.position.to_bytes());
            };
            add(Index::Hash, &hash.as_bytes()[..Index::HASH_BYTES]);
            let Some(keys) = keys else { continue };
            add(Index::Author, &indexed::author(keys.author, keys.epoch, keys.seq));
            for term in &keys.terms {
                add(term.kind.index(), &term.value);
            }
        }
        let mut batch = Batch::default();
        let count = lists.len();
        for (mut key, list) in lists {
            key.extend(first.position.to_bytes());
            batch.insert(key, list);
        }
        batch.insert(CURSOR, cursor.encode());
        batch.insert(LAYOUT, VERSION);
        self.db.apply_batch(batch).map_err(JournalError::index("store records"))?;
        // What sled replaced is freed only by those who pin its memory, a little each time; a batch pins once, whatever it
        // replaces, and would let it grow without end.
        for _ in 0..4 + count / FREED_AT_ONCE {
            crossbeam_epoch::pin().flush();
        }
        Ok(())
    }

    pub(crate) fn flush(&self) -> Result<(), JournalError> {
        self.db.flush().map(drop).map_err(JournalError::index("flush it"))
    }

    /// Whether what stands here follows from the journal as it is, of which `held` records are there.
    pub(super) fn against<S: Storage>(
        &self,
        storage: &S,
        durable: Durable,
        held: u64,
    ) -> Result<Standing, JournalError> {
        let layout = self.db.get(LAYOUT).map_err(JournalError::index("read its layout"))?;
        let agrees = |agrees: bool| Ok(if agrees { Standing::Agrees } else { Standing::Differs });
        let Some(cursor) = self.cursor()? else { return agrees(layout.is_none() && self.db.is_empty()) };
        if layout.as_deref() != Some(VERSION) {
            return agrees(false);
        }
        let Some((position, hash)) = cursor.last else { return agrees(cursor.records == 0) };
        if !durable.covers(position) {
            // Where to go on reading may be beyond the end honestly: in a segment that was begun and has no commit yet.
            let records = cursor.records.saturating_sub(held).max(1);
            return Ok(if self.is_of(storage, durable)? { Standing::Ahead { records } } else { Standing::Differs });
        }
        if cursor.next > durable.through() || cursor.records > held {
            return agrees(false);
        }
        agrees(holds(storage, position, |found| found == hash))
    }

    /// Whether what is indexed of the journal's durable part is this journal's, not another's: where nothing of it is, nothing says
    /// otherwise.
    fn is_of<S: Storage>(&self, storage: &S, durable: Durable) -> Result<bool, JournalError> {
        let mut shared = Vec::new();
        for found in self.hashes() {
            let (hash, position) = found?;
            if durable.covers(position) {
                shared.push((position, hash));
            }
        }
        shared.sort_unstable();
        let same = |&(position, hash): &(Position, [u8; Index::HASH_BYTES])| {
            holds(storage, position, |found| found.as_bytes().starts_with(&hash))
        };
        // The last ones may be damaged or taken out by a repair.
        Ok(shared.is_empty() || shared.iter().rev().take(COMPARED_MAX).any(same))
    }
}

/// Whether the record at `position` is there and its hash is such.
fn holds<S: Storage>(storage: &S, position: Position, such: impl FnOnce(EventHash) -> bool) -> bool {
    let Ok(file) = storage.open(&segment::name(position.segment())) else { return false };
    read_record(&file, position).is_ok_and(|record| such(EventHash::of(&record)))
}

/// How an index stands to a journal.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Standing {
    /// It is a prefix of it.
    Agrees,
    /// It is another one's, or in doubt.
    Differs,
    /// It is this one's, and so many records that it followed are not there any more. It follows what is durable only: they are lost.
    Ahead { records: u64 },
}

/// Puts the lists of one bucket together and their entries in order.
struct Buckets<L: Iterator> {
    lists: Peekable<L>,
    ready: std::vec::IntoIter<Entry>,
}

impl<L: Iterator<Item = Result<(Vec<u8>, Vec<Entry>), JournalError>>> Iterator for Buckets<L> {
    type Item = Result<Entry, JournalError>;

    fn next(&mut self) -> Option<Self::Item> {
        loop {
            if let Some(entry) = self.ready.next() {
                return Some(Ok(entry));
            }
            let (bucket, mut entries) = match self.lists.next()? {
                Ok(list) => list,
                Err(error) => return Some(Err(error)),
            };
            while let Some(Ok((_, more))) = self.lists.next_if(|next| next.as_ref().is_ok_and(|next| next.0 == bucket))
            {
                entries.extend(more);
            }
            entries.sort_unstable();
            self.ready = entries.into_iter();
        }
    }
}
