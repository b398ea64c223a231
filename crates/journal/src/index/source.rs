//! Where the index reads records: the journal's files.

use std::fmt;

use watchfire_types::Bytes;

use crate::error::JournalError;
use crate::position::Position;
use crate::reading::RecordReader;
use crate::storage::Storage;

/// Reads a record by its position.
pub(super) trait Source: fmt::Debug + Send + Sync {
    /// The record there, if its checksums hold.
    fn read(&self, position: Position) -> Result<Bytes, JournalError>;
}

impl<S: Storage> Source for RecordReader<S> {
    fn read(&self, position: Position) -> Result<Bytes, JournalError> {
        Self::read(self, position)
    }
}
