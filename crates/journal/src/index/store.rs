//! What stands in sled: one tree, so that a batch and its cursor are stored together or not at all.
//!
//! Keys, all big-endian: `c` the cursor; `v` the layout's version; `r` position -> the record's bytes; `h` SHA-256 of the record,
//! position; `a` author, epoch, seq, position; `t` kind, length of the value, value, position. The position at the end lets two
//! records share a key, as the two sides of a fork do.

use std::path::Path;
use std::sync::Arc;

use sha2::{Digest, Sha256};
use sled::{Batch, Db, IVec};
use watchfire_types::{Bytes, Epoch, EventHash, MemberKey, Seq};

use super::IndexOptions;
use super::keys::{RecordKeys, TermKind};
use super::place::Place;
use crate::durable::Durable;
use crate::error::JournalError;
use crate::journal::read_record;
use crate::lock::DirectoryLock;
use crate::position::Position;
use crate::replay::Record;
use crate::segment;
use crate::storage::Storage;

const VERSION: &[u8] = b"watchfire log index 1";
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
    pub(crate) last: Option<(Position, [u8; 32])>,
}

impl Cursor {
    pub(crate) const START: Self = Self { next: Position::START, records: 0, last: None };

    fn encode(&self) -> Vec<u8> {
        let (position, hash) = self.last.unwrap_or((Position::START, [0; 32]));
        [&self.next.to_bytes()[..], &self.records.to_be_bytes(), &position.to_bytes(), &hash].concat()
    }

    fn decode(bytes: &[u8]) -> Option<Self> {
        let bytes: &[u8; 56] = bytes.try_into().ok()?;
        let at = |from: usize| bytes[from..from + 8].try_into().ok();
        let last = (Position::from_bytes(at(16)?), bytes[24..].try_into().ok()?);
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
    // Given up after the store: fields drop in order.
    _lock: Arc<DirectoryLock>,
}

fn position_of(key: &[u8]) -> Option<Position> {
    key.last_chunk::<8>().map(|bytes| Position::from_bytes(*bytes))
}

fn author_key(author: MemberKey, epoch: Epoch, seq: Seq) -> Vec<u8> {
    [b"a", &author.as_bytes()[..], epoch.as_bytes(), &seq.get().to_be_bytes()].concat()
}

/// Key prefix of a term; values longer than 255 bytes are cut.
fn term_key(kind: TermKind, value: &[u8]) -> Vec<u8> {
    let length = u8::try_from(value.len()).unwrap_or(u8::MAX);
    [b"t", &[kind as u8, length][..], &value[..usize::from(length)]].concat()
}

impl IndexStore {
    /// Opens the index in the directory `path` as it is, for looking at: nothing follows the journal.
    ///
    /// # Errors
    /// [`JournalError::InUse`] when somebody holds it, [`JournalError::Index`], [`JournalError::Io`].
    pub fn open(path: &Path, options: IndexOptions) -> Result<Self, JournalError> {
        Place::take(path)?.open(options)
    }

    pub(super) const fn new(db: Db, lock: Arc<DirectoryLock>) -> Self {
        Self { db, _lock: lock }
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
    /// [`JournalError::Index`].
    pub fn by_hash(&self, hash: EventHash) -> Result<Option<IndexedRecord>, JournalError> {
        self.referred(&[b"h", &hash.as_bytes()[..]].concat(), Vec::new()).next().transpose()
    }

    /// Records of one author's epoch from `from` on, in order of seq.
    pub fn by_author(
        &self,
        author: MemberKey,
        epoch: Epoch,
        from: Seq,
    ) -> impl Iterator<Item = Result<IndexedRecord, JournalError>> + use<> {
        let prefix = [b"a", &author.as_bytes()[..], epoch.as_bytes()].concat();
        self.referred(&prefix, author_key(author, epoch, from))
    }

    /// Records with exactly this value, in order of position.
    pub fn by_term(
        &self,
        kind: TermKind,
        value: &[u8],
    ) -> impl Iterator<Item = Result<IndexedRecord, JournalError>> + use<> {
        self.referred(&term_key(kind, value), Vec::new())
    }

    /// Every record that is indexed, in order of position.
    pub fn iter(&self) -> impl Iterator<Item = Result<IndexedRecord, JournalError>> + use<> {
        self.db.scan_prefix(b"r").map(|entry| {
            let (key, bytes) = entry.map_err(JournalError::index("read it"))?;
            let position = position_of(&key).unwrap_or(Position::START);
            Ok(IndexedRecord { position, bytes: Bytes::copy_from_slice(&bytes) })
        })
    }

    /// Whether the record at `position` is found by its hash.
    pub(crate) fn finds(&self, hash: &[u8; 32], position: Position) -> Result<bool, JournalError> {
        let key = [b"h", &hash[..], &position.to_bytes()].concat();
        self.db.contains_key(key).map_err(JournalError::index("read it"))
    }

    /// The record at `position`, if it is indexed.
    ///
    /// # Errors
    /// [`JournalError::Index`].
    pub fn at(&self, position: Position) -> Result<Option<IndexedRecord>, JournalError> {
        let key = [b"r", &position.to_bytes()[..]].concat();
        let bytes = self.db.get(key).map_err(JournalError::index("read it"))?;
        Ok(bytes.map(|bytes| IndexedRecord { position, bytes: Bytes::copy_from_slice(&bytes) }))
    }

    /// Records referred to by the keys with `prefix`, from `from` on.
    fn referred(
        &self,
        prefix: &[u8],
        from: Vec<u8>,
    ) -> impl Iterator<Item = Result<IndexedRecord, JournalError>> + use<> {
        let store = self.clone();
        let prefix = prefix.to_vec();
        let from = if from.is_empty() { prefix.clone() } else { from };
        self.db
            .range(from..)
            .take_while(move |entry| entry.as_ref().map_or(true, |(key, _)| key.starts_with(&prefix)))
            .filter_map(move |entry| {
                let found = entry
                    .map_err(JournalError::index("read it"))
                    .and_then(|(key, _)| position_of(&key).map_or(Ok(None), |position| store.at(position)));
                found.transpose()
            })
    }

    pub(crate) fn cursor(&self) -> Result<Option<Cursor>, JournalError> {
        let bytes = self.db.get(CURSOR).map_err(JournalError::index("read its cursor"))?;
        Ok(bytes.and_then(|bytes| Cursor::decode(&bytes)))
    }

    /// Stores records with their keys and the cursor after them, all or nothing.
    pub(crate) fn put(
        &self,
        cursor: Cursor,
        records: &[(Record, [u8; 32], Option<RecordKeys>)],
    ) -> Result<(), JournalError> {
        let mut batch = Batch::default();
        let none = IVec::default();
        for (record, hash, keys) in records {
            let at = record.position.to_bytes();
            batch.insert([b"r", &at[..]].concat(), &record.bytes[..]);
            batch.insert([b"h", &hash[..], &at].concat(), none.clone());
            let Some(keys) = keys else { continue };
            batch.insert([author_key(keys.author, keys.epoch, keys.seq), at.to_vec()].concat(), none.clone());
            for term in &keys.terms {
                batch.insert([term_key(term.kind, &term.value), at.to_vec()].concat(), none.clone());
            }
        }
        batch.insert(CURSOR, cursor.encode());
        batch.insert(LAYOUT, VERSION);
        self.db.apply_batch(batch).map_err(JournalError::index("store records"))
    }

    pub(crate) fn flush(&self) -> Result<(), JournalError> {
        self.db.flush().map(drop).map_err(JournalError::index("flush it"))
    }

    /// Whether what stands here follows from the journal as it is.
    pub(super) fn agrees<S: Storage>(&self, storage: &S, durable: Durable) -> Result<bool, JournalError> {
        let layout = self.db.get(LAYOUT).map_err(JournalError::index("read its layout"))?;
        let Some(cursor) = self.cursor()? else { return Ok(layout.is_none() && self.db.is_empty()) };
        if layout.as_deref() != Some(VERSION) || cursor.next > durable.through() || cursor.records > durable.records() {
            return Ok(false);
        }
        let Some((position, hash)) = cursor.last else { return Ok(cursor.records == 0) };
        let Ok(file) = storage.open(&segment::name(position.segment())) else { return Ok(false) };
        Ok(read_record(&file, position).is_ok_and(|record| <[u8; 32]>::from(Sha256::digest(&record)) == hash))
    }
}
