//! The journal with its index: append in commits of a bounded size, read back by hash.

use watchfire_journal::{Durable, Journal, JournalError, Position, Space, Storage};
use watchfire_types::{Bytes, Event, EventHash, Timestamp, Verified};

use crate::index::Index;
use crate::outbox::Origin;

/// Most records of one commit; one more and the log syncs first.
pub(crate) const COMMIT_RECORDS: usize = 256;
/// Room of a full disk that is kept for what this node says itself.
const OWN_ROOM: u64 = 512 << 10;
/// Room for what may still be authored at all: several of the largest events, so that no append begins that cannot end.
const LAST_ROOM: u64 = 128 << 10;
/// Others' events wait this long for a sync of their own, ms.
const SYNC_MS: u64 = 10;

#[derive(Debug)]
pub(crate) struct Log<S: Storage> {
    journal: Journal<S>,
    index: Index,
    unsynced: usize,
    /// The turn that appended the first record that waits for a sync.
    since: Option<Timestamp>,
}

impl<S: Storage> Log<S> {
    /// `index` must hold exactly what `journal` holds.
    pub(crate) fn new(journal: Journal<S>, index: Index) -> Self {
        Self { journal, index, unsynced: 0, since: None }
    }

    pub(crate) fn append(&mut self, now: Timestamp, event: &Verified<Event>) -> Result<Position, JournalError> {
        if self.unsynced >= COMMIT_RECORDS {
            self.sync()?;
        }
        let position = self.journal.append(event.outer())?;
        self.unsynced += 1;
        self.since.get_or_insert(now);
        self.index.insert(event, position);
        Ok(position)
    }

    pub(crate) fn sync(&mut self) -> Result<Durable, JournalError> {
        let durable = self.journal.sync()?;
        self.unsynced = 0;
        self.since = None;
        Ok(durable)
    }

    /// Takes up what was prepared beside the writer, and asks again where the disk was full.
    pub(crate) fn tend(&mut self) -> Result<(), JournalError> {
        self.journal.tend()
    }

    /// Whether there is room for what `origin` says. On a full disk others' events wait first: peers hold them and give them again.
    /// Then nothing is authored any more; what is held stays whole, and both go on by themselves once the disk has room.
    pub(crate) fn has_room(&self, origin: Origin) -> bool {
        let least = match origin {
            Origin::Own => LAST_ROOM,
            Origin::Received => OWN_ROOM,
        };
        match self.journal.space() {
            Space::Ample => true,
            Space::Reserve { bytes_left } => bytes_left >= least,
        }
    }

    /// When what waits is synced at the latest; `None` when all is durable.
    pub(crate) fn sync_at(&self) -> Option<Timestamp> {
        self.since.map(|since| since.plus_millis(SYNC_MS))
    }

    /// Whether what waits must be synced now though none of it is the node's own: a whole commit, or one that waited long enough.
    pub(crate) fn sync_is_due(&self, now: Timestamp) -> bool {
        self.unsynced >= COMMIT_RECORDS || self.sync_at().is_some_and(|at| now >= at)
    }

    /// Whether nothing waits for a sync.
    pub(crate) fn is_durable(&self) -> bool {
        self.since.is_none()
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
