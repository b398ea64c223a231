//! Where the index reads records: the journal's files.

use std::fmt;

use watchfire_types::Bytes;

use crate::error::JournalError;
use crate::position::Position;
use crate::reading::OpenSegment;
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
    open: OpenSegment<S>,
}

impl<S: Storage> Journalled<S> {
    pub(super) fn new(storage: S) -> Self {
        Self { storage, open: OpenSegment::default() }
    }
}

impl<S: Storage> Source for Journalled<S> {
    fn read(&self, position: Position) -> Result<Bytes, JournalError> {
        self.open.read(&self.storage, position)
    }
}
