//! The journal with its index: append in commits of a bounded size, read back by hash.

use watchfire_journal::{Durable, Journal, JournalError, Position, Storage};
use watchfire_types::{Bytes, Event, EventHash, Verified};

use crate::index::Index;

/// Most records of one commit; one more and the log syncs first.
pub(crate) const COMMIT_RECORDS: usize = 256;

#[derive(Debug)]
pub(crate) struct Log<S: Storage> {
    journal: Journal<S>,
    index: Index,
    unsynced: usize,
}

impl<S: Storage> Log<S> {
    /// `index` must hold exactly what `journal` holds.
    pub(crate) fn new(journal: Journal<S>, index: Index) -> Self {
        Self { journal, index, unsynced: 0 }
    }

    pub(crate) fn append(&mut self, event: &Verified<Event>) -> Result<Position, JournalError> {
        if self.unsynced >= COMMIT_RECORDS {
            self.sync()?;
        }
        let position = self.journal.append(event.outer())?;
        self.unsynced += 1;
        self.index.insert(event, position);
        Ok(position)
    }

    pub(crate) fn sync(&mut self) -> Result<Durable, JournalError> {
        let durable = self.journal.sync()?;
        self.unsynced = 0;
        Ok(durable)
    }

    pub(crate) fn read(&self, hash: &EventHash) -> Result<Option<Bytes>, JournalError> {
        self.index.position(hash).map(|position| self.journal.read(position)).transpose()
    }

    pub(crate) fn index(&self) -> &Index {
        &self.index
    }

    pub(crate) fn journal(&self) -> &Journal<S> {
        &self.journal
    }
}
