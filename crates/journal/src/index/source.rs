//! Where the index reads records: the journal's files.

use std::fmt;
use std::sync::{Mutex, PoisonError};

use watchfire_types::Bytes;

use crate::error::JournalError;
use crate::journal::read_record;
use crate::position::Position;
use crate::segment;
use crate::storage::Storage;

/// Reads a record by its position.
pub(super) trait Source: fmt::Debug + Send + Sync {
    /// The record there, if its checksums hold.
    fn read(&self, position: Position) -> Result<Bytes, JournalError>;
}

/// The journal's files, the one read last held open.
#[derive(Debug)]
pub(super) struct Journalled<S: Storage> {
    storage: S,
    open: Mutex<Option<(u32, S::File)>>,
}

impl<S: Storage> Journalled<S> {
    pub(super) fn new(storage: S) -> Self {
        Self { storage, open: Mutex::new(None) }
    }
}

impl<S: Storage> Source for Journalled<S> {
    fn read(&self, position: Position) -> Result<Bytes, JournalError> {
        let mut open = self.open.lock().unwrap_or_else(PoisonError::into_inner);
        let file = match open.take() {
            Some((number, file)) if number == position.segment() => file,
            _ => {
                let name = segment::name(position.segment());
                self.storage.open(&name).map_err(JournalError::io("open", name))?
            }
        };
        let record = read_record(&file, position);
        *open = Some((position.segment(), file));
        record
    }
}
