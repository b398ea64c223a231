//! Reading one record from a segment's file, by its position.

use std::sync::{Mutex, PoisonError};

use watchfire_types::Bytes;

use crate::error::{DamageKind, JournalError};
use crate::frame;
use crate::position::Position;
use crate::segment;
use crate::storage::{Storage, StorageFile, read_range};

/// A segment that is held open for reading: the one read last.
#[derive(Debug)]
pub(crate) struct OpenSegment<S: Storage>(Mutex<Option<(u32, S::File)>>);

impl<S: Storage> Default for OpenSegment<S> {
    fn default() -> Self {
        Self(Mutex::new(None))
    }
}

impl<S: Storage> OpenSegment<S> {
    /// The record at `position`, from what stands in the segment's file.
    pub(crate) fn read(&self, storage: &S, position: Position) -> Result<Bytes, JournalError> {
        let mut open = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let file = match open.take() {
            Some((number, file)) if number == position.segment() => file,
            _ => {
                let name = segment::name(position.segment());
                storage.open(&name).map_err(JournalError::io("open", name))?
            }
        };
        let record = read_record(&file, position);
        *open = Some((position.segment(), file));
        record
    }
}

/// Reads single records of a journal's files beside their writer: nothing is locked, and the segment read last is held open.
#[derive(Debug)]
pub struct RecordReader<S: Storage> {
    storage: S,
    open: OpenSegment<S>,
}

impl<S: Storage> RecordReader<S> {
    /// A reader of these files.
    pub fn new(storage: S) -> Self {
        Self { storage, open: OpenSegment::default() }
    }

    /// The record at a position, which a scan or the index gave.
    ///
    /// # Errors
    /// As [`crate::Journal::read`].
    pub fn read(&self, position: Position) -> Result<Bytes, JournalError> {
        self.open.read(&self.storage, position)
    }
}

pub(crate) fn read_record(file: &impl StorageFile, position: Position) -> Result<Bytes, JournalError> {
    const FIRST: usize = 1024;
    let (number, offset) = (position.segment(), position.offset());
    let read =
        |length| read_range(file, u64::from(offset), length).map_err(JournalError::io("read", segment::name(number)));
    let mut bytes = read(FIRST)?;
    let damaged = |kind| segment::damaged(number, offset as usize, kind);
    let header = frame::header(&bytes, number, offset).ok_or_else(|| damaged(DamageKind::FrameHeader))?;
    if header.size() > FIRST {
        bytes = read(header.size())?;
    }
    match header.content(&bytes) {
        Some(frame::Content::Record(record)) => Ok(Bytes::copy_from_slice(record)),
        Some(frame::Content::Hole(_) | frame::Content::Note(_)) => Err(JournalError::NoSuchRecord { position }),
        None => Err(damaged(DamageKind::FrameContent)),
    }
}
